import CABS

/// What the workers write down in one step, each at its own places.
final class BatchRecords: @unchecked Sendable {
    // No two workers write the same place, and the caller reads after the last barrier: the proof of Sendable.
    let exampleCount: Int
    /// By example.
    let losses: UnsafeMutablePointer<Double>
    /// By example: the squared norm of its own gradient.
    let squaredNorms: UnsafeMutablePointer<Double>
    /// By worker and parameter: that worker's share of the mean gradient's squared norm.
    let gradientSquaredNorms: UnsafeMutablePointer<Double>
    /// By worker and parameter: the sum over that worker's examples.
    private let parameterSquaredNorms: UnsafeMutablePointer<Double>
    /// By worker.
    private let correctCounts: UnsafeMutablePointer<Int>
    private let parameterCount: Int
    private let workerCount: Int

    init(exampleCount: Int, parameterCount: Int, workerCount: Int) {
        self.exampleCount = exampleCount
        self.parameterCount = parameterCount
        self.workerCount = workerCount
        losses = .zeros(exampleCount)
        squaredNorms = .zeros(exampleCount)
        gradientSquaredNorms = .zeros(workerCount * parameterCount)
        parameterSquaredNorms = .zeros(workerCount * parameterCount)
        correctCounts = .zeros(workerCount)
    }

    deinit {
        losses.deallocate()
        squaredNorms.deallocate()
        gradientSquaredNorms.deallocate()
        parameterSquaredNorms.deallocate()
        correctCounts.deallocate()
    }

    /// Takes a worker's own counts over.
    func store(_ memory: WorkerMemory, worker: Int) {
        correctCounts[worker] = memory.correctCount
        (parameterSquaredNorms + worker * parameterCount).update(
            from: memory.tally.parameterSquaredNorms, count: parameterCount)
    }

    /// Adds everything up, in the order of examples and of workers.
    func report(names: [String], estimator: GradientEstimator, isTraining: Bool) -> StepReport {
        let count = Double(exampleCount)
        let measures = isTraining && estimator != .none
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
            exampleCount: exampleCount, meanLoss: sum(losses, exampleCount) / count,
            secondMoment: measures ? sum(squaredNorms, exampleCount) / count : .nan,
            gradientSquaredNorm: parameters.reduce(0) { $0 + $1.gradientSquaredNorm })
        return StepReport(
            statistics: statistics,
            correctCount: (0..<workerCount).reduce(0) { $0 + correctCounts[$1] },
            parameters: parameters,
            exampleLosses: Array(UnsafeBufferPointer(start: losses, count: exampleCount)),
            exampleSquaredNorms: measures
                ? Array(UnsafeBufferPointer(start: squaredNorms, count: exampleCount)) : [])
    }
}

/// What one worker needs besides its lane.
final class WorkerMemory {
    /// Where an example is decoded.
    var input: [Float]
    var target: [Float]
    var correctCount = 0
    let tally: GradientTally

    init(_ model: Model, parameterCount: Int) {
        input = Array(repeating: 0, count: model.inputShape.count)
        target = Array(repeating: 0, count: model.outputCount)
        tally = GradientTally(parameterCount: parameterCount)
    }
}

extension UnsafeMutablePointer where Pointee: Numeric {
    fileprivate static func zeros(_ count: Int) -> Self {
        let pointer = allocate(capacity: count)
        pointer.initialize(repeating: 0, count: count)
        return pointer
    }
}
