import CDNN

/// A computation compiled for several numbers of examples: powers of two from the largest down to one, or one alone. Any
/// number of examples is put together from them.
package struct PrimitiveFamily: Sendable {
    private let members: [Member]

    private struct Member {
        let exampleCount: Int
        let primitive: Primitive
    }

    /// - Parameters:
    ///   - exampleCounts: The numbers of examples, from the largest down.
    ///   - make: Makes the primitive for a number of examples.
    package init(
        _ exampleCounts: [Int], make: (_ exampleCount: Int) throws(EngineError) -> Primitive
    ) throws(EngineError) {
        var members: [Member] = []
        for count in exampleCounts { members.append(Member(exampleCount: count, primitive: try make(count))) }
        self.members = members
    }

    package var scratchByteCount: Int { members.map(\.primitive.scratch.byteCount).max()! }

    /// This family, if none of its members is a reference implementation.
    package var compiled: PrimitiveFamily? { members.contains { $0.primitive.isReference } ? nil : self }

    /// The implementation for the largest number of examples.
    package var implementation: String { members[0].primitive.implementation }

    /// How many examples a call takes, for people to read.
    package var exampleCountText: String {
        members.count == 1 ? "one example at a time" : "up to \(members[0].exampleCount) examples"
    }

    /// The primitive for so many examples, one of the numbers that the family was made for.
    package subscript(exampleCount: Int) -> Primitive { members.first { $0.exampleCount == exampleCount }!.primitive }

    /// Binds the computation to memory.
    ///
    /// - Parameter arguments: The arguments for a number of examples.
    package func bind(
        scratch: AlignedBuffer,
        arguments: (_ exampleCount: Int) throws(EngineError) -> [PrimitiveCall.Argument]
    ) throws(EngineError) -> PrimitiveCalls {
        var calls: [(exampleCount: Int, call: PrimitiveCall)] = []
        for member in members {
            let call = try PrimitiveCall(member.primitive, scratch: scratch, arguments(member.exampleCount))
            calls.append((member.exampleCount, call))
        }
        return PrimitiveCalls(calls)
    }
}

/// A family of primitives bound to memory.
package struct PrimitiveCalls: Sendable {
    private let calls: [(exampleCount: Int, call: PrimitiveCall)]

    fileprivate init(_ calls: [(exampleCount: Int, call: PrimitiveCall)]) {
        self.calls = calls
    }

    /// Runs the computation for the examples in those places, part by part.
    package func execute(_ slots: Range<Int>) {
        forEachPart(of: slots, execute)
    }

    /// Cuts the places into parts for which there are calls: the largest first, so that each part starts at a multiple of its
    /// size. The first place must be such a multiple itself, as zero is, or the family one for single examples.
    package func forEachPart(of slots: Range<Int>, _ body: (Part) -> Void) {
        var start = slots.lowerBound
        for (index, (exampleCount, _)) in calls.enumerated() {
            while slots.upperBound - start >= exampleCount {
                body(Part(callIndex: index, position: start / exampleCount))
                start += exampleCount
            }
        }
    }

    /// Runs the computation for one part, of these calls or of others with the same numbers of examples.
    package func execute(_ part: Part) {
        calls[part.callIndex].call.execute(slot: part.position)
    }

    /// So many examples as one call takes.
    package struct Part {
        fileprivate let callIndex: Int
        fileprivate let position: Int
    }
}
