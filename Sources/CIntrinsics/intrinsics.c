#include "CIntrinsics.h"

encoderd_cpuid_t encoderd_cpuid(void) {
    encoderd_cpuid_t out = {0};
#if defined(__x86_64__)
    unsigned a, b, c, d;
    if (__get_cpuid(1, &a, &b, &c, &d)) out.leaf1_ecx = c;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) {
        out.leaf7_ebx = b;
        out.leaf7_ecx = c;
        // Leaf 7.0's EAX is the number of the last subleaf.
        if (a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d)) out.leaf7_1_eax = a;
    }
    if (__get_cpuid(0x80000001, &a, &b, &c, &d)) out.extended1_ecx = c;
    // Bit 27, OSXSAVE: XGETBV may be used. By its mnemonic, since the intrinsic asks for a target with XSAVE.
    if (out.leaf1_ecx & 1u << 27) {
        uint32_t low, high;
        __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        out.xcr0 = (uint64_t)high << 32 | low;
    }
#endif
    return out;
}
