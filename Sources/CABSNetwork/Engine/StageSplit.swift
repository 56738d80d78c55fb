/// Where the example stage of a model ends and its batch stage begins.
///
/// Layers that begin it, dense ones, and all that follows from them, run on a chunk of examples at a time; the layers before, on single examples.
struct StageSplit {
    /// A tensor that the example stage hands over.
    struct Handover {
        /// The number of the tensor in the model.
        let tensor: Int
        /// Whether it must lie in row-major order, channels first, as not all of its readers take any layout.
        let isPlain: Bool
    }

    let exampleLayers: [Model.PlacedLayer]
    let batchLayers: [Model.PlacedLayer]
    /// In the order of the tensors.
    let handovers: [Handover]

    init(_ model: Model) {
        var batchTensors: Set<Int> = []
        var (exampleLayers, batchLayers): ([Model.PlacedLayer], [Model.PlacedLayer]) = ([], [])
        for placed in model.layers {
            if placed.beginsBatchStage || placed.inputs.contains(where: batchTensors.contains) {
                batchLayers.append(placed)
                batchTensors.insert(placed.tensor)
            } else {
                exampleLayers.append(placed)
            }
        }
        let output = model.layers[model.layers.count - 1].tensor
        var isPlain: [Int: Bool] = batchTensors.contains(output) ? [:] : [output: true]
        for placed in batchLayers {
            for tensor in placed.inputs where !batchTensors.contains(tensor) {
                isPlain[tensor] = isPlain[tensor] ?? false || !placed.beginsBatchStage
            }
        }
        self.exampleLayers = exampleLayers
        self.batchLayers = batchLayers
        handovers = isPlain.sorted { $0.key < $1.key }.map { Handover(tensor: $0.key, isPlain: $0.value) }
    }
}

extension Model.PlacedLayer {
    fileprivate var beginsBatchStage: Bool {
        batchStageLayer.map { type(of: $0).beginsBatchStage } ?? false
    }
}
