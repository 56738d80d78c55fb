import Foundation

/// A `.tar.gz` archive, unpacked by the system's `tar`.
struct Archive: Sendable {
    let file: URL
    /// The files that are wanted of it.
    let members: [DatasetSource.Member]

    /// Whether a folder has all members.
    func isUnpacked(in folder: URL) -> Bool {
        members.allSatisfy { $0.isWhole(in: folder) }
    }

    /// Unpacks, and puts the members into a folder, out of whatever folder the archive has them in.
    func unpack(into folder: URL) throws(FetchError) {
        let workspace = file.appendingPathExtension("unpacked")
        // What a run left that was ended in the midst.
        try? FileManager.default.removeItem(at: workspace)
        defer { try? FileManager.default.removeItem(at: workspace) }
        do {
            try FileManager.default.createDirectory(at: workspace, withIntermediateDirectories: true)
        } catch {
            throw .unwritable(path: workspace.path, reason: error.systemReason)
        }
        try runTar(in: workspace)
        let folders = [workspace] + Self.folders(in: workspace)
        var found: [URL] = []
        for member in members {
            guard let place = folders.first(where: { member.isWhole(in: $0) }) else {
                throw .memberMissing(archive: file.path, member: member.name, byteCount: member.byteCount)
            }
            found.append(place.appending(path: member.name))
        }
        for url in found { try url.store(as: folder.appending(path: url.lastPathComponent)) }
    }

    private func runTar(in workspace: URL) throws(FetchError) {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/env")
        process.arguments = ["tar", "-xzf", file.path, "-C", workspace.path]
        let errors = Pipe()
        process.standardError = errors
        let text: String
        do {
            try process.run()
            text = String(decoding: try errors.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
        } catch {
            throw .notUnpacked(archive: file.path, reason: error.systemReason)
        }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let line = text.split(separator: "\n").first.map(String.init)
            throw .notUnpacked(
                archive: file.path, reason: line ?? "tar ended with the status \(process.terminationStatus)")
        }
    }

    private static func folders(in folder: URL) -> [URL] {
        let contents = try? FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: [.isDirectoryKey])
        return (contents ?? []).filter { (try? $0.resourceValues(forKeys: [.isDirectoryKey]).isDirectory) == true }
    }
}

extension DatasetSource.Member {
    fileprivate func isWhole(in folder: URL) -> Bool {
        let values = try? folder.appending(path: name).resourceValues(forKeys: [.fileSizeKey, .isRegularFileKey])
        return values?.isRegularFile == true && values?.fileSize == byteCount
    }
}
