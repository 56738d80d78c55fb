import CABSExamples

/// The numbers that examples are made of in their files: from 0 for black to the largest, which white has.
///
/// It is decided here, for all formats, from the values that are there; what is computed of images (unit values, brightness, resizing)
/// goes by it, and so does whoever uses the network later.
struct ValueRange: Hashable {
    /// The largest number.
    let highest: Double

    /// That of bytes as pictures have them.
    static let bytes = ValueRange(highest: 255)

    /// The ranges of whole numbers of fewer bits than a byte has, and scikit-learn's digits, which have 17 shades.
    private static let ofFewBits: [Double] = [1, 3, 7, 15, 16]
    /// The ranges of more bits, as cameras and scanners have them.
    private static let ofManyBits: [Double] = [255, 1023, 4095, 16_383, 65_535]

    init(highest: Double) { self.highest = highest }

    /// The range that whole numbers seem to be of: the smallest of the usual ones that holds them.
    ///
    /// - Parameters:
    ///   - low: The smallest number that is there.
    ///   - high: The largest.
    /// - Returns: Nothing where there are numbers below 0, or beyond all ranges.
    init?(ofWholeNumbersFrom low: Double, to high: Double) {
        guard low >= 0, let found = (Self.ofFewBits + Self.ofManyBits).first(where: { $0 >= high }) else { return nil }
        highest = found
    }

    /// The range that fractions seem to be of: up to 1, or up to 255.
    ///
    /// - Returns: Nothing where there are numbers below 0 or above 255.
    init?(ofFractionsFrom low: Double, to high: Double) {
        guard low >= 0, high <= 255 else { return nil }
        highest = high <= 1 ? 1 : 255
    }

    /// The range that an array's numbers seem to be of; nothing where there is none that they fit.
    init?(_ extent: NumPyArray.Extent) {
        if extent.isWhole {
            self.init(ofWholeNumbersFrom: extent.low, to: extent.high)
        } else {
            self.init(ofFractionsFrom: extent.low, to: extent.high)
        }
    }

    /// The range of all bytes that are there; that of bytes where all are 0.
    init(of bytes: [UInt8]) {
        let high = bytes.max() ?? 0
        self = high == 0 ? .bytes : ValueRange(ofWholeNumbersFrom: 0, to: Double(high))!
    }

    /// Numbers of this range as bytes from 0 to 255, rounded: what all further steps take.
    func scaledToBytes(_ values: [UInt8]) -> [UInt8] {
        guard self != .bytes else { return values }
        let table = (0...255).map { UInt8(min((Double($0) * 255 / highest).rounded(), 255)) }
        return values.map { table[Int($0)] }
    }

    /// What there is to say of a set of images whose numbers are not of the whole range of bytes; nothing where they are.
    func notice(_ source: String) -> String? {
        self == .bytes ? nil : "the values of \(source) are taken as going from 0 to \(highest.shortest)"
    }
}
