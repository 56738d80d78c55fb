import CMatio
import Foundation

/// The arrays of a file of MATLAB's format 5, plain or compressed by zlib, whose values are whole numbers from 0 to 255, whatever their
/// numeric class: MATLAB saves doubles where nobody says otherwise.
struct MATFile {
    /// An array in column-major order.
    struct ByteArray {
        let sizes: [Int]
        let values: [UInt8]
    }

    private static let headerCount = 128
    /// The numbers by which the format calls its top elements.
    private static let (plainElement, compressedElement): (UInt32, UInt32) = (14, 15)
    private static let expected = "a MATLAB 5 file"

    private let arrays: [String: ByteArray]

    /// Reads the arrays with certain names.
    ///
    /// - Throws: ``DatasetError`` where the file cannot be read, is damaged or of another format, or one of these arrays
    ///   holds other values.
    init(contentsOf file: URL, names: Set<String>) throws(DatasetError) {
        // matio answers a file that is cut or damaged with zeros, and believes every size: what the variables really hold
        // is counted, and their headers checked, before it comes to that.
        let byteCounts = try Self.verifiedByteCounts(of: file)
        guard let handle = Mat_Open(file.path, Int32(MAT_ACC_RDONLY.rawValue)) else {
            throw .unreadable(file: file.path, reason: "it does not open as a MATLAB file")
        }
        defer { Mat_Close(handle) }
        // All headers come first: matio finds the next one only where nothing was read since the last.
        var variables: [UnsafeMutablePointer<matvar_t>] = []
        defer { for variable in variables { Mat_VarFree(variable) } }
        for _ in byteCounts {
            guard let variable = Mat_VarReadNextInfo(handle) else {
                throw .wrongFormat(file: file.path, expected: Self.expected, found: "a variable's header is damaged")
            }
            variables.append(variable)
        }
        var arrays: [String: ByteArray] = [:]
        for (variable, byteCount) in zip(variables, byteCounts) {
            guard let name = variable.pointee.name.map({ String(cString: $0) }), names.contains(name) else { continue }
            arrays[name] = try Self.array(variable, name: name, byteCount: byteCount, in: handle, file: file.path)
        }
        self.arrays = arrays
    }

    /// The array of a name, where the file has one.
    subscript(name: String) -> ByteArray? { arrays[name] }

    private static func array(
        _ variable: UnsafeMutablePointer<matvar_t>, name: String, byteCount: Int, in handle: OpaquePointer, file: String
    ) throws(DatasetError) -> ByteArray {
        let sizes = (0..<Int(variable.pointee.rank)).map { Int(clamping: variable.pointee.dims[$0]) }
        var count = 1
        for size in sizes {
            let (product, overflows) = count.multipliedReportingOverflow(by: size)
            guard !overflows, product <= min(byteCount, Int(Int32.max)) else {
                throw .wrongFormat(
                    file: file, expected: expected, found: "the sizes of \(name) are \(sizes), more than it holds")
            }
            count = product
        }
        func read<Number: Numeric & BitwiseCopyable>(_: Number.Type, _ byte: (Number) -> UInt8?) throws(DatasetError)
            -> [UInt8]
        {
            var numbers = [Number](repeating: 0, count: count)
            let status = numbers.withUnsafeMutableBytes {
                count == 0 ? 0 : Mat_VarReadDataLinear(handle, variable, $0.baseAddress, 0, 1, Int32(count))
            }
            guard status == 0 else { throw .damagedCompression(file: file) }
            if let bytes = numbers as? [UInt8] { return bytes }
            let bytes = numbers.compactMap(byte)
            if bytes.count < count, let index = numbers.firstIndex(where: { byte($0) == nil }) {
                throw .valueOutOfRange("\(numbers[index])", position: index, file: file, type: "an array \(name)")
            }
            return bytes
        }
        let values: [UInt8]? =
            switch variable.pointee.class_type {
            case _ where variable.pointee.isComplex != 0: nil
            case MAT_C_DOUBLE: try read(Double.self) { UInt8(exactly: $0) }
            case MAT_C_SINGLE: try read(Float.self) { UInt8(exactly: $0) }
            case MAT_C_INT8: try read(Int8.self) { UInt8(exactly: $0) }
            case MAT_C_UINT8: try read(UInt8.self) { $0 }
            case MAT_C_INT16: try read(Int16.self) { UInt8(exactly: $0) }
            case MAT_C_UINT16: try read(UInt16.self) { UInt8(exactly: $0) }
            case MAT_C_INT32: try read(Int32.self) { UInt8(exactly: $0) }
            case MAT_C_UINT32: try read(UInt32.self) { UInt8(exactly: $0) }
            case MAT_C_INT64: try read(Int64.self) { UInt8(exactly: $0) }
            case MAT_C_UINT64: try read(UInt64.self) { UInt8(exactly: $0) }
            default: nil
            }
        guard let values else {
            throw .wrongFormat(file: file, expected: expected, found: "\(name) is not of real numbers")
        }
        return ByteArray(sizes: sizes, values: values)
    }

    // MARK: Checking

    /// What a file is that is not of this format, and what to do.
    private static func otherContent(_ data: Data) -> String {
        if data.count >= headerCount, data[124..<128].elementsEqual([0, 2, UInt8(ascii: "I"), UInt8(ascii: "M")]) {
            return "it is of MATLAB's format 7.3, which is HDF5; save it with -v7"
        }
        return FileContent.descriptionOrBytes(Array(data.prefix(FileContent.prefixCount)))
    }

    /// The number of bytes that each variable takes when it is decompressed, after all checksums have been found right.
    private static func verifiedByteCounts(of file: URL) throws(DatasetError) -> [Int] {
        let data: Data
        do {
            data = try Data(contentsOf: file, options: .mappedIfSafe)
        } catch {
            throw .unreadable(file: file.path, reason: error.systemReason)
        }
        // Version 1, little-endian. Format 7.3, which is HDF5, has version 2.
        guard data.count >= headerCount, data[124..<128].elementsEqual([0, 1, UInt8(ascii: "I"), UInt8(ascii: "M")])
        else { throw .wrongFormat(file: file.path, expected: expected, found: otherContent(data)) }
        var byteCounts: [Int] = []
        var position = headerCount
        while position < data.count {
            let first = position + 8
            guard first <= data.count else {
                throw .truncated(file: file.path, expectedBytes: first, foundBytes: data.count)
            }
            let (kind, size) = (data.littleEndianWord(at: position), Int(data.littleEndianWord(at: position + 4)))
            guard kind == plainElement || kind == compressedElement else {
                throw .wrongFormat(file: file.path, expected: expected, found: "it has an element of type \(kind)")
            }
            position = first + size
            guard position <= data.count else {
                throw .truncated(file: file.path, expectedBytes: position, foundBytes: data.count)
            }
            let element = data[first..<position]
            let (header, byteCount) =
                kind == plainElement
                ? (Array(element.prefix(MATVariableHeader.maximumByteCount)), size)
                : try decompressed(element, name: file.path)
            if let flaw = MATVariableHeader.flaw(in: header) {
                throw .wrongFormat(file: file.path, expected: expected, found: flaw)
            }
            byteCounts.append(byteCount)
        }
        return byteCounts
    }

    /// How a compressed element begins, and how many bytes it takes when it is decompressed.
    private static func decompressed(
        _ bytes: Data, name: String
    ) throws(DatasetError) -> (header: [UInt8], byteCount: Int) {
        var source = try ByteSource(zlib: bytes, name: name)
        // Within a compressed element the variable has a tag of its own.
        _ = try source.read(upTo: 8)
        let header = try source.read(upTo: MATVariableHeader.maximumByteCount)
        var count = 8 + header.count
        while true {
            let part = try source.read(upTo: 1 << 20)
            if part.isEmpty { return (header, count) }
            count += part.count
        }
    }
}
