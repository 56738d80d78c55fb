extension TrainingOptions {
    /// Options in which repetitions of a run may differ: the seed; how it is made, measured and kept.
    private static let optionsOfRepetitions: Set<String> = TrainingConfiguration.optionsBesideTheCourse()
        .union(
            [CodingKeys.seed, .workers, .evaluateEvery, .evaluations, .shadow, .compareEstimators].map(\.rawValue))

    /// Values that are longer stand for themselves by a number.
    private static let longestValue = 40

    /// In what some runs of one name differ beside their learning rates: only runs with the same words are repetitions of each other, with
    /// other seeds, and may be averaged.
    ///
    /// - Returns: For each run the options that are not the same for all, with their values; nothing where all are.
    /// - Throws: An encoding error, which only a defect of this type can cause.
    public static func distinctions(among runs: [TrainingOptions]) throws -> [String] {
        let all = try runs.map { try $0.values() }
        let names = Set(all.flatMap(\.keys)).subtracting(optionsOfRepetitions).subtracting([
            CodingKeys.learningRate.rawValue
        ])
        let differing = names.sorted().filter { name in Set(all.map { $0[name] }).count > 1 }
        return all.map { values in
            differing.map { name in word(name, values[name], among: all.map { $0[name] }) }.joined(separator: ", ")
        }
    }

    private static func word(_ name: String, _ value: JSONValue?, among all: [JSONValue?]) -> String {
        guard let value else { return "no \(name)" }
        let text = "\(value)"
        guard text.count > longestValue else { return "\(name) \(text)" }
        var seen: [JSONValue?] = []
        for other in all where !seen.contains(other) { seen.append(other) }
        return "\(name) no. \((seen.firstIndex(of: value) ?? 0) + 1)"
    }
}
