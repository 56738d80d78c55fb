import CABSNetwork
import CABSPrimitives
import Foundation

/// One rank of a run: where it works, and with what.
public struct RankMember: Codable, Sendable, Equatable {
    /// The host's name.
    public let host: String
    /// The number of threads that it computes with.
    public internal(set) var workers = 0
    /// The numbers of the processors that it may use.
    public let processors: [Int]
    /// The largest instruction set of its processor.
    public let instructionSet: String
    /// The version of oneDNN.
    public let oneDNN: String
    /// What sets the kernel that runs it apart from others: ranks on one share its processors, whatever their hosts are called.
    let kernel: String
    /// How many processors' time it is granted.
    let quota: Int?

    private enum CodingKeys: String, CodingKey {
        case host, workers, processors, quota, kernel
        case instructionSet = "instruction_set"
        case oneDNN = "onednn"
    }

    init(
        host: String, processors: [Int], quota: Int? = nil, kernel: String, instructionSet: String = "avx2",
        oneDNN: String = ""
    ) {
        (self.host, self.processors, self.quota, self.kernel) = (host, processors, quota, kernel)
        (self.instructionSet, self.oneDNN) = (instructionSet, oneDNN)
    }

    /// This process, as long as nothing is known of others.
    static func own() -> RankMember {
        let host = ProcessInfo.processInfo.hostName
        let kernel = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
        return RankMember(
            host: host, processors: AvailableProcessors.numbers, quota: AvailableProcessors.quota,
            kernel: kernel?.trimmingCharacters(in: .whitespacesAndNewlines) ?? host,
            instructionSet: InstructionSet.available().rawValue, oneDNN: OneDNN.version)
    }

    /// All ranks with the workers that they have where nothing else is asked for: of every processor as large a part as there are ranks that may
    /// use it, and no more in all than the hosts grant time for.
    static func withShares(_ members: [RankMember]) -> [RankMember] {
        members.map { member in
            let neighbours = members.filter { $0.kernel == member.kernel }
            let share = member.processors.reduce(0.0) { sum, processor in
                sum + 1 / Double(neighbours.count { $0.processors.contains(processor) })
            }
            // Where several ranks are under one quota, they have it together.
            let granted = member.quota.map { Double($0) / Double(neighbours.count { $0.quota != nil }) } ?? .infinity
            let most = Double(EngineError.workerCounts.upperBound)
            var member = member
            member.workers = max(1, Int(min(share + 1e-9, granted + 1e-9, most).rounded(.down)))
            return member
        }
    }
}
