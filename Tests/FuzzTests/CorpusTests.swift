import Foundation
import Testing

/// Every input that is kept, through the target it was found for: findings, by the names of what they showed, and the
/// smallest corpora that reach all that `make fuzz` has reached.
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

    /// Corpora/NAME: inputs one after another, each behind its length, a little-endian u32 (scripts/fuzz.py).
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

    private static func findings(_ name: String) throws -> [(String, [UInt8])] {
        let folder = "\(Folder.tests)/FuzzTests/Findings/\(name)"
        return try ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted().map {
            ($0, [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/" + $0))))
        }
    }
}
