// SPDX-License-Identifier: Apache-2.0
/* os.h - what the library asks of Linux, by raw system calls where a libc
 * wrapper could allocate, lock, cancel or be interposed */
#ifndef PYRO_BASE_OS_H
#define PYRO_BASE_OS_H

#include <pthread.h>
#include <sys/types.h>
#include <time.h>

#include "base/buf.h"

pid_t pyro_gettid(void) PYRO_SIGNAL_SAFE;
/* Never the cached number of a parent. */
pid_t pyro_getpid(void) PYRO_SIGNAL_SAFE;

/* Nanoseconds of a clock; 0 when it is gone (a dead thread's CPU clock). */
uint64_t pyro_clock_ns(clockid_t clock) PYRO_SIGNAL_SAFE;
/* The CPU clock of any thread of this process, by its kernel number. */
clockid_t pyro_thread_clock(pid_t tid) PYRO_SIGNAL_SAFE;

/* Sleep for ns nanoseconds; returns early only when interrupted. */
void pyro_sleep_ns(uint64_t ns);

/* Random 64 bits (getrandom, else clocks): jitter and names, not secrets. */
uint64_t pyro_random(void);

/* Copy len bytes at address from of this process without ever faulting.
 * Returns false if any of them cannot be read. Collector. */
bool pyro_read_memory(const void *from, void *to, size_t len);

/* Can this process read, or write, the aligned 8 bytes at address now? Asks the
 * kernel, which changes nothing; takes a tenth of a microsecond. Keeps errno. */
bool pyro_is_readable(const void *address);
bool pyro_is_writable(const void *address);

/* Call fn(arg, tid) for every thread of this process. 0 or -errno. No cancellation
 * point. */
typedef void pyro_tid_fn(void *arg, pid_t tid);
int pyro_each_thread(pyro_tid_fn *fn, void *arg);

/* Move a descriptor (or pass a negative one through) up to numbers that a
 * program's open() does not give out: a daemon that closes all descriptors and
 * opens its own must not get the number of one of ours, which we close. */
int pyro_fd_high(int fd);

/* Append the whole file (up to limit bytes, else -EFBIG) to buf. */
int pyro_read_file(const char *path, size_t limit, struct pyro_buf *buf);
/* pread all len bytes at offset; 0, -EIO at the file's end, or -errno. */
int pyro_pread_all(int fd, void *to, size_t len, uint64_t offset);
/* Write all bytes; 0 or -errno. EINTR and short writes are handled. */
int pyro_write_all(int fd, const void *data, size_t len);

/* The calling thread is not cancelled until its state is restored: what it holds
 * would stay held. Neither is a cancellation point. */
int pyro_cancel_disable(void);
void pyro_cancel_restore(int state);

/* Start a detached thread of the library: all signals blocked, named name (at
 * most 15 bytes, static), listed so that it is not sampled. 0 or -errno. */
int pyro_thread_start(const char *name, void (*run)(void *), void *arg);

/* The libc's own pthread_create, when the library interposes that name. */
struct pyro_libc_threads {
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
		      void *);
};
extern struct pyro_libc_threads pyro_libc_threads;

/* Is the calling thread the library's own? */
extern _Thread_local bool pyro_in_library_thread;

/* Is tid a thread of the library? CPU time of all of them, the ended included;
 * a moment's reading may be too small while one ends. */
bool pyro_is_library_thread(pid_t tid);
uint64_t pyro_library_cpu_ns(void);
/* In a forked child, where they do not exist. */
void pyro_library_threads_reset(void);
/* The kernel's number of the library's thread if there is one alone and the
 * program has one thread too; else 0. */
pid_t pyro_only_library_thread(void);
/* Wait until that thread is gone from the process; false after timeout_ns. */
bool pyro_thread_gone(pid_t tid, uint64_t timeout_ns);

#endif
