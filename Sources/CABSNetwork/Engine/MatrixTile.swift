/// The part of a matrix of the batch stage, examples by units, that one worker computes.
///
/// Wide matrices are cut by columns: every worker then reads only its part of the weights, which is most of the
/// memory traffic of a small batch. Narrow ones are cut by rows.
struct MatrixTile {
    let rows: Range<Int>
    let columns: Range<Int>

    init(worker: Int, of workerCount: Int, rowCount: Int, columnCount: Int) {
        if Self.cutsColumns(columnCount, workerCount: workerCount) {
            rows = 0..<rowCount
            columns = evenShare(of: columnCount, worker: worker, of: workerCount, unit: 16)
        } else {
            rows = evenShare(of: rowCount, worker: worker, of: workerCount)
            columns = 0..<columnCount
        }
    }

    /// Whether a matrix so wide is cut by columns: each part at least two vector registers wide.
    static func cutsColumns(_ columnCount: Int, workerCount: Int) -> Bool {
        columnCount >= 32 * workerCount
    }

    var isEmpty: Bool { rows.isEmpty || columns.isEmpty }
}

/// A worker's part of `count` things, cut as evenly as multiples of `unit` allow.
func evenShare(of count: Int, worker: Int, of workerCount: Int, unit: Int = 1) -> Range<Int> {
    let units = (count + unit - 1) / unit
    return min(count, units * worker / workerCount * unit)..<min(count, units * (worker + 1) / workerCount * unit)
}
