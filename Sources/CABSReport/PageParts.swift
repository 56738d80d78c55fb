import CABSTraining
import Foundation

/// Pieces that several sections of a page are made of.
extension HTML {
    /// A table whose first column has names.
    static func table(_ head: [String], _ rows: [HTML]) -> HTML {
        HTML(
            "table",
            [
                HTML(
                    "thead",
                    [
                        HTML(
                            "tr",
                            head.enumerated().map { HTML("th", $0.offset == 0 ? [("class", "name")] : [], $0.element) })
                    ]),
                HTML("tbody", rows),
            ])
    }

    /// A table of text that scrolls where it is too wide, with the names of its rows before them. What goes from one number to another, in
    /// brackets behind a third, stands below that.
    static func table(_ head: [String], _ rows: [[String]]) -> HTML {
        let rows = rows.map { row in
            HTML(
                "tr",
                row.enumerated().map { column, text in
                    column == 0 ? HTML("th", [("class", "name")], text) : HTML("td", [], ranged(text))
                })
        }
        return HTML("div", [("class", "scroll")], [table(head, rows)])
    }

    private static func ranged(_ text: String) -> [HTML] {
        guard let parts = text.wholeMatch(of: /(.+?) \((.+ to .+)\)(.*)/) else {
            return [HTML(markup: HTML.escaped(text))]
        }
        return [
            HTML(markup: HTML.escaped("\(parts.1)\(parts.3) ")), HTML("span", [("class", "range")], String(parts.2)),
        ]
    }

    /// Examples side by side, each with its picture where it has one.
    static func gallery(_ examples: [(picture: Data?, name: String, caption: String)]) -> HTML {
        HTML(
            "div", [("class", "mistakes")],
            examples.map { example in
                let picture = example.picture.map { data in
                    HTML(
                        "img",
                        [("src", "data:image/png;base64,\(data.base64EncodedString())"), ("alt", example.name)], "")
                }
                return HTML(
                    "figure",
                    [picture, HTML("figcaption", "\(example.caption); \(example.name)")].compactMap(\.self))
            })
    }
}
