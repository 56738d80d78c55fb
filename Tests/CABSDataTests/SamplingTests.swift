import CABSData
import CABSExamples
import Foundation
import Testing

@Suite(.timeLimit(.minutes(10))) struct SamplingTests {
    @Test func `a shuffled order draws every example once in each epoch`() throws {
        var order = try ExampleOrder(.shuffled(seed: 4), exampleCount: 10)
        // Batches that cross the ends of epochs, and one of several epochs.
        let drawn = [3, 4, 7, 26].flatMap { order.next($0) }
        for epoch in 0..<4 { #expect(Set(drawn[(epoch * 10)..<(epoch * 10 + 10)]) == Set(0..<10)) }
        #expect(Array(drawn[..<10]) != Array(drawn[10..<20]))
        #expect(order.drawnCount == 40)
        #expect(order.epochs == 4)
    }

    @Test func `the order follows from the seed, however it is cut into batches`() throws {
        func drawn(_ seed: UInt64, _ sizes: [Int]) throws -> [Int] {
            var order = try ExampleOrder(.shuffled(seed: seed), exampleCount: 50)
            return sizes.flatMap { order.next($0) }
        }
        #expect(try drawn(1, [120]) == drawn(1, [7, 50, 60, 3]))
        #expect(try drawn(1, [50]) != drawn(2, [50]))
    }

    @Test func `all permutations are equally likely`() throws {
        var counts: [[Int]: Int] = [:]
        for seed in 0..<6000 as Range<UInt64> {
            var order = try ExampleOrder(.shuffled(seed: seed), exampleCount: 3)
            counts[order.next(3), default: 0] += 1
        }
        // Six standard deviations of a count of 1,000.
        #expect(counts.count == 6 && counts.values.allSatisfy { abs($0 - 1000) < 6 * 29 })
    }

    @Test func `a sequential order starts where it is told and goes round`() throws {
        var order = try ExampleOrder(.sequential(firstExample: 3), exampleCount: 5)
        #expect(order.next(7) == [3, 4, 0, 1, 2, 3, 4])
        #expect(throws: DatasetError.exampleOutOfRange(5, count: 5)) {
            try ExampleOrder(.sequential(firstExample: 5), exampleCount: 5)
        }
        #expect(throws: DatasetError.exampleOutOfRange(-1, count: 5)) {
            try ExampleOrder(.sequential(firstExample: -1), exampleCount: 5)
        }
    }

    @Test func `a stored order goes on where it stood`() throws {
        var order = try ExampleOrder(.shuffled(seed: 9), exampleCount: 20)
        _ = order.next(33)
        var copy = try JSONDecoder().decode(ExampleOrder.self, from: JSONEncoder().encode(order))
        #expect(copy == order)
        #expect(copy.next(40) == order.next(40))
    }

    @Test func `arrays make a data set, if their lengths fit`() throws {
        let data = try ArrayDataset(
            inputs: [1, 2, 3, 4, 5, 6], inputShape: .vector(2), labels: [0, 2, 1], classCount: 3)
        #expect(data.count == 3)
        #expect(data.target == .classes(3))
        #expect(try data.example(at: 1) == ([3, 4], .class(2)))
        let values = try ArrayDataset(
            inputs: [1, 2, 3], inputShape: .vector(1), targets: [4, 5, 6, 7, 8, 9], targetCount: 2)
        #expect(values.target == .values(2))
        #expect(try values.example(at: 2) == ([3], .values([8, 9])))
        #expect(throws: DatasetError.arrayCounts(inputs: 5, inputSize: 2, targets: 4, targetSize: 2)) {
            try ArrayDataset(inputs: [1, 2, 3, 4, 5], inputShape: .vector(2), targets: [1, 2, 3, 4], targetCount: 2)
        }
        #expect(throws: DatasetError.labelOutsideClasses(3, example: 1, source: "labels", classCount: 3)) {
            try ArrayDataset(inputs: [1, 2], inputShape: .vector(1), labels: [0, 3], classCount: 3)
        }
    }
}
