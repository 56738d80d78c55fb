import CABSData
import CABSExamples
import Foundation

/// The types of floats in safetensors files, by the names that the format has for them.
enum FloatFormat: String {
    /// IEEE half precision.
    case half = "F16"
    /// The upper half of a 32-bit float.
    case brain = "BF16"
    case single = "F32"
    case double = "F64"

    var byteCount: Int {
        switch self {
        case .half, .brain: 2
        case .single: 4
        case .double: 8
        }
    }

    /// Little-endian values as 32-bit floats: exactly but for doubles, which are rounded.
    ///
    /// - Returns: Nothing where a finite value is beyond the largest float.
    func floats(_ bytes: Data) -> [Float]? {
        bytes.withUnsafeBytes { source in
            func values<Bits: FixedWidthInteger>(_: Bits.Type, _ float: (Bits) -> Float) -> [Float] {
                (0..<(source.count / byteCount)).map { index in
                    float(Bits(littleEndian: source.loadUnaligned(fromByteOffset: index * byteCount, as: Bits.self)))
                }
            }
            switch self {
            case .half: return values(UInt16.self) { Float(halfBits: $0) }
            case .brain: return values(UInt16.self) { Float(bitPattern: UInt32($0) << 16) }
            case .single: return [Float](littleEndian: source)
            case .double:
                var isTooLarge = false
                let floats = values(UInt64.self) { bits in
                    let value = Double(bitPattern: bits)
                    isTooLarge = isTooLarge || (value.isFinite && !Float(value).isFinite)
                    return Float(value)
                }
                return isTooLarge ? nil : floats
            }
        }
    }
}
