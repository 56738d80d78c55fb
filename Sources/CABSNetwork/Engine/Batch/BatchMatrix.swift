import CABSPrimitives

/// Values and gradients of one tensor for the examples of a chunk, [rows, columns] in row-major order.
///
/// A layer that works in place shares its matrix with the layer before.
final class BatchMatrix: Sendable {
    let rowCapacity: Int
    let columnCount: Int
    let values: AlignedBuffer
    let gradients: AlignedBuffer

    init(rowCapacity: Int, columnCount: Int) {
        self.rowCapacity = rowCapacity
        self.columnCount = columnCount
        values = AlignedBuffer(count: rowCapacity * columnCount)
        gradients = AlignedBuffer(count: rowCapacity * columnCount)
    }

    /// The same values for another reader, whose gradients have a place of their own.
    init(sharingValuesOf other: BatchMatrix) {
        rowCapacity = other.rowCapacity
        columnCount = other.columnCount
        values = other.values
        gradients = AlignedBuffer(count: other.gradients.count)
    }

    func values(row: Int) -> UnsafeMutablePointer<Float> { values.pointer + row * columnCount }

    func gradient(row: Int) -> UnsafeMutablePointer<Float> { gradients.pointer + row * columnCount }

    func tile(of worker: Worker, rowCount: Int) -> MatrixTile {
        Partition.tiles.tile(of: worker, rowCount: rowCount, columnCount: columnCount)
    }

    func readsValues(by partition: Partition) -> MatrixAccess {
        MatrixAccess(buffer: values, columnCount: columnCount, partition: partition, writes: false)
    }

    func writesValues(by partition: Partition) -> MatrixAccess {
        MatrixAccess(buffer: values, columnCount: columnCount, partition: partition, writes: true)
    }

    func readsGradients(by partition: Partition) -> MatrixAccess {
        MatrixAccess(buffer: gradients, columnCount: columnCount, partition: partition, writes: false)
    }

    func writesGradients(by partition: Partition) -> MatrixAccess {
        MatrixAccess(buffer: gradients, columnCount: columnCount, partition: partition, writes: true)
    }
}

/// What an operation does with a matrix: reads or writes it, each worker its part.
struct MatrixAccess: Sendable {
    let buffer: AlignedBuffer
    let columnCount: Int
    let partition: Partition
    let writes: Bool

    /// Whether a worker might meet in one of the accesses what another does in the other.
    func conflicts(with other: MatrixAccess, workerCount: Int) -> Bool {
        buffer === other.buffer && (writes || other.writes)
            && !partition.isSame(as: other.partition, columnCount: columnCount, workerCount: workerCount)
    }
}

extension MatrixTile {
    /// Calls `body` for each row, with the place of its first value in a matrix and the columns.
    func forEachRow(of matrix: BatchMatrix, _ body: (_ row: Int, _ offset: Int, _ columns: Range<Int>) -> Void) {
        guard !isEmpty else { return }
        for row in rows { body(row, row * matrix.columnCount + columns.lowerBound, columns) }
    }
}
