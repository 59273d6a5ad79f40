import Foundation
import KernelSelection
import Testing

@Suite struct SelectionTests {
    /// The kernel's own list of features: an independent reading of CPUID and XCR0.
    @Test func availableTablesAreThoseOfTheMachine() throws {
        #if arch(x86_64) && os(Linux)
        let info = try String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
        let line = try #require(info.split(separator: "\n").first { $0.hasPrefix("flags") })
        let flags = Set(line.split(separator: " ").map(String.init))
        var want: [InstructionSet] = [.baseline]
        if flags.isSuperset(of: ["avx2", "fma", "bmi1", "bmi2", "f16c", "movbe", "abm"]) { want.append(.avx2) }
        if flags.isSuperset(of: ["avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"]) { want.append(.avx512) }
        #expect(KernelSelection.available.map(\.instructionSet) == want)
        #else
        #expect(KernelSelection.available.map(\.instructionSet) == [.baseline])
        #endif
    }

    @Test func picksByName() throws {
        let fastest = try #require(KernelSelection.available.last).instructionSet
        #expect(try KernelSelection.select(nil).instructionSet == fastest)
        #expect(try KernelSelection.select("").instructionSet == fastest)
        for set in InstructionSet.allCases {
            if KernelSelection.available.contains(where: { $0.instructionSet == set }) {
                #expect(try KernelSelection.select(set.rawValue).instructionSet == set)
            } else {
                #expect(throws: KernelSelectionError.self) { try KernelSelection.select(set.rawValue) }
            }
        }
    }

    @Test(arguments: ["avx", "AVX2", "avx512 ", "sse2"])
    func refusesUnknownNames(_ name: String) {
        let error = #expect(throws: KernelSelectionError.self) { try KernelSelection.select(name) }
        #expect(error?.message.contains("\"\(name)\"") == true)
        #expect(error?.message.contains("baseline, avx2, avx512") == true)
    }
}
