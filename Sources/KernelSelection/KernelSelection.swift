@_exported import Kernels

import KernelsBaseline

#if arch(x86_64)
import KernelsAVX2
import KernelsAVX512
#endif

/// Which tables of kernels this machine can run, and the one in use.
public enum KernelSelection {
    /// Every table the machine has, slowest first: CPUID and XCR0 were both asked.
    public static let available: [KernelTable] = []

    /// The table named by `ENCODERD_ISA` (`baseline`, `avx2`, `avx512`), else the fastest available.
    /// - Throws: a sentence, where `ENCODERD_ISA` names none or one that this machine lacks.
    public static func select(_ name: String?) throws(KernelSelectionError) -> KernelTable {
        throw KernelSelectionError(message: "no kernels")
    }
}

public struct KernelSelectionError: Error, CustomStringConvertible, Sendable {
    public let message: String
    public var description: String { message }
}
