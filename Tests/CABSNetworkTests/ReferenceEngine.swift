import CABS
import CABSExamples
import CABSPrimitives
import Foundation

@testable import CABSNetwork

/// A second engine, slow and obvious: one example at a time in Double, by the oracle's formulas. What `EngineConformanceTests` asks of it,
/// it asks of every engine.
final class ReferenceEngine: TrainingEngine {
    let model: Model
    let loss: Loss
    let estimator: GradientEstimator
    let update: UpdateMethod
    let averagesParameters: Bool
    let workerCount = 1
    let plan: [PlannedLayer] = []
    var byteCount: Int { (2 + slotNames.count) * model.parameterCount * MemoryLayout<Double>.size }

    /// The model as evaluations have it.
    private let withoutDropout: Model
    private var values: [String: [Double]] = [:]
    private var slots: [String: [String: [Double]]] = [:]
    private var averages: [String: [Double]] = [:]

    init(_ setup: EngineSetup) throws {
        (model, loss, estimator) = (setup.model, setup.loss, setup.estimator)
        (update, averagesParameters) = (setup.update, setup.averagesParameters)
        withoutDropout = try Model(
            input: model.inputShape, seed: model.seed,
            layers: model.definition.map { $0 is Dropout ? Dropout(rate: 0) : $0 })
        try update.validate()
        try load(setup.parameters ?? model.initialParameters())
        try loadOptimizerState(ParameterSet([]))
        try loadAverage(nil)
    }

    // MARK: State

    private var slotNames: [String] {
        switch update {
        case .gradientDescent: []
        case .momentum: ["velocity"]
        case .adam: ["first-moment", "second-moment"]
        }
    }

    private var zeros: [String: [Double]] {
        Dictionary(
            uniqueKeysWithValues: model.parameters.map {
                ($0.name, [Double](repeating: 0, count: $0.specification.count))
            })
    }

    private func tensors(_ values: [String: [Double]], prefix: String = "") -> ParameterSet {
        ParameterSet(
            model.parameters.map { name, specification in
                (prefix + name, Tensor(shape: specification.shape, values: values[name]!.map(Float.init)))
            })
    }

    private func values(of set: ParameterSet, prefix: String = "") -> [String: [Double]] {
        Dictionary(
            uniqueKeysWithValues: model.parameters.map { ($0.name, set[prefix + $0.name]!.values.map(Double.init)) })
    }

    func parameters() -> ParameterSet { tensors(values) }

    func load(_ parameters: ParameterSet) throws {
        try parameters.check(against: model)
        values = values(of: parameters)
    }

    func optimizerState() -> ParameterSet {
        ParameterSet(slotNames.flatMap { tensors(slots[$0]!, prefix: "\($0).").elements })
    }

    func loadOptimizerState(_ state: ParameterSet) throws {
        if state.names.isEmpty {
            slots = Dictionary(uniqueKeysWithValues: slotNames.map { ($0, zeros) })
            return
        }
        try state.check(
            against: slotNames.flatMap { slot in model.parameters.map { ("\(slot).\($0.name)", $0.specification.shape) }
            })
        slots = Dictionary(uniqueKeysWithValues: slotNames.map { ($0, values(of: state, prefix: "\($0).")) })
    }

    func addToAverage(weight: Double) {
        guard averagesParameters else { return }
        averages = averages.merging(values) { a, w in zip(a, w).map { $0 + weight * ($1 - $0) } }
    }

    func average() -> ParameterSet? { averagesParameters ? tensors(averages) : nil }

    func loadAverage(_ average: ParameterSet?) throws {
        try average?.check(against: model)
        averages = average.map { values(of: $0) } ?? zeros
    }

    // MARK: Examples

    private typealias Example = (input: [Float], target: [Float], draw: UInt64)

    private func read(_ batch: some ExampleBatch) throws -> [Example] {
        guard batch.count > 0 else { throw EngineError.emptyBatch }
        guard batch.target.count == model.outputCount else {
            throw EngineError.targetsDoNotFit("\(batch.target)", outputCount: model.outputCount)
        }
        let memory = ExampleMemory(inputCount: model.inputShape.count, target: batch.target)
        return try (0..<batch.count).map { position in
            let (input, target) = try memory.read { try batch.write(position, into: &$0) }
            return (input, Self.values(target, batch.target), batch.firstDraw + UInt64(position))
        }
    }

    private static func values(_ target: Target, _ specification: TargetSpecification) -> [Float] {
        switch (target, specification) {
        case (.class(let label), .classes(let count, let smoothing)):
            (0..<count).map { Float(($0 == label ? 1 - smoothing : 0) + smoothing / Double(count)) }
        case (.values(let values), _): values
        case (.class, .values): []
        }
    }

    private func isCorrect(_ output: [Double], _ target: [Float]) -> Bool {
        if output.count == 1 { return (output[0] > (loss.comparesValues ? 0.5 : 0)) == (target[0] > 0.5) }
        return output.firstIndex(of: output.max()!) == target.firstIndex(of: target.max()!)
    }

    private func evaluated(
        _ batch: some ExampleBatch
    ) throws -> (outputs: [[Double]], losses: [Double], correct: Int) {
        let oracle = Oracle(withoutDropout, loss, parameters: values)
        let examples = try read(batch)
        let outputs = examples.map { oracle.tensors($0.input).last! }
        return (
            outputs, examples.map { oracle.loss($0.input, $0.target) },
            zip(outputs, examples).count { isCorrect($0, $1.target) }
        )
    }

    func evaluate(_ batch: some ExampleBatch) throws -> Evaluation {
        let (_, losses, correct) = try evaluated(batch)
        let unsound = losses.indices.filter { !losses[$0].isFinite }
        let finite = losses.filter(\.isFinite)
        return Evaluation(
            exampleCount: losses.count, meanLoss: finite.reduce(0, +) / Double(finite.count),
            accuracy: Double(correct) / Double(losses.count), unsoundExamples: unsound)
    }

    func evaluateAverage(_ batch: some ExampleBatch) throws -> Evaluation {
        guard averagesParameters else { return try evaluate(batch) }
        (values, averages) = (averages, values)
        defer { (values, averages) = (averages, values) }
        return try evaluate(batch)
    }

    func outputs(for batch: some ExampleBatch) throws -> (outputs: [Float], losses: [Double]) {
        let (outputs, losses, _) = try evaluated(batch)
        return (outputs.joined().map(Float.init), losses)
    }

    // MARK: Steps

    private func measured(_ batch: some ExampleBatch) throws -> (report: StepReport, gradient: [String: [Double]]) {
        let oracle = Oracle(model, loss, parameters: values)
        let examples = try read(batch)
        let count = Double(examples.count)
        let losses = examples.map { oracle.loss($0.input, $0.target, draw: $0.draw) }
        let each = examples.map { Backpropagation(oracle, $0.input, $0.target, draw: $0.draw) }
        var gradient = zeros
        for found in each {
            gradient = gradient.merging(found.gradients) { zip($0, $1).map { $0 + $1 / count } }
        }
        let names = model.parameters.map(\.name)
        let norms = each.map { found in names.map { found.squaredNorm(of: $0, by: estimator) } }
        let parameters = names.enumerated().map { index, name in
            ParameterStatistics(
                name: name, secondMoment: norms.reduce(0) { $0 + $1[index] } / count,
                gradientSquaredNorm: gradient[name]!.reduce(0) { $0 + $1 * $1 })
        }
        let exampleNorms = estimator == .unmeasured ? [] : norms.map { $0.reduce(0, +) }
        let statistics = StepStatistics(
            exampleCount: examples.count, meanLoss: losses.reduce(0, +) / count,
            secondMoment: parameters.reduce(0) { $0 + $1.secondMoment },
            gradientSquaredNorm: parameters.reduce(0) { $0 + $1.gradientSquaredNorm },
            secondMomentStandardError: Estimate(meanOf: exampleNorms)?.standardError)
        let correct = examples.count { isCorrect(oracle.tensors($0.input, draw: $0.draw).last!, $0.target) }
        return (
            StepReport(
                statistics: statistics, correctCount: correct, parameters: parameters, exampleLosses: losses,
                exampleSquaredNorms: exampleNorms, isSound: false), gradient
        )
    }

    func gradient(of batch: some ExampleBatch) throws -> (report: StepReport, gradient: ParameterSet) {
        let (report, gradient) = try measured(batch)
        return (report, tensors(gradient))
    }

    func step(
        on batch: some ExampleBatch, _ step: UpdateStep, telling: @escaping () -> [Double]
    ) throws -> StepReport {
        let (report, gradient) = try measured(batch)
        let (loss, norm) = (report.statistics.meanLoss, report.statistics.gradientSquaredNorm.squareRoot())
        let limit = Double(Float.greatestFiniteMagnitude)
        guard loss.isFinite, loss <= step.lossBound, norm * norm <= limit,
            report.exampleSquaredNorms.allSatisfy({ $0 <= limit })
        else { return report }
        let factor = norm > step.gradientBound ? step.gradientBound / norm : 1
        for (name, gradient) in gradient { apply(gradient.map { factor * $0 }, to: name, step) }
        return StepReport(
            statistics: report.statistics, correctCount: report.correctCount, parameters: report.parameters,
            exampleLosses: report.exampleLosses, exampleSquaredNorms: report.exampleSquaredNorms, isSound: true)
    }

    private func apply(_ gradient: [Double], to name: String, _ step: UpdateStep) {
        let (rate, decay) = (step.learningRate, step.weightDecay)
        for index in gradient.indices {
            let weight = values[name]![index]
            let g = gradient[index] + decay * weight
            switch update {
            case .gradientDescent: values[name]![index] -= rate * g
            case .momentum(let beta, let isNesterov):
                let velocity = beta * slots["velocity"]![name]![index] + g
                slots["velocity"]![name]![index] = velocity
                values[name]![index] -= rate * (isNesterov ? g + beta * velocity : velocity)
            case .adam(let first, let second, let epsilon, let decouples):
                let g = decouples ? gradient[index] : g
                let number = Double(step.updateCount + 1)
                let m = first * slots["first-moment"]![name]![index] + (1 - first) * g
                let v = second * slots["second-moment"]![name]![index] + (1 - second) * g * g
                (slots["first-moment"]![name]![index], slots["second-moment"]![name]![index]) = (m, v)
                let direction = m / (1 - pow(first, number)) / ((v / (1 - pow(second, number))).squareRoot() + epsilon)
                values[name]![index] = weight * (decouples ? 1 - rate * decay : 1) - rate * direction
            }
        }
    }
}
