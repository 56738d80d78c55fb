import ArgumentParser
import CABSTerminal
import CABSTraining
import Foundation

/// The program.
@main
enum Program {
    static func main() async {
        StandardStream.prepare()
        do {
            var command = try CABSCommand.parseAsRoot(ArgumentList.joined(Array(CommandLine.arguments.dropFirst())))
            do {
                if var command = command as? any AsyncParsableCommand {
                    try await command.run()
                } else {
                    try command.run()
                }
            } catch let error as ValidationError {
                exit(type(of: command), misusedAs: error)
            }
        } catch {
            CABSCommand.exit(withError: error)
        }
    }

    /// Ends as wrong usage of one command. What is found out while a command runs the library takes for wrong usage of the whole program.
    private static func exit(_ command: any ParsableCommand.Type, misusedAs error: ValidationError) -> Never {
        StandardStream.errors.write(
            "Error: \(error.message)\nUsage: \(CABSCommand.usageString(for: command))\n"
                + "  See '\(CABSCommand.words(for: command) ?? "cabs") --help' for more information.\n")
        Foundation.exit(CABSCommand.exitCode(for: error).rawValue)
    }
}

extension ParsableCommand {
    /// What is written to call a command that is this one or one of its own.
    fileprivate static func words(for command: any ParsableCommand.Type) -> String? {
        let name = configuration.commandName ?? ""
        if self == command { return name }
        return configuration.subcommands.lazy.compactMap { $0.words(for: command) }.first.map { "\(name) \($0)" }
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
            .noCheckpoint, .resumesDifferently, .branchesDiffer, .otherData, .madeOfOther, .unmeasurable, .ranksDiffer,
            .invalidLine:
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
