import CABSTraining
import Testing

/// Options that others are given in the place of.
@Suite(.timeLimit(.minutes(10))) struct OverridingTests {
    private static func options(_ change: (inout TrainingOptions) -> Void) -> TrainingOptions {
        var options = TrainingOptions()
        change(&options)
        return options
    }

    private static let run = options {
        ($0.dataset, $0.data, $0.steps, $0.evaluations) = (.mnist, "here", 100, 5)
        ($0.batchSize, $0.minimumBatchSize, $0.smoothing, $0.factor) = ("cabs", 64, 0.9, 2)
        ($0.order, $0.firstExample) = (.sequential, 7)
    }

    @Test func `the same rule named again keeps its options`() throws {
        let (options, omitted) = try Self.run.overridden(by: Self.options { $0.batchSize = "cabs" })
        #expect(options.minimumBatchSize == 64 && options.smoothing == 0.9 && options.factor == 2 && omitted.isEmpty)
    }

    @Test func `another rule keeps what it reads, and the rest is named`() throws {
        let (adaptive, omitted) = try Self.run.overridden(by: Self.options { $0.batchSize = "noise-scale" })
        #expect(adaptive.minimumBatchSize == 64 && adaptive.smoothing == 0.9 && adaptive.factor == nil)
        #expect(omitted == ["factor"])
        let (constant, rest) = try Self.run.overridden(by: Self.options { $0.batchSize = "constant:8" })
        #expect(constant.minimumBatchSize == nil && rest == ["minimum-batch-size", "smoothing", "factor"])
        // What is given with it is checked where the configuration is made.
        let (given, none) = try Self.run.overridden(
            by: Self.options { ($0.batchSize, $0.minimumBatchSize, $0.smoothing, $0.factor) = ("constant:8", 1, 0, 1) })
        #expect(given.minimumBatchSize == 1 && none.isEmpty)
    }

    @Test func `a length and a time to evaluate take each other's place`() throws {
        let (options, omitted) = try Self.run.overridden(by: Self.options { ($0.epochs, $0.evaluateEvery) = (2, 9) })
        #expect(options.steps == nil && options.epochs == 2 && options.evaluations == nil && options.evaluateEvery == 9)
        #expect(omitted.isEmpty)
    }

    @Test func `a folder stays with its data set, a first example with its order`() throws {
        let same = try Self.run.overridden(by: Self.options { ($0.dataset, $0.order) = (.mnist, .sequential) })
        #expect(same.options.data == "here" && same.options.firstExample == 7 && same.omitted.isEmpty)
        let other = try Self.run.overridden(by: Self.options { ($0.dataset, $0.order) = (.cifar10, .shuffled) })
        #expect(other.options.data == nil && other.options.firstExample == nil)
        #expect(other.omitted == ["data", "first-example"])
    }

    @Test func `what is given goes before, and the rest stays`() throws {
        let given = Self.options { ($0.minimumBatchSize, $0.data, $0.firstExample, $0.seed) = (4, "there", 3, .max) }
        let (options, omitted) = try Self.run.overridden(by: given)
        #expect(options.batchSize == "cabs" && options.minimumBatchSize == 4 && options.factor == 2)
        #expect(options.dataset == .mnist && options.data == "there")
        #expect(options.order == .sequential && options.firstExample == 3 && options.seed == .max)
        #expect(omitted.isEmpty)
        // Refused where the configuration is made, and not here.
        #expect(
            try Self.run.overridden(by: Self.options { $0.learningRate = .infinity }).options.learningRate == .infinity)
    }
}
