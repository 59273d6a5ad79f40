#include "CPeak.h"

// Defines a function that runs `rounds` rounds of twelve independent multiply-adds and returns the operations executed.
//
// A latency of four cycles at two instructions per cycle needs at least eight independent chains. The empty assembly
// statements keep every sum in a register and prevent the compiler from removing rounds.
#define PEAK(NAME, LANES, FMA, ATTRIBUTES)                                                                             \
    typedef float NAME##_vector __attribute__((ext_vector_type(LANES)));                                               \
    ATTRIBUTES static double NAME(long rounds) {                                                                       \
        NAME##_vector x = 1.0f, y = 1e-9f, s[12];                                                                      \
        for (int i = 0; i < 12; i++) s[i] = (float)i;                                                                  \
        __asm__ volatile("" : KEEP(x), KEEP(y));                                                                       \
        for (long r = 0; r < rounds; r++) {                                                                            \
            _Pragma("clang loop unroll(full)") for (int i = 0; i < 12; i++) s[i] = FMA(x, y, s[i]);                    \
            __asm__ volatile("" : KEEP(s[0]), KEEP(s[1]), KEEP(s[2]), KEEP(s[3]), KEEP(s[4]), KEEP(s[5]));             \
            __asm__ volatile("" : KEEP(s[6]), KEEP(s[7]), KEEP(s[8]), KEEP(s[9]), KEEP(s[10]), KEEP(s[11]));           \
        }                                                                                                              \
        return 2.0 * LANES * 12 * (double)rounds;                                                                      \
    }

#define FUSED(x, y, s) __builtin_elementwise_fma(x, y, s)
#define SEPARATE(x, y, s) ((x) * (y) + (s))

#if defined(__x86_64__)
#define KEEP(v) "+v"(v)
PEAK(peak512, 16, FUSED, __attribute__((target("avx512f"))))
PEAK(peak256, 8, FUSED, __attribute__((target("avx2,fma"))))
PEAK(peak128, 4, SEPARATE, )

double encoderd_peak(int width, long rounds) {
    return width == 512 ? peak512(rounds) : width == 256 ? peak256(rounds) : peak128(rounds);
}
#else
#define KEEP(v) "+w"(v)
PEAK(peak128, 4, FUSED, )

double encoderd_peak(int width, long rounds) { return peak128(rounds); }
#endif
