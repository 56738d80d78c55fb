/// CABS where a step costs more than its examples: the batch size with the most progress per second, where CABS itself has the most per
/// example.
///
/// A step of SGD at learning rate α is expected to gain A − B/m, with A = α‖g‖²(1 − αL/2) from the gradient and B = ½ L α² tr Σ lost to its noise (the
/// paper's section 3.1; L bounds the curvature). Per example that is (A − B/m)/m, greatest at m_c = 2B/A, which CABS
/// estimates. Where a step takes as long as r examples before the first of them, progress per time is
///
///     (A − B/m) / (r + m)
///
/// whose derivative is zero where A m² − 2B m − B r = 0, that is, with B/A = m_c/2,
///
///     m = (m_c/2) (1 + √(1 + 2r/m_c))
///
/// For r = 0 that is m_c; for large r it grows as √(r m_c/2). On one machine r is a few examples and changes little; where gradients go
/// over a network it is hundreds.
///
/// r is measured as steps are made (``FixedCostEstimate``), or given: then a run can be repeated bit for bit. A new measurement is taken
/// up where it is beyond twice its standard error from the r in use and pays: where at the last m_c progress per time would grow by half a percent.
public struct CoupledBatchSizePerSecond: BatchSizePolicy, Hashable {
    /// CABS, with its state.
    public private(set) var coupled: CoupledAdaptiveBatchSize
    /// The batch size, with CABS's significance.
    public private(set) var size: SignificantBatchSize
    /// r, in examples.
    public private(set) var fixedCost: Double
    /// Whether r was given, and is not measured.
    public let isGiven: Bool
    /// What is being measured. It is not stored: a run that goes on begins with the r that it had.
    private var estimate = FixedCostEstimate()
    private var stepsSinceChange = 0
    private var lastCoupled = 0.0

    /// Creates the rule.
    ///
    /// - Parameters:
    ///   - coupled: CABS, with its options.
    ///   - fixedCost: r in examples, not negative; measured where not given.
    /// - Throws: ``BatchSizePolicyError/fixedCostNegative(_:)``.
    public init(_ coupled: CoupledAdaptiveBatchSize, fixedCost: Double? = nil) throws(BatchSizePolicyError) {
        try self.init(coupled, fixedCost: fixedCost ?? 0, isGiven: fixedCost != nil)
    }

    private init(
        _ coupled: CoupledAdaptiveBatchSize, fixedCost: Double, isGiven: Bool
    ) throws(BatchSizePolicyError) {
        guard fixedCost >= 0, fixedCost.isFinite else { throw .fixedCostNegative(fixedCost) }
        (self.coupled, self.fixedCost, self.isGiven) = (coupled, fixedCost, isGiven)
        size = try SignificantBatchSize(
            bounds: coupled.batchSizeBounds, initial: coupled.initialBatchSize,
            significance: coupled.size.significance)
    }

    /// The size of a run's first batch.
    public var initialBatchSize: Int { coupled.initialBatchSize }
    /// As CABS.
    public var reads: Set<StepQuantity> { coupled.reads }
    /// True, as CABS.
    public var assumesGradientDescent: Bool { true }

    /// The batch size of most progress per second, (m_c/2)(1 + √(1 + 2r/m_c)): infinite where m_c is, zero where it is zero.
    public static func rawBatchSize(coupled: Double, fixedCost: Double) -> Double {
        guard coupled > 0 else { return 0 }
        return coupled.isFinite ? coupled / 2 * (1 + (1 + 2 * fixedCost / coupled).squareRoot()) : coupled
    }

    /// Measures r, where it is not given.
    public mutating func observe(_ cost: StepCost) {
        guard !isGiven else { return }
        estimate.add(cost)
        stepsSinceChange += 1
        // So often that the window has half new steps.
        guard stepsSinceChange >= FixedCostEstimate.windowLength / 2, let found = estimate.value else { return }
        guard abs(found.examples - fixedCost) > 2 * found.standardError, pays(found.examples) else { return }
        fixedCost = found.examples
        stepsSinceChange = 0
    }

    /// Whether the batch size that another r gives makes half a percent more progress per second, if that r is right.
    private func pays(_ other: Double) -> Bool {
        guard lastCoupled > 0, lastCoupled.isFinite else { return true }
        func progress(_ r: Double) -> Double {
            let raw = Self.rawBatchSize(coupled: lastCoupled, fixedCost: r)
            let size = Double(coupled.batchSizeBounds.batchSize(nearestTo: raw))
            return (1 - lastCoupled / (2 * size)) / (other + size)
        }
        let (new, old) = (progress(other), progress(fixedCost))
        // Below half of m_c, where bounds keep it, a step is expected to lose: any larger batch is better.
        return old <= 0 ? new > old : new > 1.005 * old
    }

    /// Updates CABS, and applies the rule to what it would choose.
    public mutating func observe(_ statistics: StepStatistics, learningRate: Double) -> BatchSizeDecision {
        let decision = coupled.observe(statistics, learningRate: learningRate)
        lastCoupled = decision.rawBatchSize
        let raw = Self.rawBatchSize(coupled: decision.rawBatchSize, fixedCost: fixedCost)
        let error = decision.rawBatchSizeStandardError.map {
            $0 * Self.slope(coupled: lastCoupled, fixedCost: fixedCost)
        }
        size.follow(raw, standardError: error ?? 0, after: statistics)
        return BatchSizeDecision(
            nextBatchSize: size.current, rawBatchSize: raw, rawBatchSizeStandardError: error,
            smoothedLoss: decision.smoothedLoss, smoothedVariance: decision.smoothedVariance,
            coupledBatchSize: decision.rawBatchSize, fixedCost: fixedCost)
    }

    /// dm/dm_c, by which errors of m_c become those of m.
    private static func slope(coupled: Double, fixedCost: Double) -> Double {
        guard coupled > 0, coupled.isFinite else { return 0 }
        let root = (1 + 2 * fixedCost / coupled).squareRoot()
        return (1 + root) / 2 - fixedCost / (2 * coupled * root)
    }

    private enum CodingKeys: String, CodingKey { case coupled, size, fixedCost, isGiven }

    /// Decodes a stored policy.
    ///
    /// - Throws: ``BatchSizePolicyError`` for a value out of its range; `DecodingError` where one is missing.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            container.decode(CoupledAdaptiveBatchSize.self, forKey: .coupled),
            fixedCost: container.decode(Double.self, forKey: .fixedCost),
            isGiven: container.decode(Bool.self, forKey: .isGiven))
        // Not in the states of versions that knew no significance.
        if let stored = try container.decodeIfPresent(SignificantBatchSize.self, forKey: .size) {
            size = try stored.checked(bounds: coupled.batchSizeBounds)
        }
    }
}
