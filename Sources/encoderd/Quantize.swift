import ArgumentParser
import KernelSelection
import ModelFiles
import Models

/// Writes a model directory with smaller weights.
struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a model directory with int8 or bf16 weights, which is smaller and loads faster.",
        discussion: "Example: encoderd quantize --model models/minilm --output models/minilm-int8")

    /// The precisions to which weights can be quantized.
    enum Target: String, ExpressibleByArgument, CaseIterable {
        case int8, bf16

        var precision: Precision { self == .int8 ? .int8 : .bf16 }
    }

    @Option(help: modelHelp, completion: .directory)
    var model: String
    @Option(
        help: ArgumentHelp("The directory to write, which must not exist yet.", valueName: "directory"),
        completion: .directory)
    var output: String
    @Option(help: "Precision of the dense weights.")
    var precision = Target.int8

    func run() throws {
        let argument = try ModelArgument(option: model, of: Self.self)
        try argument.checkExists()
        guard !Paths.exists(output) else {
            throw CommandError("\(output): exists already; choose another directory or remove it")
        }
        let summary: ModelQuantizer.Summary
        do throws(FileError) {
            summary = try ModelQuantizer.quantize(
                directory: argument.directory, output: output, precision: precision.precision, kernels: try kernels())
        } catch {
            // A fault of either directory itself is named by its path already.
            let named = error.file.hasPrefix(argument.directory) || error.file.hasPrefix(output)
            throw CommandError(named ? "\(error)" : "\(argument.directory)/\(error)")
        }
        try StandardOutput.line(
            """
            \(summary.file): \(megabytes(summary.bytesAfter)), from \(megabytes(summary.bytesBefore))
            \(summary.dense) dense weights in \(precision.rawValue), \(summary.tables) tables in bf16, \(summary.others) tensors in f32
            """)
        if !summary.leftOut.isEmpty {
            try StandardOutput.line(
                "left out, since the network does not use them: \(summary.leftOut.joined(separator: ", "))")
        }
    }

    private func kernels() throws(FileError) -> KernelTable {
        do { return try selectedKernels() } catch { throw FileError(file: "ENCODERD_ISA", "\(error)") }
    }
}
