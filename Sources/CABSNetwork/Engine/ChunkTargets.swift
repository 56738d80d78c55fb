import CABSExamples
import CABSPrimitives

/// The targets of the examples of a chunk: a class for each, or a row of values.
final class ChunkTargets: @unchecked Sendable {
    // Each worker writes and reads its own rows; ``prepare(for:)`` runs between steps, on one thread: the proof of Sendable.
    private let rowCapacity: Int
    private let labels: UnsafeMutablePointer<Int32>
    private var values: AlignedBuffer?
    private var specification = TargetSpecification.classes(0)

    init(rowCapacity: Int) {
        self.rowCapacity = rowCapacity
        labels = .allocate(capacity: rowCapacity)
        labels.initialize(repeating: 0, count: rowCapacity)
    }

    deinit { labels.deallocate() }

    /// Makes room for targets of a kind.
    ///
    /// - Throws: ``EngineError/targetsDoNotFit(_:outputCount:)``.
    func prepare(for specification: TargetSpecification, outputCount: Int) throws(EngineError) {
        guard specification.count == outputCount else {
            throw .targetsDoNotFit("\(specification)", outputCount: outputCount)
        }
        self.specification = specification
        if !specification.areClasses, values == nil { values = AlignedBuffer(count: rowCapacity * outputCount) }
    }

    /// Where the example of a row is written.
    func slot(row: Int, input: UnsafeMutableBufferPointer<Float>) -> ExampleSlot {
        ExampleSlot(input: input, targetValues: rowValues(row), targetClass: labels + row, specification)
    }

    /// What the output of a row's example is compared with.
    subscript(row: Int) -> LossTarget {
        guard case .classes(let count, let smoothing) = specification else {
            return .values(UnsafeBufferPointer(rowValues(row)))
        }
        return .class(Int(labels[row]), kept: Float(1 - smoothing), spread: Float(smoothing / Double(count)))
    }

    private func rowValues(_ row: Int) -> UnsafeMutableBufferPointer<Float> {
        guard case .values(let count) = specification, let values else {
            return UnsafeMutableBufferPointer(start: nil, count: 0)
        }
        return UnsafeMutableBufferPointer(start: values.pointer + row * count, count: count)
    }
}
