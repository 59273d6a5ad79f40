@_exported import Kernels
import KernelsBaseline

#if arch(x86_64)
import KernelsAVX2
import KernelsAVX512
#endif

/// The choice of a kernel table among those that the machine can run.
public enum KernelSelection {
    /// The best table of each instruction set that this machine has, slowest first.
    public static let available: [KernelTable] = InstructionSet.allCases.compactMap { set in
        variants.last { $0.instructionSet == set }
    }

    /// Every table that this machine can run, in a fixed order from slow to fast, including tables that leave out VNNI or BF16.
    public static let variants: [KernelTable] = tables(for: .current)

    /// Returns every table that `processor` can run, slowest first.
    public static func tables(for processor: CPUFeatures) -> [KernelTable] {
        var tables = [makeBaselineTable()]
        #if arch(x86_64)
        if processor.hasAVX2 { tables.append(makeAVX2Table("avx2", vnni: false)) }
        if processor.hasAVXVNNI { tables.append(makeAVX2Table("avx2-vnni", vnni: true)) }
        if processor.hasAVX512 { tables.append(makeAVX512Table("avx512", vnni: false, bf16: false)) }
        if processor.hasAVX512VNNI { tables.append(makeAVX512Table("avx512-vnni", vnni: true, bf16: false)) }
        if processor.hasAVX512BF16 {
            let vnni = processor.hasAVX512VNNI
            tables.append(makeAVX512Table(vnni ? "avx512-vnni-bf16" : "avx512-bf16", vnni: vnni, bf16: true))
        }
        #endif
        return tables
    }

    /// Returns the table for a value of `ENCODERD_ISA`.
    /// - Parameter name: An instruction set (`baseline`, `avx2`, `avx512`) selects its best table. `=` and a table's name
    ///   (`=avx512-vnni`) select that table. `nil` and an empty name select the fastest table.
    /// - Throws: If the name is unknown, or the machine cannot run the table.
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

/// The error for a value of `ENCODERD_ISA` that selects no table which the machine can run.
public struct KernelSelectionError: Error, CustomStringConvertible, Sendable {
    /// A sentence for the user.
    public let message: String
    public var description: String { message }
}
