import Testing

@testable import CABSRanks

@Suite(.timeLimit(.minutes(10))) struct LauncherTests {
    @Test(arguments: [
        (["OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "2", "PMIX_RANK": "2"], "Open MPI's mpirun", 4, 2),
        (["PMI_SIZE": "3", "PMI_RANK": "0"], "a launcher of the MPICH family", 3, 0),
        (["SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "7"], "srun", 8, 7),
        (["PMIX_RANK": "1"], "a PMIx launcher", nil, 1),
    ])
    func `a launcher is told by its variables`(
        environment: [String: String], name: String, count: Int?, rank: Int?
    ) throws {
        let launcher = try #require(Launcher(environment: environment))
        #expect((launcher.name, launcher.count, launcher.rank) == (name, count, rank))
    }

    @Test(arguments: [
        [:], ["OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0", "PMIX_RANK": "0"],
        // A batch script, which nobody started as one of several.
        ["SLURM_NTASKS": "8", "SLURM_PROCID": "0"],
    ])
    func `a process that is alone has none`(environment: [String: String]) {
        #expect(Launcher(environment: environment) == nil)
        #expect(!MPIRanks.Choice.automatic.joins(environment: environment))
    }

    @Test func `N runs of one process are refused`() throws {
        let launcher = try #require(Launcher(environment: ["PMI_SIZE": "4", "PMI_RANK": "0"]))
        #expect(throws: RankError.self) { try launcher.check(rank: 0, count: 1, library: "Open MPI v4.1.4") }
        try launcher.check(rank: 0, count: 4, library: "MPICH Version: 4.0.2")
        // A launcher that does not say how many.
        let silent = try #require(Launcher(environment: ["PMIX_RANK": "1"]))
        #expect(throws: RankError.self) { try silent.check(rank: 0, count: 1, library: "MPICH Version: 4.0.2") }
        try silent.check(rank: 1, count: 2, library: "Open MPI v5.0.11")
    }

    @Test func `a library's family is told by what it calls itself`() {
        typealias Library = MPILibrary
        #expect(Library.family(version: "Open MPI v4.1.4, package: Debian OpenMPI", fileName: "libmpi.so") == .openMPI)
        #expect(Library.family(version: "MPICH Version:\t4.0.2", fileName: "libmpich.so.12") == .mpich)
        #expect(Library.family(version: "Intel(R) MPI Library 2021.19", fileName: "/opt/libmpi.so.12") == .mpich)
        #expect(Library.family(version: "MVAPICH Version: 3.0", fileName: "libmpi.so.12") == .mpich)
        #expect(Library.family(version: "MPICH Version: 5.0.2", fileName: "/opt/libmpi_abi.so.0") == .standard)
        #expect(Library.family(version: "HP MPI 2.3", fileName: "libmpi.so") == nil)
    }

    @Test func `the library of the launcher's family is tried first`() {
        #expect(MPILibrary.candidates(for: .mpich).first == "libmpich.so.12")
        #expect(MPILibrary.candidates(for: .openMPI).first == "libmpi.so.40")
        #expect(Set(MPILibrary.candidates(for: .mpich)) == Set(MPILibrary.candidates(for: nil)))
    }
}
