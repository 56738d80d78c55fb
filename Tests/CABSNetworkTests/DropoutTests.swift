import Testing

@testable import CABSNetwork

@Suite(.timeLimit(.minutes(10))) struct DropoutTests {
    /// In the example stage and behind a dense layer.
    @Test func `evaluation is that of the network without dropout`() throws {
        func evaluation(rate: Float) throws -> Evaluation {
            let model = try Model(input: .image(height: 5, width: 5, channels: 1), seed: 4) {
                Conv2D(filters: 3, kernelSize: 2)
                Dropout(rate: rate)
                Flatten()
                Dense(units: 20)
                Dropout(rate: rate)
                Dense(units: 3)
            }
            let network = try Network(model, workerCount: 1)
            return try network.evaluate(ArrayBatch.random(model, count: 20))
        }
        #expect(try evaluation(rate: 0.6) == evaluation(rate: 0))
    }

    @Test func `layers of neighbouring seeds draw from streams of their own`() {
        var seen: Set<UInt64> = []
        for seed in UInt64(0)..<50 {
            for position in 0..<50 { seen.insert(Dropout.seed(of: seed, position: position)) }
        }
        #expect(seen.count == 2500)
    }
}
