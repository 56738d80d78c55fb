import CABSData
import CABSNetwork
import CABSPrimitives
import CABSRanks
import Foundation

/// The ranks that make a run together, once they know that they mean the same run.
public struct RankTeam: Sendable {
    /// The way to the others.
    public let communicator: Communicator
    /// How gradients are exchanged.
    public let exchange: GradientExchange
    /// All ranks.
    public private(set) var members: [RankMember]
    /// Whether this is the rank that writes the run's folder.
    public var isFirst: Bool { communicator.isFirst }

    /// Meets the other ranks, before anything is read. Collective.
    ///
    /// Where their processors differ, all compute with the instructions of the least: parameters then lie alike in memory, and as each
    /// step lasts as long as on the slowest rank, little is lost.
    ///
    /// - Parameters:
    ///   - communicator: The way to the others.
    ///   - exchange: How gradients are exchanged.
    ///   - options: The options that this rank was given.
    ///   - version: The version of the program.
    /// - Throws: ``TrainingError/ranksDiffer(rank:host:field:own:first:)``, and what communication throws.
    public init(
        _ communicator: Communicator, exchange: GradientExchange = .automatic,
        options: TrainingOptions = TrainingOptions(),
        version: String = ""
    ) throws {
        self.communicator = communicator
        self.exchange = exchange
        var facts = [Fact("version of cabs", version), Fact("exchange", exchange.rawValue)]
        facts += try options.values().filter { !Self.optionsOfRanks.contains($0.key) }.sorted { $0.key < $1.key }
            .map { Fact($0.key, "\($0.value)") }
        members = RankMember.withShares(try communicator.gather(RankMember.own()))
        try Self.compare(facts, members, communicator)
        let sets = members.map { member in InstructionSet.allCases.firstIndex { $0.rawValue == member.instructionSet }!
        }
        guard let least = sets.min(), sets.contains(where: { $0 != least }) else { return }
        let set = InstructionSet.allCases[least]
        guard set.limitEngine() else {
            throw TrainingError.contradiction(
                "the ranks' processors differ, and oneDNN cannot be limited to \(set.rawValue) any more; set DNNL_MAX_CPU_ISA on all ranks"
            )
        }
    }

    /// Options that each rank has its own values of.
    static let optionsOfRanks: Set = ["data", "cache-images", "initial-parameters", "workers"]

    /// The team with the workers of one run: on each rank as many as its options of that run ask for, or its share. Collective.
    func withWorkers(_ asked: Int?) throws -> RankTeam {
        var team = self
        for (rank, count) in try communicator.gather(asked).enumerated() {
            if let count { team.members[rank].workers = count }
        }
        return team
    }

    /// This rank's number of workers.
    var workerCount: Int { members[communicator.rank].workers }

    /// Compares data and first parameters. Collective; it waits as long as the slowest rank needs to read its data.
    ///
    /// - Throws: ``TrainingError/ranksDiffer(rank:host:field:own:first:)``, and what communication throws.
    func compare(_ data: DataFingerprint, _ parameters: ParameterSet) throws {
        let facts = [
            Fact("data", "\(data)"), Fact("first parameters, by checksum,", Safetensors.checksum(parameters)),
        ]
        try Self.compare(facts, members, communicator, isLimited: false)
    }

    /// Something that must be the same on all ranks.
    private struct Fact: Codable, Equatable {
        let field: String
        let value: String

        init(_ field: String, _ value: String) { (self.field, self.value) = (field, value) }
    }

    /// Compares all ranks' facts with the first one's. All ranks find the same difference.
    private static func compare(
        _ facts: [Fact], _ members: [RankMember], _ communicator: Communicator, isLimited: Bool = true
    ) throws {
        let all = try communicator.gather(facts, isLimited: isLimited)
        func value(_ field: String, of rank: Int) -> String {
            all[rank].first { $0.field == field }?.value ?? "nothing"
        }
        for rank in all.indices {
            for field in (all[0] + all[rank]).map(\.field) where value(field, of: rank) != value(field, of: 0) {
                throw TrainingError.ranksDiffer(
                    rank: rank, host: members[rank].host, field: field, own: value(field, of: rank),
                    first: value(field, of: 0))
            }
        }
    }

    /// Gives every rank what the first one has. Collective.
    ///
    /// - Parameter value: Asked of the first rank alone.
    public func broadcast<Value: Codable>(_ value: @autoclosure () throws -> Value) throws -> Value {
        let data = try communicator.broadcast(try JSONEncoder().encode([value()]))
        return try JSONDecoder().decode([Value].self, from: data)[0]
    }
}

extension RankTeam? {
    /// Whether this process writes files and speaks to people: the first of several ranks, or one that is alone.
    public var isFirst: Bool { self?.isFirst ?? true }
}
