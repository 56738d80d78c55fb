/// Where a tensor of the example stage lies: one place, or one for each example that a worker has in hand.
package struct TensorAddress: @unchecked Sendable {
    // A plain address; `AlignedBuffer` says who may use it when.
    package let base: UnsafeMutablePointer<Float>
    /// Floats from one example's place to the next; zero where all share one place.
    package let slotStride: Int
    /// The number of places.
    package let slotCount: Int

    package init(_ base: UnsafeMutablePointer<Float>, slotStride: Int = 0, slotCount: Int = 1) {
        self.base = base
        self.slotStride = slotStride
        self.slotCount = slotCount
    }

    package subscript(slot: Int) -> UnsafeMutablePointer<Float> { base + slot * slotStride }

    /// The same places, so many to a group.
    package func grouped(_ exampleCount: Int) -> TensorAddress {
        if exampleCount == 1 { return self }
        return TensorAddress(base, slotStride: slotStride * exampleCount, slotCount: slotCount / exampleCount)
    }
}
