import CABSExamples

@testable import CABSData

extension Dataset {
    /// An example's input, and its class.
    func classified(_ index: Int, draw: UInt64 = 0) throws -> (input: [Float], label: Int?) {
        let example = try example(at: index, draw: draw)
        guard case .class(let label) = example.target else { return (example.input, nil) }
        return (example.input, label)
    }

    /// The class of each example, by its number; nothing where targets are values.
    var labels: [Int]? { get throws { try classes(of: 0..<count) } }
}

extension Preprocessing {
    /// Writes an image's values into an array.
    func apply(
        to pixels: ArraySlice<UInt8>, shape: ExampleShape, into values: inout [Float], using random: inout RandomStream
    ) {
        var span = values.mutableSpan
        apply(to: pixels, shape: shape, into: &span, using: &random)
    }
}
