import CABSPrimitives
import CABSRanks

/// The rows of dense layers, inputs and output gradients of all ranks' examples, in place of the layers' gradients.
///
/// A dense layer's gradient is a product of them, Δᵀ X, so a rank can make its slice of it from all ranks' rows. A batch of m examples then
/// sends m (in + out) values a layer where its gradient has in · out: less for small batches, and multiplied by as many operations in all.
final class DenseRows: Sendable {
    /// One layer with the rows of all ranks.
    private struct Layer: Sendable {
        let operation: DenseOperation
        let inputs: AlignedBuffer
        let gradients: AlignedBuffer
        let columns: Int
        let units: Int
        var width: Int { columns + units }
    }

    /// The largest batch whose rows are sent.
    let largestExampleCount: Int
    private let layers: [Layer]
    private let bucket: GradientBucket
    private let sent: AlignedBuffer
    private let received: AlignedBuffer

    /// - Parameters:
    ///   - bucket: The layers' parameters, weights and biases in turn.
    ///   - rowCapacity: How many examples a rank has in hand at a time.
    ///   - isForced: Whether rows are sent for as large batches as there is room for, and not only where it is less.
    init(_ operations: [DenseOperation], _ bucket: GradientBucket, rankCount: Int, rowCapacity: Int, isForced: Bool) {
        // A rank whose share does not fit in hand forms the gradient of one part before it has seen the next.
        let capacity = rowCapacity * rankCount
        largestExampleCount =
            operations.isEmpty ? 0 : min(capacity, isForced ? capacity : Self.largestShorterBatch(operations))
        let rows = largestExampleCount
        layers = operations.map { operation in
            Layer(
                operation: operation, inputs: AlignedBuffer(count: rows * operation.input.columnCount),
                gradients: AlignedBuffer(count: rows * operation.output.columnCount),
                columns: operation.input.columnCount, units: operation.output.columnCount)
        }
        self.bucket = bucket
        let own = (rows + rankCount - 1) / max(rankCount, 1)
        let width = layers.reduce(0) { $0 + $1.width }
        sent = AlignedBuffer(count: own * width)
        received = AlignedBuffer(count: rows * width)
    }

    /// The largest batch whose rows are no more values than the layers' gradients; zero where there are no such layers.
    static func largestShorterBatch(_ operations: [DenseOperation]) -> Int {
        let width = operations.reduce(0) { $0 + $1.input.columnCount + $1.output.columnCount }
        return operations.reduce(0) { $0 + $1.weight.values.count + $1.bias.values.count } / max(width, 1)
    }

    private var width: Int { layers.reduce(0) { $0 + $1.width } }

    /// Lays this rank's rows where they go from. One worker calls it.
    func pack(exampleCount: Int) {
        var place = sent.pointer
        for layer in layers {
            for (matrix, columns) in [
                (layer.operation.input.values, layer.columns), (layer.operation.output.gradients, layer.units),
            ] {
                place.update(from: matrix.pointer, count: exampleCount * columns)
                place += exampleCount * columns
            }
        }
    }

    /// Gives every rank the rows of all, and sorts them by layer.
    ///
    /// - Parameter exampleCounts: The numbers of examples, by rank.
    func gather(_ group: any RankGroup, exampleCounts: [Int]) throws {
        try group.gather(
            sent.bytes(exampleCounts[group.rank] * width),
            into: received.mutableBytes(exampleCounts.reduce(0, +) * width),
            counts: exampleCounts.map { $0 * width * MemoryLayout<Float>.stride })
        var (place, first) = (received.pointer, 0)
        for count in exampleCounts {
            for layer in layers {
                for (rows, columns) in [(layer.inputs, layer.columns), (layer.gradients, layer.units)] {
                    (rows.pointer + first * columns).update(from: place, count: count * columns)
                    place += count * columns
                }
            }
            first += count
        }
    }

    /// Multiplies the worker's share of this rank's slices.
    func multiply(_ worker: Worker, exampleCount: Int) {
        for (index, layer) in layers.enumerated() {
            let (weights, weightSum) = bucket.owned(2 * index)
            let units = weights.lowerBound / layer.columns..<weights.upperBound / layer.columns
            let columns = worker.share(of: layer.columns, unit: 16)
            layer.operation.multiplyRows(
                units, columns, rowCount: exampleCount, gradients: layer.gradients, inputs: layer.inputs,
                into: weightSum + columns.lowerBound)
            let (biases, biasSum) = bucket.owned(2 * index + 1)
            if worker.index == 0 {
                layer.operation.addRows(
                    of: layer.gradients, units: biases, rowCount: exampleCount, into: biasSum)
            }
        }
    }
}
