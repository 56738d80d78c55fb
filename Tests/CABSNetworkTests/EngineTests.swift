import CABSExamples
import CVectorMath
import Foundation
import Synchronization
import Testing

@testable import CABSNetwork

/// The engine's parts by themselves.
@Suite(.timeLimit(.minutes(10))) struct EngineTests {
    @Test(arguments: [1, 2, 3, 7])
    func `a barrier holds everyone back until the last has come`(workers: Int) throws {
        // Not a Mutex: its waiting happens within Swift's library, where ThreadSanitizer does not see it and reports a race.
        final class Arrivals: Sendable {
            let count = Atomic(0)
        }
        let pool = try WorkerPool(workerCount: workers)
        for _ in 0..<20 {
            let arrivals = (0..<50).map { _ in Arrivals() }
            pool.run { worker in
                for phase in arrivals {
                    phase.count.add(1, ordering: .relaxed)
                    worker.wait()
                    #expect(phase.count.load(ordering: .relaxed) == workers)
                }
            }
        }
    }

    @Test(arguments: [1, 2, 3, 8], [0, 1, 10, 16, 64, 100, 1024])
    func `tiles cover a matrix once`(workers: Int, columns: Int) {
        var covered = [Int](repeating: 0, count: 5 * columns)
        for worker in 0..<workers {
            let worker = Worker(index: worker, count: workers, barrier: Barrier(count: 1))
            let tile = Partition.tiles.tile(of: worker, rowCount: 5, columnCount: columns)
            for row in tile.rows { for column in tile.columns { covered[row * columns + column] += 1 } }
        }
        #expect(covered.allSatisfy { $0 == 1 })
    }

    @Test func `the settings called gathered are gathered, and others are not`() throws {
        for setting in GradientTests.settings {
            let model = try Model(input: setting.input, layers: setting.layers)
            let gathers = model.layers.contains { placed in
                (placed.layer as? Conv2D)?.gathersExamples(from: placed.input, to: placed.output) ?? false
            }
            if setting.name.hasPrefix("gathered") { #expect(gathers, "\(setting.name)") }
            if setting.name == "convolution same" { #expect(!gathers) }
        }
    }

    @Test(arguments: [1, 2, 10, 1000], [1, 3, 100, 100_000])
    func `a layer with one row an example is never formed`(units: Int, length: Int) {
        let dense = LinearGradient(
            rowCount: 1, sourceCount: 1, sourceLength: length, sourcesPerRow: 1, unitCount: units, groupCount: 1)
        for estimator in GradientEstimator.allCases {
            #expect(dense.way(estimator, outputGradientIsSparse: true) == .multiplied)
        }
    }

    static func apply(_ function: (UnsafeMutablePointer<Float>?, Int) -> Void, to values: [Float]) -> [Float] {
        var copy = values
        copy.withUnsafeMutableBufferPointer { function($0.baseAddress, $0.count) }
        return copy
    }

    static let values: [Float] =
        stride(from: -20, through: 20, by: 0.0173).map { Float($0) } + [
            0, -0.0, 1e-30, -1e-6, 88, -88, 200, -200, 3e38, -3e38,
        ]

    @Test func `activations are the functions of their names`() {
        for (x, y) in zip(Self.values, Self.apply(cvm_tanh, to: Self.values)) {
            #expect(agree(Double(y), tanh(Double(x)), absolute: 0, relative: 5e-7), "tanh(\(x))")
        }
        for (x, y) in zip(Self.values, Self.apply(cvm_sigmoid, to: Self.values)) where x > -87 {
            #expect(agree(Double(y), 1 / (1 + exp(-Double(x))), absolute: 0, relative: 5e-7), "sigmoid(\(x))")
        }
        for (x, y) in zip(Self.values, Self.apply(cvm_silu, to: Self.values)) where x > -87 {
            #expect(agree(Double(y), Double(x) / (1 + exp(-Double(x))), absolute: 0, relative: 5e-7), "silu(\(x))")
        }
        for (x, y) in zip(Self.values, Self.apply(cvm_gelu, to: Self.values)) {
            let expected = Double(x) * 0.5 * erfc(-Double(x) / 2.0.squareRoot())
            #expect(agree(Double(y), expected, absolute: 5e-7, relative: 5e-7), "gelu(\(x))")
        }
        for (x, y) in zip(Self.values, Self.apply(cvm_relu, to: Self.values)) { #expect(y == max(x, 0)) }
        for function in [cvm_tanh, cvm_sigmoid, cvm_relu, cvm_silu, cvm_gelu] {
            #expect(Self.apply(function, to: [.nan])[0].isNaN)
            let limits = Self.apply(function, to: [.infinity, -.infinity])
            #expect(!limits[0].isNaN && !limits[1].isNaN)
        }
    }

    /// Lengths around the blocks in which the loops sum.
    @Test(arguments: [0, 1, 15, 511, 512, 513, 5000])
    func `sums are those of Double`(count: Int) {
        var random = RandomStream(seed: 2, purpose: .shuffling, index: 0)
        let x = (0..<count).map { _ in Float(random.nextNormal()) }
        let squaredNorm = x.reduce(0.0) { $0 + Double($1) * Double($1) }
        #expect(agree(cvm_squared_norm(x, count), squaredNorm, relative: 1e-6))
        #expect(agree(cvm_sum(x, count), x.reduce(0.0) { $0 + Double($1) }, absolute: 1e-3))
        var sum = [Float](repeating: 1, count: count)
        #expect(agree(cvm_add_with_squared_norm(&sum, x, count), squaredNorm, relative: 1e-6))
        #expect(sum == x.map { $0 + 1 })
        var scaled = x
        #expect(agree(cvm_scale_with_squared_norm(&scaled, 0.5, count), squaredNorm / 4, relative: 1e-6))
        #expect(scaled == x.map { $0 * 0.5 })
        var weights = [Float](repeating: 2, count: count)
        let norm = cvm_descend(&weights, x, 0.5, 0.1, 0.01, count)
        #expect(agree(norm, squaredNorm / 4, relative: 1e-6))
        for (weight, gradient) in zip(weights, x) {
            #expect(agree(Double(weight), 2 - 0.1 * (Double(gradient) * 0.5 + 0.01 * 2), relative: 1e-6))
        }
    }

    @Test(arguments: [(1, 1), (3, 40), (17, 16), (40, 33)])
    func `a transposed product comes into row order with its bias`(rows: Int, units: Int) {
        let source = (0..<(rows * units)).map { Float($0) }
        let bias = (0..<units).map { Float($0) * 0.5 }
        let stride = units + 3
        var destination = [Float](repeating: -1, count: rows * stride)
        cvm_transpose_adding_bias(&destination, stride, source, bias, rows, units)
        for row in 0..<rows {
            for unit in 0..<stride {
                let expected = unit < units ? source[unit * rows + row] + bias[unit] : -1
                #expect(destination[row * stride + unit] == expected)
            }
        }
    }

    static func evaluate(_ loss: Loss, _ output: [Float], _ target: [Float]) -> (loss: Double, gradient: [Float]) {
        var gradient = [Float](repeating: 0, count: output.count)
        let value = output.withUnsafeBufferPointer { output in
            target.withUnsafeBufferPointer { target in
                gradient.withUnsafeMutableBufferPointer {
                    loss.evaluate(output: output, target: .values(target), gradient: $0)
                }
            }
        }
        return (value, gradient)
    }

    @Test func `losses of extreme outputs are finite, of broken ones not`() {
        for loss in [Loss.softmaxCrossEntropy, .sigmoidCrossEntropy] {
            let (value, gradient) = Self.evaluate(loss, [1000, -1000, 0], [0, 1, 0])
            #expect(value.isFinite && value > 100)
            let isFinite = gradient.allSatisfy(\.isFinite)
            #expect(isFinite)
        }
        for loss in Loss.allCases {
            #expect(!Self.evaluate(loss, [.nan, 0, 1], [0, 1, 0]).loss.isFinite)
            #expect(!Self.evaluate(loss, [0, .nan, 1], [0, 1, 0]).loss.isFinite)
        }
    }
}
