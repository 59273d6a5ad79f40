#define _GNU_SOURCE
#include "CSystem.h"
#include <linux/futex.h>
#include <malloc.h>
#include <sys/syscall.h>
#include <time.h>

int encoderd_accept4(int fd, int flags) { return accept4(fd, 0, 0, flags); }

void encoderd_return_memory(void) {
#ifdef __GLIBC__
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
#endif
}

void encoderd_futex_wait(const void *word, unsigned value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, 0, 0, 0);
}

void encoderd_futex_wake(const void *word, int threads) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, threads, 0, 0, 0);
}

long encoderd_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000L + time.tv_nsec;
}
