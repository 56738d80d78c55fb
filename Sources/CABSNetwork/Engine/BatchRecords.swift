import CABS
import Synchronization

/// What the workers write down in one step, each at its own places.
final class BatchRecords: @unchecked Sendable {
    // No two workers write the same place, and the caller reads after the last barrier: the proof of Sendable.
    let exampleCount: Int
    /// By example.
    let losses: UnsafeMutablePointer<Double>
    /// By example: the network's output, where it is asked for.
    let outputs: UnsafeMutablePointer<Float>?
    /// By example: the squared norm of its own gradient.
    let squaredNorms: UnsafeMutablePointer<Double>
    /// By worker and parameter: that worker's share of the mean gradient's squared norm.
    let gradientSquaredNorms: UnsafeMutablePointer<Double>
    /// By worker and parameter: the sum over that worker's examples.
    let parameterSquaredNorms: UnsafeMutablePointer<Double>
    /// The first chunk of which an example could not be read; no chunk's number where all could.
    private let failedChunk = Atomic(Int.max)
    private let readError = Mutex<(any Error)?>(nil)
    /// Whether the batch is one to make a step with, as ``decide(for:)`` found it.
    private(set) var isSound = false
    /// What the update multiplies the gradient by: less than one where it is longer than its bound.
    private(set) var gradientFactor: Float = 1
    /// By worker.
    private let correctCounts: UnsafeMutablePointer<Int>
    /// By worker and phase.
    private let phaseSeconds: UnsafeMutablePointer<Double>
    let parameterCount: Int
    private let workerCount: Int

    /// - Parameter outputCount: How many values of each example's output are wanted.
    init(exampleCount: Int, parameterCount: Int, workerCount: Int, outputCount: Int = 0) {
        self.exampleCount = exampleCount
        self.parameterCount = parameterCount
        self.workerCount = workerCount
        losses = .zeros(exampleCount)
        outputs = outputCount > 0 ? .zeros(exampleCount * outputCount) : nil
        squaredNorms = .zeros(exampleCount)
        gradientSquaredNorms = .zeros(workerCount * parameterCount)
        parameterSquaredNorms = .zeros(workerCount * parameterCount)
        correctCounts = .zeros(workerCount)
        phaseSeconds = .zeros(workerCount * StepPhase.allCases.count)
    }

    deinit {
        losses.deallocate()
        outputs?.deallocate()
        squaredNorms.deallocate()
        gradientSquaredNorms.deallocate()
        parameterSquaredNorms.deallocate()
        correctCounts.deallocate()
        phaseSeconds.deallocate()
    }

    /// Where a worker notes the norms of its examples.
    ///
    /// - Parameter position: The place in the batch of the tally's first example.
    func tally(for worker: Int, from position: Int) -> GradientTally {
        GradientTally(
            exampleSquaredNorms: squaredNorms + position,
            parameterSquaredNorms: parameterSquaredNorms + worker * parameterCount,
            gradientSquaredNorms: gradientSquaredNorms + worker * parameterCount)
    }

    /// Takes a worker's own counts over.
    func store(_ counts: WorkerCounts, worker: Int) {
        correctCounts[worker] = counts.correctCount
        (phaseSeconds + worker * counts.phaseSeconds.count).update(
            from: counts.phaseSeconds, count: counts.phaseSeconds.count)
    }

    /// Notes that an example could not be read.
    func fail(with error: any Error, inChunk chunk: Int) {
        readError.withLock { first in
            guard first == nil else { return }
            first = error
            failedChunk.store(chunk, ordering: .releasing)
        }
    }

    /// Whether an example could not be read, in a chunk before this one where one is given: then all workers that have met since they read
    /// their parts of that one have the same answer.
    func hasFailed(before chunk: Int = .max) -> Bool { failedChunk.load(ordering: .acquiring) < chunk }

    /// Why an example could not be read, if one could not.
    var failure: (any Error)? { readError.withLock { $0 } }

    /// Decides for the whole batch whether it is one to make a step with: all its examples were read, its mean loss is finite and not above
    /// the bound, and so are the squared norms, of the examples' gradients or of the batch's, as far as they are noted by now. One worker
    /// calls it, between two barriers.
    func decide(for purpose: StepPurpose) {
        let lossBound = purpose.update?.lossBound ?? .greatestFiniteMagnitude
        let gradientBound = purpose.update?.gradientBound ?? .infinity
        let norms = [
            UnsafeBufferPointer(start: squaredNorms, count: exampleCount),
            UnsafeBufferPointer(start: gradientSquaredNorms, count: workerCount * parameterCount),
        ]
        isSound =
            !hasFailed() && meanLoss.isFinite && meanLoss <= lossBound
            && norms.allSatisfy { $0.allSatisfy(\.isSquareOfFiniteFloats) }
        let norm = norms[1].reduce(0, +).squareRoot()
        gradientFactor = norm > gradientBound ? Float(gradientBound / norm) : 1
    }

    private var meanLoss: Double {
        UnsafeBufferPointer(start: losses, count: exampleCount).reduce(0, +) / Double(exampleCount)
    }

    /// Adds everything up, in the order of examples and of workers.
    func report(names: [String], estimator: GradientEstimator, isTraining: Bool) -> StepReport {
        let count = Double(exampleCount)
        let measures = isTraining && estimator != .unmeasured
        func sum(_ values: UnsafeMutablePointer<Double>, _ count: Int) -> Double {
            UnsafeBufferPointer(start: values, count: count).reduce(0, +)
        }
        let parameters = names.indices.map { index in
            var squaredNorms = 0.0
            var gradientSquaredNorm = 0.0
            for worker in 0..<workerCount {
                squaredNorms += parameterSquaredNorms[worker * parameterCount + index]
                gradientSquaredNorm += gradientSquaredNorms[worker * parameterCount + index]
            }
            return ParameterStatistics(
                name: names[index], secondMoment: measures ? squaredNorms / count : .nan,
                gradientSquaredNorm: isTraining ? gradientSquaredNorm : .nan)
        }
        let statistics = StepStatistics(
            exampleCount: exampleCount, meanLoss: meanLoss,
            secondMoment: measures ? sum(squaredNorms, exampleCount) / count : .nan,
            gradientSquaredNorm: parameters.reduce(0) { $0 + $1.gradientSquaredNorm },
            secondMomentStandardError: measures
                ? Estimate(meanOf: UnsafeBufferPointer(start: squaredNorms, count: exampleCount))?.standardError : nil)
        return StepReport(
            statistics: statistics,
            correctCount: (0..<workerCount).reduce(0) { $0 + correctCounts[$1] },
            parameters: parameters,
            exampleLosses: Array(UnsafeBufferPointer(start: losses, count: exampleCount)),
            exampleSquaredNorms: measures
                ? Array(UnsafeBufferPointer(start: squaredNorms, count: exampleCount)) : [],
            isSound: isSound,
            phaseSeconds: phaseMeans())
    }

    private func phaseMeans() -> [StepPhase: Double] {
        let phases = StepPhase.allCases
        return Dictionary(
            uniqueKeysWithValues: phases.enumerated().map { index, phase in
                let total = (0..<workerCount).reduce(0) { $0 + phaseSeconds[$1 * phases.count + index] }
                return (phase, total / Double(workerCount))
            })
    }
}

// MARK: Records of ranks

extension BatchRecords {
    var lossValues: [Double] { Array(UnsafeBufferPointer(start: losses, count: exampleCount)) }
    var squaredNormValues: [Double] { Array(UnsafeBufferPointer(start: squaredNorms, count: exampleCount)) }
    /// By parameter: the sums over workers.
    var parameterSums: [Double] { sums(parameterSquaredNorms) }
    /// By parameter: the sums over workers.
    var gradientSums: [Double] { sums(gradientSquaredNorms) }

    private func sums(_ values: UnsafeMutablePointer<Double>) -> [Double] {
        (0..<parameterCount).map { index in
            (0..<workerCount).reduce(0) { $0 + values[$1 * parameterCount + index] }
        }
    }

    /// Takes a rank's losses over, in the place of a worker's.
    func setLosses(_ values: some Collection<Double>, correctCount: Int, from position: Int, row: Int) {
        for (offset, value) in values.enumerated() { losses[position + offset] = value }
        correctCounts[row] = correctCount
    }

    /// Takes a rank's norms over, in the place of a worker's: those of its examples, then its sums by parameter.
    func setNorms(_ values: [Double], exampleCount: Int, from position: Int, row: Int) {
        for index in 0..<exampleCount { squaredNorms[position + index] = values[index] }
        for index in 0..<parameterCount {
            parameterSquaredNorms[row * parameterCount + index] = values[exampleCount + index]
            gradientSquaredNorms[row * parameterCount + index] = values[exampleCount + parameterCount + index]
        }
    }

    /// Takes the times of this rank over, as if they were every rank's.
    func setPhases(_ own: BatchRecords, secondsWaited: Double) {
        var means = own.phaseMeans()
        means[.update] = max(means[.update]! - secondsWaited, 0)
        means[.exchange] = secondsWaited
        for row in 0..<workerCount {
            for (index, phase) in StepPhase.allCases.enumerated() {
                phaseSeconds[row * StepPhase.allCases.count + index] = means[phase]!
            }
        }
    }
}

/// What one worker counts in a step.
final class WorkerCounts {
    var correctCount = 0
    private(set) var phaseSeconds = [Double](repeating: 0, count: StepPhase.allCases.count)
    private var phaseStart = ContinuousClock.now

    /// Forgets the last step.
    func reset() {
        correctCount = 0
        for index in phaseSeconds.indices { phaseSeconds[index] = 0 }
        phaseStart = .now
    }

    /// Counts the time since the last phase's end as this phase's.
    func endPhase(_ phase: StepPhase) {
        let now = ContinuousClock.now
        phaseSeconds[phase.rawValue] += (now - phaseStart) / .seconds(1)
        phaseStart = now
    }
}

extension UnsafeMutablePointer where Pointee: Numeric {
    fileprivate static func zeros(_ count: Int) -> Self {
        let pointer = allocate(capacity: count)
        pointer.initialize(repeating: 0, count: count)
        return pointer
    }
}
