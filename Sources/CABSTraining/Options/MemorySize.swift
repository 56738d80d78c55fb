import Foundation

/// An amount of memory, as options have it.
struct MemorySize {
    let byteCount: Int

    /// Half of what the machine has.
    static let usual = MemorySize(byteCount: Int(ProcessInfo.processInfo.physicalMemory / 2))

    private static let units = ["KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12]

    private init(byteCount: Int) { self.byteCount = byteCount }

    /// Reads a number with a unit behind it, such as `4GB`.
    ///
    /// - Throws: ``TrainingError/invalidOption(option:value:allowed:)``.
    init(_ text: String) throws(TrainingError) {
        guard let unit = Self.units[text.suffix(2).uppercased()],
            let number = Double(text.dropLast(2).filter { !$0.isWhitespace }), number > 0, number * unit < 0x1p62
        else {
            throw .invalidOption(option: "cache-images", value: text, allowed: "a number of KB, MB or GB, such as 4GB")
        }
        byteCount = Int(number * unit)
    }
}
