@preconcurrency import Glibc

/// The environment variables of this process.
enum ProcessEnvironment {
    /// The value of a variable; `nil` if it is not set.
    static subscript(name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// All variables, by name.
    static var variables: [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let parts = String(cString: entry).split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2 { variables[String(parts[0])] = String(parts[1]) }
            next += 1
        }
        return variables
    }
}
