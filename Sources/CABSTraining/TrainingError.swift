import CABSNetwork

/// Why a run cannot start or go on.
public enum TrainingError: Error, Hashable, CustomStringConvertible {
    /// A number that must be positive is not.
    case notPositive(option: String, value: Double)
    /// A number that must be zero or positive is not.
    case negative(option: String, value: Double)
    /// A length without an end or a beginning.
    case lengthNotPositive(TrainingLength)
    /// The model does not take the data's examples, or its output does not match their targets.
    case modelDoesNotFitData(model: String, data: String)
    /// The batch-size rule needs statistics that the estimator does not measure.
    case policyNeedsStatistics(policy: String)
    /// The batch-size rule assumes a step along the gradient, and the optimiser makes another.
    case policyAssumesGradientDescent(policy: String)
    /// The loss or a gradient is not a finite number, or the loss is above its bound.
    case diverged(Divergence)
    /// An option's value is none of those that there are.
    case invalidOption(option: String, value: String, allowed: String)
    /// Two options contradict each other.
    case contradiction(String)
    /// A folder for the run exists already.
    case outputExists(path: String)
    /// A folder for the run is in use by another process.
    case inUse(path: String, by: String)
    /// There is no checkpoint to resume from.
    case noCheckpoint(path: String, reason: String)
    /// A rank of a run has something else than the first.
    case ranksDiffer(rank: Int, host: String, field: String, own: String, first: String)
    /// A run cannot go on under other options than it began with.
    case resumesDifferently(what: String, before: String, now: String, because: String? = nil)
    /// A folder holds continuations of a state that are of another kind.
    case branchesDiffer(path: String, difference: String, remedy: String)
    /// A run of a comparison that has ended was made of other data or first parameters than its further runs would be.
    case madeOfOther(path: String, difference: String, others: Int)
    /// The data are not those that a run was trained on.
    case otherData(before: String, now: String)
    /// The state in a checkpoint cannot be one of the run.
    case impossibleState(String)
    /// A file cannot be written.
    case unwritable(path: String, reason: String)
    /// A file cannot be read.
    case unreadable(path: String, reason: String)
    /// A configuration file is not right.
    case invalidConfiguration(file: String, reason: String)
    /// A line is not one of a step's measurements.
    case invalidLine(number: Int, reason: String)
    /// A network's gradients cannot be measured.
    case unmeasurable(String)
    /// A parameter file is not right.
    case invalidParameterFile(file: String, reason: String)

    /// Whether of several ranks each comes to this error by itself, at the same place: none is left waiting.
    public var isSharedByRanks: Bool {
        switch self {
        case .ranksDiffer, .diverged: true
        default: false
        }
    }

    /// What is wrong, with the offending value, and what to do.
    public var description: String {
        switch self {
        case .notPositive(let option, let value):
            "the \(option) is \(value), but must be a positive number"
        case .negative(let option, let value):
            "the \(option) is \(value), but must be 0 or more"
        case .lengthNotPositive(let length):
            switch length {
            case .steps(let count): "a length of \(count) steps is not possible; give 1 or more"
            case .examples(let count): "a length of \(count) examples is not possible; give 1 or more"
            case .epochs(let count): "a length of \(count) epochs is not possible; give more than 0"
            case .seconds(let count): "a length of \(count) seconds is not possible; give more than 0"
            }
        case .modelDoesNotFitData(let model, let data):
            "the model (\(model)) does not fit the data (\(data))"
        case .policyNeedsStatistics(let policy):
            "\(policy) needs gradient statistics, but the estimator is none; use exact, or a rule that measures nothing, such as constant:M"
        case .policyAssumesGradientDescent(let policy):
            "\(policy) assumes a step along the gradient, which Adam does not make; take noise-scale or norm-test, or sgd or momentum"
        case .diverged(let found):
            "the loss is \(found.loss.map { "\($0)" } ?? "not a number")"
                + (found.parameter.map { " and the gradient of \($0) not finite or too large" } ?? "")
                + " at step \(found.step) (learning rate \(found.learningRate), batch size \(found.batchSize)); \(found.remedy)"
        case .invalidOption(let option, let value, let allowed):
            "\(option) is \"\(value)\", but must be \(allowed)"
        case .contradiction(let reason):
            reason
        case .outputExists(let path):
            "\(path) exists already and nothing in it is overwritten; name another folder"
        case .inUse(let path, let holder):
            "\(path) is in use by \(holder); wait for it to end, or end it"
        case .noCheckpoint(let path, let reason):
            "nothing to go on from in \(path): \(reason)"
        case .resumesDifferently(let what, let before, let now, let reason):
            "the run began with \(what) \(before), but now it is \(now)" + (reason.map { ", and \($0)" } ?? "")
                + "; resume it as it was, or begin another"
        case .branchesDiffer(let path, let difference, let remedy):
            "\(path) holds continuations \(difference); \(remedy), or name another folder"
        case .madeOfOther(let path, let difference, let others):
            "the run in \(path) \(difference)\(others > 0 ? "; \(others) more of the comparison differ" : ""); remove the folders of such "
                + "runs to make them anew, or name another folder for the comparison"
        case .otherData(let before, let now):
            "the run was trained on data of \(before), and these are of \(now); name the folder of its own with --data"
        case .ranksDiffer(let rank, let host, let field, let own, let first):
            "rank \(rank) on \(host) has \(field) \(own), where rank 0 has \(first); all ranks must be given the same"
        case .impossibleState(let flaw):
            "the checkpoint's state cannot be one of this run: \(flaw); remove that checkpoint to go on from the one before"
        case .unwritable(let path, let reason):
            "cannot write \(path): \(reason)"
        case .unreadable(let path, let reason):
            "cannot read \(path): \(reason)"
        case .invalidConfiguration(let file, let reason):
            "\(file): \(reason)"
        case .invalidLine(let number, let reason):
            "line \(number) is not a step's: \(reason)"
        case .unmeasurable(let reason):
            reason
        case .invalidParameterFile(let file, let reason):
            "the parameters in \(file) cannot be used: \(reason)"
        }
    }
}
