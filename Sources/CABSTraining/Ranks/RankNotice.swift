/// What ranks tell each other with every step, so that all go on or none: whoever is asked to stop, the first one's clock.
struct RankNotice {
    /// The time of the run, by the first rank's clock.
    let seconds: Double
    /// Whether a rank was asked to stop.
    let wantsToStop: Bool

    init(seconds: Double, wantsToStop: Bool) {
        (self.seconds, self.wantsToStop) = (seconds, wantsToStop)
    }

    /// What is known when all ranks' numbers are there; nothing where there are no ranks.
    init?(together all: [[Double]]) {
        guard let first = all.first else { return nil }
        self.init(seconds: first[0], wantsToStop: all.contains { $0[1] != 0 })
    }

    /// The numbers that are told.
    var numbers: [Double] { [seconds, wantsToStop ? 1 : 0] }
}
