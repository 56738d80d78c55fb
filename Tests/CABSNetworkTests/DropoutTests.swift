import Testing

@testable import CABSNetwork

@Suite struct DropoutTests {
    @Test func `layers of neighbouring seeds draw from streams of their own`() {
        var seen: Set<UInt64> = []
        for seed in UInt64(0)..<50 {
            for position in 0..<50 { seen.insert(Dropout.seed(of: seed, position: position)) }
        }
        #expect(seen.count == 2500)
    }
}
