import CABSData
import CABSNetwork
import Foundation

/// A grid of runs: rules by learning rates by seeds, on one or several data sets and models.
///
/// ```yaml
/// options: {dataset: mnist, evaluations: 10, examples: 60000}
/// rules: [cabs, constant:32, {name: approximated, options: {batch-size: cabs, estimator: reference}}]
/// learning-rates: [0.05, 0.1]
/// seeds: [0, 1]
/// ```
public struct ComparisonGrid: Sendable, Codable {
    /// Options that all runs share.
    public var options: TrainingOptions?
    /// The data sets; the one of the options where not given.
    public var datasets: [DatasetName]?
    /// The models; the one of the options, or the data set's own, where not given.
    public var models: [ModelConfiguration]?
    /// The rules.
    public var rules: [Rule]
    /// The learning rates.
    public var learningRates: [Double]
    /// The seeds; 0 where not given.
    public var seeds: [UInt64]?

    enum CodingKeys: String, CodingKey, CaseIterable {
        case options, datasets, models, rules
        case learningRates = "learning-rates"
        case seeds
    }

    /// Keys that grids of earlier versions have for the length of each run.
    private enum EarlierKeys: String, CodingKey, CaseIterable {
        case budgetExamples = "budget-examples"
        case budgetSeconds = "budget-seconds"
    }

    /// A rule of the grid, with options of its own.
    public struct Rule: Sendable, Codable {
        /// What tables and figures call it.
        public let name: String
        /// The batch-size rule and what else is particular to it.
        public let options: TrainingOptions

        /// Creates a rule by its name among the batch-size rules.
        public init(_ batchSize: String) {
            var options = TrainingOptions()
            options.batchSize = batchSize
            self.init(name: batchSize, options: options)
        }

        /// Creates a rule with options of its own.
        public init(name: String, options: TrainingOptions) {
            self.name = name
            self.options = options
        }

        private enum CodingKeys: String, CodingKey, CaseIterable { case name, options }

        /// Reads a rule's name among the batch-size rules, or a mapping with `name` and `options`.
        public init(from decoder: any Decoder) throws {
            if let text = try? decoder.singleValueContainer().decode(String.self) {
                self.init(text)
                return
            }
            let container = try decoder.strictContainer(keyedBy: CodingKeys.self)
            self.init(
                name: try container.decode(String.self, forKey: .name),
                options: try container.decode(StrictOptions.self, forKey: .options).options)
        }
    }

    /// One run of the grid.
    public struct Run: Sendable {
        /// The name of its folder: what sets it apart from the others.
        public let identifier: String
        /// The rule's name in the grid.
        public let rule: String
        /// The run's configuration.
        public let configuration: TrainingConfiguration
    }

    /// Reads a grid; a misspelt key is an error.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.strictContainer(
            keyedBy: CodingKeys.self, beside: EarlierKeys.allCases.map(\.rawValue))
        options = try Self.options(
            try container.decodeIfPresent(StrictOptions.self, forKey: .options)?.options,
            withLengthFrom: try decoder.container(keyedBy: EarlierKeys.self))
        datasets = try container.decodeIfPresent([DatasetName].self, forKey: .datasets)
        models = try container.decodeIfPresent([ModelConfiguration].self, forKey: .models)
        rules = try container.decode([Rule].self, forKey: .rules)
        learningRates = try container.decode([Double].self, forKey: .learningRates)
        seeds = try container.decodeIfPresent([UInt64].self, forKey: .seeds)
    }

    private static func options(
        _ options: TrainingOptions?, withLengthFrom earlier: KeyedDecodingContainer<EarlierKeys>
    ) throws -> TrainingOptions? {
        var length = TrainingOptions()
        length.examples = try earlier.decodeIfPresent(Int.self, forKey: .budgetExamples)
        length.seconds = try earlier.decodeIfPresent(Double.self, forKey: .budgetSeconds)
        let lengths: Set<TrainingOptions.CodingKeys> = [.steps, .examples, .epochs, .seconds]
        let given = try length.given.union(options?.given ?? []).intersection(lengths)
        guard !(try length.given.isEmpty) else { return options }
        guard given.count == 1, try options?.given.isDisjoint(with: lengths) ?? true else {
            throw DecodingError.dataCorrupted(
                .init(
                    codingPath: earlier.codingPath,
                    debugDescription: "the length of each run is given twice; give one of steps, examples, epochs and "
                        + "seconds in the options"))
        }
        return try (options ?? TrainingOptions()).overridden(by: length).options
    }

    /// Creates a grid.
    public init(rules: [Rule], learningRates: [Double]) {
        self.rules = rules
        self.learningRates = learningRates
    }

    /// Reads a grid from a YAML file.
    ///
    /// - Throws: ``TrainingError`` naming the file and what is wrong with it.
    public init(contentsOf file: URL) throws(TrainingError) {
        self = try ConfigurationFile.decode(Self.self, from: file)
    }

    /// All runs, in the order in which they are made: seed by seed, so that an unfinished grid has all rules.
    ///
    /// - Throws: What ``TrainingConfiguration/init(_:isShared:)`` throws, and ``TrainingError/contradiction(_:)`` for a grid without
    ///   runs, with two that are the same, or with two budgets.
    ///
    /// - Parameter isShared: Whether several ranks make each run, each with a number of workers of its own where none is given.
    public func runs(isShared: Bool = false) throws -> [Run] {
        guard !rules.isEmpty, !learningRates.isEmpty, seeds?.isEmpty != true, datasets?.isEmpty != true,
            models?.isEmpty != true
        else {
            throw TrainingError.contradiction("a grid needs at least one rule, learning rate, seed, data set and model")
        }
        try checkOptions()
        // A table that is opened in a spreadsheet would run it.
        if let rule = rules.first(where: { $0.name.first.map { "=+-@\t\r".contains($0) } ?? false }) {
            throw TrainingError.contradiction(
                "the rule's name \"\(rule.name)\" begins as a formula of a spreadsheet does, which would run it; begin with a letter"
            )
        }
        var runs: [Run] = []
        var known: Set<String> = []
        for seed in seeds ?? [options?.seed ?? 0] {
            for dataset in datasets.map({ $0.map(Optional.some) }) ?? [nil] {
                for model in models.map({ $0.map(Optional.some) }) ?? [nil] {
                    for learningRate in learningRates {
                        for rule in rules {
                            let run = try run(rule, dataset, model, learningRate, seed, isShared: isShared)
                            guard known.insert(run.identifier).inserted else {
                                throw TrainingError.contradiction(
                                    "the grid has two runs \(run.identifier); give rules names of their own")
                            }
                            runs.append(run)
                        }
                    }
                }
            }
        }
        return runs
    }

    /// The grid with what depends on the machine settled: the number of workers, the data set that is found, and where its files lie. So it
    /// means the same runs wherever it goes on.
    ///
    /// - Parameters:
    ///   - earlier: The grid as it was settled before, whose word counts where this one says nothing.
    ///   - isShared: Whether several ranks make each run, each with a number of workers of its own.
    /// - Throws: `DatasetError` where it is not certain which data set is meant.
    func settled(after earlier: ComparisonGrid?, isShared: Bool = false) throws -> ComparisonGrid {
        var options = options ?? TrainingOptions()
        let before = earlier?.options
        options.workers = options.workers ?? (isShared ? nil : before?.workers ?? Network.defaultWorkerCount)
        options.data = options.data ?? before?.data
        options = options.withAbsolutePaths
        if datasets == nil, options.dataset == nil, rules.contains(where: { $0.options.dataset == nil }) {
            options.dataset = try before?.dataset ?? TrainingConfiguration.defaultDataset(in: options.data)
        }
        var grid = self
        grid.options = options
        grid.rules = rules.map { Rule(name: $0.name, options: $0.options.withAbsolutePaths) }
        return grid
    }

    /// Checks that the options of all runs and of the rules give nothing that the grid itself sets, in whose place it would vanish.
    private func checkOptions() throws {
        var setByGrid: [TrainingOptions.CodingKeys: CodingKeys] = [.learningRate: .learningRates]
        if datasets != nil { setByGrid[.dataset] = .datasets }
        if models != nil { setByGrid[.model] = .models }
        func check(_ options: TrainingOptions, of owner: String) throws {
            for option in try options.given.sorted(by: { $0.rawValue < $1.rawValue }) {
                guard let setter = setByGrid[option] else { continue }
                throw TrainingError.contradiction(
                    "\(option.rawValue) in the options of \(owner) contradicts the grid's \(setter.rawValue); give one of them"
                )
            }
        }
        // Each rule runs with all seeds; those of all runs may be the one in the options.
        for rule in rules { setByGrid[.seed] = .seeds; try check(rule.options, of: "the rule \(rule.name)") }
        setByGrid[.seed] = seeds == nil ? nil : .seeds
        try check(options ?? TrainingOptions(), of: "all runs")
        if let option = try options?.given.first(where: { $0 == .batchSize || BatchSizeRule.options.contains($0) }) {
            throw TrainingError.contradiction(
                "\(option.rawValue) and other options of a batch-size rule belong to the rules of a grid: "
                    + "{name: ..., options: {batch-size: ..., ...}}")
        }
    }

    private func run(
        _ rule: Rule, _ dataset: DatasetName?, _ model: ModelConfiguration?, _ learningRate: Double, _ seed: UInt64,
        isShared: Bool
    ) throws -> Run {
        var own = TrainingOptions()
        own.dataset = dataset
        own.model = model
        own.learningRate = learningRate
        own.seed = seed
        var all = TrainingOptions()
        for options in [options ?? TrainingOptions(), rule.options, own] {
            let (overridden, omitted) = try all.overridden(by: options)
            guard omitted.isEmpty else {
                throw TrainingError.contradiction(
                    "\(omitted.joined(separator: ", ")) in the options of all runs means nothing with those of the rule "
                        + "\(rule.name); give it with the rules")
            }
            all = overridden
        }
        let configuration = try TrainingConfiguration(all, isShared: isShared)
        return Run(
            identifier: Self.identifier(
                dataset: configuration.dataset.rawValue, model: configuration.model.name, rule: rule.name,
                learningRate: learningRate, seed: seed),
            rule: rule.name, configuration: configuration)
    }

    /// The name of a run's folder, and of its curve.
    static func identifier(
        dataset: String, model: String, rule: String, learningRate: Double, seed: UInt64
    ) -> String {
        [dataset, model, rule, learningRate.shortest, "\(seed)"].map(FileName.part).joined(separator: "_")
    }
}
