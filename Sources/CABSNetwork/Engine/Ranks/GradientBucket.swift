import CABSPrimitives
import CABSRanks
import CVectorMath

/// Parameters whose gradients go to the other ranks together.
///
/// Each rank owns a slice of every parameter. It gets its slice of all ranks' gradients, adds them in the order of ranks, updates the slice, and
/// the new values go to all. So the update costs each rank its part, what the optimiser keeps is kept once, and the values of ranks cannot drift apart.
///
/// Workers pack, add and unpack shares of their own, with barriers between; the communication thread moves what is packed.
final class GradientBucket: Sendable {
    /// The parameters.
    let arrays: [TrainableArray]
    private let rank: Int
    /// By parameter and rank: the places that the rank owns.
    private let slices: [[Range<Int>]]
    /// By parameter and rank: where the slice lies among all slices, which lie in the order of ranks.
    private let offsets: [[Int]]
    /// By rank: how many values it owns.
    private let counts: [Int]
    /// All ranks' slices.
    private let all: AlignedBuffer
    /// This rank's slices, as often as there are ranks.
    private let own: AlignedBuffer

    init(_ arrays: [TrainableArray], rank: Int, of count: Int) {
        self.arrays = arrays
        self.rank = rank
        let slices = arrays.map { array in
            (0..<count).map { evenPart($0, of: count, total: array.values.count, unit: array.sliceUnit) }
        }
        var offsets = arrays.map { _ in [Int](repeating: 0, count: count) }
        var end = 0
        counts = (0..<count).map { rank in
            let start = end
            for index in arrays.indices {
                offsets[index][rank] = end
                end += slices[index][rank].count
            }
            return end - start
        }
        (self.slices, self.offsets) = (slices, offsets)
        all = AlignedBuffer(count: end)
        own = AlignedBuffer(count: counts[rank] * count)
    }

    private var ownCount: Int { counts[rank] }
    private var ownStart: Int { counts[..<rank].reduce(0, +) }

    /// How many values a step sends to other ranks: gradients and then values.
    var sentCount: Int { (all.count - ownCount) + ownCount * (counts.count - 1) }

    // MARK: What workers do

    /// Lays the worker's share of a buffer of each parameter where the ranks' slices go from.
    ///
    /// - Parameter buffer: Which buffer; zeros where there is none.
    func pack(_ worker: Worker, from buffer: (TrainableArray) -> AlignedBuffer?) {
        forEachPiece(of: worker) { array, place, offset, count in
            if let buffer = buffer(array) {
                (all.pointer + offset).update(from: buffer.pointer + place, count: count)
            } else {
                (all.pointer + offset).update(repeating: 0, count: count)
            }
        }
    }

    /// Takes the worker's share of all ranks' slices into a buffer of each parameter.
    func unpack(_ worker: Worker, into buffer: (TrainableArray) -> AlignedBuffer) {
        forEachPiece(of: worker) { array, place, offset, count in
            (buffer(array).pointer + place).update(from: all.pointer + offset, count: count)
        }
    }

    /// Adds up the worker's share of what came from the ranks, in their order.
    func sum(_ worker: Worker) {
        let share = worker.share(of: ownCount, unit: 16)
        for other in 1..<counts.count {
            cvm_add(own.pointer + share.lowerBound, own.pointer + other * ownCount + share.lowerBound, share.count)
        }
    }

    /// Calls `body` with each parameter of which the worker has a share of this rank's slice: the places among its values, and where the
    /// sum lies.
    func forEachOwned(
        _ worker: Worker, _ body: (TrainableArray, Range<Int>, UnsafeMutablePointer<Float>) -> Void
    ) {
        let share = worker.share(of: ownCount, unit: 16)
        for (index, array) in arrays.enumerated() {
            let (slice, start) = (slices[index][rank], offsets[index][rank] - ownStart)
            let part = share.clamped(to: start..<start + slice.count)
            guard !part.isEmpty else { continue }
            let first = slice.lowerBound + part.lowerBound - start
            body(array, first..<first + part.count, own.pointer + part.lowerBound)
        }
    }

    /// Lays the worker's share of this rank's slices where they go from.
    func packOwned(_ worker: Worker, from buffer: (TrainableArray) -> AlignedBuffer) {
        forEachOwned(worker) { array, places, destination in
            destination.update(from: buffer(array).pointer + places.lowerBound, count: places.count)
        }
    }

    /// The places of a parameter that this rank owns, and where their sum lies.
    func owned(_ array: Int) -> (places: Range<Int>, sum: UnsafeMutablePointer<Float>) {
        (slices[array][rank], own.pointer + offsets[array][rank] - ownStart)
    }

    private func forEachPiece(
        of worker: Worker, _ body: (_ array: TrainableArray, _ place: Int, _ offset: Int, _ count: Int) -> Void
    ) {
        for (index, array) in arrays.enumerated() {
            let share = worker.share(of: array.values.count, unit: 16)
            for (slice, offset) in zip(slices[index], offsets[index]) {
                let piece = share.clamped(to: slice)
                guard !piece.isEmpty else { continue }
                body(array, piece.lowerBound, offset + piece.lowerBound - slice.lowerBound, piece.count)
            }
        }
    }

    // MARK: What the communication thread does

    /// Sends each rank its slices of this one's gradients, and takes theirs.
    func exchange(_ group: any RankGroup) throws {
        guard all.count > 0 else { return }
        try group.exchange(
            all.bytes(all.count), counts: counts.map { $0 * MemoryLayout<Float>.stride },
            into: own.mutableBytes(own.count),
            receivedCounts: counts.map { _ in ownCount * MemoryLayout<Float>.stride })
    }

    /// Gives every rank all slices.
    func gather(_ group: any RankGroup) throws {
        guard all.count > 0 else { return }
        try group.gather(
            own.bytes(ownCount), into: all.mutableBytes(all.count),
            counts: counts.map { $0 * MemoryLayout<Float>.stride })
    }
}

extension AlignedBuffer {
    func bytes(_ count: Int) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(UnsafeBufferPointer(start: pointer, count: count))
    }

    func mutableBytes(_ count: Int) -> UnsafeMutableRawBufferPointer {
        UnsafeMutableRawBufferPointer(UnsafeMutableBufferPointer(start: pointer, count: count))
    }
}
