import CABS
import Foundation

extension Double {
    /// For people: so many significant digits.
    package func text(digits: Int = 4) -> String { String(format: "%.\(digits)g", self) }
}

extension Estimate {
    /// For people: the standard error to two digits, and the value as far as it goes: `1558 ± 410`, `0.0233 ± 0.0063`.
    public var text: String {
        guard value.isFinite, standardError.isFinite, standardError > 0 else { return "\(value) ± \(standardError)" }
        let place = Self.lastPlace(of: standardError)
        if place >= 0 {
            let unit = pow(10, Double(place))
            func text(_ number: Double) -> String { String(format: "%.0f", (number / unit).rounded() * unit) }
            return "\(text(value)) ± \(text(standardError))"
        }
        guard place >= -8 else {
            // The same number of digits behind the point would be unreadable; both go to the same place.
            let digits = value == 0 ? 0 : max(0, Int(log10(abs(value)).rounded(.down)) - place)
            return String(format: "%.\(digits)e ± %.1e", value, standardError)
        }
        return String(format: "%.\(-place)f ± %.\(-place)f", value, standardError)
    }

    /// The power of ten of the second digit of an error that is rounded to two: 0.00996 is 0.010, so of it -3.
    private static func lastPlace(of error: Double) -> Int {
        Int(String(format: "%.1e", error).split(separator: "e")[1])! - 1
    }
}
