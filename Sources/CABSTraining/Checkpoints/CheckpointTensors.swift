import CABSNetwork

/// The tensors of a checkpoint: the parameters, what the optimiser keeps for them, which stands behind `optimizer.` in the file, and their
/// average behind `average.`, where one is kept.
struct CheckpointTensors: Equatable {
    let parameters: ParameterSet
    let optimizer: ParameterSet
    let average: ParameterSet?

    private enum Prefix: String, CaseIterable {
        case optimizer = "optimizer."
        case average = "average."
    }

    init(parameters: ParameterSet, optimizer: ParameterSet, average: ParameterSet? = nil) {
        self.parameters = parameters
        self.optimizer = optimizer
        self.average = average
    }

    /// Takes apart the tensors of a file.
    init(of file: ParameterSet) {
        func part(_ prefix: Prefix) -> ParameterSet {
            ParameterSet(
                file.elements.filter { $0.name.hasPrefix(prefix.rawValue) }
                    .map { (String($0.name.dropFirst(prefix.rawValue.count)), $0.tensor) })
        }
        parameters = ParameterSet(
            file.elements.filter { element in !Prefix.allCases.contains { element.name.hasPrefix($0.rawValue) } })
        optimizer = part(.optimizer)
        let average = part(.average)
        self.average = average.names.isEmpty ? nil : average
    }

    /// All of them, as a file has them.
    var all: ParameterSet {
        func elements(_ part: ParameterSet, _ prefix: Prefix) -> [(name: String, tensor: Tensor)] {
            part.elements.map { (prefix.rawValue + $0.name, $0.tensor) }
        }
        return ParameterSet(
            parameters.elements + elements(optimizer, .optimizer) + (average.map { elements($0, .average) } ?? []))
    }
}
