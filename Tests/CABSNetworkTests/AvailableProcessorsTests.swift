import Foundation
import Testing

@testable import CABSNetwork

/// Processors counted from the files of control groups, in a folder made for each test.
@Suite(.timeLimit(.minutes(10))) struct AvailableProcessorsTests {
    static func count(_ files: [String: String]) throws -> Int? {
        let root = FileManager.default.temporaryDirectory.appending(path: "cabs-tests-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        for (path, text) in files {
            let file = root.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
        }
        return AvailableProcessors.controlGroupCount(root: root)
    }

    static let v2 = "proc/self/cgroup"

    @Test(arguments: [
        ("200000 100000\n", 2), ("150000 100000", 2), ("100001 100000", 2), ("50000 100000\n", 1), ("1000 100000", 1),
        ("800000 50000", 16),
    ])
    func `version 2, rounded up`(quota: String, expected: Int) throws {
        let files = [Self.v2: "0::/work/job\n", "sys/fs/cgroup/work/job/cpu.max": quota]
        #expect(try Self.count(files) == expected)
    }

    @Test func `the smallest quota on the way to the top counts`() throws {
        var files = [
            Self.v2: "0::/a/b/c\n", "sys/fs/cgroup/a/cpu.max": "300000 100000",
            "sys/fs/cgroup/a/b/cpu.max": "max 100000",
            "sys/fs/cgroup/a/b/c/cpu.max": "700000 100000",
        ]
        #expect(try Self.count(files) == 3)
        files["sys/fs/cgroup/cpu.max"] = "100000 100000"
        #expect(try Self.count(files) == 1)
    }

    @Test func `without a quota there is no bound`() throws {
        #expect(try Self.count([:]) == nil)
        #expect(try Self.count([Self.v2: "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"]) == nil)
        #expect(
            try Self.count([
                Self.v2: "4:cpu,cpuacct:/\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
            ]) == nil)
    }

    @Test func `version 1, by either name of the folder`() throws {
        for mount in ["cpu,cpuacct", "cpu"] {
            let group = "sys/fs/cgroup/\(mount)/docker/abc"
            #expect(
                try Self.count([
                    Self.v2: "11:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n0::/docker/abc\n",
                    "\(group)/cpu.cfs_quota_us": "350000\n", "\(group)/cpu.cfs_period_us": "100000\n",
                ]) == 4)
        }
    }

    @Test func `both versions at once`() throws {
        #expect(
            try Self.count([
                Self.v2: "3:cpu:/x\n0::/y\n", "sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "400000",
                "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000", "sys/fs/cgroup/unified/y/cpu.max": "200000 100000",
            ]) == 2)
    }

    @Test(arguments: ["/docker/0123/inner", "/../../elsewhere", "/"])
    func `in a container its own group stands at the top`(path: String) throws {
        #expect(try Self.count([Self.v2: "0::\(path)\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"]) == 2)
    }

    @Test(arguments: ["", "max", "abc def", "100000 0", "-5 100000", "nan 100000", "100000", "1 2 3", "1e400 1"])
    func `what makes no sense sets no bound`(text: String) throws {
        #expect(try Self.count([Self.v2: "0::/\nnonsense\n", "sys/fs/cgroup/cpu.max": text]) == nil)
    }

    @Test func `this machine has at least one, and no more than all`() {
        #expect((1...ProcessInfo.processInfo.processorCount).contains(AvailableProcessors.count))
    }
}
