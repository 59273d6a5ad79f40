import Foundation

/// Directories that tests read.
package enum Folders {
    package static let repository = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path
    /// The data that the scripts of Tests/Reference wrote.
    package static let reference = repository + "/Tests/Reference/data"
    package static let weights = reference + "/weights"
    package static let miniLM = repository + "/models/minilm"
    package static let g2pTemplate = repository + "/models/templates/g2p"
}

/// Runs `body` with the path of a temporary file that holds `bytes`.
package func withFile<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("encoderd-\(UUID().uuidString)")
    try Data(bytes).write(to: url)
    defer { try? FileManager.default.removeItem(at: url) }
    return try body(url.path)
}

/// The sorted names of what a folder holds; empty if there is no such folder.
package func directories(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
}
