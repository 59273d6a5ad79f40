import ArgumentParser
import Foundation
import KernelSelection
import ModelFiles
import Models

/// A model to load, and the name it is served under.
struct ModelArgument: Equatable {
    var name: String
    var directory: String

    /// `NAME=DIRECTORY`, or a directory, whose own name it then takes.
    /// - Returns: nil where a part is empty.
    init?(_ argument: String) {
        if let equals = argument.firstIndex(of: "=") {
            name = String(argument[..<equals])
            directory = String(argument[argument.index(after: equals)...])
        } else {
            directory = argument
            name = URL(fileURLWithPath: argument).standardizedFileURL.lastPathComponent
        }
        if name.isEmpty || directory.isEmpty { return nil }
    }

    /// The folders of a folder that hold a config.json or a modules.json, by name.
    static func all(in folder: String) throws -> [ModelArgument] {
        let names: [String]
        do { names = try FileManager.default.contentsOfDirectory(atPath: folder) } catch {
            throw CommandError("\(folder): cannot be read; --models takes a folder whose folders are models")
        }
        return names.sorted().compactMap { name in
            let directory = folder + "/" + name
            let marks = ["config.json", "modules.json"]
            guard marks.contains(where: { FileManager.default.fileExists(atPath: "\(directory)/\($0)") }) else {
                return nil
            }
            return ModelArgument("\(name)=\(directory)")
        }
    }

    func load(_ precision: Precision?) throws -> Model {
        do {
            return try Model.load(
                directory: directory, name: name, kernels: selectedKernels(), precision: precision)
        } catch {
            // A fault of the directory itself is named by its path already.
            guard let fault = error as? ModelError, fault.file != directory else { throw CommandError("\(error)") }
            throw CommandError("\(directory)/\(fault)")
        }
    }
}

/// The table of kernels that `ENCODERD_ISA` or this machine chooses.
func selectedKernels() throws -> KernelTable {
    do { return try KernelSelection.select(ProcessInfo.processInfo.environment["ENCODERD_ISA"]) } catch {
        throw CommandError(error.message)
    }
}

extension Precision: ExpressibleByArgument {}

/// Help of `--precision`, which every command that loads a model has.
let precisionHelp = ArgumentHelp(
    "Of dense layers: f32, bf16 or int8 (default: what the directory was quantized to, else f32).")

/// Ends a command with a sentence on standard error and exit code 1.
struct CommandError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
