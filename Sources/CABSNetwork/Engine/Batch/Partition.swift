/// How the work on a matrix of the batch stage, examples by units, is divided between workers.
enum Partition: Sendable {
    /// Each worker has its examples.
    case rows
    /// Wide matrices are cut by columns: every worker then reads only its part of the weights, which is most of the memory traffic of a
    /// small batch. Narrow ones are cut by rows.
    case tiles
    /// Every worker has all of it.
    case whole

    /// The part of a matrix that is one worker's.
    func tile(of worker: Worker, rowCount: Int, columnCount: Int) -> MatrixTile {
        switch self {
        case .rows: MatrixTile(rows: worker.share(of: rowCount), columns: 0..<columnCount)
        case .whole: MatrixTile(rows: 0..<rowCount, columns: 0..<columnCount)
        case .tiles:
            Self.cutsColumns(columnCount, workerCount: worker.count)
                ? MatrixTile(rows: 0..<rowCount, columns: worker.share(of: columnCount, unit: 16))
                : MatrixTile(rows: worker.share(of: rowCount), columns: 0..<columnCount)
        }
    }

    /// Whether a matrix so wide is cut by columns: each part at least two vector registers wide.
    static func cutsColumns(_ columnCount: Int, workerCount: Int) -> Bool {
        columnCount >= 32 * workerCount
    }

    /// Whether each worker has the same part by both, so that none meets what another left.
    func isSame(as other: Partition, columnCount: Int, workerCount: Int) -> Bool {
        func cut(_ partition: Partition) -> Partition {
            partition == .tiles && !Self.cutsColumns(columnCount, workerCount: workerCount) ? .rows : partition
        }
        return workerCount == 1 || cut(self) == cut(other) && self != .whole
    }
}

/// A part of a matrix of the batch stage.
struct MatrixTile: Equatable {
    let rows: Range<Int>
    let columns: Range<Int>

    var isEmpty: Bool { rows.isEmpty || columns.isEmpty }

    func overlaps(_ other: MatrixTile) -> Bool {
        !isEmpty && !other.isEmpty && rows.overlaps(other.rows) && columns.overlaps(other.columns)
    }
}
