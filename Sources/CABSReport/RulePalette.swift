import CABSTraining
import Foundation

/// How a rule's line is drawn.
struct LineStyle: Sendable, Hashable {
    /// As `#rrggbb`.
    let color: String
    let width: Double
    /// gnuplot's dash type; 1 is a full line.
    let dash: Int
}

/// The styles of all rules of a report, the same in every figure: CABS in red and thicker, constant batch sizes in blue, the darker
/// the larger, all others in hues of their own that colour-blind people can tell apart; names of which no rule is known in hues that are left.
struct RulePalette: Sendable {
    private var styles: [String: LineStyle] = [:]

    /// - Parameter rules: The rules by what the report calls them, with the rule of their options; a name that comes again counts
    ///   once.
    init(_ rules: [(name: String, rule: BatchSizeRule?)]) {
        let sizes = Set(rules.compactMap(\.rule).compactMap(Self.constantSize)).sorted()
        let families = Set(rules.compactMap(\.rule).map(Self.family))
        var spare = Self.spareFamilies.filter { !families.contains($0) }[...]
        var familyCounts: [String: Int] = [:]
        for (name, rule) in rules where styles[name] == nil {
            let color: RGB
            let family: String
            if let size = rule.flatMap(Self.constantSize), let index = sizes.firstIndex(of: size) {
                family = "constant:\(size)"
                color = Self.lightBlue.mixed(
                    with: Self.darkBlue, sizes.count > 1 ? Double(index) / Double(sizes.count - 1) : 0.5)
            } else {
                family = rule.map(Self.family) ?? spare.popFirst() ?? ""
                color = Self.hues[family] ?? Self.grey
            }
            let count = familyCounts[family, default: 0]
            familyCounts[family] = count + 1
            styles[name] = LineStyle(
                color: color.variant(count).hexadecimal, width: family == "cabs" ? 3 : 1.8, dash: count % 5 + 1)
        }
    }

    /// The style of a rule.
    subscript(name: String) -> LineStyle {
        styles[name] ?? LineStyle(color: Self.grey.hexadecimal, width: 1.8, dash: 1)
    }

    private static func family(_ rule: BatchSizeRule) -> String { String(rule.name.prefix { $0 != ":" }) }

    private static func constantSize(_ rule: BatchSizeRule) -> Int? {
        if case .constant(let size) = rule { size } else { nil }
    }

    private static let lightBlue = RGB(0x96C3E6)
    private static let darkBlue = RGB(0x0B3C78)
    private static let grey = RGB(0x666666)
    private static let hues = [
        "cabs": RGB(0xD1495B), "noise-scale": RGB(0xE69F00), "norm-test": RGB(0x1B9E77), "big-batch": RGB(0x7B3294),
        "geometric": RGB(0x8C6D31), "step": RGB(0x4D4D4D), "cabs-per-second": RGB(0xB5367A), "adadamp": RGB(0x2A9DB5),
        "simigrad": RGB(0x7A9A01),
    ]

    /// Whose hues go to names without a rule where they have none in the report, the most distinct first.
    private static let spareFamilies = ["norm-test", "big-batch", "geometric", "simigrad", "noise-scale", "adadamp"]

    private struct RGB {
        let channels: [Double]

        init(_ value: Int) { channels = [16, 8, 0].map { Double(value >> $0 & 255) } }

        private init(_ channels: [Double]) { self.channels = channels }

        func mixed(with other: RGB, _ part: Double) -> RGB {
            RGB(zip(channels, other.channels).map { $0 + ($1 - $0) * part })
        }

        /// Others of the same family: lighter and darker by turns.
        func variant(_ index: Int) -> RGB {
            index == 0 ? self : mixed(with: index % 2 == 1 ? RGB(0xFFFFFF) : RGB(0x000000), 0.35)
        }

        var hexadecimal: String {
            "#" + channels.map { String(format: "%02x", Int($0.rounded())) }.joined()
        }
    }
}
