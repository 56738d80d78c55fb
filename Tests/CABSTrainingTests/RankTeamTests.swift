import CABSData
import CABSNetwork
import CABSRanks
import Foundation
import Synchronization
import Testing

@testable import CABSTraining

@Suite(.timeLimit(.minutes(10))) struct RankTeamTests {
    private static func member(_ processors: [Int], kernel: String = "a", quota: Int? = nil) -> RankMember {
        RankMember(host: "host", processors: processors, quota: quota, kernel: kernel)
    }

    private static func shares(_ members: [RankMember]) -> [Int] { RankMember.withShares(members).map(\.workers) }

    @Test func `a rank's workers are its share of the processors`() {
        let all = Array(0..<8)
        // One rank, two that share all, two that are bound to halves, two on machines of their own.
        #expect(Self.shares([Self.member(all)]) == [8])
        #expect(Self.shares([Self.member(all), Self.member(all)]) == [4, 4])
        #expect(Self.shares([Self.member([0, 1, 2]), Self.member([3])]) == [3, 1])
        #expect(Self.shares([Self.member(all), Self.member(all, kernel: "b")]) == [8, 8])
        // Three on two processors, and one that has only a part of what another may use too.
        #expect(Self.shares(Array(repeating: Self.member([0, 1]), count: 3)) == [1, 1, 1])
        #expect(Self.shares([Self.member([0, 1, 2, 3]), Self.member([0, 1])]) == [3, 1])
        // Less time than processors, for two ranks together.
        let limited = Self.member(all, quota: 3)
        #expect(Self.shares([limited, limited]) == [1, 1])
    }

    private static func options(steps: Int, _ change: (inout TrainingOptions) -> Void = { _ in }) -> TrainingOptions {
        var options = TrainingOptions()
        (options.dataset, options.steps, options.workers) = (.digits, steps, 1)
        options.optimizer = "momentum:0.9"
        options.average = "ema:500"
        options.checkpointEvery = "7"
        change(&options)
        return options
    }

    private static var ownWorker: TrainingOptions {
        var options = TrainingOptions()
        options.workers = 1
        return options
    }

    /// A run of several ranks, in a folder: what it came to on each.
    private func run(
        _ count: Int, in folder: URL, resuming: Bool = false,
        _ options: @escaping @Sendable (_ rank: Int) -> TrainingOptions,
        shouldStop: @escaping @Sendable (_ rank: Int) -> Bool = { _ in false }
    ) async -> [Result<RunSummary, any Error>] {
        await ThreadRanks.run(count) { communicator in
            // Threads are ranks here, and each of them waits for its run.
            let given = options(communicator.rank)
            return try waiting {
                let team = try RankTeam(communicator, options: given)
                let place = communicator.isFirst ? folder : folder.appending(path: "not-here")
                let training =
                    resuming
                    ? try await TrainingRun(resuming: RunDirectory(existing: place), with: given, team: team)
                    : try TrainingRun(TrainingConfiguration(given, isShared: true), output: place, team: team)
                return try await training.run(shouldStop: { shouldStop(communicator.rank) })
            }
        }
    }

    @Test func `a run of ranks is written once, stops together, and goes on with any number`() async throws {
        try await withFolder { folder in
            let (one, several) = (folder.appending(path: "one"), folder.appending(path: "several"))
            let alone = try await TrainingRun(TrainingConfiguration(Self.options(steps: 40)), output: one).run()
            let stops = Countdown(3 * 12)
            let stopped = await run(3, in: several, { _ in Self.options(steps: 40) }) { rank in
                stops.tick() && rank == 2
            }
            for result in stopped { #expect(throws: RunInterruption.self) { try result.get() } }
            #expect(!FileManager.default.fileExists(atPath: several.appending(path: "not-here").path))
            let again = await run(2, in: several, resuming: true) { _ in TrainingOptions() }
            for result in again {
                let summary = try result.get()
                #expect(summary.steps == 40 && summary.examples == alone.examples)
                #expect(abs(summary.testLoss! - alone.testLoss!) < 1e-3)
                #expect(abs(summary.averageTestLoss! - alone.averageTestLoss!) < 1e-3)
            }
            let lines = try String(contentsOf: several.appending(path: "metrics.jsonl"), encoding: .utf8)
            #expect(lines.split(separator: "\n").count == 40)
        }
    }

    @Test func `ranks that were killed before the first checkpoint start from the beginning`() async throws {
        try await withFolder { folder in
            let (whole, killed) = (folder.appending(path: "whole"), folder.appending(path: "killed"))
            for result in await run(2, in: whole, { _ in Self.options(steps: 20) }) { _ = try result.get() }
            try FileManager.default.createDirectory(
                at: killed.appending(path: "checkpoints"), withIntermediateDirectories: true)
            try FileManager.default.copyItem(
                at: whole.appending(path: "config.yaml"), to: killed.appending(path: "config.yaml"))
            for result in await run(2, in: killed, resuming: true, { _ in Self.ownWorker }) {
                #expect(try result.get().steps == 20)
            }
            for name in ["final.safetensors", "final-average.safetensors"] {
                let (a, b) = (
                    whole.appending(path: "checkpoints/\(name)"), killed.appending(path: "checkpoints/\(name)")
                )
                #expect(try Data(contentsOf: a) == Data(contentsOf: b), "\(name)")
            }
        }
    }

    /// Makes a grid by ranks, the first of which alone has it all; another's options count there. Returns what became of each rank.
    private func compare(
        in folder: URL, stops: Bool = false, _ change: @escaping @Sendable (_ rank: Int, inout ComparisonGrid) -> Void
    ) async -> [Result<Void, any Error>] {
        await ThreadRanks.run(3) { communicator in
            try waiting {
                var grid = ComparisonGrid(rules: [], learningRates: [])
                grid.options = TrainingOptions()
                if communicator.isFirst {
                    grid = ComparisonGrid(rules: [.init("constant:16")], learningRates: [0.1])
                    grid.options = Self.options(steps: 30) { $0.workers = 2 }
                }
                change(communicator.rank, &grid)
                let place = communicator.isFirst ? folder : folder.appending(path: "not-here")
                let comparison = try Comparison(grid, in: place, team: RankTeam(communicator))
                for run in comparison.runs { try await comparison.make(run, shouldStop: { stops }) }
            }
        }
    }

    @Test func `the ranks of a grid have its workers, and their own in their place`() async throws {
        try await withFolder { folder in
            let url = folder.appending(path: "grid")
            let found = await compare(in: url) { rank, grid in
                var three = TrainingOptions()
                (three.batchSize, three.workers) = ("constant:32", 3)
                if rank == 0 { grid.rules.append(.init(name: "three", options: three)) }
                if rank == 2 { grid.options?.workers = 1 }
            }
            for result in found { try result.get() }
            let comparison = try Comparison(existing: url)
            let workers = try comparison.runs.map { run in
                try JSONDecoder().decode(
                    [RankMember].self, from: Data(contentsOf: comparison.directory(of: run).ranksFile)
                ).map(\.workers)
            }
            // A rule's own number goes before all others.
            #expect(workers == [[2, 2, 1], [3, 3, 3]])
        }
    }

    @Test func `ranks go on with a grid of which one process made runs, and one process after them`() async throws {
        try await withFolder { folder in
            let url = folder.appending(path: "grid")
            var grid = ComparisonGrid(rules: [.init("constant:16")], learningRates: [0.1])
            grid.options = Self.options(steps: 30)
            let alone = try Comparison(grid, in: url)
            try await alone.make(alone.runs[0])
            for result in await compare(in: url, { rank, grid in if rank == 0 { grid.seeds = [0, 1] } }) {
                try result.get()
            }
            #expect(try Comparison(existing: url).results().count == 2)
            // The run of ranks has no number of workers, which is no reason to refuse it.
            grid.seeds = [0, 1, 2]
            let after = try Comparison(grid, in: url)
            try await after.make(after.runs[2])
            #expect(try after.results().count == 3)
            // Other parameters at its beginning are one.
            grid.seeds = [1]
            grid.options?.initialParameters = "other.safetensors"
            #expect {
                _ = try Comparison(grid, in: url)
            } throws: {
                "\($0)".contains("initial-parameters was ")
            }
        }
    }

    @Test func `the ranks of a grid go on with it, wherever each has what it reads`() async throws {
        try await withFolder { folder in
            let start = folder.appending(path: "start")
            _ = try await TrainingRun(TrainingConfiguration(Self.options(steps: 1)), output: start).run()
            let files = (0..<3).map { folder.appending(path: "parameters-\($0).safetensors") }
            for file in files {
                try FileManager.default.copyItem(at: RunDirectory(existing: start).finalParametersFile, to: file)
            }
            let url = folder.appending(path: "grid")
            let places: @Sendable (Int, inout ComparisonGrid) -> Void = { rank, grid in
                grid.options?.initialParameters = files[rank].path
            }
            for result in await compare(in: url, stops: true, places) {
                #expect(throws: RunInterruption.self) { try result.get() }
            }
            for result in await compare(in: url, places) { try result.get() }
            let comparison = try Comparison(existing: url)
            #expect(try comparison.results().map(\.summary.steps) == [30])
            let lines = try Data(contentsOf: comparison.directory(of: comparison.runs[0]).metricsFile)
            #expect(lines.count { $0 == UInt8(ascii: "\n") } == 30)
        }
    }

    @Test(arguments: [
        ("seed 5", "seed"), ("step", "steps"),
    ]) func `a rank with other options is told to all`(what: (String, String)) async throws {
        try await withFolder { folder in
            let found = await run(3, in: folder.appending(path: "out")) { rank in
                Self.options(steps: 3) { options in
                    guard rank == 1 else { return }
                    if what.1 == "seed" { options.seed = 5 } else { options.steps = 4 }
                }
            }
            for result in found {
                let error = #expect(throws: TrainingError.self) { try result.get() }
                guard case .ranksDiffer(1, _, what.1, _, _) = error else {
                    Issue.record("\(String(describing: error))")
                    continue
                }
            }
            #expect(!FileManager.default.fileExists(atPath: folder.appending(path: "out").path))
        }
    }

    @Test func `a rank that fails leaves no other waiting`() async throws {
        try await withFolder { folder in
            let found = await run(3, in: folder.appending(path: "out")) { rank in
                Self.options(steps: 30) { if rank == 1 { $0.initialParameters = "/nowhere" } }
            }
            #expect(throws: TrainingError.self) { try found[1].get() }
            for rank in [0, 2] { #expect(throws: RankError.rankLeft(rank: 1)) { try found[rank].get() } }
        }
    }
}

/// Counts down, from any thread.
private final class Countdown: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) { left = Atomic(count) }

    /// Whether it has come to its end.
    func tick() -> Bool { left.subtract(1, ordering: .relaxed).newValue <= 0 }
}

/// A thread for one rank: those that tasks share are too few for all ranks to wait at once.
private final class ThreadExecutor: TaskExecutor {
    private let queue = DispatchQueue(label: "rank")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Runs something asynchronous on a thread that may wait.
private func waiting<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value {
    let result = Mutex<Result<Value, any Error>?>(nil)
    let semaphore = DispatchSemaphore(value: 0)
    Task(executorPreference: ThreadExecutor()) {
        let found: Result<Value, any Error>
        do { found = .success(try await body()) } catch { found = .failure(error) }
        result.withLock { $0 = found }
        semaphore.signal()
    }
    semaphore.wait()
    return try result.withLock { $0! }.get()
}

private func withFolder(_ body: (URL) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try await body(folder)
}
