import CABSData
import CABSNetwork

/// Where a run's numbers went wrong: what a step found before it was made. What is not a finite number stands as nothing in it.
public struct Divergence: Sendable, Hashable, Codable {
    /// The step's number, from 0.
    public let step: Int
    /// The batch's mean loss.
    public let loss: Double?
    /// The first parameter in whose gradient, the batch's or an example's, numbers are not finite or too large to go on with; nothing where it is
    /// the loss alone.
    public let parameter: String?
    /// The learning rate.
    public let learningRate: Double
    /// The number of examples in the batch.
    public let batchSize: Int
    /// The batch's examples, by their indices in the training set; empty where an evaluation found it.
    public let examples: [Int]
    /// What was measured of the batch; nothing where an evaluation found it, and in files of versions that did not note it.
    public let batch: Batch?
    /// The last steps that were made, as far as this process made them, the last at the end.
    public let recentSteps: [Step]?

    /// What was measured of the batch.
    public struct Batch: Sendable, Hashable, Codable {
        /// The loss of each example, in the order of ``Divergence/examples``.
        public let losses: [Double?]
        /// The norm of each example's gradient, in the same order; empty where it was not measured.
        public let gradientNorms: [Double?]
        /// Each parameter's part.
        public let parameters: [Parameter]
        /// The examples that dominate the gradient, by the norms of theirs, or by their losses where these were not measured; ones that are no
        /// finite numbers first.
        public let dominating: [DominatingExample]
    }

    /// One parameter's part in a gradient.
    public struct Parameter: Sendable, Hashable, Codable {
        /// The parameter's name.
        public let name: String
        /// `(1/m) Σᵢ ‖gᵢ‖²` over this parameter's values.
        public let secondMoment: Double?
        /// `‖(1/m) Σᵢ gᵢ‖²` over this parameter's values.
        public let gradientSquaredNorm: Double?

        init(_ statistics: ParameterStatistics) {
            name = statistics.name
            secondMoment = statistics.secondMoment.ifFinite
            gradientSquaredNorm = statistics.gradientSquaredNorm.ifFinite
        }
    }

    /// An example that dominates the gradient, with its own gradient by parameter.
    public struct DominatingExample: Sendable, Hashable, Codable {
        /// The example.
        public let example: MeasuredExample
        /// Its gradient: the second moment is the gradient's squared norm.
        public let parameters: [Parameter]
    }

    /// What a step measured that was made.
    public struct Step: Sendable, Hashable, Codable {
        /// The step's number, from 0.
        public let step: Int
        /// The number of examples in its batch.
        public let batchSize: Int
        /// The learning rate.
        public let learningRate: Double
        /// The batch's mean loss.
        public let loss: Double
        /// The mean of the squared norms of the examples' gradients; nothing where it was not measured.
        public let secondMoment: Double?
        /// The squared norm of the batch's mean gradient.
        public let gradientSquaredNorm: Double?

        init(_ index: Int, _ report: StepReport, learningRate: Double) {
            step = index
            self.learningRate = learningRate
            (batchSize, loss) = (report.statistics.exampleCount, report.statistics.meanLoss)
            secondMoment = report.statistics.secondMoment.ifFinite
            gradientSquaredNorm = report.statistics.gradientSquaredNorm.ifFinite
        }
    }

    /// What to do about it.
    public var remedy: String {
        if let odd = oddExamples {
            let one = odd.count == 1
            return "look at training example\(one ? "" : "s") \(odd.prefix(3).map(String.init).joined(separator: ", "))"
                + (odd.count > 3 ? " and \(odd.count - 3) more" : "")
                + ": the losses of the batch's other examples are finite"
        }
        // An evaluation, which has no examples of its own, comes after an update.
        guard step == 0, !examples.isEmpty else { return "use a smaller learning rate" }
        let exceedsBound = loss != nil && parameter == nil
        return "bring inputs and targets to a smaller range" + (exceedsBound ? ", or raise loss-bound" : "")
            + ": nothing had been updated yet"
    }

    /// The few examples of the batch whose losses are not finite, where those of the others are; nothing elsewhere.
    private var oddExamples: [Int]? {
        guard let losses = batch?.losses, losses.count == examples.count else { return nil }
        let odd = losses.indices.filter { losses[$0] == nil }
        return odd.isEmpty || odd.count * 4 > losses.count ? nil : odd.map { examples[$0] }
    }

    /// How many of the last steps are noted.
    static let recentStepCount = 20
    /// How many examples that dominate the gradient are noted.
    static let dominatingCount = 10

    init(
        step: Int, loss: Double, parameter: String? = nil, learningRate: Double, batchSize: Int, examples: [Int] = [],
        batch: Batch? = nil, recentSteps: [Step]
    ) {
        self.step = step
        self.loss = loss.ifFinite
        self.parameter = parameter
        self.learningRate = learningRate
        self.batchSize = batchSize
        self.examples = examples
        self.batch = batch
        self.recentSteps = recentSteps
    }
}

extension Divergence.Batch {
    /// Takes a batch apart whose step was not made. Of several ranks all must.
    ///
    /// - Throws: What the network throws.
    init(_ batch: DatasetBatch, _ report: StepReport, in data: TrainingData, of network: any TrainingEngine) throws {
        losses = report.exampleLosses.map(\.ifFinite)
        gradientNorms = report.exampleSquaredNorms.map { $0.squareRoot().ifFinite }
        parameters = report.parameters.map(Divergence.Parameter.init)
        let examined = ExaminedExamples(
            examples: batch.indices, losses: report.exampleLosses, squaredNorms: report.exampleSquaredNorms,
            labels: try data.trainingLabels(of: batch.indices), firstDraw: batch.firstDraw)
        let places = examined.largest(
            Divergence.dominatingCount, by: report.exampleSquaredNorms.isEmpty ? \.losses : \.squaredNorms)
        dominating = try places.map { place in
            Divergence.DominatingExample(
                example: examined.measured(place, in: data),
                parameters: try network.gradient(of: examined.alone(place, in: data)).report.parameters
                    .map(Divergence.Parameter.init))
        }
    }
}

extension Double {
    /// The number where it is finite: JSON has no others.
    var ifFinite: Double? { isFinite ? self : nil }
}
