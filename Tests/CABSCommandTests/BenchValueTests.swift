import CABSTraining
import Foundation
import Testing

/// The rates of `cabs bench`, and its table beside what the columns say of each other.
@Suite(.timeLimit(.minutes(10))) struct BenchValueTests {
    /// Multiplications and additions of the products of two networks for one example, by their formulas: forward, and backward twice as
    /// many, but for the first layer, whose input needs no gradient.
    private static let operations: [String: Double] = {
        func all(_ layers: [Double]) -> Double { 2 * (3 * layers.reduce(0, +) - layers[0]) }
        // Images of 8x8, 128 hidden units, 10 classes.
        let mlp = all([64 * 128, 128 * 10])
        // Images of 28x28: 5x5 to 32 channels, halved, 5x5 to 64 channels, halved, 1024 hidden units, 10 classes.
        let convolutions: [Double] = [25 * 1 * 32 * 28 * 28, 25 * 32 * 64 * 14 * 14]
        return [
            "mlp": mlp, "logistic-regression": all([784 * 10]),
            "mnist-2conv-2dense": all(convolutions + [7 * 7 * 64 * 1024, 1024 * 10]),
        ]
    }()

    @Test func `rates follow from the time of a step`() throws {
        let result = try CommandTests.run([
            "bench", "--json", "--models", "mlp,mnist-2conv-2dense", "--batch-sizes", "2,3", "--repeats", "2",
            "--warm-up", "1", "--phases", "--workers", "1",
        ])
        let lines = try result.output.split(separator: "\n").map {
            try #require(JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any])
        }
        #expect(lines.count == 4, "\(result.errors)")
        for line in lines {
            func value(_ key: String) throws -> Double { try #require(line[key] as? Double, "\(key)") }
            let milliseconds = try value("milliseconds_per_step")
            let rate = try value("batch_size") / (milliseconds / 1000)
            #expect(try abs(value("examples_per_second") / rate - 1) < 1e-9)
            let model = try #require(line["model"] as? String)
            let operations = try #require(Self.operations[model])
            #expect(try abs(value("nominal_gigaflops") / (rate * operations / 1e9) - 1) < 1e-9)
            // Medians of parts need not add up to the median of the whole, but no part is longer, and most of a step is in one.
            let phases = try #require(line["phase_milliseconds"] as? [String: Double])
            #expect(phases.count == StepPhase.allCases.count && phases.values.allSatisfy { $0 >= 0 })
            let sum = phases.values.reduce(0, +)
            #expect(sum > 0.05 * milliseconds && sum < 3 * milliseconds, "\(phases), \(milliseconds) ms")
        }
    }

    @Test func `one step's phases add up to no more than the step`() throws {
        let result = try CommandTests.run([
            "bench", "--json", "--models", "mnist-2conv-2dense", "--batch-sizes", "2", "--repeats", "1", "--phases",
            "--workers", "1",
        ])
        let line = try #require(
            JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any], "\(result.errors)")
        let (whole, phases) = (
            try #require(line["milliseconds_per_step"] as? Double),
            try #require(line["phase_milliseconds"] as? [String: Double])
        )
        let sum = phases.values.reduce(0, +)
        #expect(sum <= whole && sum > 0.02 * whole, "\(sum) of \(whole) ms")
    }

    @Test func `the table's columns stand under their headings`() throws {
        let result = try CommandTests.run([
            "bench", "--models", "mlp,logistic-regression", "--batch-sizes", "5,240", "--repeats", "1", "--warm-up",
            "1",
            "--workers", "1", "--estimator", "exact,none", "--phases",
        ])
        let lines = result.output.split(separator: "\n").map(String.init)
        let head = try #require(lines.first, "\(result.errors)")
        /// What stands under a heading of numbers, which are brought to its right end.
        func number(_ heading: String, in line: String) throws -> Double {
            let end = head.distance(from: head.startIndex, to: try #require(head.range(of: heading)).upperBound)
            return try #require(Double(line.prefix(end).split(separator: " ").last ?? ""), "\(heading): \(line)")
        }
        let rows = lines.dropFirst().filter { !$0.hasPrefix(" ") }
        #expect(rows.count == 8)
        for (row, (model, size)) in zip(
            rows, ["mlp", "logistic-regression"].flatMap { model in [5, 5, 240, 240].map { (model, $0) } })
        {
            #expect(row.hasPrefix(model + " "))
            #expect(try number("batch", in: row) == Double(size) && number("workers", in: row) == 1)
            let (time, rate) = (try number("ms/step", in: row), try number("examples/s", in: row))
            // Times have three digits behind the point, rates none.
            #expect(abs(Double(size) * 1000 / time - rate) <= 0.5 + rate * 0.0005 / time * 1.1, "\(row)")
            let flops = rate * Self.operations[model]! / 1e9
            #expect(try abs(number("nominal GFLOP/s", in: row) - flops) <= 0.51 + flops / rate, "\(row)")
            #expect(try (1...100_000).contains(number("peak MB", in: row)))
        }
        // Below each its phases, as parts of its step.
        for line in lines where line.hasPrefix("    ") {
            let words = line.split(separator: " ")
            let above = try #require(lines[..<lines.firstIndex(of: line)!].last { !$0.hasPrefix(" ") })
            let (time, part) = (try #require(Double(words[1])), try #require(Double(words[3])))
            let whole = try number("ms/step", in: above)
            #expect(abs(100 * time / whole - part) <= 0.06 + 0.1 / whole, "\(line), \(above)")
        }
    }
}
