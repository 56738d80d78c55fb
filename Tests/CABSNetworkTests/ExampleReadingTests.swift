import CABSExamples
import CABSPrimitives
import CABSRanks
import Synchronization
import Testing

@testable import CABSNetwork

/// How examples come into the engine: classes as what they stand for, and what cannot be read.
@Suite(.timeLimit(.minutes(10))) struct ExampleReadingTests {
    /// The examples of another batch by their classes, of which one may not be readable.
    private struct Classes: ExampleBatch {
        struct Unreadable: Error, Equatable { let position: Int }

        let base: ArrayBatch
        var smoothing = 0.0
        var unreadable: Int?
        /// How many examples were asked for, this one left out.
        var asked: Counter?
        var count: Int { base.count }
        var firstDraw: UInt64 { base.firstDraw }
        var target: TargetSpecification { .classes(base.targets[0].count, smoothing: smoothing) }

        func write(_ position: Int, into slot: inout ExampleSlot) throws {
            if position == unreadable { throw Unreadable(position: position) }
            asked?.add()
            try slot.setInput(base.inputs[position])
            try slot.setClass(base.targets[position].firstIndex(of: 1)!)
        }
    }

    private final class Counter: Sendable {
        private let number = Mutex(0)
        var value: Int { number.withLock { $0 } }
        func add() { number.withLock { $0 += 1 } }
    }

    private static func model() throws -> Model {
        try Model(input: .image(height: 6, width: 6, channels: 2), seed: 5) {
            Conv2D(filters: 4, kernelSize: 3)
            ReLU()
            Flatten()
            Dense(units: 3)
        }
    }

    @Test(arguments: Loss.allCases, [0, 0.3])
    func `a class is a one among zeros, smoothed`(loss: Loss, smoothing: Double) throws {
        let model = try Self.model()
        let batch = ArrayBatch.random(model, count: 9)
        let values = ArrayBatch(
            inputs: batch.inputs,
            targets: batch.targets.map { $0.map { $0 * Float(1 - smoothing) + Float(smoothing / 3) } })
        let network = try Network(model, loss: loss, workerCount: 1)
        let (a, b) = (
            try network.gradient(of: Classes(base: batch, smoothing: smoothing)), try network.gradient(of: values)
        )
        #expect(a.gradient == b.gradient && a.report.exampleLosses == b.report.exampleLosses)
        #expect(a.report.correctCount == b.report.correctCount)
        let evaluation = try network.evaluate(Classes(base: batch, smoothing: smoothing))
        #expect(evaluation == (try network.evaluate(values)))
        let outputs = try network.outputs(for: values).outputs
        let correct = batch.targets.indices.filter { index in
            let output = outputs[(3 * index)..<(3 * index + 3)]
            return output.firstIndex(of: output.max()!)! - 3 * index == batch.targets[index].firstIndex(of: 1)
        }
        #expect(evaluation.accuracy == Double(correct.count) / 9)
    }

    /// Of one chunk and of several, in the first chunk and later.
    @Test(arguments: [(7, 3), (7, 0), (400, 5), (400, 390)], [1, 2])
    func `the first example that cannot be read ends the step, which changes nothing`(
        batch: (count: Int, unreadable: Int), workers: Int
    ) throws {
        let model = try Self.model()
        let network = try Network(model, update: .momentum(0.9), workerCount: workers, dividesAlways: true)
        let whole = Classes(base: ArrayBatch.random(model, count: batch.count))
        _ = try network.step(on: whole, UpdateStep(learningRate: 0.1))
        let before = (try network.parameters(), try network.optimizerState())
        var broken = whole
        (broken.unreadable, broken.asked) = (batch.unreadable, Counter())
        let expected = Classes.Unreadable(position: batch.unreadable)
        #expect(throws: expected) { try network.step(on: broken, UpdateStep(learningRate: 0.1)) }
        #expect(try network.parameters() == before.0 && network.optimizerState() == before.1)
        // Nothing is asked for any more but what other workers are about to read, and no later chunk.
        #expect(try #require(broken.asked).value <= min(batch.count - 1, (batch.unreadable / 128 + 1) * 128))
        #expect(throws: expected) { try network.evaluate(broken) }
        #expect(throws: expected) { try network.gradient(of: broken) }
        #expect(throws: expected) { try network.outputs(for: broken) }
        let fresh = try Network(model, update: .momentum(0.9), workerCount: workers, dividesAlways: true)
        for _ in 0..<2 { _ = try fresh.step(on: whole, UpdateStep(learningRate: 0.1)) }
        _ = try network.step(on: whole, UpdateStep(learningRate: 0.1))
        #expect(try network.parameters() == fresh.parameters())
    }

    /// Two of three ranks read all of their parts.
    @Test(arguments: [GradientExchange.rows, .gradients])
    func `ranks end the step together`(exchange: GradientExchange) async throws {
        let model = try Self.model()
        var broken = Classes(base: ArrayBatch.random(model, count: 30))
        let whole = broken
        broken.unreadable = 14
        let found = await ThreadRanks.run(3) { [broken] communicator in
            let network = try Network(
                model, workerCount: 2, ranks: communicator, exchange: exchange, dividesAlways: true)
            let before = try network.parameters()
            var errors: [String] = []
            do { _ = try network.step(on: broken, UpdateStep(learningRate: 0.1)) } catch { errors.append("\(error)") }
            do { _ = try network.evaluate(broken) } catch { errors.append("\(error)") }
            let isUnchanged = try network.parameters() == before
            _ = try network.step(on: whole, UpdateStep(learningRate: 0.1))
            return (errors, isUnchanged)
        }
        for (rank, result) in found.enumerated() {
            let (errors, isUnchanged) = try result.get()
            let expected =
                rank == 1 ? "\(Classes.Unreadable(position: 14))" : EngineError.unreadableOnRank(1).description
            #expect(errors == [expected, expected] && isUnchanged)
        }
    }

    /// Batches that leave out a part, or give one of another size or kind.
    @Test func `what does not fit is refused`() throws {
        struct Batch: ExampleBatch {
            let target: TargetSpecification
            let firstDraw: UInt64 = 0
            let count = 2
            let fill: @Sendable (inout ExampleSlot) throws -> Void

            func write(_ position: Int, into slot: inout ExampleSlot) throws { try fill(&slot) }
        }
        let network = try Network(Model(input: .vector(2), seed: 1) { Dense(units: 3) }, workerCount: 1)
        func refusal(_ target: TargetSpecification, _ fill: @escaping @Sendable (inout ExampleSlot) throws -> Void)
            -> ExampleError?
        {
            #expect(throws: ExampleError.self) { try network.evaluate(Batch(target: target, fill: fill)) }
        }
        #expect(refusal(.classes(3)) { try $0.setClass(1) } == .incomplete("input"))
        #expect(refusal(.classes(3)) { try $0.setInput([1, 2]) } == .incomplete("target"))
        #expect(refusal(.classes(3)) { try $0.setInput([1, 2, 3]) } == .inputCount(3, expected: 2))
        #expect(refusal(.classes(3)) { try $0.setClass(3) } == .noSuchClass(3, classCount: 3))
        #expect(refusal(.classes(3)) { try $0.setClass(-1) } == .noSuchClass(-1, classCount: 3))
        #expect(refusal(.classes(3)) { try $0.setValues([1, 2, 3]) } == .targetKind(expected: .classes(3)))
        #expect(refusal(.values(3)) { try $0.setClass(0) } == .targetKind(expected: .values(3)))
        #expect(refusal(.values(3)) { try $0.setValues([1]) } == .targetCount(1, expected: 3))
        #expect(throws: EngineError.targetsDoNotFit("4 classes", outputCount: 3)) {
            try network.evaluate(Batch(target: .classes(4)) { _ in })
        }
    }
}
