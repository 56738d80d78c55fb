/// What started this process as one of several, by the variables that it left.
struct Launcher: Equatable {
    /// What people call it.
    let name: String
    /// How many processes it started; nothing where it does not say.
    let count: Int?
    /// Which of them this is; nothing where it does not say.
    let rank: Int?
    /// The library that belongs to it, where only one does.
    let family: MPILibrary.Family?

    /// The variables of each launcher: those in front speak for themselves, while later ones may stand beside them.
    private static let known: [(name: String, count: String?, rank: String, family: MPILibrary.Family?)] = [
        ("Open MPI's mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", .openMPI),
        ("MVAPICH's launcher", "MV2_COMM_WORLD_SIZE", "MV2_COMM_WORLD_RANK", .mpich),
        ("a launcher of the MPICH family", "PMI_SIZE", "PMI_RANK", .mpich),
        ("srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID", nil),
        ("a PMIx launcher", nil, "PMIX_RANK", nil),
    ]

    init(name: String, count: Int?, rank: Int?, family: MPILibrary.Family?) {
        self.name = name
        self.count = count
        self.rank = rank
        self.family = family
    }

    /// Finds the launcher; nothing where there was none, or it started this process alone.
    init?(environment: [String: String]) {
        func number(_ variable: String?) -> Int? { variable.flatMap { environment[$0] }.flatMap { Int($0) } }
        for known in Self.known {
            let (count, rank) = (number(known.count), number(known.rank))
            guard known.count == nil ? rank != nil : count != nil else { continue }
            if count == 1 { return nil }
            self.init(name: known.name, count: count, rank: rank, family: known.family)
            return
        }
        return nil
    }

    /// Checks that a library joined as many processes as were started; one that belongs to another launcher leaves each alone.
    ///
    /// - Throws: ``RankError/wrongLauncher(launcher:count:library:found:)``.
    func check(rank foundRank: Int, count foundCount: Int, library: String) throws(RankError) {
        guard count ?? foundCount == foundCount, rank ?? foundRank == foundRank || foundCount > 1 else {
            throw .wrongLauncher(launcher: name, count: count ?? 0, library: library, found: foundCount)
        }
    }
}
