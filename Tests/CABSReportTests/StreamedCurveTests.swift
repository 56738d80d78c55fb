import CABSTraining
import Foundation
import Testing

@testable import CABSReport

/// Figures of runs whose steps are read and not kept.
@Suite(.timeLimit(.minutes(10))) struct StreamedCurveTests {
    /// A step as the test wrote it.
    private struct Step {
        let size: Int
        var loss: Double?
        let moment: Double
        let squaredNorm: Double
        let raw: Double
        let shadow: Int
        var accuracy: Double?
    }

    private static func steps(_ count: Int, seed: Int) -> [Step] {
        (0..<count).map { index in
            let turn = Double((index * 37 + seed * 11) % 101) / 101
            return Step(
                size: 1 + (index * 13 + seed) % 40, loss: index == 77 ? nil : 0.5 + turn, moment: 3 + turn,
                squaredNorm: 0.25 + turn / 8, raw: 10 + 20 * turn, shadow: 16 + index % 5,
                accuracy: index % 50 == 49 ? 0.5 + turn / 4 : nil)
        }
    }

    /// Writes a run whose last line is cut off.
    private static func write(
        _ steps: [Step], _ name: String, seed: Int, accuracy: Double? = nil, in folder: TemporaryFolder
    ) throws {
        _ = try folder.writeRun(
            name, learningRate: 0.1, seed: seed, status: accuracy == nil ? nil : "finished", accuracy: accuracy ?? 0,
            options: "shadow: noise-scale")
        var examples = 0
        var text = "not a line\n"
        for (index, step) in steps.enumerated() {
            examples += step.size
            text +=
                "{\"step\": \(index), \"batch_size\": \(step.size)"
                + (step.loss.map { ", \"loss\": \($0)" } ?? "")
                + ", \"second_moment\": \(step.moment), \"gradient_squared_norm\": \(step.squaredNorm)"
                + ", \"batch_size_raw\": \(step.raw), \"batch_size_raw_standard_error\": 2, \"next_batch_size\": \(Int(step.raw))"
                + ", \"accuracy\": 0.5, \"examples\": \(examples), \"training_seconds\": \(Double(index + 1) / 64)"
                + (step.accuracy.map { ", \"test_loss\": 1, \"test_accuracy\": \($0)" } ?? "")
                + ", \"shadow\": {\"noise-scale\": \(step.shadow)}}\n"
        }
        _ = try folder.write(text + "{\"step\": \(steps.count), \"batch_si", as: "\(name)/metrics.jsonl")
    }

    private static func curves(_ folder: TemporaryFolder, _ names: [String]) throws -> RuleCurves {
        let runs = try RunCollection(names.map { folder.url.appending(path: $0).path }).runs
        return try #require(RuleCurves(RunGroup.groups(of: runs)[0].rules[0]))
    }

    /// The mean over the parts, which are equally long: that over the run.
    private static func mean(_ curve: Curve) -> Double {
        curve.points.map(\.y.mean).reduce(0, +) / Double(curve.points.count)
    }

    @Test func `means over the parts of a run are those over its steps`() throws {
        let folder = try TemporaryFolder()
        let steps = Self.steps(1000, seed: 0)
        try Self.write(steps, "run", seed: 0, in: folder)
        let curves = try Self.curves(folder, ["run"])
        func mean(_ steps: [Step], _ value: (Step) -> Double, _ weight: (Step) -> Double = { _ in 1 }) -> Double {
            steps.map { value($0) * weight($0) }.reduce(0, +) / steps.map(weight).reduce(0, +)
        }
        func close(_ a: Double, _ b: Double) -> Bool { abs(a - b) < 1e-9 * abs(b) }
        let size = { (step: Step) in Double(step.size) }
        let measured = steps.filter { $0.loss != nil }
        #expect(curves.loss(by: .examples).points.count == 150)
        #expect(close(Self.mean(curves.loss(by: .examples)), mean(measured, { $0.loss! }, size)))
        #expect(close(Self.mean(curves.loss(by: .seconds)), mean(measured, { $0.loss! }, size)))
        #expect(close(Self.mean(curves.batchSize), mean(steps, size)))
        #expect(close(Self.mean(curves.askedFor), mean(steps) { $0.raw }))
        #expect(curves.askedFor.points.allSatisfy { close($0.y.high - $0.y.mean, 4) && close($0.y.mean - $0.y.low, 4) })
        #expect(close(Self.mean(curves.nextBatchSize), mean(steps) { $0.raw.rounded(.down) }))
        #expect(curves.shadows == ["noise-scale"])
        #expect(close(Self.mean(curves.nextBatchSize(by: "noise-scale")), mean(steps) { Double($0.shadow) }))
        #expect(close(Self.mean(curves.variance), mean(measured, { $0.moment - $0.squaredNorm }, size)))
        // Single examples have no unbiased variance.
        let several = measured.filter { $0.size > 1 }
        let unbiased = { (step: Step) -> Double in
            step.squaredNorm - (step.moment - step.squaredNorm) / (Double(step.size) - 1)
        }
        let squared = mean(several, unbiased, size)
        #expect(curves.squaredNorm.points.count == 40 && close(Self.mean(curves.squaredNorm), squared))
        let measuredAt: [Double] = (1...20).map { Double($0 * 50) / 64 }
        #expect(curves.accuracy(by: .examples).points.map(\.y.mean) == steps.compactMap(\.accuracy))
        #expect(curves.accuracy(by: .seconds).points.map(\.x) == measuredAt)
        #expect(!curves.predictsValues && curves.runCount == 1)
    }

    @Test func `runs of several lengths are joined part by part`() throws {
        let folder = try TemporaryFolder()
        let (one, other) = (Self.steps(600, seed: 0), Self.steps(90, seed: 1))
        try Self.write(one, "one", seed: 0, in: folder)
        try Self.write(other, "other", seed: 1, in: folder)
        let curves = try Self.curves(folder, ["one", "other"])
        #expect(curves.runCount == 2)
        // As many parts as the shorter run has steps, of which the first is its first step.
        #expect(curves.batchSize.points.count == 90)
        let first = one.prefix(7).map { Double($0.size) }
        let mean = (first.prefix(6).reduce(0, +) + first[6] * (600.0 / 90 - 6)) / (600.0 / 90)
        let (low, high) = (min(mean, Double(other[0].size)), max(mean, Double(other[0].size)))
        let point = curves.batchSize.points[0].y
        #expect(abs(point.low - low) < 1e-9 && abs(point.high - high) < 1e-9)
        #expect(curves.loss(by: .examples).points.count == 89)
    }

    @Test func `the evaluation at a run's end is there once`() throws {
        let folder = try TemporaryFolder()
        for (name, count) in [("due", 100), ("not-due", 110)] {
            let steps = Self.steps(count, seed: 0)
            try Self.write(steps, name, seed: 0, accuracy: 0.875, in: folder)
            let found = try Self.curves(folder, [name]).accuracy(by: .examples).points.map(\.y.mean)
            #expect(found == steps.compactMap(\.accuracy) + (name == "due" ? [] : [0.875]))
        }
    }

    @Test func `the last step of a run that has not ended is found from the end`() throws {
        let folder = try TemporaryFolder()
        try Self.write(Self.steps(30, seed: 0), "run", seed: 0, in: folder)
        let run = try #require(RunCollection([folder.url.appending(path: "run").path]).runs.first)
        #expect(run.lastRecord?.step == 29)
        _ = try folder.write("", as: "run/metrics.jsonl")
        #expect(run.lastRecord == nil)
    }
}
