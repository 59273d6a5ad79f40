import Foundation
import Testing

/// Runs of every stored input through the fuzz target that it belongs to.
///
/// Findings/TARGET holds inputs that once revealed a fault, each named after the fault. Corpora/TARGET is a minimal set
/// of inputs that covers all code that `make fuzz` has reached.
@Suite struct CorpusTests {
    static let targets = FuzzTarget.all.map(\.name)

    @Test(arguments: targets) func keptInputs(_ name: String) throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        let corpus = try Self.corpus(name)
        #expect(!corpus.isEmpty)
        for (label, bytes) in try corpus + Self.findings(name) {
            do {
                try bytes.withUnsafeBytes { try target.run($0) }
            } catch {
                Issue.record("\(name), \(label): \(error)")
            }
        }
    }

    /// Reads Corpora/NAME, written by scripts/fuzz.py: each input follows its length in bytes as a little-endian u32.
    private static func corpus(_ name: String) throws -> [(String, [UInt8])] {
        let file = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(Folder.tests)/FuzzTests/Corpora/\(name)")))
        var inputs: [(String, [UInt8])] = []
        var position = 0
        while position < file.count {
            try #require(file.count - position >= 4)
            let length = (0..<4).reduce(0) { $0 | Int(file[position + $1]) << (8 * $1) }
            try #require(file.count - position - 4 >= length)
            inputs.append(("input \(inputs.count)", Array(file[(position + 4)...].prefix(length))))
            position += 4 + length
        }
        return inputs
    }

    /// Reads the files of Findings/NAME; none if there is no such folder.
    private static func findings(_ name: String) throws -> [(String, [UInt8])] {
        let folder = "\(Folder.tests)/FuzzTests/Findings/\(name)"
        return try ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted().map {
            ($0, [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/" + $0))))
        }
    }
}
