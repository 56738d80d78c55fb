import ArgumentParser
import CABSRanks
import CABSTerminal
import CABSTraining
import Foundation

/// Options about processes that make a run together.
struct RankArguments: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Join the processes that mpirun or srun started: auto (where one did), on, off, or an MPI library's file. (default: auto)",
            valueName: "way"))
    var mpi: String?

    @Option(
        help: ArgumentHelp(
            "After how many seconds without a word from the others a process ends. (default: 300)", valueName: "n"))
    var mpiTimeout: Double?

    @Option(
        help: ArgumentHelp(
            "How gradients go to other processes; see docs/cluster.md. (default: auto)",
            valueName: "way"))
    var exchange: GradientExchange?

    /// Joins the other processes; nothing where this one is alone.
    func join() throws -> Communicator? {
        let timeout = mpiTimeout ?? 300
        guard timeout > 0, timeout <= 1e8 else {
            throw ValidationError(
                "--mpi-timeout is \(timeout), but must be a number of seconds above 0, up to 100000000")
        }
        let choice = MPIRanks.Choice(mpi ?? "auto")
        guard choice.joins() else { return nil }
        let communicator = try Communicator(timeout: timeout) { try MPIRanks(choice) }
        guard communicator.count > 1 else {
            communicator.leave()
            return nil
        }
        return communicator
    }

    /// Runs what processes do together, or one alone.
    ///
    /// An error of one ends all: the others wait for it in calls that only the library, or the launcher, can end.
    ///
    /// - Parameters:
    ///   - options: The options of the run, which must be the same on all.
    ///   - body: What they do, given what they know of each other.
    func together(_ options: () throws -> TrainingOptions, _ body: (RankTeam?) async throws -> Void) async throws {
        guard let communicator = try join() else {
            for (option, isGiven) in [("--exchange", exchange != nil), ("--mpi-timeout", mpiTimeout != nil)]
            where isGiven {
                printWarning("\(option) has no effect: no other process makes the run")
            }
            return try await body(nil)
        }
        do {
            let version = CABSCommand.configuration.version
            try await body(
                RankTeam(communicator, exchange: exchange ?? .automatic, options: options(), version: version))
            communicator.leave()
        } catch let code as ExitCode {
            // They agreed to stop.
            communicator.leave()
            throw code
        } catch let error as TrainingError where error.isSharedByRanks {
            if communicator.isFirst { StandardStream.errors.write("Error: \(error)\n") }
            communicator.leave()
            throw ExitCode.failure
        } catch {
            StandardStream.errors.write(
                "Error: rank \(communicator.rank) on \(ProcessInfo.processInfo.hostName): \(CABSCommand.message(for: error))\n"
            )
            communicator.abort(code: CABSCommand.exitCode(for: error).rawValue)
            throw ExitCode.failure
        }
    }
}

extension GradientExchange: ExpressibleByArgument {}
