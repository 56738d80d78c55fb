import Foundation

/// Labelled places on logarithmic axes.
enum LogarithmicTics {
    /// About three to eight round numbers from `low` to `high`, which must be positive.
    static func places(_ low: Double, _ high: Double) -> [Double] {
        let exponents = Int(log10(low).rounded(.down))...Int(log10(high).rounded(.up))
        let stride = max(1, (exponents.count + 6) / 7)
        let mantissas: [[Double]] = [
            [1], [1, 2, 5], [1, 1.5, 2, 3, 4, 5, 6, 8], [1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9],
        ]
        var places: [Double] = []
        for choice in mantissas {
            let powers = exponents.filter { $0.isMultiple(of: stride) }.map { pow(10, Double($0)) }
            let tics: [Double] = powers.flatMap { power in choice.map { $0 * power } }
            places = tics.filter { $0 >= low * 0.999 && $0 <= high * 1.001 }
            if places.count >= 3 { break }
        }
        return places
    }

    /// Values themselves, in order, as long as labels there do not run into each other; else nothing.
    static func values(_ values: [Double]) -> [Double]? {
        values.count <= 7 && zip(values, values.dropFirst()).allSatisfy { $1 > 1.2 * $0 } ? values : nil
    }

    /// Powers of two from the one below `low` to the one above `high`, at most nine.
    static func powersOfTwo(_ low: Double, _ high: Double) -> [Double] {
        let first = Int(log2(low).rounded(.down))
        let last = max(Int(log2(high).rounded(.up)), first + 1)
        let step = (last - first) / 8 + 1
        return stride(from: first, through: last + step - 1, by: step).map { pow(2, Double($0)) }
    }

    /// A label: plain, or a power of ten where that is shorter.
    static func label(_ place: Double) -> String {
        guard place < 0.001 || place >= 1e5 else { return String(format: "%g", place) }
        let exponent = Int((log10(place) + 1e-9).rounded(.down))
        let mantissa = (place / pow(10, Double(exponent)) * 10).rounded() / 10
        let power = "10" + String("\(exponent)".map { superscripts[$0] ?? $0 })
        return mantissa == 1 ? power : "\(String(format: "%g", mantissa))·\(power)"
    }

    private static let superscripts: [Character: Character] = [
        "-": "⁻", "0": "⁰", "1": "¹", "2": "²", "3": "³", "4": "⁴", "5": "⁵", "6": "⁶", "7": "⁷", "8": "⁸", "9": "⁹",
    ]
}
