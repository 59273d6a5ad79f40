// System calls and constants that `import Glibc` does not expose to Swift.
#ifndef ENCODERD_CSYSTEM_H
#define ENCODERD_CSYSTEM_H

// Not under _GNU_SOURCE: it changes the layout of types (fd_set) that other modules import without it.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

// accept4 is declared only under _GNU_SOURCE, which the Swift importer's view of Glibc lacks.
int encoderd_accept4(int fd, int flags);

// Tells the processor that this is a loop that waits for another one.
static inline void encoderd_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// The monotonic clock.
long encoderd_nanoseconds(void);

// Large blocks go back to the system when they are freed. Left alone, glibc raises the size from which it does so to the
// largest block freed so far, up to 32 MiB, and twice that stays in every heap: after one large body, for good (mallopt(3)).
void encoderd_return_memory(void);

// futex(2), private to this process. Sleeps while `*word` is `value`, and may return at any time.
void encoderd_futex_wait(const void *word, unsigned value);
void encoderd_futex_wake(const void *word, int threads);

#endif
