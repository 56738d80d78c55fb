import CABSTraining
import Foundation

/// A reader of files that others may have written, or damaged.
enum Reader: String, CaseIterable {
    case idx, cifar10, cifar100, svhn, picture, npz, policy, safetensors, parameters, configuration, model, grid

    /// Reads a file; whether that succeeds is all the same, as long as it ends, and not in a trap.
    func read(_ file: URL) {
        switch self {
        case .idx: for rank in [1, 3] { _ = try? IDXFile(contentsOf: file, rank: rank) }
        case .cifar10: _ = try? CIFARFile(contentsOf: file, kind: .cifar10)
        case .cifar100: _ = try? CIFARFile(contentsOf: file, kind: .cifar100Fine)
        case .svhn: _ = try? SVHNFile(contentsOf: file)
        case .picture: _ = try? Picture(contentsOf: file)
        case .npz:
            _ = DatasetName.npz.outline(of: file)
            _ = try? DatasetName.npz.load(from: file)
        case .policy:
            guard var conversation = try? PolicyConversation(TrainingOptions()),
                let text = try? String(contentsOf: file, encoding: .utf8)
            else { return }
            for line in text.split(separator: "\n") { _ = try? conversation.answer(String(line)) }
        case .safetensors: _ = try? Safetensors.read(file)
        case .parameters:
            if let model = Self.digitsModel { _ = try? Safetensors.read(file, for: model) }
        case .configuration:
            if let options = try? TrainingOptions(contentsOf: file) { _ = try? TrainingConfiguration(options) }
        case .model:
            if let configuration = try? TrainingOptions.model(contentsOf: file) {
                _ = try? configuration.model(input: .image(height: 8, width: 8, channels: 1), outputCount: 10, seed: 0)
            }
        case .grid: _ = try? ComparisonGrid(contentsOf: file).runs()
        }
    }

    private static let digitsModel = try? ModelName.mlp.model(
        input: .image(height: 8, width: 8, channels: 1), outputCount: 10)

    /// The one that the environment names.
    static let chosen: Reader = {
        let name = ProcessInfo.processInfo.environment["CABS_FUZZ_READER"] ?? ""
        guard let reader = Reader(rawValue: name) else {
            let names = Reader.allCases.map(\.rawValue).joined(separator: ", ")
            FileHandle.standardError.write(Data("CABS_FUZZ_READER must be one of \(names)\n".utf8))
            exit(64)
        }
        return reader
    }()
}

/// libFuzzer's own main function, under another name.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<Int32>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ test: @convention(c) (UnsafePointer<UInt8>, Int) -> Int32
) -> Int32

private let file = URL(filePath: "/dev/shm/cabs-fuzz-\(getpid())")

/// The name under which libFuzzer looks for what it is to test.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int32 {
    try? Data(bytes: bytes, count: count).write(to: file)
    Reader.chosen.read(file)
    return 0
}

@main
enum FuzzReaders {
    static func main() {
        _ = Reader.chosen
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(runFuzzer(&count, &arguments, testOneInput))
    }
}
