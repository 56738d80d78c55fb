/// Floats as files have them: four bytes each, the least significant first.
///
/// On nearly every machine the memory of an array holds these bytes already, and nothing is done to a value.
extension [Float] {
    /// Whether this machine keeps numbers in memory as files have them.
    private static var machineIsLittleEndian: Bool { 1.littleEndian == 1 }

    /// Gives the bytes of all values, in order.
    package func withLittleEndianBytes<Result>(
        _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        if Self.machineIsLittleEndian { return try withUnsafeBytes(body) }
        return try map { $0.bitPattern.littleEndian }.withUnsafeBytes(body)
    }

    /// Reads values from their bytes, of which there are four for each.
    package init(littleEndian bytes: UnsafeRawBufferPointer) {
        let size = MemoryLayout<Float>.size
        precondition(bytes.count % size == 0, "\(bytes.count) bytes are no whole number of floats")
        self.init(unsafeUninitializedCapacity: bytes.count / size) { values, count in
            UnsafeMutableRawBufferPointer(values).copyMemory(from: bytes)
            count = bytes.count / size
        }
        if Self.machineIsLittleEndian { return }
        for index in indices { self[index] = Float(bitPattern: UInt32(littleEndian: self[index].bitPattern)) }
    }
}
