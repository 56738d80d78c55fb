/// The part of a matrix of the batch stage, examples by units, that one worker computes.
///
/// Wide matrices are cut by columns: every worker then reads only its part of the weights, which is most of the
/// memory traffic of a small batch. Narrow ones are cut by rows.
struct MatrixTile {
    let rows: Range<Int>
    let columns: Range<Int>

    init(of worker: Worker, rowCount: Int, columnCount: Int) {
        if Self.cutsColumns(columnCount, workerCount: worker.count) {
            rows = 0..<rowCount
            columns = worker.share(of: columnCount, unit: 16)
        } else {
            rows = worker.share(of: rowCount)
            columns = 0..<columnCount
        }
    }

    /// Whether a matrix so wide is cut by columns: each part at least two vector registers wide.
    static func cutsColumns(_ columnCount: Int, workerCount: Int) -> Bool {
        columnCount >= 32 * workerCount
    }

    var isEmpty: Bool { rows.isEmpty || columns.isEmpty }
}
