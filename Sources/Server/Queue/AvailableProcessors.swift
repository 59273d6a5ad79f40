import Glibc

/// The processors that this process may use: those of its affinity mask, but no more than its control group's quota, rounded
/// up. The quota is `cpu.max` of cgroup v2 (https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files), or
/// `cpu.cfs_quota_us` of the controller `cpu` of cgroup v1 (https://docs.kernel.org/scheduler/sched-bwc.html#management).
public enum AvailableProcessors {
    /// The number of processors, at least 1.
    public static var count: Int {
        let status = (readSmallFile("/proc/self/status") ?? "").split(separator: "\n")
        let mask = status.first { $0.hasPrefix("Cpus_allowed:") }?.dropFirst("Cpus_allowed:".count) ?? ""
        let allowed = mask.compactMap(\.hexDigitValue).reduce(0) { $0 + $1.nonzeroBitCount }
        let count = allowed > 0 ? allowed : max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        return max(1, min(count, quota() ?? count))
    }

    /// Returns the smallest quota of this process's control group and its ancestors; `nil` if there is none.
    static func quota(root: String = "/sys/fs/cgroup", membership: String = "/proc/self/cgroup") -> Int? {
        var unified = "/"
        var controller = "/"
        for line in (readSmallFile(membership) ?? "").split(separator: "\n") {
            // HIERARCHY:CONTROLLERS:PATH, where cgroup v2 has the hierarchy 0 and no controllers.
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3 else { continue }
            if parts[0] == "0", parts[1].isEmpty { unified = String(parts[2]) }
            if parts[1].split(separator: ",").contains("cpu") { controller = String(parts[2]) }
        }
        let quotas = [
            leastQuota(from: unified) { readSmallFile("\(root)\($0)/cpu.max") },
            leastQuota(from: controller) { path in
                let folder = "\(root)/cpu\(path)"
                guard let quota = readSmallFile(folder + "/cpu.cfs_quota_us"),
                    let period = readSmallFile(folder + "/cpu.cfs_period_us")
                else { return nil }
                return quota + " " + period
            },
        ]
        return quotas.compactMap(\.self).min()
    }

    /// Returns the smallest quota of a control group and its ancestors; `nil` if there is none.
    /// - Parameter read: returns the quota and the period of a group, whose path is empty for the root.
    private static func leastQuota(from path: String, _ read: (_ path: String) -> String?) -> Int? {
        var path = path == "/" ? "" : path
        var least: Int?
        while true {
            if let quota = read(path).flatMap(parse) { least = min(least ?? quota, quota) }
            guard let slash = path.lastIndex(of: "/") else { return least }
            path = String(path[..<slash])
        }
    }

    /// Reads a quota: `150000 100000` is 1.5 processors, rounded up to 2; `max 100000` and `-1 100000` are no limit.
    static func parse(_ text: String) -> Int? {
        let parts = text.split { $0 == " " || $0 == "\n" }
        guard parts.count == 2, let quota = Double(parts[0]), let period = Double(parts[1]), period > 0, quota > 0,
            quota.isFinite
        else { return nil }
        return Int(min((quota / period).rounded(.up), 65_536))
    }
}

/// Reads the first 64 KiB of a file of /proc or /sys; returns `nil` if it cannot be read.
func readSmallFile(_ path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    let count = read(descriptor, &bytes, bytes.count)
    return count < 0 ? nil : String(decoding: bytes[..<count], as: UTF8.self)
}
