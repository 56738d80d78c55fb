import Foundation

/// A number for people, with so many significant digits.
func number(_ value: Double, digits: Int = 4) -> String {
    if value == value.rounded(), abs(value) < 1e9 { return grouped(Int(value)) }
    if abs(value) >= 1000, abs(value) < 1e9 { return grouped(Int(value.rounded())) }
    return String(format: "%.\(digits)g", value)
}

/// A number with so many digits behind the point, for columns; where it is signed, with a sign also before what is above zero.
func fixed(_ value: Double, decimals: Int, isSigned: Bool = false) -> String {
    let digits = String(format: "%.\(decimals)f", abs(value))
    // What rounds to zero has no sign.
    guard digits.contains(where: { ("1"..."9").contains($0) }) else { return digits }
    return (value < 0 ? "−" : isSigned ? "+" : "") + digits
}

/// A whole number with commas between thousands.
private func grouped(_ value: Int) -> String {
    var digits = Array(String(value.magnitude))
    var place = digits.count - 3
    while place > 0 {
        digits.insert(",", at: place)
        place -= 3
    }
    return (value < 0 ? "−" : "") + String(digits)
}
