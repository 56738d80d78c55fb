import CABSData
import Foundation

/// A file of lines, read from its beginning or from its end, of which only a piece is held at a time.
struct LinePieces {
    let file: URL
    /// How many bytes are held, more only where a line is longer.
    var pieceSize = 1 << 18

    private static let newline = UInt8(ascii: "\n")

    /// Calls `body` with each line that is not empty, the first one first, without its end, until it returns false. A byte can be read behind each.
    ///
    /// - Returns: How many bytes were held.
    /// - Throws: ``TrainingError/unreadable(path:reason:)``, and what `body` throws.
    @discardableResult func forEach(
        _ body: (UnsafeRawBufferPointer) throws(TrainingError) -> Bool
    ) throws(TrainingError) -> Int {
        try withPiece { descriptor, piece throws(TrainingError) in
            var held = 0
            while true {
                if held == piece.byteCount { piece.grow(keepingLast: false) }
                let count = try read(descriptor, into: piece.start + held, piece.byteCount - held, at: nil)
                let end = held + count
                piece.start[end] = 0
                guard count > 0 else {
                    if held > 0 { _ = try body(piece[0..<held]) }
                    return
                }
                var (lineStart, searched) = (0, held)
                while let found = memchr(piece.start + searched, Int32(Self.newline), end - searched) {
                    let lineEnd = found - UnsafeMutableRawPointer(piece.start)
                    if lineEnd > lineStart, try !body(piece[lineStart..<lineEnd]) { return }
                    (lineStart, searched) = (lineEnd + 1, lineEnd + 1)
                }
                held = end - lineStart
                memmove(piece.start, piece.start + lineStart, held)
            }
        }
    }

    /// The same with the last line first.
    @discardableResult func forEachBackwards(
        _ body: (UnsafeRawBufferPointer) throws(TrainingError) -> Bool
    ) throws(TrainingError) -> Int {
        try withPiece { descriptor, piece throws(TrainingError) in
            var offset = lseek(descriptor, 0, SEEK_END)
            // At the end of the piece.
            var held = 0
            while offset > 0 {
                if held == piece.byteCount { piece.grow(keepingLast: true) }
                let wanted = min(piece.byteCount - held, Int(offset))
                let start = piece.byteCount - held - wanted
                let count = try read(descriptor, into: piece.start + start, wanted, at: offset - off_t(wanted))
                guard count == wanted else { throw .unreadable(path: file.path, reason: "it became shorter meanwhile") }
                offset -= off_t(wanted)
                var (lineEnd, searched) = (piece.byteCount, start + wanted)
                while searched > start {
                    searched -= 1
                    guard piece.start[searched] == Self.newline else { continue }
                    if lineEnd > searched + 1, try !body(piece[(searched + 1)..<lineEnd]) { return }
                    lineEnd = searched
                }
                held = lineEnd - start
                memmove(piece.start + (piece.byteCount - held), piece.start + start, held)
            }
            if held > 0 { _ = try body(piece[(piece.byteCount - held)..<piece.byteCount]) }
        }
    }

    /// Opens the file, and reads it by way of a piece.
    ///
    /// - Returns: How many bytes the piece had at last.
    private func withPiece(
        _ body: (Int32, inout Piece) throws(TrainingError) -> Void
    ) throws(TrainingError) -> Int {
        let descriptor = try open()
        defer { close(descriptor) }
        var piece = Piece(byteCount: pieceSize)
        defer { piece.deallocate() }
        try body(descriptor, &piece)
        return piece.byteCount
    }

    private func open() throws(TrainingError) -> Int32 {
        let descriptor = Foundation.open(file.path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw .unreadable(path: file.path, reason: String(cString: strerror(errno)))
        }
        return descriptor
    }

    /// Reads up to so many bytes, fewer only at the end of the file.
    private func read(
        _ descriptor: Int32, into start: UnsafeMutablePointer<UInt8>, _ count: Int, at offset: off_t?
    ) throws(TrainingError) -> Int {
        var done = 0
        while done < count {
            let found =
                if let offset { pread(descriptor, start + done, count - done, offset + off_t(done)) } else {
                    Foundation.read(descriptor, start + done, count - done)
                }
            if found < 0, errno == EINTR { continue }
            guard found >= 0 else { throw .unreadable(path: file.path, reason: String(cString: strerror(errno))) }
            if found == 0 { break }
            done += found
        }
        return done
    }

    /// Bytes, and a zero behind them.
    private struct Piece {
        private(set) var start: UnsafeMutablePointer<UInt8>
        private(set) var byteCount: Int

        init(byteCount: Int) {
            self.byteCount = byteCount
            start = .allocate(capacity: byteCount + 1)
            start.initialize(repeating: 0, count: byteCount + 1)
        }

        func deallocate() { start.deallocate() }

        subscript(range: Range<Int>) -> UnsafeRawBufferPointer {
            UnsafeRawBufferPointer(start: start + range.lowerBound, count: range.count)
        }

        /// Doubles the piece, with the bytes at its beginning or its end.
        mutating func grow(keepingLast: Bool) {
            let larger = Piece(byteCount: 2 * byteCount)
            memcpy(larger.start + (keepingLast ? byteCount : 0), start, byteCount)
            deallocate()
            self = larger
        }
    }
}
