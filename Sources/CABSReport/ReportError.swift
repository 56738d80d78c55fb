import CABSTraining

/// Why a report cannot be made.
public enum ReportError: Error, Hashable, CustomStringConvertible {
    /// A folder holds neither a run nor a comparison nor a branch.
    case notARun(path: String)
    /// A comparison none of whose runs has begun.
    case nothingToReport(path: String)
    /// The rule that differences should be taken from is none of those that ran.
    case unknownBaseline(String, rules: [String])
    /// gnuplot, which draws the figures, is not installed.
    case gnuplotMissing
    /// gnuplot refused a figure.
    case gnuplotFailed(figure: String, reason: String)

    /// What is wrong, and what to do.
    public var description: String {
        switch self {
        case .notARun(let path):
            "\(path) is no run; name a folder that `cabs train` (config.yaml), `cabs compare` (grid.yaml) or "
                + "`cabs branch` (branch.json) has made"
        case .nothingToReport(let path):
            "no run in \(path) has begun; make them with: cabs compare \(ShellWord.quoted(path)) "
                + "--config \(ShellWord.quoted("\(path)/grid.yaml"))"
        case .unknownBaseline(let baseline, let rules):
            "no run is of the rule \"\(baseline)\", from which differences should be taken; "
                + (rules.isEmpty ? "leave --baseline out" : "--baseline takes one of: \(rules.joined(separator: ", "))")
        case .gnuplotMissing:
            "gnuplot, which draws the figures, is not installed; install it with `apt-get install gnuplot-nox` or "
                + "`brew install gnuplot`"
        case .gnuplotFailed(let figure, let reason):
            "gnuplot did not draw \(figure): \(reason)"
        }
    }
}
