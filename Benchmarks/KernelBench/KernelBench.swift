import ArgumentParser
import Foundation
import KernelSelection

/// Speed of the kernels, one thread, next to what the core's multipliers could do at most.
@main
struct KernelBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the kernels at the sizes of MiniLM and of recurrent layers of 256 units.",
        discussion: """
            Every figure is the best of several repeats, on one thread but for `team`. The peak is that of a loop of \
            multiply-adds in registers, measured again before each group; percentages are of the best peak seen so far in \
            the run, times what an instruction of the precision does more.
            """)

    enum Group: String, ExpressibleByArgument, CaseIterable { case dense, attention, rows, recurrent, team }

    @Option(
        help: "The table of kernels: baseline, avx2, avx512, or =NAME as for ENCODERD_ISA; the fastest unless told.")
    var isa: String?
    @Flag(help: "Every table of kernels that this machine can run, one after the other.")
    var everyTable = false
    @Flag(help: "Few sizes of each kernel.")
    var brief = false
    @Option(help: "Measure only these groups.")
    var only: [Group] = []
    @Option(help: "Measure dense layers in these precisions only: f32, bf16 or int8.")
    var precision: [Precision] = []
    @Option(help: "Milliseconds of each of the repeats.")
    var milliseconds: Double = 20
    @Option(help: "Repeats of each measurement, of which the best counts.")
    var repeats: Int = 7
    @Flag(help: "Print JSON lines instead of a table.")
    var json = false
    @Option(help: ArgumentHelp("Write JSON lines to this file besides.", valueName: "file"))
    var jsonFile: String?

    func run() throws {
        var file: FileHandle?
        if let jsonFile {
            guard FileManager.default.createFile(atPath: jsonFile, contents: nil) else {
                throw ValidationError("--json-file \(jsonFile) cannot be written.")
            }
            file = FileHandle(forWritingAtPath: jsonFile)
        }
        for kernels in everyTable ? KernelSelection.variants : [try KernelSelection.select(isa)] {
            measure(kernels, file)
        }
    }

    private func measure(_ kernels: KernelTable, _ file: FileHandle?) {
        let stopwatch = Stopwatch(
            seconds: milliseconds / 1000, repeats: max(1, repeats), width: kernels.panelWidth * 16)
        let report = Report(json: json, file: file, table: kernels.name)
        for group in Group.allCases where only.isEmpty || only.contains(group) {
            report.peak(stopwatch.measurePeak())
            switch group {
            case .dense:
                for precision in precision.isEmpty ? Precision.allCases : precision {
                    measureDense(kernels.dense(precision), stopwatch, report, brief: brief)
                }
            case .attention:
                for precision in precision.isEmpty ? [.f32, .bf16] : precision where precision != .int8 {
                    measureAttention(kernels.attention(precision), stopwatch, report, brief: brief)
                }
            case .rows: measureRows(kernels, stopwatch, report)
            case .recurrent:
                for precision in precision.isEmpty ? Precision.allCases : precision {
                    measureRecurrent(kernels.dense(precision), stopwatch, report)
                }
            case .team: measureTeam(stopwatch, report)
            }
        }
    }
}

extension Precision: ExpressibleByArgument {}
