import Foundation
import ModelFiles

/// A model directory in the temporary folder, removed with the value's last use.
package final class ScratchDirectory {
    package let path: String

    package init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent("weights-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    package func write(_ name: String, _ bytes: [UInt8]) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
    }

    /// The message with which opening the file fails. `nil` if it opens.
    package func refusal(_ name: String) -> String? {
        do throws(FileError) {
            _ = try WeightFiles.open(directory: path, configured: name)
            return nil
        } catch {
            return error.description
        }
    }
}
