import CABSTraining
import Foundation

/// The times of one network's steps, and what shows that they did the work.
struct StepTimings {
    /// Why steps are not worth timing.
    private enum Failure: Error, CustomStringConvertible {
        case updateNotMade(step: Int, loss: Double)

        var description: String {
            switch self {
            case .updateNotMade(let step, let loss):
                "the loss is \(loss) at step \(step), which makes no update; a benchmark needs a model that trains on noise"
            }
        }
    }

    /// The losses of the first two steps: equal ones are a sign of equal outputs, and of equal updates.
    private(set) var firstLosses: [Double] = []
    /// The second moment of the gradients in the first step; nothing where it was not measured.
    private(set) var secondMoment: Double?
    private var stepCount = 0
    private var milliseconds: [Double] = []
    private var phaseSeconds: [[StepPhase: Double]] = []

    /// Makes a step.
    ///
    /// - Throws: What `step` does, and an error of its own where the step was not sound.
    mutating func add(isTimed: Bool, _ step: () throws -> StepReport) throws {
        let clock = ContinuousClock()
        let start = clock.now
        let report = try step()
        let time = clock.now - start
        guard report.isSound else {
            throw Failure.updateNotMade(step: stepCount, loss: report.statistics.meanLoss)
        }
        if firstLosses.count < 2 { firstLosses.append(report.statistics.meanLoss) }
        if stepCount == 0, report.statistics.secondMoment.isFinite { secondMoment = report.statistics.secondMoment }
        stepCount += 1
        if isTimed {
            milliseconds.append(time / .milliseconds(1))
            phaseSeconds.append(report.phaseSeconds)
        }
    }

    /// The time of a step: the median, in milliseconds.
    var medianMilliseconds: Double { Self.median(milliseconds) }

    /// The time of each phase: the median, in milliseconds.
    var phaseMilliseconds: [(phase: StepPhase, time: Double)] {
        StepPhase.allCases.map { phase in (phase, Self.median(phaseSeconds.map { $0[phase]! * 1e3 })) }
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
}

/// The figures of one model, batch size and variant.
struct BenchmarkResult {
    let model: String
    let batchSize: Int
    let estimator: String
    let workers: Int
    let warmUp: Int
    let repeats: Int
    let timings: StepTimings
    let operationsPerExample: Int
    let showsPhases: Bool
    /// The rate of the matrix product in operations a second, where it was measured.
    let roofline: Double?
    /// The memory of the batch's images and classes, which the network does not need.
    let batchBytes: Int
    /// The largest resident size of this process so far, in bytes.
    let peakMemory = Self.measurePeakMemory()

    private var milliseconds: Double { timings.medianMilliseconds }
    private var examplesPerSecond: Double { Double(batchSize) / milliseconds * 1e3 }
    private var nominalGigaflops: Double { examplesPerSecond * Double(operationsPerExample) * 1e-9 }

    /// The keys and values of a line of JSON.
    private struct Line: Encodable {
        let model: String
        let batchSize: Int
        let estimator: String
        let workers: Int
        let warmUp: Int
        let repeats: Int
        let millisecondsPerStep: Double
        let examplesPerSecond: Double
        let nominalGigaflops: Double
        let firstLosses: [Double]
        let secondMoment: Double?
        let peakMemoryBytes: Int
        let batchBytes: Int
        let instructionSet: String
        let onednn: String
        let rooflineGigaflops: Double?
        let phaseMilliseconds: [String: Double]?
    }

    /// As a line of JSON, which peers print too.
    ///
    /// - Throws: An encoding error, which only a defect of this type can cause.
    func json() throws -> String {
        let phases = timings.phaseMilliseconds.map { ("\($0.phase)", $0.time) }
        let line = Line(
            model: model, batchSize: batchSize, estimator: estimator, workers: workers, warmUp: warmUp,
            repeats: repeats,
            millisecondsPerStep: milliseconds, examplesPerSecond: examplesPerSecond,
            nominalGigaflops: nominalGigaflops, firstLosses: timings.firstLosses,
            secondMoment: timings.secondMoment, peakMemoryBytes: peakMemory,
            batchBytes: batchBytes, instructionSet: InstructionSet.effective.rawValue, onednn: OneDNN.version,
            rooflineGigaflops: roofline.map { $0 * 1e-9 },
            phaseMilliseconds: showsPhases ? Dictionary(uniqueKeysWithValues: phases) : nil)
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(line), as: UTF8.self)
    }

    /// What stands above ``line``.
    static let header =
        "model                   batch  estimator  workers    ms/step  examples/s  nominal GFLOP/s  peak MB"

    /// As a line of a table, with more lines below for the phases and the matrix product.
    var line: String {
        var text =
            Self.padded(model, to: 22) + String(format: "%7d  ", batchSize) + Self.padded(estimator, to: 9)
            + String(
                format: "%9d %10.3f %11.0f %16.0f %8.0f", workers, milliseconds, examplesPerSecond, nominalGigaflops,
                Double(peakMemory) / 1e6)
        if showsPhases {
            for (phase, time) in timings.phaseMilliseconds {
                text += "\n    \(Self.padded("\(phase)", to: 16))"
                text += String(format: " %10.3f ms %5.1f %%", time, time / milliseconds * 100)
            }
        }
        if let roofline { text += String(format: "\n    matrix product   %10.0f GFLOP/s", roofline * 1e-9) }
        return text
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(width - text.count, 0))
    }

    private static func measurePeakMemory() -> Int {
        var usage = rusage()
        #if os(Linux)
            getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
            return usage.ru_maxrss * 1024
        #else
            getrusage(RUSAGE_SELF, &usage)
            return usage.ru_maxrss
        #endif
    }
}
