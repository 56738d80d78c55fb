import CThreads
import Foundation

/// The processors that this process may use: those that it is bound to, and no more than its control groups grant time for.
public enum AvailableProcessors {
    /// Their number, at least one.
    public static let count = max(1, min(numbers.count, quota ?? .max))

    /// The system's numbers of those that the process is bound to, all of the machine's where it is not bound.
    public static let numbers: [Int] = {
        let count = cthreads_affinity(nil, 0)
        guard count > 0 else { return Array(0..<ProcessInfo.processInfo.activeProcessorCount) }
        var numbers = [Int32](repeating: 0, count: Int(count))
        cthreads_affinity(&numbers, count)
        return numbers.map(Int.init)
    }()

    /// The time that the process's control groups grant it, as a number of processors, rounded up; nothing where they set no limit.
    public static let quota: Int? = controlGroupCount(root: URL(filePath: "/"))

    /// The smallest quota of processor time among the process's control groups and those above them, as a number of processors,
    /// rounded up. Nothing where none is set.
    ///
    /// - Parameter root: The folder in which `proc` and `sys` lie.
    static func controlGroupCount(root: URL) -> Int? {
        let membership = (try? String(contentsOf: root.appending(path: "proc/self/cgroup"), encoding: .utf8)) ?? ""
        let quotas = membership.split(separator: "\n").flatMap { line -> [Double] in
            // Number, controllers and path: of version 2 without controllers, of version 1 with them.
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 3 else { return [] }
            if parts[1].isEmpty {
                return hierarchies(["", "unified"], in: root, parts[2]).compactMap(quotaOfVersion2)
            }
            guard parts[1].split(separator: ",").contains("cpu") else { return [] }
            return hierarchies([parts[1], "cpu"], in: root, parts[2]).compactMap(quotaOfVersion1)
        }
        return quotas.min().map { max(1, Int(min($0.rounded(.up), 1e6))) }
    }

    /// The folders of a group and all above it, in each of some places where its hierarchy may be mounted.
    ///
    /// Within a container the path may be one that only the outside knows; the folders that are there then begin at the top.
    private static func hierarchies(_ mounts: [String], in root: URL, _ path: String) -> [URL] {
        mounts.flatMap { mount -> [URL] in
            var folder = root.appending(path: "sys/fs/cgroup").appending(path: mount)
            var folders = [folder]
            for part in path.split(separator: "/") where part != ".." {
                folder.append(path: part)
                folders.append(folder)
            }
            return folders
        }
    }

    /// `cpu.max`: microseconds of time in each period, or `max`, and the period.
    private static func quotaOfVersion2(_ group: URL) -> Double? {
        let values = words(group.appending(path: "cpu.max"))
        return values.count == 2 ? quota(values[0], values[1]) : nil
    }

    /// The same in two files; a quota of -1 is none.
    private static func quotaOfVersion1(_ group: URL) -> Double? {
        guard let quota = words(group.appending(path: "cpu.cfs_quota_us")).first,
            let period = words(group.appending(path: "cpu.cfs_period_us")).first
        else { return nil }
        return self.quota(quota, period)
    }

    private static func quota(_ time: String, _ period: String) -> Double? {
        guard let time = Double(time), let period = Double(period), time > 0, period > 0, time.isFinite else {
            return nil
        }
        return time / period
    }

    private static func words(_ file: URL) -> [String] {
        let text = try? String(contentsOf: file, encoding: .utf8)
        return (text ?? "").split(whereSeparator: \.isWhitespace).map(String.init)
    }
}
