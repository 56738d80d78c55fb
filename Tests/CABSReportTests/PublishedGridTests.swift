import Foundation
import Testing

@testable import CABSReport

/// The figures and tables of docs/experiments, beside what results and curves there give.
@Suite(.timeLimit(.minutes(10))) struct PublishedGridTests {
    static let experiments = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "docs/experiments")

    /// The folders of grids.
    static let grids = ((try? FileManager.default.contentsOfDirectory(atPath: experiments.path)) ?? [])
        .filter { FileManager.default.fileExists(atPath: experiments.appending(path: "\($0)/results.csv").path) }
        .sorted()

    /// Which version of gnuplot a figure names: another one draws the same otherwise.
    private static func version(_ figure: Data) -> Substring? {
        String(decoding: figure, as: UTF8.self).firstMatch(of: /Produced by ([^<]*)/)?.1
    }

    private static func drawsAsCommitted() throws -> Bool {
        let figure = Figure(
            name: "probe", title: "", caption: "", x: .init(label: ""), y: .init(label: ""),
            series: [
                .init(
                    name: "", style: RulePalette([("cabs", .cabs)])["cabs"],
                    curve: Curve([.init(x: 0, y: Spread([0])!), .init(x: 1, y: Spread([1])!)]))
            ])
        guard let grid = grids.first, let figure, let gnuplot = try? Gnuplot() else { return false }
        let committed = try Data(contentsOf: experiments.appending(path: "\(grid)/batch-size.svg"))
        return try version(gnuplot.draw(figure)) == version(committed)
    }

    @Test(.enabled("gnuplot is not of the version that drew the figures") { try drawsAsCommitted() }, arguments: grids)
    func `figures are what scripts/experiments figures draws`(grid: String) throws {
        let published = Self.experiments.appending(path: grid)
        let folder = try TemporaryFolder()
        let report = try Report([published.path], page: folder.url.appending(path: "page.html"))
        try report.write()
        let drawn = try #require(report.figureFolder)
        let names = try FileManager.default.contentsOfDirectory(atPath: published.path).filter { $0.hasSuffix(".svg") }
        #expect(names.count == 2)
        for name in names {
            let (new, old) = (drawn.appending(path: name), published.appending(path: name))
            #expect(try Data(contentsOf: new) == Data(contentsOf: old), "\(grid)/\(name)")
        }
    }

    @Test(arguments: grids)
    func `tables are what scripts/experiments figures makes`(grid: String) throws {
        let published = Self.experiments.appending(path: grid)
        let folder = try TemporaryFolder()
        let report = try Report([published.path], page: folder.url.appending(path: "page.html"))
        try report.write(with: PageTests.standIn())
        func tables(_ folder: URL) throws -> [String: String] {
            let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
            return try Dictionary(
                uniqueKeysWithValues: names.map {
                    ($0, try String(contentsOf: folder.appending(path: $0), encoding: .utf8))
                })
        }
        #expect(try tables(#require(report.tableFolder)) == tables(published.appending(path: "tables")), "\(grid)")
    }
}
