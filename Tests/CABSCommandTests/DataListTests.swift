import Foundation
import Testing

/// `cabs data list`: how many examples of how many classes each set has.
@Suite(.timeLimit(.minutes(10))) struct DataListTests {
    @Test func `counts are those of the files`() throws {
        try CommandTests.withFolder { folder in
            let data = folder.appending(path: "data")
            try SmallSets.writeMNIST(in: data.appending(path: "mnist"), trainingCount: 23)
            try SmallSets.writeCIFAR10(in: data.appending(path: "cifar10"))
            // CIFAR-100's records have two labels before the image, of 20 classes and of 100.
            let fine = data.appending(path: "cifar100")
            try FileManager.default.createDirectory(at: fine, withIntermediateDirectories: true)
            for (name, count) in [("train", 7), ("test", 4)] {
                let records = (0..<count).flatMap { (index: Int) -> [UInt8] in
                    [UInt8(index), UInt8(90 + index)] + [UInt8](repeating: 7, count: 3072)
                }
                try Data(records).write(to: fine.appending(path: "\(name).bin"))
            }
            let result = try CommandTests.run(["data", "list", "--data", "data"], in: folder)
            #expect(result.code == 0, "\(result.errors)")
            let lines = Dictionary(
                uniqueKeysWithValues: result.output.split(separator: "\n").map {
                    (String($0.prefix { $0 != " " }), String($0.drop { $0 != " " }))
                })
            func counts(_ name: String) throws -> [Double] {
                TerminalTable.numbers(try #require(lines[name]).components(separatedBy: ";")[0])
            }
            #expect(try counts("mnist") == [23, 3, 10] && counts("cifar10") == [10, 2, 10])
            #expect(try counts("cifar100") == [7, 4, 100], "\(lines["cifar100"] ?? "")")
            #expect(
                try counts("cifar100-coarse") == [7, 4, 20])
            #expect(try counts("digits") == [1438, 359, 10])
            #expect(lines["svhn"]?.contains("not found") == true && lines["npz"] == nil && lines["folder"] == nil)
        }
    }
}
