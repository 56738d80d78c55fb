/// How a network computes each of its layers, as it was planned for the model and the processor.
public struct PlannedLayer: Sendable, Hashable {
    /// The layer's name, such as `conv1`; `layout` for a change of memory layout between layers.
    public let name: String
    /// What is computed for it; nothing for layers that treat every value by itself, in loops of our own.
    public let computations: [PlannedComputation]
}

/// One computation of a layer, and the way it takes.
public struct PlannedComputation: Sendable, Hashable {
    /// What is computed.
    public enum Purpose: String, Sendable, Hashable {
        /// The layer's output.
        case forward
        /// The gradient of the weights, with every example's norm.
        case weightGradient = "weight gradient"
        /// The gradient of the input.
        case inputGradient = "input gradient"
    }

    /// What is computed.
    public let purpose: Purpose
    /// How, for people to read.
    public let way: String
    /// oneDNN's names for its implementations that take part, such as `jit:avx2`; none where the loops are our own.
    public let implementations: [String]

    /// What is computed for a layer with weights.
    static func purposes(backpropagates: Bool) -> [Purpose] {
        [.forward, .weightGradient] + (backpropagates ? [.inputGradient] : [])
    }

    init(_ purpose: Purpose, _ way: String, implementations: [String] = []) {
        self.purpose = purpose
        self.way = way
        self.implementations = implementations
    }
}
