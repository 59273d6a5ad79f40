import Foundation

/// Prints each measurement as it is made: a line of a table, or of JSON.
struct Report {
    let json: Bool
    /// A file that also receives the JSON lines. `nil` if there is none.
    let file: FileHandle?
    /// The name of the table of kernels.
    let table: String

    func peak(_ peak: Double) {
        line(
            "\(table) multiply-add peak \(rounded(peak / 1e9, 1)) GFLOP/s",
            ["kernel": "\"peak\"", "gflop_s": rounded(peak / 1e9, 1)])
    }

    /// - Parameters:
    ///   - name: The kernel.
    ///   - what: The sizes, for people.
    ///   - figures: Names with units, and values.
    func add(_ name: String, _ what: String, _ figures: [(name: String, value: Double)]) {
        let padded = "\(name) \(what)".padding(toLength: 44, withPad: " ", startingAt: 0)
        let text = figures.map { "\(rounded($0.value, 2)) \($0.name)" }.joined(separator: "  ")
        var fields = ["kernel": "\"\(name)\"", "case": "\"\(what)\""]
        for figure in figures { fields[figure.name] = rounded(figure.value, 3) }
        line("\(padded) \(text)", fields)
    }

    private func line(_ text: String, _ fields: [String: String]) {
        let all = fields.merging(["isa": "\"\(table)\""]) { a, _ in a }
        let object =
            "{" + all.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ") + "}"
        file?.write(Data((object + "\n").utf8))
        print(json ? object : text)
        fflush(nil)
    }

    private func rounded(_ x: Double, _ digits: Int) -> String { String(format: "%.\(digits)f", x) }
}
