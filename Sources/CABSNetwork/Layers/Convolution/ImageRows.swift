import CABSPrimitives

/// The way between an image in its layout and rows of pixels, a row for each channel.
struct ImageRows: Sendable {
    private let layout: Layout
    private let plain: Layout
    private let reading: Primitive
    private let writing: Primitive

    var scratchByteCount: Int { max(reading.scratch.byteCount, writing.scratch.byteCount) }
    var implementations: [String] { [reading.implementation, writing.implementation] }

    init(_ image: TensorLayout) throws(EngineError) {
        layout = image.layout
        plain = try Layout.image(image.shape)
        reading = try Primitive.reorder(from: layout, to: plain)
        writing = try Primitive.reorder(from: plain, to: layout)
    }

    func bind(_ image: TensorAddress, _ scratch: AlignedBuffer) throws(EngineError) -> Bound {
        try Bound(self, image, scratch)
    }

    final class Bound {
        /// The rows of the image that was read last, or that is to be written.
        let rows: AlignedBuffer
        private let reading: PrimitiveCall
        private let writing: PrimitiveCall

        fileprivate init(_ plan: ImageRows, _ image: TensorAddress, _ scratch: AlignedBuffer) throws(EngineError) {
            rows = AlignedBuffer(count: plan.plain.storedCount)
            let inside = TensorAddress(rows.pointer)
            reading = try PrimitiveCall(
                plan.reading, scratch: scratch,
                [.init(.from, plan.layout, image), .init(.to, plan.plain, inside)])
            writing = try PrimitiveCall(
                plan.writing, scratch: scratch,
                [.init(.from, plan.plain, inside), .init(.to, plan.layout, image)])
        }

        /// Brings the image in that place into rows.
        func read(slot: Int) { reading.execute(slot: slot) }

        /// Brings the rows into that place.
        func write(slot: Int) { writing.execute(slot: slot) }
    }
}
