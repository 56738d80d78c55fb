import CABSData
import CABSExamples
import CABSNetwork
import Foundation

/// What a network says of one input.
public struct Prediction: Sendable, Hashable {
    /// What the input is called.
    public let source: String
    /// The probability of each class, or the values that are predicted.
    public let scores: [Double]

    /// Whether all scores are finite numbers: for inputs that are too large they are not.
    public var isSound: Bool { scores.allSatisfy(\.isFinite) }

    /// The classes with the largest scores, the largest first.
    public func ranking(_ count: Int) -> [Int] {
        Array(scores.indices.sorted { scores[$0] > scores[$1] }.prefix(count))
    }
}

/// Uses a trained network on pictures and arrays.
public struct Predictor {
    /// What the network must be given.
    public let input: InputDescription
    private let network: any TrainingEngine
    private let loss: Loss

    /// How many inputs are in memory at a time.
    private static let chunk = 256

    /// Sets the network up.
    ///
    /// - Throws: What reading the run and setting up the network throw.
    public init(_ trained: TrainedNetwork, onConversion: (String) -> Void = { _ in }) throws {
        input = try trained.input()
        network = try trained.network(for: trained.model(), onConversion: onConversion)
        loss = trained.configuration.options.loss!
    }

    /// What the network says of files: pictures, and `.npz` files with an array `x` or `x_test`.
    ///
    /// - Parameters:
    ///   - files: The files.
    ///   - onPrediction: Given what it says of each input, in their order.
    ///   - onError: Told of each file that cannot be used; the others go on.
    /// - Throws: What `onPrediction` throws.
    public func predict(
        _ files: [URL], onPrediction: (Prediction) throws -> Void, onError: (DatasetError) -> Void
    ) throws {
        var waiting: [(source: String, values: [Float])] = []
        func flush() throws {
            guard !waiting.isEmpty else { return }
            for prediction in try predict(waiting) { try onPrediction(prediction) }
            waiting = []
        }
        for file in files {
            do throws(DatasetError) {
                waiting += try inputs(of: file)
            } catch {
                onError(error)
            }
            if waiting.count >= Self.chunk { try flush() }
        }
        try flush()
    }

    private func inputs(of file: URL) throws(DatasetError) -> [(source: String, values: [Float])] {
        if file.pathExtension.lowercased() == "npz" {
            return try ArrayInputs(contentsOf: file).inputs(for: input)
                .enumerated().map { ("\(file.relativePath)[\($0)]", $1) }
        }
        return [(file.relativePath, try input.values(of: Picture(contentsOf: file)))]
    }

    private func predict(_ inputs: [(source: String, values: [Float])]) throws -> [Prediction] {
        let outputCount = network.model.outputCount
        let outputs = try network.outputs(for: Inputs(values: inputs.map(\.values), target: .classes(outputCount)))
            .outputs
        return inputs.indices.map { index in
            let output = outputs[(index * outputCount)..<((index + 1) * outputCount)]
            return Prediction(source: inputs[index].source, scores: loss.scoreFunction(output))
        }
    }

    /// Inputs of which nobody knows the targets.
    private struct Inputs: ExampleBatch {
        let values: [[Float]]
        let target: TargetSpecification
        let firstDraw: UInt64 = 0
        var count: Int { values.count }

        func write(_ position: Int, into slot: inout ExampleSlot) throws {
            try slot.setInput(values[position])
            // The loss, of which nobody asks.
            try slot.setClass(0)
        }
    }
}
