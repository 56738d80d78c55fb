import CVectorMath

/// `w ← w − α (g + λ w)`.
struct GradientDescentRule: FusingUpdateRule {
    let slotNames: [String] = []

    func apply(to share: UpdateShare, gradientSum: UnsafePointer<Float>, scale: Float, _ step: UpdateStep) -> Double {
        cvm_descend(
            share.values, gradientSum, scale, Float(step.learningRate), Float(step.weightDecay), share.count)
    }

    func fusedProduct(_ step: UpdateStep, exampleCount: Int) -> FusedProduct {
        FusedProduct(
            slot: nil, scale: Float(-step.learningRate / Double(exampleCount)),
            keep: Float(1 - step.learningRate * step.weightDecay))
    }

    func finishFusedProduct(_ share: UpdateShare, _ step: UpdateStep) {}
}
