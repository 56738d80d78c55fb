import CABSData
import CABSExamples
import Foundation
import Testing

@Suite(.timeLimit(.minutes(10))) struct PreprocessingTests {
    static let shape = ExampleShape.image(height: 32, width: 32, channels: 3)

    static func image(seed: UInt64) -> [UInt8] {
        var random = RandomStream(seed: seed, purpose: .shuffling, index: 0)
        return (0..<3072).map { _ in UInt8(random.nextInteger(below: 256)) }
    }

    static func apply(_ preprocessing: CroppedAndStandardized, to pixels: [UInt8], draw: UInt64) -> [Float] {
        var values = [Float](repeating: 0, count: 3 * preprocessing.cropSize * preprocessing.cropSize)
        var random = RandomStream(seed: 1, purpose: .augmentation, index: draw)
        preprocessing.apply(to: pixels[...], shape: shape, into: &values, using: &random)
        return values
    }

    /// The steps of the paper's input pipeline one after the other, brightness included, in Double.
    static func oracle(
        _ pixels: [UInt8], top: Int, left: Int, flips: Bool, brightness: Double, contrast: Double
    ) -> [Double] {
        var values: [Double] = []
        for channel in 0..<3 {
            var plane: [Double] = []
            for row in 0..<24 {
                for column in 0..<24 {
                    let x = left + (flips ? 23 - column : column)
                    plane.append(Double(pixels[(channel * 32 + top + row) * 32 + x]) + brightness)
                }
            }
            let mean = plane.reduce(0, +) / 576
            values += plane.map { ($0 - mean) * contrast + mean }
        }
        let mean = values.reduce(0, +) / 1728
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 1728
        let deviation = max(variance.squareRoot(), 1 / 1728.0.squareRoot())
        return values.map { ($0 - mean) / deviation }
    }

    static func agree(_ a: [Float], _ b: [Double]) -> Bool {
        a.count == b.count && zip(a, b).allSatisfy { abs(Double($0) - $1) < 1e-5 }
    }

    @Test func `without augmentation it is the central crop, standardised`() {
        let pixels = Self.image(seed: 3)
        let expected = Self.oracle(pixels, top: 4, left: 4, flips: false, brightness: 0, contrast: 1)
        for draw in 0..<12 as Range<UInt64> {
            let values = Self.apply(CroppedAndStandardized(augments: false), to: pixels, draw: draw)
            #expect(Self.agree(values, expected))
        }
    }

    @Test func `augmentation draws crop, flip and contrast; brightness is undone by standardisation`() {
        let pixels = Self.image(seed: 5)
        var (flips, tops, lefts) = (0, Set<Int>(), Set<Int>())
        for draw in 0..<200 as Range<UInt64> {
            let values = Self.apply(CroppedAndStandardized(augments: true), to: pixels, draw: draw)
            // The same draws, made again.
            var random = RandomStream(seed: 1, purpose: .augmentation, index: draw)
            let top = random.nextInteger(below: 9)
            let left = random.nextInteger(below: 9)
            let isFlipped = random.nextUniform() < 0.5
            let contrast = 0.2 + 1.6 * random.nextUniform()
            let expected = Self.oracle(
                pixels, top: top, left: left, flips: isFlipped, brightness: Double(draw % 127) - 63, contrast: contrast)
            #expect(Self.agree(values, expected))
            flips += isFlipped ? 1 : 0
            tops.insert(top)
            lefts.insert(left)
        }
        #expect((60...140).contains(flips))
        #expect(tops == Set(0...8) && lefts == Set(0...8))
    }

    @Test func `an image of one colour becomes zeros`() {
        let values = Self.apply(
            CroppedAndStandardized(augments: false), to: [UInt8](repeating: 77, count: 3072), draw: 0)
        #expect(values.allSatisfy { abs($0) < 1e-4 })
    }

    @Test func `images smaller than the crop are refused`() {
        #expect(throws: DatasetError.self) {
            try CroppedAndStandardized(cropSize: 33, augments: false).outputShape(for: Self.shape)
        }
    }
}
