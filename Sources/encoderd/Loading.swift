import ArgumentParser
import KernelSelection
import ModelFiles
import Models

/// A model to load, and the name under which it is served.
struct ModelArgument: Equatable {
    var name: String
    var directory: String

    /// Reads `NAME=DIRECTORY`, or a directory, whose own name the model then takes; `nil` if a part is empty.
    init?(_ argument: String) {
        if let equals = argument.firstIndex(of: "=") {
            name = String(argument[..<equals])
            directory = String(argument[argument.index(after: equals)...])
        } else {
            directory = argument
            name = argument.isEmpty ? "" : Paths.lastComponent(argument)
        }
        if name.isEmpty || directory.isEmpty { return nil }
    }

    /// Reads the value of a command's `--model`.
    init(option value: String, of command: any ParsableCommand.Type) throws(UsageError) {
        guard let argument = ModelArgument(value) else { throw UsageError("--model takes a directory.", command) }
        self = argument
    }

    /// The files of which a model directory has at least one.
    static let marks = ["config.json", "modules.json"]

    static func isModel(_ directory: String) -> Bool { marks.contains { Paths.exists("\(directory)/\($0)") } }

    /// Returns the models of a folder, which are its folders with a config.json or a modules.json, by name. `nil` if it cannot
    /// be read.
    static func all(in folder: String) -> [ModelArgument]? {
        Paths.entries(of: folder)?.compactMap { name in
            isModel("\(folder)/\(name)") ? ModelArgument("\(name)=\(folder)/\(name)") : nil
        }
    }

    func load(_ precision: Precision?) throws -> Model { try load(ModelDirectory(directory), precision) }

    /// Loads the model from its directory, some of whose files may have been read.
    func load(_ files: ModelDirectory, _ precision: Precision?) throws -> Model {
        try checkExists()
        do {
            return try Model.load(files, name: name, kernels: selectedKernels(), precision: precision)
        } catch {
            // A fault of the directory itself is named by its path already.
            guard let fault = error as? FileError, fault.file != directory else {
                throw CommandError("\(error)\(otherFormats)")
            }
            throw CommandError("\(directory)/\(fault)")
        }
    }

    func checkExists() throws(CommandError) {
        guard Paths.exists(directory) else { throw CommandError(missing) }
    }

    /// A sentence about a directory that is not there: a name without a path is often one of a hub, or of a folder here.
    private var missing: String {
        let start = "\(directory): there is no such directory; "
        if !directory.hasPrefix("/"), ModelArgument.isModel("models/\(directory)") {
            return start + "did you mean models/\(directory)?"
        }
        let parts = directory.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && !$0.hasPrefix(".") }) else {
            return start + "a model is a directory on this machine"
        }
        let name = parts[parts.count - 1]
        return start + "a model is a directory on this machine. A model of the Hugging Face Hub is downloaded with: "
            + "hf download \(parts.count == 2 ? directory : "OWNER/\(name)") --local-dir models/\(name)"
    }

    /// A remark about weights in a directory that has no configuration, of formats that are not read.
    private var otherFormats: String {
        guard !ModelArgument.isModel(directory), let names = Paths.entries(of: directory),
            let other = names.first(where: { $0.hasSuffix(".gguf") || $0.hasSuffix(".onnx") })
        else { return "" }
        return "; the format of \(other) is not read"
    }
}

/// Returns the table of kernels that `ENCODERD_ISA` or this machine chooses.
func selectedKernels() throws -> KernelTable {
    do { return try KernelSelection.select(ProcessEnvironment["ENCODERD_ISA"]) } catch {
        throw CommandError(error.message)
    }
}

extension Precision: ExpressibleByArgument {}

/// The help of `--precision`, which every command has that loads a model.
let precisionHelp = ArgumentHelp("Precision of dense layers (default: that of a quantized directory, else f32).")

/// The help of `--model` of the commands that load one model.
let modelHelp = ArgumentHelp("The model directory.", valueName: "directory")

/// Ends a command with a sentence on standard error and exit code 1.
struct CommandError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
