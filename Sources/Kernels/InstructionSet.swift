/// An instruction set that a table of kernels is compiled for. A later case contains the earlier ones.
///
/// | case | x86-64 | arm64 |
/// |---|---|---|
/// | `baseline` | SSE2 (x86-64-v1) | NEON with FMA |
/// | `avx2` | AVX2 and FMA (x86-64-v3) | |
/// | `avx512` | AVX-512 F, BW, CD, DQ and VL (x86-64-v4) | |
public enum InstructionSet: String, Sendable, CaseIterable {
    case baseline, avx2, avx512
}
