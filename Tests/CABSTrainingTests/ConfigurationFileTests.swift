import Foundation
import Testing

@testable import CABSTraining

/// What YAML files say, to the letter.
@Suite(.timeLimit(.minutes(10))) struct ConfigurationFileTests {
    private static func options(_ text: String) throws -> TrainingOptions {
        try options(Data(text.utf8))
    }

    private static func options(_ data: Data) throws -> TrainingOptions {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "c.yaml")
        try data.write(to: file)
        return try TrainingOptions(contentsOf: file)
    }

    private static func refusal(_ data: Data) -> String {
        #expect(throws: TrainingError.self) { try options(data) }?.description ?? ""
    }

    @Test func `plain decimal numbers are read`() throws {
        for (text, rate) in [
            ("1e-2", 0.01), ("0.05", 0.05), (".5", 0.5), ("5.", 5), ("+2", 2), ("1.5E+2", 150), ("0", 0),
            ("1.0e-05", 1e-5),
        ] {
            #expect(try Self.options("learning-rate: \(text)").learningRate == rate)
        }
        #expect(try Self.options("steps: 10\nseed: 18446744073709551615").seed == .max)
    }

    @Test(arguments: [
        "steps: 0010", "steps: 0008", "seed: 0123", "steps: 1:30", "steps: 1_00", "steps: 0x10", "steps: 0o17",
        "steps: 0b11",
        "steps: 1e2", "steps: 1.5", "steps: '12'", "learning-rate: 0,05", "learning-rate: 00.5", "learning-rate: 1_0.5",
        "learning-rate: 1:30.5", "learning-rate: 0x1p3", "learning-rate: 1e", "learning-rate: \"0.05\"", "seed: -0123",
    ])
    func `other numbers are refused by name and text`(text: String) {
        let (key, value) = (text.prefix { $0 != ":" }, text.drop { $0 != ":" }.dropFirst(2))
        let found = Self.refusal(Data(text.utf8))
        #expect(found.contains("\(key): \"\(value.filter { !"'\"".contains($0) })\""), "\(found)")
    }

    @Test(arguments: [
        ("scale-rate: cubic", "one of linear, sqrt"), ("dataset: digts", "one of mnist, "),
        ("loss: l2", "one of softmax"),
        ("estimator: exakt", "one of exact, "), ("on-divergence: end", "one of stop, rewind"),
        ("order: random", "one of shuffled, sequential"),
        ("options: {scale-rate: cubic}\nrules: [cabs]", "one of linear, sqrt"),
    ])
    func `what is none of an option's words is refused with them`(text: String, words: String) throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(text, as: "c.yaml")
        let error = #expect(throws: TrainingError.self) {
            if text.contains("rules") {
                _ = try ComparisonGrid(contentsOf: file)
            } else {
                _ = try TrainingOptions(contentsOf: file)
            }
        }
        let found = try #require(error).description
        #expect(found.contains("will not do here; it must be \(words)"), "\(found)")
    }

    @Test func `the same holds in lists, and texts may look as they like`() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("rules: [cabs]\nlearning-rates: [0.1, 0010]", as: "grid.yaml")
        let error = #expect(throws: TrainingError.self) { try ComparisonGrid(contentsOf: file) }
        #expect(try #require(error).description.contains("learning-rates, item 2: \"0010\""))
        #expect(try Self.options("data: 0123").data == "0123")
        #expect(try Self.options("data: 1:30").data == "1:30")
    }

    @Test func `numbers are written so that every reader of YAML takes them for numbers`() throws {
        for (value, text) in [
            (0.01, "0.01"), (1, "1"), (1e6, "1000000"), (0, "0"), (1e-5, "1.0e-05"), (1.5e-7, "1.5e-07"),
            (1e30, "1.0e+30"),
            (0.1 + 0.2, "0.30000000000000004"),
        ] {
            var options = TrainingOptions()
            (options.learningRate, options.data) = (value, "1e5")
            let yaml = try options.yaml()
            #expect(yaml.contains("learning-rate: \(text)\n"), "\(yaml)")
            let again = try Self.options(yaml)
            #expect(again.learningRate == value && again.data == "1e5")
        }
    }

    @Test func `line ends, marks and empty files do not matter`() throws {
        let text = "# ü\ndataset: digits\nsteps: 3\n"
        for variant in [
            text, "\u{FEFF}" + text, text.replacing("\n", with: "\r\n"),
            "\u{FEFF}" + text.replacing("\n", with: "\r\n"),
            "---\n\(text)...\n",
        ] {
            #expect(try Self.options(variant).steps == 3)
        }
        for empty in ["", "# nothing yet\n", "\n\n"] { #expect(try Self.options(empty).given.isEmpty) }
    }

    @Test func `other encodings are called by their names`() throws {
        let text = "dataset: digits\n# für\n"
        for encoding in [String.Encoding.utf16, .utf16LittleEndian, .utf16BigEndian] {
            #expect(Self.refusal(try #require(text.data(using: encoding))).contains("UTF-16"))
        }
        #expect(Self.refusal(try #require(text.data(using: .isoLatin1))).contains("Latin-1"))
    }

    @Test(arguments: [
        ("steps: 1\nsteps: 2", "steps"), ("---\nsteps: 1\n---\nsteps: 2", "another document"), ("a:\n\tb: 1", "line 2"),
        ("<<: {seed: 1}\n<<: {steps: 2}", "line 1"),
    ])
    func `what YAML forbids is refused in one line`(text: String, mentions: String) {
        let found = Self.refusal(Data(text.utf8))
        #expect(found.contains(mentions) && !found.contains("\n"), "\(found)")
    }

    @Test func `merge keys are followed`() throws {
        let options = try Self.options("<<: {dataset: digits, steps: 3}\nsteps: 4")
        #expect(options.dataset == .digits && options.steps == 4)
    }
}
