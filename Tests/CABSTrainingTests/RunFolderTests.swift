import Foundation
import Testing

@testable import CABSTraining

/// Where runs and grids lie, and what they need of the place that they began in.
@Suite(.timeLimit(.minutes(10))) struct RunFolderTests {
    @Test(arguments: [
        ("runs/a_b-1.5", "runs/a_b-1.5"), ("my runs", "'my runs'"), ("it's", "'it'\\''s'"),
        ("$HOME/`x`", "'$HOME/`x`'"),
        ("-r", "./-r"), ("žluť/試", "žluť/試"), ("a\nb", "'a\nb'"), ("~/x", "'~/x'"), ("", "''"), ("*", "'*'"),
    ])
    func `a path is quoted where a shell needs it`(path: String, word: String) throws {
        #expect(ShellWord.quoted(path) == word)
        // The shell's own word for it.
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-c", "printf %s \(word)"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        #expect(text == (path.hasPrefix("-") ? "./\(path)" : path))
    }

    @Test func `relative paths and the home folder are settled when a run begins`() throws {
        var options = TrainingOptions()
        (options.dataset, options.data, options.initialParameters) = (.mnist, "here/../there", "~/p.safetensors")
        let settled = try TrainingConfiguration(options).options
        #expect(settled.data == FileManager.default.currentDirectoryPath + "/there")
        let home = ProcessInfo.processInfo.environment["HOME"] ?? FileManager.default.homeDirectoryForCurrentUser.path
        #expect(settled.initialParameters == "\(home)/p.safetensors")
    }

    @Test func `a run goes on without the parameters that it began with`() async throws {
        let folder = try TemporaryFolder()
        let (first, second) = (folder.url.appending(path: "first"), folder.url.appending(path: "second"))
        try await ResumeTests.run(ResumeTests.options { $0.steps = 2 }, in: first)
        let parameters = RunDirectory(existing: first).finalParametersFile
        try await ResumeTests.run(
            ResumeTests.options { $0.initialParameters = parameters.path }, in: second, stoppingAfter: 12)
        try FileManager.default.removeItem(at: first)
        try await ResumeTests.finish(TrainingRun(resuming: RunDirectory(existing: second)))
        #expect(try RunDirectory(existing: second).summary()?.steps == 60)
    }

    @Test func `the newest parameters are those of the end, or of the newest checkpoint`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "run")
        try await ResumeTests.run(ResumeTests.options { $0.steps = 30 }, in: url)
        let directory = RunDirectory(existing: url)
        let ended = try directory.newestParameters { _ in }
        #expect(ended.stage.progress.stepCount == 30 && ended.status == .finished)
        var longer = TrainingOptions()
        longer.steps = 60
        try await ResumeTests.finish(TrainingRun(resuming: directory, with: longer), stoppingAfter: 44)
        let interrupted = try directory.newestParameters { _ in }
        #expect(interrupted.stage.progress.stepCount == 44 && interrupted.status == nil)
        #expect(interrupted.parameters != ended.parameters)
        // As versions left it that did not take the end back.
        try Safetensors.write(ended.parameters, to: directory.finalParametersFile)
        #expect(try directory.newestParameters { _ in }.stage.progress.stepCount == 44)
    }

    @Test func `why a folder cannot be made is said in the system's words`() throws {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "file")
        try Data().write(to: file)
        for (name, reason) in [("", "File exists"), ("/below", "Not a directory")] {
            let url = URL(filePath: file.path + name)
            #expect(throws: TrainingError.unwritable(path: url.path, reason: reason)) { try OutputFolder.make(at: url) }
        }
    }

    private static func grid(workers: Int?) -> ComparisonGrid {
        var grid = ComparisonGrid(rules: [.init("constant:32")], learningRates: [0.1])
        var options = TrainingOptions()
        options.workers = workers
        options.examples = 64
        grid.options = options
        return grid
    }

    @Test func `what a grid takes from the machine is settled when it begins`() async throws {
        let folder = try TemporaryFolder()
        let url = folder.url.appending(path: "grid")
        // On a machine with three workers, so to speak, where nothing is but the digits.
        var first = Self.grid(workers: 3)
        first.options?.dataset = .digits
        let comparison = try Comparison(first, in: url)
        try await comparison.make(comparison.runs[0])
        // Here neither is given, and this machine would choose otherwise.
        let again = try Comparison(Self.grid(workers: nil), in: url)
        #expect(again.runs[0].configuration.options.workers == 3)
        #expect(again.runs[0].configuration.dataset == .digits)
        #expect(try again.hasEnded(again.runs[0]))
        let stored = try ComparisonGrid(contentsOf: url.appending(path: Comparison.gridFileName))
        #expect(stored.options?.workers == 3 && stored.options?.dataset == .digits)
        // What is given otherwise is another grid.
        #expect(throws: TrainingError.self) { try Comparison(Self.grid(workers: 2), in: url) }
    }

    @Test func `a grid's paths are those of the folder that it was begun in`() throws {
        var grid = Self.grid(workers: 1)
        grid.options?.initialParameters = "first.safetensors"
        grid.rules = [.init(name: "own", options: grid.options!)]
        let expected = FileManager.default.currentDirectoryPath + "/first.safetensors"
        let settled = try grid.settled(after: nil)
        #expect(settled.options?.initialParameters == expected)
        #expect(settled.rules[0].options.initialParameters == expected)
    }

    /// Writes through a link, and into a pipe; neither is replaced.
    @Test func `an output that is no plain file is written into`() throws {
        let folder = try TemporaryFolder()
        let (target, link) = (folder.url.appending(path: "target"), folder.url.appending(path: "link"))
        try FileManager.default.createSymbolicLink(atPath: link.path, withDestinationPath: "target")
        for text in ["first", "second"] {
            try DurableFile.write(Data(text.utf8), to: link)
            #expect(try String(contentsOf: target, encoding: .utf8) == text)
        }
        try LineFile(creating: link).append(Data("line\n".utf8))
        #expect(try String(contentsOf: target, encoding: .utf8) == "line\n")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.path) == "target")

        let circle = folder.url.appending(path: "circle")
        try FileManager.default.createSymbolicLink(atPath: circle.path, withDestinationPath: "circle")
        #expect(throws: TrainingError.self) { try DurableFile.write(Data(), to: circle) }

        let pipe = folder.url.appending(path: "pipe")
        #expect(mkfifo(pipe.path, 0o600) == 0)
        // Both ends, so that nothing waits.
        let reader = open(pipe.path, O_RDWR)
        defer { close(reader) }
        try DurableFile.write(Data("one,".utf8), to: pipe)
        try LineFile(creating: pipe).append(Data("two".utf8))
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = read(reader, &bytes, 16)
        #expect(String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self) == "one,two")
        var status = stat()
        #expect(stat(pipe.path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
    }
}
