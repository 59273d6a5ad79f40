internal import CIntrinsics
@_exported import Kernels
import KernelsBaseline

#if arch(x86_64)
import KernelsAVX2
import KernelsAVX512
#endif

/// Which tables of kernels this machine can run, and the one in use.
public enum KernelSelection {
    /// Every table the machine has, slowest first: CPUID and XCR0 were both asked.
    public static let available: [KernelTable] = {
        var tables = [makeBaselineTable()]
        #if arch(x86_64)
        if encoderd_has_avx2() != 0 { tables.append(makeAVX2Table()) }
        if encoderd_has_avx512() != 0 { tables.append(makeAVX512Table()) }
        #endif
        return tables
    }()

    /// The table named by `ENCODERD_ISA` (`baseline`, `avx2`, `avx512`), else the fastest available.
    /// - Throws: a sentence, where `ENCODERD_ISA` names none or one that this machine lacks.
    public static func select(_ name: String?) throws(KernelSelectionError) -> KernelTable {
        let tables = available
        guard let name, !name.isEmpty else { return tables[tables.count - 1] }
        for table in tables where table.instructionSet.rawValue == name { return table }
        let known = InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")
        let here = tables.map(\.instructionSet.rawValue).joined(separator: ", ")
        guard InstructionSet(rawValue: name) != nil else {
            throw KernelSelectionError(
                message: "ENCODERD_ISA is \"\(name)\", which is none of \(known); this machine can run: \(here).")
        }
        throw KernelSelectionError(
            message: "ENCODERD_ISA asks for \(name), which this machine lacks; it can run: \(here).")
    }
}

public struct KernelSelectionError: Error, CustomStringConvertible, Sendable {
    public let message: String
    public var description: String { message }
}
