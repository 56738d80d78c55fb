import ArgumentParser
import CABSTerminal
import CABSTraining
import Foundation

/// The program.
@main
enum Program {
    static func main() async {
        StandardStream.prepare()
        await CABSCommand.main()
    }
}

/// The command `cabs`.
struct CABSCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cabs",
        abstract: "Trains neural networks with SGD whose batch size adapts itself.",
        discussion: "Coupled Adaptive Batch Size: Balles, Romero and Hennig, UAI 2017, arXiv 1612.05086.",
        version: "0.1.0",
        subcommands: [
            TrainCommand.self, EvaluateCommand.self, PredictCommand.self, MeasureCommand.self,
            BranchCommand.self, CompareCommand.self, ReportCommand.self, ExportCommand.self, PolicyCommand.self,
            DataCommand.self,
            BenchCommand.self,
        ])
}

/// Runs `body`, and turns an error about an option's value into one that ends the command as wrong usage.
func checkingUsage<Value>(_ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch let error as TrainingError {
        switch error {
        case .unreadable, .unwritable, .invalidConfiguration, .invalidParameterFile, .outputExists, .diverged, .inUse,
            .noCheckpoint, .resumesDifferently, .ranksDiffer, .invalidLine:
            throw error
        default:
            throw ValidationError(error.description)
        }
    } catch let error as BatchSizePolicyError {
        throw ValidationError(error.description)
    } catch let error as ModelError {
        throw ValidationError(error.description)
    } catch let error as EngineError {
        throw ValidationError(error.description)
    }
}
