import CABSTraining
import Foundation

/// What a benchmark has done over and over: steps of one model, from its first parameters, on one batch.
struct BenchmarkWork {
    /// What the model is called.
    let name: String
    let model: Model
    let batchSize: Int

    /// The learning rate of every step: so small that a thousand steps on noise leave a network what it was.
    static let learningRate = 1e-4

    /// Writes all that another program needs to do the same work: a safetensors file with the model's first parameters, the images
    /// `x` [m, channels, height, width] and their classes `y` [m]; its metadata have the layers as JSON, in the form of model files,
    /// and the learning rate.
    ///
    /// - Returns: The file, named after the model and the batch size.
    /// - Throws: ``TrainingError/unwritable(path:reason:)``.
    func write(to folder: URL) throws -> URL {
        try OutputFolder.make(at: folder)
        let file = folder.appending(path: "\(name)-\(batchSize).safetensors")
        let layers = try JSONEncoder().encode(model.definition.map { LayerConfiguration($0) })
        let batch = RandomBatch(model, count: batchSize)
        try Safetensors.write(
            ParameterSet(model.initialParameters().elements + [("x", batch.images), ("y", batch.classes)]),
            metadata: [
                "layers": String(decoding: layers, as: UTF8.self), "learning_rate": "\(Self.learningRate)",
            ], to: file)
        return file
    }
}

/// Random images, each another one, and classes; the same for the same model and size.
struct RandomBatch: ExampleBatch {
    let count: Int
    let firstDraw: UInt64 = 0
    let target: TargetSpecification
    private let shape: ExampleShape
    private let inputs: [Float]
    private let labels: [Int]

    /// Draws from the standard normal distribution, and of the classes each with the same probability.
    init(_ model: Model, count: Int) {
        self.count = count
        shape = model.inputShape
        target = .classes(model.outputCount)
        var random = RandomStream(seed: 0, purpose: .augmentation, index: 0)
        inputs = (0..<(model.inputShape.count * count)).map { _ in Float(random.nextNormal()) }
        labels = (0..<count).map { _ in random.nextInteger(below: model.outputCount) }
    }

    /// The memory that images and classes take, in bytes.
    var byteCount: Int { inputs.count * MemoryLayout<Float>.size + labels.count * MemoryLayout<Int>.size }

    /// All images, [m, channels, height, width].
    var images: Tensor {
        let sizes =
            switch shape {
            case .vector(let count): [count]
            case .image(let height, let width, let channels): [channels, height, width]
            }
        return Tensor(shape: [count] + sizes, values: inputs)
    }

    /// The class of each, [m].
    var classes: Tensor { Tensor(shape: [count], values: labels.map(Float.init)) }

    func write(_ position: Int, into slot: inout ExampleSlot) throws {
        try slot.setInput(inputs[(position * shape.count)..<((position + 1) * shape.count)])
        try slot.setClass(labels[position])
    }
}
