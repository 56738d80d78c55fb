import Foundation

/// One continuation: what came of a batch size in one order of the examples.
public struct BranchResult: Sendable, Hashable {
    /// The batch size.
    public let batchSize: Int
    /// The number of the order of the examples.
    public let order: Int
    /// The learning rate.
    public let learningRate: Double
    /// The number of steps.
    public let steps: Int?
    /// The loss on the training examples evaluated, changed at random as training changes them, without dropout; nothing where the continuation diverged.
    public let loss: Double?
    /// The loss on the test examples.
    public let testLoss: Double?
    /// The part of the test examples that are classified correctly; nothing where values are predicted.
    public let testAccuracy: Double?

    static let columns = ["batch_size", "order", "learning_rate", "steps", "loss", "test_loss", "test_accuracy"]

    /// The values in the order of ``columns``; what there is not, is empty.
    var line: String {
        func text(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
        return [
            "\(batchSize)", "\(order)", "\(learningRate)", steps.map(String.init) ?? "", text(loss), text(testLoss),
            text(testAccuracy),
        ].joined(separator: ",")
    }
}

extension BranchResult {
    /// Reads a line of `branches.csv`; nothing where it is none.
    init?(line: Substring) {
        let values = line.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        // What there is not is empty; anything else that cannot be read is damage.
        let numbers = values.map(Double.init)
        guard values.count == Self.columns.count, let size = Int(values[0]), let order = Int(values[1]),
            let rate = numbers[2], values[3].isEmpty || Int(values[3]) != nil,
            zip(values, numbers).dropFirst(4).allSatisfy({ $0.isEmpty || $1 != nil })
        else { return nil }
        self.init(
            batchSize: size, order: order, learningRate: rate, steps: Int(values[3]), loss: numbers[4],
            testLoss: numbers[5], testAccuracy: numbers[6])
    }
}

/// The continuations of a branch by batch size, and the largest size that does no harm.
public struct BranchTable: Sendable, Hashable {
    /// By batch size, the smallest first.
    public let sizes: [Size]

    /// The continuations of one batch size.
    public struct Size: Sendable, Hashable {
        /// The batch size.
        public let batchSize: Int
        /// Its continuations, by order.
        public let results: [BranchResult]

        /// The losses of those that did not diverge.
        public var losses: [Double] { results.compactMap(\.loss) }
        /// Their mean; nothing where a continuation diverged.
        public var meanLoss: Double? {
            losses.count == results.count ? losses.reduce(0, +) / Double(losses.count) : nil
        }
        /// The mean accuracy on the test examples, where there is one.
        public var meanTestAccuracy: Double? {
            let values = results.compactMap(\.testAccuracy)
            return values.isEmpty || values.count < results.count ? nil : values.reduce(0, +) / Double(values.count)
        }
    }

    /// Puts results together, as far as they can be compared: of the orders that all sizes have gone through, and of the sizes that have gone through
    /// the first order at least.
    init(_ results: [BranchResult]) {
        let first = results.map(\.order).min()
        let bySize = Dictionary(grouping: results, by: \.batchSize).filter { $0.value.contains { $0.order == first } }
        let orders = bySize.values.map { Set($0.map(\.order)) }.reduce(nil as Set<Int>?) { $0?.intersection($1) ?? $1 }
        sizes = bySize.sorted { $0.key < $1.key }.map { size, results in
            Size(
                batchSize: size,
                results: results.filter { orders?.contains($0.order) ?? false }.sorted { $0.order < $1.order })
        }
    }

    /// A batch size that does no harm.
    public struct Critical: Sendable, Hashable {
        /// The largest one.
        public let batchSize: Int
        /// Whether it is the largest that was tried, so that larger ones may do no harm either.
        public let isLargestTried: Bool
    }

    /// What there is to say of the critical size.
    public enum Finding: Sendable {
        /// The critical size, and the smallest and the largest of the orders by themselves, where there are several.
        case found(Critical, orders: (lowest: Critical, highest: Critical)?)
        /// The smallest size diverged, so there is nothing to compare larger ones with.
        case smallestDiverged(batchSize: Int)
        /// No continuation has ended.
        case nothingEnded
    }

    /// The critical batch size: the largest that ends with a mean loss of no more than any smaller one's and a tolerance (Merrill et al.
    /// 2025, arXiv 2505.23971). Nothing from the smallest size on that diverged counts.
    ///
    /// - Returns: Nothing where there are no continuations, or one of the smallest size diverged.
    public func critical(tolerance: Double) -> Critical? {
        critical(sizes.map { ($0.batchSize, $0.meanLoss) }, tolerance)
    }

    /// What there is to say of the critical size.
    public func finding(tolerance: Double) -> Finding {
        guard let smallest = sizes.first else { return .nothingEnded }
        guard let critical = critical(tolerance: tolerance) else {
            return .smallestDiverged(batchSize: smallest.batchSize)
        }
        let orders = criticalByOrder(tolerance: tolerance).sorted { $0.batchSize < $1.batchSize }
        return .found(critical, orders: orders.count > 1 ? (orders[0], orders[orders.count - 1]) : nil)
    }

    /// The same in each order by itself.
    func criticalByOrder(tolerance: Double) -> [Critical] {
        let orders = Set(sizes.flatMap(\.results).map(\.order)).sorted()
        return orders.compactMap { order in
            let losses = sizes.compactMap { size in
                size.results.first { $0.order == order }.map { (size.batchSize, $0.loss) }
            }
            return losses.count == sizes.count ? critical(losses, tolerance) : nil
        }
    }

    private func critical(_ losses: [(size: Int, loss: Double?)], _ tolerance: Double) -> Critical? {
        var best = Double.infinity
        var largest: Int?
        for (size, loss) in losses {
            guard let loss else { break }
            if loss <= best + tolerance { largest = size }
            best = min(best, loss)
        }
        return largest.map { Critical(batchSize: $0, isLargestTried: $0 == losses.last?.size) }
    }
}
