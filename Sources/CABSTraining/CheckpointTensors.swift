import CABSNetwork

/// The tensors of a checkpoint: the parameters, and what the optimiser keeps for them, which stands behind `optimizer.` in the file.
struct CheckpointTensors: Equatable {
    let parameters: ParameterSet
    let optimizer: ParameterSet

    private static let prefix = "optimizer."

    init(parameters: ParameterSet, optimizer: ParameterSet) {
        self.parameters = parameters
        self.optimizer = optimizer
    }

    /// Takes apart the tensors of a file.
    init(of file: ParameterSet) {
        let isState = { (name: String) in name.hasPrefix(Self.prefix) }
        parameters = ParameterSet(file.elements.filter { !isState($0.name) })
        optimizer = ParameterSet(
            file.elements.filter { isState($0.name) }.map { (String($0.name.dropFirst(Self.prefix.count)), $0.tensor) })
    }

    /// All of them, as a file has them.
    var all: ParameterSet {
        ParameterSet(parameters.elements + optimizer.elements.map { (Self.prefix + $0.name, $0.tensor) })
    }
}
