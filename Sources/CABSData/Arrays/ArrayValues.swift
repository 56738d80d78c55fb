import CABSExamples

/// Arrays as values that are normalised once: of vectors, of numbers that are no bytes, or to be predicted.
struct ArrayValues {
    /// The parts, in their order.
    let datasets: [ArrayDataset]
    /// What a network must be given.
    let input: InputDescription

    /// - Parameters:
    ///   - parts: The parts, the one that normalisation goes by first.
    ///   - classes: The classes of the labels; nothing where values are predicted.
    ///   - source: What stands for the file in errors.
    init(
        _ parts: [ArrayPart], classes: ClassLabels?, _ options: ImageOptions, source: String
    ) throws(DatasetError) {
        let shape = parts[0].shape
        guard options.size == nil, options.augmentation == .none else {
            throw .needsImagesOfBytes(source, found: "\(shape) of type \(parts[0].inputs.header.type.name)")
        }
        var inputs: [[Float]] = []
        for part in parts {
            let values = part.inputs.map { Float($0) }.withChannelsFirst(shape)
            guard values.allSatisfy(\.isFinite) else { throw .notFinite("the inputs of \(source)") }
            inputs.append(values)
        }
        let range = ValueRange(parts[0].extent)
        let known = try options.knownInput(for: shape, nil, source: source)
        for part in parts { try known?.checkRange(part.extent, source: "the inputs of \(source)") }
        let normalization =
            if let known {
                known.normalization
            } else {
                try Self.normalization(options, of: inputs[0], shape, range, source: source)
            }
        let labels = try classes.map { classes throws(DatasetError) in try Self.labels(classes, known, source: source) }
        let classCount = known?.targetCount ?? classes?.names.count
        datasets = try parts.indices.map { index throws(DatasetError) in
            normalization.apply(toAll: &inputs[index], shape)
            if let labels, let classCount {
                return try ArrayDataset(
                    inputs: inputs[index], inputShape: shape, labels: labels[index].map { Int($0) },
                    classCount: classCount)
            }
            let targets = parts[index].targets.map { Float($0) }
            guard targets.allSatisfy(\.isFinite) else { throw .notFinite("the targets of \(source)") }
            return try ArrayDataset(
                inputs: inputs[index], inputShape: shape, targets: targets,
                targetCount: targets.count / parts[index].count)
        }
        // The values of a vector are measured in units of their own, and others may go beyond those that were there.
        let imageRange = if case .image = shape { range } else { nil as ValueRange? }
        input = InputDescription(
            shape: shape, hasBytes: false, highestValue: known == nil ? imageRange?.highest : known?.highestValue,
            normalization: normalization, targetCount: datasets[0].target.count, predictsValues: classes == nil,
            classNames: known?.classNames ?? classes?.names)
    }

    private static func labels(
        _ classes: ClassLabels, _ known: InputDescription?, source: String
    ) throws(DatasetError) -> [[UInt16]] {
        guard let known else { return classes.labels }
        let matching = ClassMatching(classes.names, to: known)
        return try classes.labels.map { labels throws(DatasetError) in
            try matching.numbers(of: labels, source: source)
        }
    }

    private static func normalization(
        _ options: ImageOptions, of inputs: [Float], _ shape: ExampleShape, _ range: ValueRange?, source: String
    ) throws(DatasetError) -> Normalization {
        switch options.normalization ?? .channel {
        case .image: return .image
        case .unit:
            guard let range else {
                throw .notInUnitRange(file: source, low: inputs.min() ?? 0, high: inputs.max() ?? 0)
            }
            return .unit(maximum: range.highest)
        case .channel:
            let (channelCount, size) = (shape.planeCount, shape.count)
            let (plane, count) = (size / channelCount, inputs.count / size)
            return Normalization(
                channels: (0..<channelCount).map { channel in
                    ChannelMoments(
                        (0..<count * plane).lazy.map { index in
                            inputs[index / plane * size + channel * plane + index % plane]
                        })
                })
        }
    }
}

extension Normalization {
    /// Normalises example after example.
    fileprivate func apply(toAll inputs: inout [Float], _ shape: ExampleShape) {
        for first in stride(from: 0, to: inputs.count, by: shape.count) {
            var example = Array(inputs[first..<first + shape.count])
            apply(to: &example, channelCount: shape.planeCount)
            inputs.replaceSubrange(first..<first + shape.count, with: example)
        }
    }
}
