import CABSPrimitives
import CABSRanks

/// How the ranks of a run exchange gradients.
public enum GradientExchange: String, Sendable, Hashable, Codable, CaseIterable {
    /// Dense layers' rows for batches where these are fewer bytes, else their gradients; both while the example stage still goes backward.
    case automatic = "auto"
    /// Dense layers' rows, for as large batches as a rank has in hand at a time.
    case rows
    /// Dense layers' gradients.
    case gradients
    /// All gradients, and only when the backward pass has ended: what there is to hide can then be measured.
    case gradientsAfterwards = "gradients-after"
}

/// What a network has beside itself where it is one of several ranks' networks.
final class RankExchange: Sendable {
    let communicator: Communicator
    /// Dense layers' parameters, ready first; those of other layers in the batch stage; those of the example stage.
    let dense: GradientBucket
    let batch: GradientBucket
    let examples: GradientBucket
    let rows: DenseRows
    /// Whether gradients go while the example stage goes backward.
    let overlaps: Bool
    var buckets: [GradientBucket] { [dense, batch, examples] }

    /// - Parameter rowCapacity: How many examples a rank has in hand at a time, also where one worker makes the step alone.
    /// - Throws: ``EngineError`` and what communication throws.
    init(
        _ communicator: Communicator, _ exchange: GradientExchange, exampleStage: ExampleStage, batchStage: BatchStage,
        rowCapacity: Int
    ) throws {
        self.communicator = communicator
        let operations = batchStage.operations.compactMap(\.dense)
        let denseArrays = operations.flatMap { [$0.weight, $0.bias] }
        let others = batchStage.operations.filter { $0.dense == nil }.flatMap(\.parameters)
        let exampleArrays = exampleStage.operations.flatMap(\.parameters)
        let (rank, count) = (communicator.rank, communicator.count)
        dense = GradientBucket(denseArrays, rank: rank, of: count)
        batch = GradientBucket(others, rank: rank, of: count)
        examples = GradientBucket(exampleArrays, rank: rank, of: count)
        overlaps = exchange != .gradientsAfterwards
        let sendsRows = exchange == .automatic || exchange == .rows
        let arrays = denseArrays + others + exampleArrays
        let layouts = try arrays.map { array throws(EngineError) in
            "\(array.identity.name) \(try array.layoutChecksum())"
        }
        if let other = try communicator.gather(layouts).firstIndex(where: { $0 != layouts }) {
            throw EngineError.layoutsDiffer(rank: other)
        }
        rows = DenseRows(
            sendsRows ? operations : [], dense, rankCount: count, rowCapacity: rowCapacity,
            isForced: exchange == .rows)
    }
}
