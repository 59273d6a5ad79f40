import Glibc

/// The processors that this process may use: those of its affinity mask, but no more than its control group's quota
/// (`cpu.max` of cgroup v2, https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files), rounded up.
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
        let lines = (readSmallFile(membership) ?? "").split(separator: "\n")
        var path = lines.first { $0.hasPrefix("0::") }.map { String($0.dropFirst(3)) } ?? "/"
        var least: Int?
        while true {
            if let text = readSmallFile("\(root)\(path == "/" ? "" : path)/cpu.max"), let quota = parse(text) {
                least = min(least ?? quota, quota)
            }
            guard path != "/", let slash = path.lastIndex(of: "/") else { return least }
            path = slash == path.startIndex ? "/" : String(path[..<slash])
        }
    }

    /// Reads a quota: `150000 100000` is 1.5 processors, rounded up to 2; `max 100000` is no limit.
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
