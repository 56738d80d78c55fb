import CABSExamples

/// Some examples of a batch that follow each other, each with the place in the batch that its random numbers follow from.
struct BatchPart<Whole: ExampleBatch>: ExampleBatch {
    let whole: Whole
    let positions: Range<Int>

    var count: Int { positions.count }
    var firstDraw: UInt64 { whole.firstDraw + UInt64(positions.lowerBound) }

    var target: TargetSpecification { whole.target }

    func write(_ position: Int, into slot: inout ExampleSlot) throws {
        try whole.write(positions.lowerBound + position, into: &slot)
    }
}
