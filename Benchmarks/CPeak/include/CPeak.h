#ifndef ENCODERD_CPEAK_H
#define ENCODERD_CPEAK_H

// Multiplies and adds in registers only, `rounds` times, and says how many floating-point operations that was. The
// width is that of a table of kernels: 512, 256 (both with FMA) or 128 (whatever every machine has).
double encoderd_peak(int width, long rounds);

#endif
