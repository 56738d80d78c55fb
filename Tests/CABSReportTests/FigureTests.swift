import CABSTraining
import Foundation
import Testing

@testable import CABSReport

@Suite(.timeLimit(.minutes(10))) struct FigureTests {
    @Test func `a step counts in each bin by the examples that it drew there`() {
        let samples = [
            Curve.Sample(extent: 10, x: 1, first: 4, second: 1), Curve.Sample(extent: 20, x: 2, first: 1, second: 2),
            Curve.Sample(extent: 10, x: 3, first: 3, second: 4),
        ]
        func parts(_ samples: [Curve.Sample], _ count: Int) -> [Curve.Averages.Part] {
            var extent = Curve.Averages.Extent()
            for sample in samples { extent.add(sample) }
            var averages = Curve.Averages(over: extent, partCount: count)
            for sample in samples { averages.add(sample) }
            return averages.parts
        }
        let halves = parts(samples, 2)
        #expect(halves.map(\.x) == [1.5, 2.5])
        #expect(halves.map(\.first) == [2.5, 2] && halves.map(\.second) == [1.5, 3])
        #expect(parts(samples, 4).map(\.first) == [4, 1, 1, 3])
        #expect(parts([], 4).isEmpty)
    }

    @Test func `seeds are joined to a mean with its range, by at most 150 points`() {
        func run(_ value: Double, count: Int) -> [Curve.Sample] {
            (0..<count).map { Curve.Sample(extent: 16, x: Double($0), first: value) }
        }
        let curve = Curve(averaging: [run(1, count: 1000), run(4, count: 700)])
        #expect(curve.points.count == 150)
        for point in curve.points {
            #expect(abs(point.y.mean - 2.5) < 1e-9 && abs(point.y.low - 1) < 1e-9 && abs(point.y.high - 4) < 1e-9)
        }
        #expect(Curve(averaging: [run(1, count: 1000), run(4, count: 7)]).points.count == 7)
        let positive = Curve(averaging: [run(-1, count: 3), run(4, count: 3)]) { $0.first > 0 ? $0.first : nil }
        #expect(positive.points.map(\.y.mean) == [4, 4, 4])
    }

    @Test func `a rule has one style whatever the order of runs`() throws {
        func palette(_ names: [String]) throws -> RulePalette {
            RulePalette(try names.map { ($0, try BatchSizeRule($0)) })
        }
        let names = ["cabs", "constant:16", "constant:64", "constant:256", "noise-scale", "norm-test:0.9"]
        let (one, other) = (try palette(names), try palette(names.reversed() + ["cabs"]))
        for name in names { #expect(one[name] == other[name], "\(name)") }
        #expect(one["cabs"].color == "#d1495b" && one["cabs"].width > one["noise-scale"].width)
        #expect(Set(names.map { one[$0].color }).count == names.count)
        #expect(one["constant:16"].color == "#96c3e6" && one["constant:256"].color == "#0b3c78")
        let twice = try palette(["norm-test:0.5", "norm-test:0.9"])
        #expect(twice["norm-test:0.5"] != twice["norm-test:0.9"])
        // Names of a grid's own, of which no rule is known.
        let named = RulePalette(
            [("cabs", BatchSizeRule.cabs), ("big-batch:1", try BatchSizeRule("big-batch:1"))]
                + (0..<5).map { ("mine \($0)", nil) })
        let colors = (["cabs", "big-batch:1"] + (0..<5).map { "mine \($0)" }).map { named[$0].color }
        #expect(Set(colors).count == colors.count)
    }

    @Test func `logarithmic axes have round labels`() {
        #expect(LogarithmicTics.places(0.01, 30) == [0.01, 0.1, 1, 10])
        #expect(LogarithmicTics.places(0.3, 3) == [0.5, 1, 2])
        #expect(LogarithmicTics.places(1e-20, 1e20).count <= 8)
        let labels = [0.00025: "2.5·10⁻⁴", 1.2e5: "1.2·10⁵", 1e-5: "10⁻⁵", 0.001: "0.001", 2.5: "2.5", 5e4: "50000"]
        for (place, label) in labels { #expect(LogarithmicTics.label(place) == label) }
        #expect(LogarithmicTics.places(2, 3.1).count >= 3)
        #expect(LogarithmicTics.powersOfTwo(16, 16) == [16, 32])
        #expect(LogarithmicTics.powersOfTwo(16, 1000).last == 1024)
        #expect([0.05, 20000, 1e-5, 2e6].map(LogarithmicTics.label) == ["0.05", "20000", "10⁻⁵", "2·10⁶"])
        #expect(
            [0.96944, 20000, 1438.6, 17.25, 1e30].map { number($0) } == ["0.9694", "20,000", "1,439", "17.25", "1e+30"])
    }

    @Test func `early accuracies may lie outside the frame`() throws {
        func script(_ values: [Double]) throws -> String {
            let points = try values.enumerated().map { Curve.Point(x: Double($0), y: try #require(Spread([$1]))) }
            let style = LineStyle(color: "#000000", width: 1, dash: 1)
            let figure = Figure(
                name: "a", title: "a", caption: "a", x: .init(label: "a"), y: .init(label: "a", reachBelowEnds: 0.25),
                series: [.init(name: "a", style: style, curve: Curve(points))])
            return try GnuplotScript(#require(figure)).text
        }
        #expect(try script([0.1, 0.7, 0.72, 0.75]).contains("set yrange [0.5:*]"))
        #expect(try !script([0.1, 0.1, 0.72, 0.75]).contains("yrange"))
        #expect(try !script([0.6, 0.75]).contains("yrange"))
    }

    @Test func `a long legend takes no room from the curves`() throws {
        func script(_ count: Int, _ name: String) throws -> String {
            let style = LineStyle(color: "#000000", width: 1, dash: 1)
            let curve = Curve(try [0, 1].map { .init(x: $0, y: try #require(Spread([$0]))) })
            let figure = Figure(
                name: "a", title: "a", caption: "a", x: .init(label: "a"), y: .init(label: "a"),
                series: (0..<count).map { .init(name: "\(name)\($0)", style: style, curve: curve) })
            return try GnuplotScript(#require(figure)).text
        }
        // Eleven names of 19 letters stand in two columns, of a few letters in five.
        #expect(try script(11, "constant-128-cosi-").contains("set terminal svg size 560,482 "))
        #expect(try script(11, "cabs").contains("set terminal svg size 560,416 "))
        // Names that are wider than the figure stand in several lines.
        let long = try script(2, String(repeating: "learning-rate-schedule cosine, ", count: 3))
        #expect(long.contains("set terminal svg size 560,438 "))
        #expect(
            long.matches(of: try Regex("set label '([^']*)'", as: (Substring, Substring).self)).map(\.1) == [
                "learning-rate-schedule cosine, learning-rate-schedule ", "cosine, learning-rate-schedule cosine, 0",
                "learning-rate-schedule cosine, learning-rate-schedule ", "cosine, learning-rate-schedule cosine, 1",
            ])
        #expect(try script(11, "cabs").matches(of: try Regex("set label 'cabs[0-9]+' at screen")).count == 11)
    }

    @Test func `gnuplot takes names as they stand`() {
        #expect(GnuplotScript.quoted("a'b `date`\n@x \"$") == "'a''b `date` @x \"$'")
    }

    @Test func `without gnuplot the error says how to get it`() {
        let error = #expect(throws: ReportError.gnuplotMissing) { try Gnuplot(searchPath: "/nowhere:/dev") }
        #expect(error?.description.contains("apt-get install gnuplot-nox") == true)
    }

    @Test func `configurations are named from the page's folder`() {
        func path(_ file: String, _ folder: String) -> String {
            relativePath(of: URL(filePath: file), from: URL(filePath: folder))
        }
        #expect(path("/a/b/runs/c.yaml", "/a/b") == "runs/c.yaml")
        #expect(path("/a/b/c.yaml", "/a/d/e") == "../../b/c.yaml")
    }
}
