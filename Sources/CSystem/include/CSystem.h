// System calls, constants and CPU hints that `import Glibc` does not expose to Swift.
#ifndef ENCODERD_CSYSTEM_H
#define ENCODERD_CSYSTEM_H

// Do not define _GNU_SOURCE here: it changes the layout of types (fd_set) that other modules import without it.
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

// accept4(2) without the peer's address. Glibc declares it only under _GNU_SOURCE, which Swift's import of Glibc lacks.
int encoderd_accept4(int fd, int flags);

// Tells the CPU that this thread spins while it waits for another thread.
static inline void encoderd_pause(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

// Returns the monotonic clock in nanoseconds.
long encoderd_nanoseconds(void);

// Makes free() return blocks of 256 KiB and more to the system at once, and limits the unused top of a heap to 1 MiB.
//
// By default glibc adapts both limits: the first grows to the largest block freed so far, up to 32 MiB, and the second
// to twice that. After one large request body each heap would keep that memory forever (mallopt(3)).
void encoderd_return_memory(void);

// Sleeps while `*word` is `value`; may also return early. The futex(2) is private to this process.
void encoderd_futex_wait(const void *word, unsigned value);

// Wakes at most `threads` threads that sleep in encoderd_futex_wait on `word`.
void encoderd_futex_wake(const void *word, int threads);

#endif
