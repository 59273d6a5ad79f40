import ArgumentParser
import Foundation
import KernelSelection
import ModelFiles
import Models

/// A model directory with smaller weights.
struct Quantize: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Write a model directory with int8 or bf16 weights, which loads faster and is smaller.",
        usage: "encoderd quantize --model models/minilm --output models/minilm-int8 --precision int8")

    @Option(help: ArgumentHelp("The model directory.", valueName: "directory"))
    var model: String
    @Option(help: ArgumentHelp("The directory to write, which must not exist yet.", valueName: "directory"))
    var output: String
    @Option(help: "Of dense weights: int8 or bf16.")
    var precision = Precision.int8

    func validate() throws {
        guard precision != .f32 else { throw ValidationError("--precision takes int8 or bf16.") }
    }

    func run() throws {
        let summary: ModelQuantizer.Summary
        do throws(ModelError) {
            summary = try ModelQuantizer.quantize(
                directory: model, output: output, precision: precision, kernels: try kernels())
        } catch {
            // A fault of either directory itself is named by its path already.
            let named = error.file.hasPrefix(model) || error.file.hasPrefix(output)
            throw CommandError(named ? "\(error)" : "\(model)/\(error)")
        }
        print(
            """
            \(summary.file): \(megabytes(summary.bytesAfter)), from \(megabytes(summary.bytesBefore))
            \(summary.dense) dense weights in \(precision.rawValue), \(summary.tables) tables in bf16, \(summary.others) tensors in f32
            """)
        if !summary.leftOut.isEmpty {
            print("left out, since the network does not use them: \(summary.leftOut.joined(separator: ", "))")
        }
    }

    private func kernels() throws(ModelError) -> KernelTable {
        do { return try selectedKernels() } catch { throw ModelError(file: "ENCODERD_ISA", "\(error)") }
    }
}
