#include "CIntrinsics.h"

#if defined(__x86_64__)

// XGETBV by its bytes' mnemonic, since the intrinsic asks for a target with XSAVE.
static uint64_t enabled_states(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}

// Intel SDM volume 2, CPUID: leaf 1 ECX 12 FMA, 27 OSXSAVE, 28 AVX; leaf 7 EBX 5 AVX2, 3 and 8 BMI1 and BMI2,
// 16 AVX512F, 17 DQ, 28 CD, 30 BW, 31 VL. x86-64-v3 also has F16C, MOVBE (leaf 1) and LZCNT (leaf 0x80000001).
int encoderd_has_avx2(void) {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return 0;
    const unsigned wanted = 1u << 12 | 1u << 22 | 1u << 27 | 1u << 28 | 1u << 29;
    if ((c & wanted) != wanted) return 0;
    if ((enabled_states() & 0x6) != 0x6) return 0;
    if (!__get_cpuid(0x80000001, &a, &b, &c, &d) || !(c & 1u << 5)) return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    const unsigned extended = 1u << 3 | 1u << 5 | 1u << 8;
    return (b & extended) == extended;
}

int encoderd_has_avx512(void) {
    unsigned a, b, c, d;
    if (!encoderd_has_avx2()) return 0;
    if ((enabled_states() & 0xe6) != 0xe6) return 0;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return 0;
    const unsigned wanted = 1u << 16 | 1u << 17 | 1u << 28 | 1u << 30 | 1u << 31;
    return (b & wanted) == wanted;
}

#else

int encoderd_has_avx2(void) { return 0; }
int encoderd_has_avx512(void) { return 0; }

#endif
