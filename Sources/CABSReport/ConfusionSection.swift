import CABSTraining
import Foundation

/// What a network takes for what, as a part of a page.
struct ConfusionSection {
    let confusion: Confusion

    /// Of more classes the matrix is left out: nobody reads it.
    private static let largestMatrix = 30

    var parts: [HTML] {
        var parts = [HTML("h3", "What is taken for what")]
        parts.append(
            HTML("div", [("class", "scroll")], [confusion.classNames.count <= Self.largestMatrix ? matrix : list]))
        if !confusion.mistakes.isEmpty {
            parts += [
                HTML("h3", "The worst mistakes"),
                HTML(
                    "p", [("class", "muted")],
                    "The test examples that are taken for another class with the largest losses."),
                .gallery(
                    confusion.mistakes.map { mistake in
                        let taken = "taken for \(name(mistake.predicted)) (\(number(mistake.probability, digits: 3)))"
                        return (
                            mistake.picture, "test example \(mistake.example)", "\(name(mistake.actual)), \(taken)"
                        )
                    }),
            ]
        }
        return parts
    }

    private func name(_ label: Int) -> String { confusion.classNames[label] }

    private func accuracy(_ label: Int) -> HTML {
        HTML("td", confusion.accuracy(of: label).map { number($0, digits: 3) } ?? "")
    }

    /// A line for each class, with how often it was taken for which.
    private var matrix: HTML {
        let head = ["class", "accuracy"] + confusion.classNames
        let rows = confusion.counts.indices.map { actual in
            HTML(
                "tr",
                [HTML("th", [("class", "name")], name(actual)), accuracy(actual)]
                    + confusion.counts[actual].enumerated().map { predicted, count in
                        HTML("td", predicted == actual ? [("class", "best")] : [], count == 0 ? "" : "\(count)")
                    })
        }
        return .table(head, rows)
    }

    /// A line for each class, with its most frequent mistake.
    private var list: HTML {
        let rows = confusion.counts.indices.map { actual in
            let wrong = confusion.counts[actual].enumerated().filter { $0.offset != actual && $0.element > 0 }
            let most = wrong.max { $0.element < $1.element }
            return HTML(
                "tr",
                [
                    HTML("th", [("class", "name")], name(actual)), accuracy(actual),
                    HTML("td", most.map { "\(name($0.offset)) (\($0.element))" } ?? ""),
                ])
        }
        return .table(["class", "accuracy", "most often taken for"], rows)
    }
}
