import CABS
import CABSNetwork

/// What ranks tell each other with every step, so that all go on or none, and decide alike.
struct RankNotice {
    /// The time spent in steps, by the first rank's clock.
    var trainingSeconds = 0.0
    /// What the step before took.
    var cost: StepCost?
    /// The time of the run, by the first rank's clock.
    var seconds = 0.0
    /// Whether a rank was asked to stop.
    var wantsToStop = false

    init(seconds: Double, wantsToStop: Bool) {
        (self.seconds, self.wantsToStop) = (seconds, wantsToStop)
    }

    /// What is known when all ranks' numbers are there; nothing where there are no ranks.
    init?(together all: [[Double]]) {
        guard let first = all.first else { return nil }
        trainingSeconds = first[0]
        // Who comes last to an exchange waits for nobody, and all wait for whoever computes the longest.
        if let fixed = all.map({ $0[1] }).min(), let perExample = all.map({ $0[2] }).min(), perExample > 0 {
            cost = StepCost(fixedSeconds: fixed, secondsPerExample: all.map { $0[2] }.max()!)
        }
        seconds = first[3]
        wantsToStop = all.contains { $0[4] != 0 }
    }

    /// The numbers that are told.
    var numbers: [Double] {
        [
            trainingSeconds, cost?.fixedSeconds ?? 0, cost?.secondsPerExample ?? 0, seconds, wantsToStop ? 1 : 0,
        ]
    }
}

extension StepCost {
    /// What a step took by its phases.
    init(_ phases: [StepPhase: Double], exampleCount: Int) {
        let fixed = (phases[.update] ?? 0) + (phases[.exchange] ?? 0)
        let all = phases.values.reduce(0, +)
        self.init(fixedSeconds: fixed, secondsPerExample: (all - fixed) / Double(exampleCount))
    }
}
