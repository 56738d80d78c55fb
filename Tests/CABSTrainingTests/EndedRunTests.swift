import CABSData
import CABSNetwork
import Foundation
import Testing

@testable import CABSTraining

/// What was made earlier counts beside what is made now only where both are made of the same.
@Suite(.timeLimit(.minutes(10))) struct EndedRunTests {
    private let folder: TemporaryFolder
    private var data: URL { folder.url.appending(path: "data") }
    private var grid: URL { folder.url.appending(path: "grid") }

    init() throws {
        folder = try TemporaryFolder()
        try writeData()
    }

    /// A set in MNIST's format, 40 images of 4x4 for training and 10 for testing; the first pixel of the last test image as given.
    private func writeData(lastPixel: UInt8 = 0) throws {
        try FileManager.default.createDirectory(at: data, withIntermediateDirectories: true)
        for (part, count) in [("train", 40), ("t10k", 10)] {
            var images = (0..<16 * count).map { (place: Int) -> UInt8 in
                let (image, pixel) = place.quotientAndRemainder(dividingBy: 16)
                return UInt8((image * 31 + pixel * 17) % 251)
            }
            if part == "t10k" { images[(count - 1) * 16] = lastPixel }
            let labels = (0..<count).map { (index: Int) -> UInt8 in UInt8(index % 10) }
            let imageHead: [UInt8] = [0, 0, 8, 3, 0, 0, 0, UInt8(count), 0, 0, 0, 4, 0, 0, 0, 4]
            let labelHead: [UInt8] = [0, 0, 8, 1, 0, 0, 0, UInt8(count)]
            try Data(imageHead + images).write(to: data.appending(path: "\(part)-images-idx3-ubyte"))
            try Data(labelHead + labels).write(to: data.appending(path: "\(part)-labels-idx1-ubyte"))
        }
    }

    private func comparison(
        rules: [String] = ["constant:4", "constant:8"], seeds: [UInt64] = [0],
        _ change: (inout TrainingOptions) -> Void = { _ in }, onNotice: (String) -> Void = { _ in }
    ) throws -> Comparison {
        var options = TrainingOptions()
        (options.dataset, options.data, options.workers, options.steps) = (.mnist, data.path, 1, 4)
        options.model = .named(.mlp)
        change(&options)
        var grid = ComparisonGrid(rules: rules.map { .init($0) }, learningRates: [0.1])
        (grid.options, grid.seeds) = (options, seeds)
        return try Comparison(grid, in: self.grid, onNotice: onNotice)
    }

    /// Which run is found to be made of other things, and how many more.
    private func refusal(_ change: (inout TrainingOptions) -> Void = { _ in }) -> (path: String, others: Int)? {
        do {
            _ = try comparison(change)
        } catch TrainingError.madeOfOther(let path, _, let others) {
            return (URL(filePath: path).lastPathComponent, others)
        } catch {
            Issue.record(error)
        }
        return nil
    }

    @Test func `a run of data that have changed is refused before another is made`() async throws {
        let first = try comparison()
        try await first.make(first.runs[0])
        #expect(refusal() == nil)
        try writeData(lastPixel: 1)
        #expect(refusal()?.path == "mnist_mlp_constant-4_0.1_0" && refusal()?.others == 0)
        // Its checkpoints are not needed to tell; without what it noted, they tell it.
        let run = first.directory(of: first.runs[0])
        try FileManager.default.moveItem(at: run.checkpointFolder, to: folder.url.appending(path: "kept"))
        #expect(refusal() != nil)
        let noted = try Data(contentsOf: run.originFile)
        try FileManager.default.removeItem(at: run.originFile)
        var notices: [String] = []
        _ = try comparison(onNotice: { notices.append($0) })
        #expect(notices.count == 1 && notices[0].hasPrefix("1 run "))
        try FileManager.default.moveItem(at: folder.url.appending(path: "kept"), to: run.checkpointFolder)
        #expect(refusal() != nil)
        try noted.write(to: run.originFile)
        // As the message says.
        try FileManager.default.removeItem(at: run.url)
        let again = try comparison()
        for run in again.runs { #expect(try await again.make(run) == .made) }
        try writeData()
        #expect(refusal()?.others == 1)
    }

    @Test func `a run that began with other parameters is refused, and made anew where it has not ended`() async throws
    {
        func writeParameters(seed: UInt64) throws -> String {
            let file = folder.url.appending(path: "start.safetensors")
            let model = try ModelConfiguration.named(.mlp).model(
                input: .image(height: 4, width: 4, channels: 1), outputCount: 10, seed: seed)
            try Safetensors.write(model.initialParameters(), to: file)
            return file.path
        }
        let path = try writeParameters(seed: 7)
        let first = try comparison { $0.initialParameters = path }
        try await first.make(first.runs[0])
        _ = try? await first.make(first.runs[1], shouldStop: { true })
        #expect(refusal { $0.initialParameters = path } == nil)
        _ = try writeParameters(seed: 8)
        #expect(refusal { $0.initialParameters = path }?.others == 0)
        try FileManager.default.removeItem(at: first.directory(of: first.runs[0]).url)
        let second = try comparison { $0.initialParameters = path }
        var indices: [Int] = []
        try await second.make(
            second.runs[1], onEvent: { if case .step(let step, _) = $0 { indices.append(step.index) } })
        #expect(indices == [0, 1, 2, 3])
    }

    @Test func `a grid that has ended shows its results where its data are not`() async throws {
        let first = try comparison()
        for run in first.runs { try await first.make(run) }
        try FileManager.default.removeItem(at: data)
        var notices: [String] = []
        let moved = try comparison(onNotice: { notices.append($0) })
        #expect(notices.count == 1 && notices[0].hasPrefix("2 runs "))
        #expect(try moved.results().count == 2)
    }

    @Test func `data are read once for all runs that have them, and not without a run that has ended`() async throws {
        let all = try comparison(seeds: [0, 1])
        var count = 0
        func check(_ change: (Int, inout TrainingOptions) -> Void = { _, _ in }) throws -> [String] {
            count = 0
            var check = EndedRunCheck { configuration throws(DatasetError) in
                count += 1
                return try DataFingerprint(try configuration.loadData())
            }
            for (index, run) in all.runs.enumerated() {
                var options = run.configuration.options
                change(index, &options)
                try check.add(all.directory(of: run), TrainingConfiguration(options))
            }
            return try check.notices()
        }
        for run in all.runs { try await all.make(run) }
        #expect(try check().isEmpty && count == 1 && all.runs.count == 4)
        #expect(throws: TrainingError.self) { _ = try check { if $0 == 3 { $1.validation = 5 } } }
        #expect(count == 2)
        // Without an end nothing is compared, whatever the data.
        try writeData(lastPixel: 1)
        for run in all.runs { try FileManager.default.removeItem(at: all.directory(of: run).summaryFile) }
        #expect(refusal() == nil)
    }

    @Test func `a curve is that of the run beside it`() async throws {
        let first = try comparison(rules: ["constant:4"])
        let run = first.runs[0]
        try await first.make(run)
        try first.writeResults()
        let seconds = try #require(first.writtenCurve(of: run).last?.trainingSeconds)
        #expect(try first.directory(of: run).summary()?.trainingSeconds == seconds)
        // Another run in its place, made elsewhere.
        let other = folder.url.appending(path: "other")
        _ = try await TrainingRun(run.configuration, output: other).run()
        try FileManager.default.removeItem(at: first.directory(of: run).url)
        try FileManager.default.moveItem(at: other, to: first.directory(of: run).url)
        #expect(try first.writtenCurve(of: run).isEmpty)
        try first.writeResults()
        let later = try #require(first.writtenCurve(of: run).last?.trainingSeconds)
        #expect(try first.directory(of: run).summary()?.trainingSeconds == later && later != seconds)
    }

    @Test func `a measurement stays with a run that goes on from it, not with one that goes back before it`()
        async throws
    {
        let url = folder.url.appending(path: "run")
        let directory = RunDirectory(existing: url)
        var options = try comparison().runs[0].configuration.options
        (options.keepCheckpoints, options.checkpointEvery) = (9, "2")
        try await ResumeTests.run(options, in: url)
        try directory.write(TrainedNetwork(at: url).measurement(exampleCount: 16))
        var longer = TrainingOptions()
        longer.steps = 8
        try await ResumeTests.finish(TrainingRun(resuming: directory, with: longer))
        #expect(try directory.measurement()?.stepCount == 4)
        try directory.write(TrainedNetwork(at: url).measurement(exampleCount: 16))
        #expect(try directory.measurement()?.stepCount == 8)
        try FileManager.default.removeItem(
            at: directory.checkpointFolder.appending(path: "step-000000008.safetensors"))
        _ = try await TrainingRun(resuming: directory)
        #expect(try directory.measurement() == nil)
    }
}
