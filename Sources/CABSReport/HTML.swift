/// A piece of a page.
struct HTML {
    let text: String

    /// An element without attributes.
    init(_ tag: String, _ content: [HTML]) { self.init(tag, [], content) }

    /// An element without attributes, with text in it.
    init(_ tag: String, _ content: String) { self.init(tag, [], content) }

    /// Text that is markup already.
    init(markup: String) { text = markup }

    /// An element.
    init(_ tag: String, _ attributes: [(name: String, value: String)], _ content: [HTML]) {
        let attributes = attributes.map { " \($0.name)=\"\(Self.escaped($0.value))\"" }.joined()
        text = "<\(tag)\(attributes)>\(content.map(\.text).joined())</\(tag)>"
    }

    /// An element with text in it.
    init(_ tag: String, _ attributes: [(name: String, value: String)], _ content: String) {
        self.init(tag, attributes, [HTML(markup: Self.escaped(content))])
    }

    /// Text with what has a meaning in HTML replaced, for elements and attributes.
    static func escaped(_ text: String) -> String {
        text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
            .replacing("\"", with: "&quot;").replacing("'", with: "&#39;")
    }
}
