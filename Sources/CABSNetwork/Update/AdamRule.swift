import CVectorMath
import Foundation

/// Adam and AdamW; see ``UpdateMethod/adam(firstDecay:secondDecay:epsilon:decouplesWeightDecay:)``.
struct AdamRule: UpdateRule {
    let firstDecay: Double
    let secondDecay: Double
    let epsilon: Double
    let decouplesWeightDecay: Bool

    let slotNames = ["first-moment", "second-moment"]

    func apply(to share: UpdateShare, gradientSum: UnsafePointer<Float>, scale: Float, _ step: UpdateStep) -> Double {
        let number = Double(step.updateCount + 1)
        let (first, second) = (1 - pow(firstDecay, number), 1 - pow(secondDecay, number))
        var constants = cvm_adam(
            first_decay: Float(firstDecay), second_decay: Float(secondDecay), epsilon: Float(epsilon),
            rate: Float(step.learningRate / first), second_correction: Float(1 / second),
            added_decay: decouplesWeightDecay ? 0 : Float(step.weightDecay),
            kept: decouplesWeightDecay ? Float(1 - step.learningRate * step.weightDecay) : 1)
        return cvm_descend_by_adam(
            share.values, share.slots[0], share.slots[1], gradientSum, scale, &constants, share.count)
    }
}
