import Foundation
import Synchronization
import Testing

@testable import CABSData

@Suite(.timeLimit(.minutes(10)), .enabled(if: LocalServer.isPossible, "python3 is not there")) struct FetchTests {
    /// 300,000 bytes, whose checksum is by Python: `hashlib.md5(bytes(i * i % 251 for i in range(300_000)))`.
    static let content = (0..<300_000).map { UInt8($0 * $0 % 251) }
    static let checksum = "574c4a1f42aa2ef0c4440084e5f44b46"

    /// What a fetch reports, and where it puts files.
    struct Client {
        let folder: TemporaryFolder
        let fetcher: DatasetFetcher

        init(
            _ address: String, _ files: [DatasetSource.File] = [.init(name: "a.bin", checksum: checksum)],
            folder: TemporaryFolder? = nil, timeout: Double = 20
        ) throws {
            self.folder = try folder ?? TemporaryFolder()
            fetcher = DatasetFetcher(
                try DatasetSource(baseAddress: address, files: files), into: self.folder.url, timeout: timeout)
        }

        func fetch() async throws(FetchError) -> [DatasetFetcher.Event] {
            let events = Mutex<[DatasetFetcher.Event]>([])
            try await fetcher.fetch { event in events.withLock { $0.append(event) } }
            return events.withLock { $0 }
        }

        var names: [String] {
            get throws { try FileManager.default.contentsOfDirectory(atPath: folder.url.path).sorted() }
        }

        func bytes(_ name: String) throws -> [UInt8] {
            try [UInt8](Data(contentsOf: folder.url.appending(path: name)))
        }
    }

    static func served(_ bytes: [UInt8] = content) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try folder.write(bytes, as: "a.bin")
        return folder
    }

    @Test(arguments: [[], ["--no-length"]])
    func `a file comes whole, and only once`(options: [String]) async throws {
        let server =
            try options.isEmpty ? LocalServer(Self.served()) : LocalServer(Self.served(), options[0])
        let client = try Client(server.address)
        let events = try await client.fetch()
        #expect(events.last == .stored(file: "a.bin"))
        let expected = options.isEmpty ? 300_000 : nil
        #expect(events.contains(.received(file: "a.bin", bytes: 300_000, expectedBytes: expected)))
        #expect(try client.names == ["a.bin"])
        #expect(try client.bytes("a.bin") == Self.content)
        #expect(try await client.fetch() == [.found(file: "a.bin")])
        #expect(server.requests == ["/a.bin None"])
    }

    @Test func `a file of the right name with other content is replaced`() async throws {
        let server = try LocalServer(Self.served())
        let client = try Client(server.address)
        try client.folder.write([1, 2, 3], as: "a.bin")
        _ = try await client.fetch()
        #expect(try client.bytes("a.bin") == Self.content)
    }

    @Test func `a wrong checksum leaves nothing and names both sums`() async throws {
        let server = try LocalServer(Self.served([1, 2, 3]))
        let client = try Client(server.address)
        await #expect(
            throws: FetchError.wrongChecksum(
                address: server.address + "a.bin", expected: Self.checksum, found: "5289df737df57326fcdd22597afb1fac")
        ) { try await client.fetch() }
        #expect(try client.names.isEmpty)
    }

    @Test func `a cut connection is told, and the next run goes on from there`() async throws {
        let server = try LocalServer(Self.served(), "--cut", "100000")
        let client = try Client(server.address)
        let error = await #expect(throws: FetchError.self) { try await client.fetch() }
        guard case .cut(_, 100_000, 300_000, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try client.names == ["a.bin.part"])
        let events = try await client.fetch()
        #expect(server.requests == ["/a.bin None", "/a.bin bytes=100000-"])
        #expect(events.contains(.received(file: "a.bin", bytes: 300_000, expectedBytes: 300_000)))
        #expect(try client.names == ["a.bin"])
        #expect(try client.bytes("a.bin") == Self.content)
    }

    @Test func `a server that gives no parts starts anew`() async throws {
        let server = try LocalServer(Self.served(), "--ignore-range")
        let client = try Client(server.address)
        try client.folder.write([UInt8](repeating: 9, count: 70_000), as: "a.bin.part")
        let events = try await client.fetch()
        #expect(server.requests == ["/a.bin bytes=70000-"])
        #expect(events.contains(.received(file: "a.bin", bytes: 300_000, expectedBytes: 300_000)))
        #expect(try client.bytes("a.bin") == Self.content)
    }

    @Test func `a part that is whole is only checked`() async throws {
        let server = try LocalServer(Self.served())
        let client = try Client(server.address)
        try client.folder.write(Self.content, as: "a.bin.part")
        _ = try await client.fetch()
        #expect(server.requests == ["/a.bin bytes=300000-"])
        #expect(try client.names == ["a.bin"])
        // And one that is longer is thrown away.
        let other = try Client(server.address)
        try other.folder.write(Self.content + [1], as: "a.bin.part")
        await #expect(throws: FetchError.self) { try await other.fetch() }
        #expect(try other.names.isEmpty)
    }

    @Test func `a file that is not there is told by its status`() async throws {
        let server = try LocalServer(TemporaryFolder())
        let client = try Client(server.address)
        await #expect(throws: FetchError.refused(address: server.address + "a.bin", status: 404)) {
            try await client.fetch()
        }
        #expect(try client.names.isEmpty)
    }

    @Test func `a server that falls silent is left`() async throws {
        let server = try LocalServer(Self.served(), "--stall", "100000")
        let client = try Client(server.address, timeout: 1)
        let error = await #expect(throws: FetchError.self) { try await client.fetch() }
        guard case .cut(_, 100_000, 300_000, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
    }

    @Test func `no server is told from a broken connection`() async throws {
        let client = try Client("http://127.0.0.1:1/")
        let error = await #expect(throws: FetchError.self) { try await client.fetch() }
        guard case .unreachable("http://127.0.0.1:1/a.bin", _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(try client.names.isEmpty)
    }

    /// Every write to this device finds the disk full.
    static let fullDevice = "/dev/full"

    @Test(.enabled(if: FileManager.default.fileExists(atPath: fullDevice), "this system has no /dev/full"))
    func `a full disk is told with the path`() async throws {
        let server = try LocalServer(Self.served())
        let client = try Client(server.address)
        let part = client.folder.url.appending(path: "a.bin.part")
        try FileManager.default.createSymbolicLink(atPath: part.path, withDestinationPath: Self.fullDevice)
        await #expect(throws: FetchError.unwritable(path: part.path, reason: "No space left on device")) {
            try await client.fetch()
        }
        #expect(try !client.names.contains("a.bin"))
    }

    @Test(arguments: ["", "ftp://here/", "/tmp/", "http:///", "http://"])
    func `only web addresses are taken`(address: String) {
        #expect(throws: FetchError.invalidAddress(address)) { try DatasetName.mnist.source(mirror: address) }
    }

    // MARK: Archives

    static let members: [DatasetSource.Member] = [.init(name: "one", byteCount: 3), .init(name: "two", byteCount: 4)]

    /// A folder with `set.tar.gz`, which has some of the files in a folder, and its source.
    static func archive(of files: [String: [UInt8]]) throws -> (TemporaryFolder, DatasetSource.File) {
        let folder = try TemporaryFolder()
        let inner = folder.url.appending(path: "inner")
        try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
        for (name, bytes) in files { try folder.write(bytes, as: "inner/\(name)") }
        let file = folder.url.appending(path: "set.tar.gz")
        #expect(try LocalServer.run("tar", ["-czf", file.path, "-C", folder.url.path, "inner"]) == 0)
        return (folder, .init(name: "set.tar.gz", checksum: try FileChecksum.md5(of: file), members: members))
    }

    @Test func `an archive is unpacked, and only once`() async throws {
        let (folder, file) = try Self.archive(of: ["one": [1, 2, 3], "two": [4, 5, 6, 7], "more": [8]])
        let server = try LocalServer(folder)
        let client = try Client(server.address, [file])
        let events = try await client.fetch()
        #expect(events.suffix(2) == [.unpacking(file: "set.tar.gz"), .stored(file: "set.tar.gz")])
        #expect(try client.names == ["one", "two"])
        #expect(try client.bytes("two") == [4, 5, 6, 7])
        #expect(try await client.fetch() == [.found(file: "set.tar.gz")])
        #expect(server.requests.count == 1)
        // A damaged member brings the archive again.
        try client.folder.write([1], as: "one")
        _ = try await client.fetch()
        #expect(try client.bytes("one") == [1, 2, 3])
    }

    @Test(arguments: [["one": [1, 2, 3]], ["one": [1, 2, 3], "two": [4]]] as [[String: [UInt8]]])
    func `an archive that lacks a file, or has it in another size, puts nothing in place`(
        files: [String: [UInt8]]
    ) async throws {
        let (folder, file) = try Self.archive(of: files)
        let server = try LocalServer(folder)
        let client = try Client(server.address, [file])
        let archive = client.folder.url.appending(path: "set.tar.gz").path
        await #expect(throws: FetchError.memberMissing(archive: archive, member: "two", byteCount: 4)) {
            try await client.fetch()
        }
        #expect(try client.names == ["set.tar.gz"])
    }

    @Test func `what is no archive is told by tar's words`() async throws {
        let server = try LocalServer(Self.served())
        let client = try Client(
            server.address, [.init(name: "a.bin", checksum: Self.checksum, members: Self.members)])
        let error = await #expect(throws: FetchError.self) { try await client.fetch() }
        guard case .notUnpacked(_, let reason) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(!reason.isEmpty)
        #expect(try client.names == ["a.bin"])
    }

    @Test func `a set's source has whole checksums`() throws {
        let fetched: Set<DatasetName> = [.mnist, .fashionMNIST, .cifar10, .cifar100, .cifar100Coarse, .svhn]
        for name in DatasetName.allCases {
            let files = try name.source()?.files ?? []
            #expect(files.isEmpty != fetched.contains(name))
            for file in files {
                #expect(file.checksum.count == 32 && file.checksum.allSatisfy(\.isHexDigit))
                #expect(file.members.isEmpty != file.name.hasSuffix(".tar.gz"))
            }
        }
    }
}
