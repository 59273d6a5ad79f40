internal import CIntrinsics

/// The features of a processor and its operating system: the bits of CPUID and XCR0 that decide which kernels run.
///
/// The bits are in the Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID, and in AMD's
/// Architecture Programmer's Manual, volume 3, appendix E. CPUID alone is not enough: the registers fault unless the
/// operating system saves them, which XCR0 says.
public struct CPUFeatures: Sendable, Equatable {
    public var leaf1ECX: UInt32 = 0
    public var leaf7EBX: UInt32 = 0
    public var leaf7ECX: UInt32 = 0
    public var leaf7Subleaf1EAX: UInt32 = 0
    public var extended1ECX: UInt32 = 0
    public var xcr0: UInt64 = 0

    public init() {}

    /// The features of this machine.
    public static let current: CPUFeatures = {
        let id = encoderd_cpuid()
        var features = CPUFeatures()
        features.leaf1ECX = id.leaf1_ecx
        features.leaf7EBX = id.leaf7_ebx
        features.leaf7ECX = id.leaf7_ecx
        features.leaf7Subleaf1EAX = id.leaf7_1_eax
        features.extended1ECX = id.extended1_ecx
        features.xcr0 = id.xcr0
        return features
    }()

    /// Whether x86-64-v3 runs: FMA, MOVBE, OSXSAVE, AVX and F16C of leaf 1; BMI1, AVX2 and BMI2 of leaf 7; LZCNT; and
    /// the state of SSE and AVX registers.
    public var hasAVX2: Bool {
        Self.has(leaf1ECX, bits: 12, 22, 27, 28, 29) && Self.has(leaf7EBX, bits: 3, 5, 8)
            && Self.has(extended1ECX, bits: 5) && xcr0 & 0x6 == 0x6
    }

    /// Whether x86-64-v4 runs: also AVX512F, DQ, CD, BW and VL, and the state of its registers and masks.
    public var hasAVX512: Bool {
        hasAVX2 && Self.has(leaf7EBX, bits: 16, 17, 28, 30, 31) && xcr0 & 0xe6 == 0xe6
    }

    public var hasAVXVNNI: Bool { hasAVX2 && Self.has(leaf7Subleaf1EAX, bits: 4) }
    public var hasAVX512VNNI: Bool { hasAVX512 && Self.has(leaf7ECX, bits: 11) }
    public var hasAVX512BF16: Bool { hasAVX512 && Self.has(leaf7Subleaf1EAX, bits: 5) }

    private static func has(_ register: UInt32, bits: UInt32...) -> Bool {
        bits.allSatisfy { register & (1 << $0) != 0 }
    }
}
