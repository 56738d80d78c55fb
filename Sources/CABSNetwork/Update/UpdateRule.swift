/// The computation of an ``UpdateMethod``.
///
/// A new one is a file like those beside this, and a case of ``UpdateMethod``.
protocol UpdateRule: Sendable {
    /// What is kept for each value of a parameter from step to step, by name.
    var slotNames: [String] { get }

    /// Updates one worker's share of a parameter.
    ///
    /// - Returns: The share's part of the squared norm of the mean gradient.
    func apply(to share: UpdateShare, gradientSum: UnsafePointer<Float>, scale: Float, _ step: UpdateStep) -> Double
}

/// An update that is affine in the gradient: a product that gives the gradient can be added to the values, or a slot, at once, which
/// spares writing and reading the gradient.
protocol FusingUpdateRule: UpdateRule {
    /// How the product goes in that gives the gradient's sum over so many examples.
    func fusedProduct(_ step: UpdateStep, exampleCount: Int) -> FusedProduct

    /// Does what is left after it.
    func finishFusedProduct(_ share: UpdateShare, _ step: UpdateStep)
}

/// A part of a parameter: so many values, and what belongs to them of each slot.
struct UpdateShare {
    let values: UnsafeMutablePointer<Float>
    let slots: [UnsafeMutablePointer<Float>]
    let count: Int
}

/// `target ← scale · product + keep · target`, where the product is the gradient's sum over examples.
struct FusedProduct {
    /// The number of the slot; the values themselves where there is none.
    let slot: Int?
    let scale: Float
    let keep: Float
}
