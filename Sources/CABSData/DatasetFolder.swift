import Foundation

/// The files of one folder, by the names that they may have.
///
/// Which file is taken is decided here, for all data sets: the first that can be read of those that are there. Each name may stand for
/// a file, for one compressed by gzip, with `.gz` behind it, or for a folder that holds such a file, as archives unpack.
struct DatasetFolder {
    let url: URL

    /// The files that are there under one of some names, in the order to try them.
    private func candidates(_ names: [String]) -> [URL] {
        names.flatMap { name in
            [name, "\(name).gz", "\(name)/\(name)", "\(name).gz/\(name)"].map { url.appending(path: $0) }
        }.filter(\.isPlainFile)
    }

    /// Whether there is a file under one of some names; whether it is right shows when it is read.
    func holds(_ names: [String]) -> Bool { !candidates(names).isEmpty }

    /// Reads the first file that can be read of those under some names.
    ///
    /// - Throws: What reading the first of them throws; ``DatasetError/missingFile(names:folder:contents:)`` where there is none.
    func read<Value>(
        _ names: [String], _ read: (URL) throws(DatasetError) -> Value
    ) throws(DatasetError) -> Value {
        var first: DatasetError?
        for file in candidates(names) {
            do throws(DatasetError) {
                return try read(file)
            } catch {
                first = first ?? error
            }
        }
        throw first ?? .missingFile(names: names, folder: url.path, contents: contents)
    }

    /// What lies in the folder, in words, as far as a message has place, or what is there in its place; nothing where nothing is.
    var contents: String? {
        guard let names = try? FileManager.default.contentsOfDirectory(atPath: url.path) else {
            guard FileManager.default.fileExists(atPath: url.path) else { return nil }
            return "it is \(FileContent.description(of: url) ?? "a file"), not a folder that can be read"
        }
        if names.isEmpty { return "it is empty" }
        let shown = names.sorted().prefix(4).map { name in
            FileContent.description(of: url.appending(path: name)).map { "\(name) (\($0))" } ?? name
        }
        let rest = names.count - shown.count
        return "it holds \(shown.joined(separator: ", "))" + (rest > 0 ? " and \(rest) more" : "")
    }
}
