@_exported import Kernels
import KernelsBaseline

#if arch(x86_64)
import KernelsAVX2
import KernelsAVX512
#endif

/// The choice among the tables of kernels that a machine can run.
public enum KernelSelection {
    /// The best table of each instruction set that this machine has, slowest first.
    public static let available: [KernelTable] = InstructionSet.allCases.compactMap { set in
        variants.last { $0.instructionSet == set }
    }

    /// Every table that this machine can run, slowest first, including tables that use neither VNNI nor BF16.
    public static let variants: [KernelTable] = tables(for: .current)

    /// Returns every table that `processor` can run, slowest first.
    public static func tables(for processor: CPUFeatures) -> [KernelTable] {
        var tables = [makeBaselineTable()]
        #if arch(x86_64)
        func add(_ table: KernelTable, _ name: String) {
            var named = table
            named.name = name
            tables.append(named)
        }
        if processor.hasAVX2 { add(makeAVX2Table(vnni: false), "avx2") }
        if processor.hasAVXVNNI { add(makeAVX2Table(vnni: true), "avx2-vnni") }
        if processor.hasAVX512 { add(makeAVX512Table(vnni: false, bf16: false), "avx512") }
        if processor.hasAVX512VNNI { add(makeAVX512Table(vnni: true, bf16: false), "avx512-vnni") }
        if processor.hasAVX512BF16 {
            add(
                makeAVX512Table(vnni: processor.hasAVX512VNNI, bf16: true),
                processor.hasAVX512VNNI ? "avx512-vnni-bf16" : "avx512-bf16")
        }
        #endif
        return tables
    }

    /// Returns the table named by `ENCODERD_ISA`, else the fastest available.
    ///
    /// An instruction set (`baseline`, `avx2`, `avx512`) means the best of its tables that the machine runs. The name of
    /// one table follows an `=` (`=avx512` is the table of AVX-512 without VNNI and BF16).
    /// - Throws: A sentence for the user, if `ENCODERD_ISA` names no table or one that this machine cannot run.
    public static func select(_ name: String?) throws(KernelSelectionError) -> KernelTable {
        let tables = variants
        guard let name, !name.isEmpty else { return tables[tables.count - 1] }
        for table in tables.reversed() where table.instructionSet.rawValue == name || "=" + table.name == name {
            return table
        }
        let known = InstructionSet.allCases.map(\.rawValue).joined(separator: ", ")
        let here = available.map(\.instructionSet.rawValue).joined(separator: ", ")
        let exact = tables.map { "=" + $0.name }.joined(separator: ", ")
        guard InstructionSet(rawValue: name) != nil else {
            throw KernelSelectionError(
                message:
                    "ENCODERD_ISA is \"\(name)\", which is none of \(known); this machine can run: \(here); or one "
                    + "table of \(exact).")
        }
        throw KernelSelectionError(
            message: "ENCODERD_ISA asks for \(name), which this machine lacks; it can run: \(here).")
    }
}

/// The error of an `ENCODERD_ISA` that names no table of this machine.
public struct KernelSelectionError: Error, CustomStringConvertible, Sendable {
    public let message: String
    public var description: String { message }
}
