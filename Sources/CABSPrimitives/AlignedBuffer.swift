import Foundation
import Synchronization

/// Memory for floats, aligned to cache lines and zero at first, freed with its owner.
///
/// Safe to share between threads as an address: which worker reads and writes which part at what time is the
/// business of ``StepProgram``, whose barriers order all accesses. That is the proof behind `@unchecked`.
package final class AlignedBuffer: @unchecked Sendable {
    package let pointer: UnsafeMutablePointer<Float>
    package let count: Int
    private let byteCount: Int

    private static let hugePage = 1 << 21

    /// The bytes of all buffers that this process has.
    package static var allocatedByteCount: Int { allocated.load(ordering: .relaxed) }
    private static let allocated = Atomic<Int>(0)

    package init(count: Int) {
        self.count = count
        // Whole cache lines, and never none: oneDNN is not handed null pointers.
        let byteCount = max(count, 16).roundedUp(toMultipleOf: 16) * MemoryLayout<Float>.stride
        let isLarge = byteCount >= 2 * Self.hugePage
        let raw = UnsafeMutableRawPointer.allocate(
            byteCount: byteCount, alignment: isLarge ? Self.hugePage : 64)
        #if os(Linux)
            // Of pages of 4 KB, a dense layer's weights alone would need more than the core can look up at once.
            if isLarge { madvise(raw, byteCount, MADV_HUGEPAGE) }
        #endif
        raw.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        pointer = raw.assumingMemoryBound(to: Float.self)
        self.byteCount = byteCount
        Self.allocated.add(byteCount, ordering: .relaxed)
    }

    /// Memory of so many bytes.
    package convenience init(byteCount: Int) {
        self.init(count: (byteCount + 3) / 4)
    }

    deinit {
        UnsafeMutableRawPointer(pointer).deallocate()
        Self.allocated.subtract(byteCount, ordering: .relaxed)
    }

    package func zero() {
        pointer.update(repeating: 0, count: count)
    }

    /// Copies the values in; there must be as many as the buffer has.
    package func assign(_ values: [Float]) {
        precondition(values.count == count, "\(values.count) values for a buffer of \(count)")
        values.withUnsafeBufferPointer { pointer.update(from: $0.baseAddress!, count: count) }
    }

    package var values: [Float] { Array(UnsafeBufferPointer(start: pointer, count: count)) }
}

extension Int {
    package func roundedUp(toMultipleOf unit: Int) -> Int { (self + unit - 1) / unit * unit }
}
