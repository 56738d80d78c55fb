import Foundation

extension URL {
    /// A place as a person writes it: `~/` stands for the home folder also where no shell has replaced it, as behind `--data=` or in a
    /// file; a relative path begins at the working folder.
    public init(userPath path: String) {
        if path == "~" || path.hasPrefix("~/") {
            self = URL.home.appending(path: path.dropFirst(2))
        } else {
            self.init(filePath: path)
        }
    }

    /// The home folder: that of the environment, which counts before the system's word for the user, as for all programs.
    static var home: URL {
        let path = ProcessInfo.processInfo.environment["HOME"] ?? ""
        return path.isEmpty ? FileManager.default.homeDirectoryForCurrentUser : URL(filePath: path)
    }
}
