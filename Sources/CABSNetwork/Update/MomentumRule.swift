import CVectorMath

/// The heavy ball: `v ← β v + g + λ w` and `w ← w − α v`.
struct MomentumRule: FusingUpdateRule {
    let beta: Float

    let slotNames = ["velocity"]

    func apply(to share: UpdateShare, gradientSum: UnsafePointer<Float>, scale: Float, _ step: UpdateStep) -> Double {
        cvm_descend_with_momentum(
            share.values, share.slots[0], gradientSum, scale, Float(step.learningRate), Float(step.weightDecay), beta,
            0, share.count)
    }

    func fusedProduct(_ step: UpdateStep, exampleCount: Int) -> FusedProduct {
        FusedProduct(slot: 0, scale: 1 / Float(exampleCount), keep: beta)
    }

    func finishFusedProduct(_ share: UpdateShare, _ step: UpdateStep) {
        cvm_follow_velocity(
            share.values, share.slots[0], Float(step.learningRate), Float(step.weightDecay), share.count)
    }
}

/// Nesterov's: `v ← β v + g + λ w` and `w ← w − α (g + λ w + β v)`, which needs the gradient by itself.
struct NesterovRule: UpdateRule {
    let beta: Float

    let slotNames = ["velocity"]

    func apply(to share: UpdateShare, gradientSum: UnsafePointer<Float>, scale: Float, _ step: UpdateStep) -> Double {
        cvm_descend_with_momentum(
            share.values, share.slots[0], gradientSum, scale, Float(step.learningRate), Float(step.weightDecay), beta,
            1, share.count)
    }
}
