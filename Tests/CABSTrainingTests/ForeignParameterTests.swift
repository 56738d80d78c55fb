import CABSTraining
import Foundation
import Testing

/// Parameter files that other programs wrote, or that are none.
@Suite(.timeLimit(.minutes(10))) struct ForeignParameterTests {
    private static func read(_ header: String, _ values: [UInt8] = []) throws -> ParameterSet {
        try read(SafetensorsTests.file(header, valueBytes: 0) + values)
    }

    private static func read(_ data: Data) throws -> ParameterSet {
        let folder = try TemporaryFolder()
        let file = folder.url.appending(path: "p.safetensors")
        try data.write(to: file)
        return try Safetensors.read(file)
    }

    private static func refusal(_ body: () throws -> ParameterSet) -> String {
        #expect(throws: TrainingError.self) { try body() }?.description ?? ""
    }

    private static func entry(_ type: String, _ shape: [Int], _ offsets: [Int]) -> String {
        #"{"dtype":"\#(type)","shape":\#(shape),"data_offsets":\#(offsets)}"#
    }

    /// 1, -2, the smallest number above zero, infinity, and one between.
    @Test(
        arguments: [
            (
                "F16", [0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0x00, 0x7c, 0x55, 0x35], 2,
                [1, -2, 0x1p-24, .infinity, 0.33325195]
            ),
            (
                "BF16", [0x80, 0x3f, 0x00, 0xc0, 0x01, 0x00, 0x80, 0x7f, 0xab, 0x3e], 2,
                [1, -2, 0x1p-133, .infinity, 0.333984375]
            ),
            (
                "F64",
                [
                    0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 0, 0, 0xa0, 0x36, 0, 0, 0, 0,
                    0, 0, 0xf0, 0x7f,
                ]
                    + [0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0xd5, 0x3f],
                8, [1, -2, 0x1p-149, .infinity, Float(1.0 / 3)]
            ),
        ] as [(String, [UInt8], Int, [Float])])
    func `floats of other widths are read`(type: String, bytes: [UInt8], width: Int, expected: [Float]) throws {
        let parameters = try Self.read("{\"x\":\(Self.entry(type, [5], [0, 5 * width]))}", bytes)
        #expect(parameters["x"]?.values == expected)
    }

    @Test func `a double that no float can hold is refused`() {
        let text = Self.refusal {
            try Self.read("{\"x\":\(Self.entry("F64", [1], [0, 8]))}", [0, 0, 0, 0, 0, 0, 0xf0, 0x7e])
        }
        #expect(text.contains("too large"), "\(text)")
    }

    @Test func `tensors stand in the order of their values, whatever that of the header`() throws {
        let header = "{\"b\":\(Self.entry("F32", [1], [4, 8])),\"a\":\(Self.entry("F32", [1], [0, 4])),"
        let parameters = try Self.read(
            header + "\"none\":\(Self.entry("F32", [0, 3], [4, 4]))}   ", [UInt8](repeating: 0, count: 8))
        #expect(parameters.names == ["a", "none", "b"])
    }

    @Test func `every byte belongs to one tensor`() {
        let first = "\"a\":\(Self.entry("F32", [1], [0, 4]))"
        let bytes = [UInt8](repeating: 0, count: 12)
        for (second, values, mentions) in [
            ("", bytes, "last 8 bytes belong to no tensor"),
            (",\"b\":\(Self.entry("F32", [1], [8, 12]))", bytes, "b begins at byte 8"),
            (",\"b\":\(Self.entry("F32", [2], [0, 8]))", Array(bytes.prefix(8)), "ends at 4"),
            (",\"a\":\(Self.entry("F32", [1], [0, 4]))", Array(bytes.prefix(4)), "a comes twice"),
            (",\"\\u0061\":\(Self.entry("F32", [1], [4, 8]))", Array(bytes.prefix(8)), "a comes twice"),
            (",\"n\":\(Self.entry("I64", [], [4, 12]))", bytes, "n has type I64"),
        ] {
            let text = Self.refusal { try Self.read("{\(first)\(second)}", values) }
            #expect(text.contains(mentions), "\(text)")
        }
        // The same names deeper down are no tensors, nor is what stands in texts.
        let metadata = #""__metadata__":{"a":"{\"b\": 1, \"b\": 2}"}"#
        #expect((try? Self.read("{\(metadata),\(first)}", Array(bytes.prefix(4))))?.names == ["a"])
    }

    @Test(arguments: [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:ab\n", "Git LFS"),
        ("PK\u{3}\u{4} archive/data.pkl", "zip archive"),
        ("<!DOCTYPE html>", "a web page"), ("", "an empty file"),
    ])
    func `what is no parameter file is called what it is`(text: String, mentions: String) {
        let found = Self.refusal { try Self.read(Data(text.utf8)) }
        #expect(found.contains(mentions) && found.contains("no safetensors file"), "\(found)")
    }
}
