import CABS
import Foundation

extension Estimate {
    /// For people: the standard error to two digits, and the value as far as it goes: `1558 ± 410`, `0.0233 ± 0.0063`.
    public var text: String {
        guard value.isFinite, standardError.isFinite, standardError > 0 else { return "\(value) ± \(standardError)" }
        let place = Int(log10(standardError).rounded(.down)) - 1
        if place >= 0 {
            let unit = pow(10, Double(place))
            func text(_ number: Double) -> String { String(format: "%.0f", (number / unit).rounded() * unit) }
            return "\(text(value)) ± \(text(standardError))"
        }
        guard place > -6 else {
            return String(format: "%.\(max(1, digits(from: place)))g ± %.2g", value, standardError)
        }
        return String(format: "%.\(-place)f ± %.\(-place)f", value, standardError)
    }

    /// How many digits of the value stand before the place, or at it.
    private func digits(from place: Int) -> Int {
        value == 0 ? 1 : Int(log10(abs(value)).rounded(.down)) - place + 1
    }
}
