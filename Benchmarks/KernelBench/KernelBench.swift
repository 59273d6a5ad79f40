import ArgumentParser
import Foundation
import KernelSelection

/// Speed of the kernels, one thread, next to what the core's multipliers could do at most.
@main
struct KernelBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measure the kernels at the sizes of MiniLM and of recurrent layers of 256 units.",
        discussion: """
            Every figure is the best of several repeats, on one thread but for `team`. The peak is that of a loop of multiply-adds in \
            registers, measured again before each group; percentages are of the best peak seen so far in the run.
            """)

    enum Group: String, ExpressibleByArgument, CaseIterable { case dense, attention, rows, recurrent, team }

    @Option(help: "The table of kernels: baseline, avx2 or avx512; the fastest unless told.")
    var isa: String?
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

    func run() throws {
        let kernels = try KernelSelection.select(isa)
        let stopwatch = Stopwatch(
            seconds: milliseconds / 1000, repeats: max(1, repeats), width: kernels.panelWidth * 16)
        let report = Report(json: json, instructionSet: kernels.instructionSet.rawValue)
        for group in Group.allCases where only.isEmpty || only.contains(group) {
            report.peak(stopwatch.measurePeak())
            switch group {
            case .dense:
                for precision in precision.isEmpty ? Precision.allCases : precision {
                    measureDense(kernels.dense(precision), stopwatch, report)
                }
            case .attention: measureAttention(kernels, stopwatch, report)
            case .rows: measureRows(kernels, stopwatch, report)
            case .recurrent: measureRecurrent(kernels, stopwatch, report)
            case .team: measureTeam(stopwatch, report)
            }
        }
    }
}

extension Precision: ExpressibleByArgument {}
