// Instructions that Swift's SIMD types cannot spell, each as one `static inline` function, and CPUID.
#ifndef ENCODERD_CINTRINSICS_H
#define ENCODERD_CINTRINSICS_H

#endif
