import CBuild
import CResources
import KernelSelection

/// The output of `--version`: the release, the commit it was built from, and the kernel tables of this machine.
enum Version {
    static let current = ENCODERD_VERSION

    /// The abbreviated commit; `nil` if the build did not know it.
    static var commit: String? {
        let text = String(cString: encoderd_commit())
        return text.isEmpty ? nil : text
    }

    static var text: String {
        let used = try? KernelSelection.select(ProcessEnvironment["ENCODERD_ISA"]).name
        let tables = KernelSelection.variants.map { $0.name == used ? "\($0.name) (in use)" : $0.name }
        return """
            encoderd \(current)\(commit.map { ", commit \($0)" } ?? "")
            kernel tables of this machine: \(tables.joined(separator: ", "))
            """
    }
}
