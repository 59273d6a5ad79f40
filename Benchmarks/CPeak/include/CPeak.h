#ifndef ENCODERD_CPEAK_H
#define ENCODERD_CPEAK_H

// Runs `rounds` rounds of multiply-adds in registers only and returns the number of floating-point operations executed.
//
// `width` is the vector width in bits of a kernel table: 512 or 256, both with FMA, or 128. The 128-bit version uses
// FMA on arm64 and separate multiplications and additions on x86-64.
double encoderd_peak(int width, long rounds);

#endif
