// SPDX-License-Identifier: Apache-2.0
/* threads.h - what another thread is doing, without a signal to it */
#ifndef PYRO_SOURCE_THREADS_H
#define PYRO_SOURCE_THREADS_H

#include <sys/types.h>

#include "capture/unwind.h"

enum pyro_thread_read {
	PYRO_THREAD_PARKED,  /* the stack was read, as far as walk.stop says */
	PYRO_THREAD_RUNNING, /* on a processor, or about to be: no stack */
	PYRO_THREAD_MOVED,   /* it moved while its stack was read: no stack */
	PYRO_THREAD_HIDDEN,  /* the kernel does not tell where it stands */
	PYRO_THREAD_GONE,
};

struct pyro_thread_facts {
	char name[16];     /* as the program gave it: any bytes */
	const char *state; /* the kernel's word: "running", "sleeping" */
};

/* What the line of /proc/PID/task/TID/stat says. False if it is none. */
bool pyro_threads_parse_stat(const char *line, struct pyro_thread_facts *facts);

/* Name and state of thread tid of this process. 0; -ESRCH: it is gone; another
 * -errno: the kernel does not tell. Keeps errno. */
int pyro_threads_describe(pid_t tid, struct pyro_thread_facts *facts);

/* Where a line of /proc/PID/task/TID/syscall says that a thread stands. False if
 * it tells no place: "running", or something that is not understood. */
bool pyro_threads_parse(const char *line, uintptr_t *pc, uintptr_t *sp);

/* The stack of thread tid of this process, leaf first, at most max addresses as
 * pyro_unwind_signal stores them; *depth is 0 unless the result is
 * PYRO_THREAD_PARKED. The thread is not disturbed: no signal, no stop; its memory
 * is copied by the kernel. The snapshot must stay published meanwhile. Collector;
 * keeps errno. */
enum pyro_thread_read pyro_threads_read(pid_t tid,
					const struct pyro_snapshot *snapshot,
					uint64_t *pc, size_t max, size_t *depth,
					struct pyro_walk *walk);

#endif
