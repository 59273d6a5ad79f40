// Vector operations as `static inline` functions, and CPUID.
//
// Swift 6.3 writes the arithmetic operators of `SIMD16<Float>` as loops over the lanes, which the optimizer may or may
// not put together again; clang's vector types are one instruction each by definition. Each width is declared only where
// the instruction set of the including target has registers for it.
#ifndef ENCODERD_CINTRINSICS_H
#define ENCODERD_CINTRINSICS_H

#include <stdint.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

#define ENCODERD_INLINE static inline __attribute__((always_inline, unused))

// f32xN_fma is fused where the target fuses; SSE2 has no such instruction, and fmaf is a slow call there.
#if defined(__FMA__) || defined(__aarch64__)
#define ENCODERD_FMA(a, b, c) __builtin_elementwise_fma(a, b, c)
#else
#define ENCODERD_FMA(a, b, c) ((a) * (b) + (c))
#endif

// A float whose low mantissa bits are an integer: adding 1.5 * 2^23 rounds to the nearest integer and leaves it there.
#define ENCODERD_ROUNDER_BITS 0x4B400000

#define ENCODERD_VECTOR(T, N)                                                                                          \
    typedef float T __attribute__((ext_vector_type(N)));                                                               \
    typedef int32_t T##_bits __attribute__((ext_vector_type(N)));                                                      \
    typedef uint32_t T##_unsigned __attribute__((ext_vector_type(N)));                                                 \
    typedef uint16_t T##_shorts __attribute__((ext_vector_type(N)));                                                   \
    typedef uint8_t T##_bytes __attribute__((ext_vector_type(N)));                                                     \
    typedef float T##_unaligned __attribute__((ext_vector_type(N), aligned(4)));                                       \
    ENCODERD_INLINE T T##_splat(float x) { return (T)(x); }                                                            \
    ENCODERD_INLINE T T##_load(const float *p) { return *(const T##_unaligned *)p; }                                   \
    ENCODERD_INLINE void T##_store(float *p, T v) { *(T##_unaligned *)p = v; }                                         \
    ENCODERD_INLINE T T##_add(T a, T b) { return a + b; }                                                              \
    ENCODERD_INLINE T T##_sub(T a, T b) { return a - b; }                                                              \
    ENCODERD_INLINE T T##_mul(T a, T b) { return a * b; }                                                              \
    ENCODERD_INLINE T T##_div(T a, T b) { return a / b; }                                                              \
    ENCODERD_INLINE T T##_fma(T a, T b, T c) { return ENCODERD_FMA(a, b, c); }                                         \
    ENCODERD_INLINE T T##_abs(T a) { return __builtin_elementwise_abs(a); }                                            \
    ENCODERD_INLINE T T##_sqrt(T a) { return __builtin_elementwise_sqrt(a); }                                          \
    /* a < b ? x : y, so false where either is NaN. */                                                                 \
    ENCODERD_INLINE T T##_select_less(T a, T b, T x, T y) { return (a < b) ? x : y;    }                               \
    ENCODERD_INLINE float T##_sum(T v) {                                                                               \
        float t[N];                                                                                                    \
        T##_store(t, v);                                                                                               \
        for (int half = N / 2; half > 0; half /= 2)                                                                    \
            for (int i = 0; i < half; i++) t[i] += t[i + half];                                                        \
        return t[0];                                                                                                   \
    }                                                                                                                  \
    /* Any or no lane where one is NaN. */                                                                             \
    ENCODERD_INLINE float T##_maximum(T v) {                                                                           \
        float t[N];                                                                                                    \
        T##_store(t, v);                                                                                               \
        for (int half = N / 2; half > 0; half /= 2)                                                                    \
            for (int i = 0; i < half; i++) t[i] = t[i] < t[i + half] ? t[i + half] : t[i];                             \
        return t[0];                                                                                                   \
    }                                                                                                                  \
    /* Any or no lane where one is NaN. */                                                                             \
    ENCODERD_INLINE float T##_minimum(T v) {                                                                           \
        float t[N];                                                                                                    \
        T##_store(t, v);                                                                                               \
        for (int half = N / 2; half > 0; half /= 2)                                                                    \
            for (int i = 0; i < half; i++) t[i] = t[i + half] < t[i] ? t[i + half] : t[i];                             \
        return t[0];                                                                                                   \
    }                                                                                                                  \
    ENCODERD_INLINE T##_bits T##_zero_integers(void) { return (T##_bits)(0); }                                         \
    ENCODERD_INLINE T##_bits T##_splat_integer(const uint32_t *p) { return (T##_bits)((int32_t)*p); }                  \
    ENCODERD_INLINE T##_bits T##_load_integers(const uint32_t *p) {                                                    \
        T##_bits v;                                                                                                    \
        __builtin_memcpy(&v, p, sizeof v);                                                                             \
        return v;                                                                                                      \
    }                                                                                                                  \
    ENCODERD_INLINE T T##_floats(T##_bits v) { return __builtin_convertvector(v, T); }                                 \
    ENCODERD_INLINE T T##_lower_bf16(T##_bits v) { return __builtin_bit_cast(T, v << 16); }                            \
    ENCODERD_INLINE T T##_upper_bf16(T##_bits v) { return __builtin_bit_cast(T, v & (int32_t)0xffff0000); }            \
    /* Rounded to bf16 in the upper half: to nearest, ties to even; a NaN stays one. */                                \
    ENCODERD_INLINE T##_unsigned T##_bf16_bits(T v) {                                                                  \
        T##_unsigned b = __builtin_bit_cast(T##_unsigned, v);                                                          \
        return (v != v) ? (T##_unsigned)(0x7fc00000) : b + 0x7fff + ((b >> 16) & 1);                                   \
    }                                                                                                                  \
    ENCODERD_INLINE void T##_store_bf16(uint16_t *p, T v) {                                                            \
        T##_shorts out = __builtin_convertvector(T##_bf16_bits(v) >> 16, T##_shorts);                                  \
        __builtin_memcpy(p, &out, sizeof out);                                                                         \
    }                                                                                                                  \
    ENCODERD_INLINE void T##_store_bf16_pairs(uint32_t *p, T lower, T upper) {                                         \
        T##_unsigned out = (T##_bf16_bits(lower) >> 16) | (T##_bf16_bits(upper) & 0xffff0000);                         \
        __builtin_memcpy(p, &out, sizeof out);                                                                         \
    }                                                                                                                  \
    ENCODERD_INLINE void T##_store_bytes(uint8_t *p, T v) {                                                            \
        T##_bytes out = __builtin_convertvector(__builtin_bit_cast(T##_unsigned, v) & 0xff, T##_bytes);                \
        __builtin_memcpy(p, &out, sizeof out);                                                                         \
    }                                                                                                                  \
    ENCODERD_INLINE void T##_store_shorts(uint16_t *p, T v) {                                                          \
        T##_shorts out = __builtin_convertvector(__builtin_bit_cast(T##_unsigned, v) & 0xff, T##_shorts);              \
        __builtin_memcpy(p, &out, sizeof out);                                                                         \
    }

#define ENCODERD_SCALE(T)                                                                                              \
    /* p * 2^i, where `rounder` holds 1.5 * 2^23 + i. In two factors, so that 2^128 and subnormals come out right. */  \
    ENCODERD_INLINE T T##_scale(T p, T i, T rounder) {                                                                 \
        (void)i;                                                                                                       \
        T##_bits n = __builtin_bit_cast(T##_bits, rounder) - ENCODERD_ROUNDER_BITS;                                    \
        T##_bits half = n >> 1;                                                                                        \
        T##_bits first = (half + 127) << 23, second = (n - half + 127) << 23;                                          \
        return p * __builtin_bit_cast(T, first) * __builtin_bit_cast(T, second);                                       \
    }

#define ENCODERD_PARTIAL(T, N)                                                                                         \
    /* The first `count` < N floats at p; `fill` in the other lanes. */                                                \
    ENCODERD_INLINE T T##_load_partial(const float *p, long count, float fill) {                                       \
        float t[N];                                                                                                    \
        for (int i = 0; i < N; i++) t[i] = i < count ? p[i] : fill;                                                    \
        return T##_load(t);                                                                                            \
    }                                                                                                                  \
    ENCODERD_INLINE void T##_store_partial(float *p, long count, T v) {                                                \
        float t[N];                                                                                                    \
        T##_store(t, v);                                                                                               \
        for (int i = 0; i < N; i++)                                                                                    \
            if (i < count) p[i] = t[i];                                                                                \
    }

ENCODERD_VECTOR(f32x4, 4)
ENCODERD_SCALE(f32x4)
ENCODERD_PARTIAL(f32x4, 4)

// sum + a's lower 16 bits × b's + a's upper 16 bits × b's, per lane, signed.
#if defined(__SSE2__)
ENCODERD_INLINE f32x4_bits f32x4_add_pairs(f32x4_bits sum, f32x4_bits a, f32x4_bits b) {
    return sum + (f32x4_bits)_mm_madd_epi16((__m128i)a, (__m128i)b);
}
#else
ENCODERD_INLINE f32x4_bits f32x4_add_pairs(f32x4_bits sum, f32x4_bits a, f32x4_bits b) {
    return sum + (a << 16 >> 16) * (b << 16 >> 16) + (a >> 16) * (b >> 16);
}
#endif

#if defined(__AVX2__)
ENCODERD_VECTOR(f32x8, 8)
ENCODERD_SCALE(f32x8)
ENCODERD_INLINE f32x8_bits f32x8_add_pairs(f32x8_bits sum, f32x8_bits a, f32x8_bits b) {
    return sum + (f32x8_bits)_mm256_madd_epi16((__m256i)a, (__m256i)b);
}
// sum + unsigned bytes of a × signed bytes of b, four to a lane, by AVX-VNNI. The instruction is written by its mnemonic:
// the targets are compiled without it, and only tables of machines that have it call this.
ENCODERD_INLINE f32x8_bits f32x8_add_quads(f32x8_bits sum, f32x8_bits a, f32x8_bits b) {
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sum) : "x"(a), "x"(b));
    return sum;
}
ENCODERD_INLINE __m256i f32x8_mask(long count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
ENCODERD_INLINE f32x8 f32x8_load_partial(const float *p, long count, float fill) {
    __m256i mask = f32x8_mask(count);
    return (f32x8)_mm256_blendv_ps(_mm256_set1_ps(fill), _mm256_maskload_ps(p, mask), _mm256_castsi256_ps(mask));
}
ENCODERD_INLINE void f32x8_store_partial(float *p, long count, f32x8 v) {
    _mm256_maskstore_ps(p, f32x8_mask(count), (__m256)v);
}
#endif

#if defined(__AVX512F__)
ENCODERD_VECTOR(f32x16, 16)
ENCODERD_INLINE f32x16_bits f32x16_add_pairs(f32x16_bits sum, f32x16_bits a, f32x16_bits b) {
    return sum + (f32x16_bits)_mm512_madd_epi16((__m512i)a, (__m512i)b);
}
// AVX512_VNNI and AVX512_BF16 are written by their mnemonics: the targets are compiled without them, and only tables of
// machines that have them call these functions.
ENCODERD_INLINE f32x16_bits f32x16_add_quads(f32x16_bits sum, f32x16_bits a, f32x16_bits b) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}
ENCODERD_INLINE f32x16 f32x16_add_bf16_pairs(f32x16 sum, f32x16_bits a, f32x16_bits b) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(a), "v"(b));
    return sum;
}
ENCODERD_INLINE void f32x16_convert_bf16(uint16_t *p, f32x16 v) {
    __m256i out;
    __asm__("vcvtneps2bf16 %1, %0" : "=v"(out) : "v"(v));
    __builtin_memcpy(p, &out, sizeof out);
}
// p * 2^i by one instruction: exact where the result is not subnormal, rounded once where it is.
ENCODERD_INLINE f32x16 f32x16_scale(f32x16 p, f32x16 i, f32x16 rounder) {
    (void)rounder;
    return (f32x16)_mm512_scalef_ps((__m512)p, (__m512)i);
}
// y minus the nearest whole number; 0 where y is infinite.
ENCODERD_INLINE f32x16 f32x16_rest(f32x16 y) {
    return (f32x16)_mm512_reduce_ps((__m512)y, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
ENCODERD_INLINE f32x16 f32x16_load_partial(const float *p, long count, float fill) {
    return (f32x16)_mm512_mask_loadu_ps(_mm512_set1_ps(fill), (__mmask16)((1u << count) - 1), p);
}
ENCODERD_INLINE void f32x16_store_partial(float *p, long count, f32x16 v) {
    _mm512_mask_storeu_ps(p, (__mmask16)((1u << count) - 1), (__m512)v);
}
#endif

// out[j, i] = p[i, j] for 4 × 4 floats, rows `ld` and `ldOut` floats apart. Loops for this become scatters, which are
// several times slower.
ENCODERD_INLINE void encoderd_transpose4(const float *p, long ld, float *out, long ldOut) {
    f32x4 a = f32x4_load(p), b = f32x4_load(p + ld), c = f32x4_load(p + 2 * ld), d = f32x4_load(p + 3 * ld);
    f32x4 ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    f32x4_store(out, __builtin_shufflevector(ab, cd, 0, 1, 4, 5));
    f32x4_store(out + ldOut, __builtin_shufflevector(ab, cd, 2, 3, 6, 7));
    ab = __builtin_shufflevector(a, b, 2, 6, 3, 7), cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    f32x4_store(out + 2 * ldOut, __builtin_shufflevector(ab, cd, 0, 1, 4, 5));
    f32x4_store(out + 3 * ldOut, __builtin_shufflevector(ab, cd, 2, 3, 6, 7));
}

// Prefetches into the second-level cache (locality 2).
ENCODERD_INLINE void encoderd_prefetch(const void *p) { __builtin_prefetch(p, 0, 2); }

// The registers of CPUID and XCR0 that decide which kernels run. They are zero on other processors, and for leaves that
// this one lacks.
typedef struct {
    // Leaf 1 ECX; leaf 7.0 EBX and ECX; leaf 7.1 EAX; leaf 0x80000001 ECX.
    uint32_t leaf1_ecx, leaf7_ebx, leaf7_ecx, leaf7_1_eax, extended1_ecx;
    // States that the operating system saves.
    uint64_t xcr0;
} encoderd_cpuid_t;
encoderd_cpuid_t encoderd_cpuid(void);

#endif
