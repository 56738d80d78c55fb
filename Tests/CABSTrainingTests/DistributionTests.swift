import Foundation
import Testing

@testable import CABSTraining

/// Quartiles and histograms beside counting.
@Suite(.timeLimit(.minutes(10))) struct DistributionTests {
    /// What numpy.quantile gives of these: they stand at the places of its quartiles.
    @Test func `quartiles are those of the sorted values`() {
        let found = Distribution(of: (1...21).map { Double(($0 * 8) % 21 + 1) })
        #expect(found.lowerQuartile == 6 && found.median == 11 && found.upperQuartile == 16)
        #expect(found.minimum == 1 && found.maximum == 21 && found.mean == 11)
    }

    @Test func `the mean is not the median where values are skewed`() {
        let found = Distribution(of: [1, 1, 1, 1, 96])
        #expect(found.mean == 20 && found.median == 1 && found.upperQuartile == 1 && found.maximum == 96)
    }

    @Test func `bins are in equal ratios up to the largest value, and count each value once`() throws {
        let values = (0..<500).map { exp(sin(Double($0)) * 3) }
        let found = Distribution(of: values)
        #expect(found.edges.count == found.counts.count + 1 && found.edges.last == values.max())
        let ratios = zip(found.edges, found.edges.dropFirst()).map { $1 / $0 }
        for ratio in ratios { #expect(abs(ratio / ratios[0] - 1) < 1e-9) }
        for (index, count) in found.counts.enumerated() {
            let (low, high) = (index == 0 ? 0 : found.edges[index], found.edges[index + 1])
            #expect(count == values.count { $0 > low && $0 <= high })
        }
        #expect(found.counts.reduce(0, +) == 500)
    }

    @Test func `values that are all nothing have a distribution`() {
        let found = Distribution(of: [0, 0, 0])
        #expect(found.maximum == 0 && found.mean == 0 && found.counts.reduce(0, +) == 3)
        #expect(found.edges.allSatisfy { $0 > 0 })
    }
}
