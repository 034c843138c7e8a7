// SPDX-License-Identifier: Apache-2.0
/* registry.h - the threads that are sampled
 *
 * One entry a thread, in one region of memory that is never unmapped (a late
 * signal may still carry a pointer into it) and reads as empty in a forked
 * child. Entries change hands under the registry lock; handlers reach theirs
 * through the timer's value and check that it is theirs. */
#ifndef PYRO_CAPTURE_REGISTRY_H
#define PYRO_CAPTURE_REGISTRY_H

#include <stdatomic.h>
#include <sys/types.h>

#include "base/sync.h"
#include "capture/unwind.h"

#define PYRO_THREADS_MAX 32768

enum pyro_thread_state { /* zero pages are free entries */
	PYRO_THREAD_FREE,
	PYRO_THREAD_STARTING, /* claimed by pthread_create, not running yet */
	PYRO_THREAD_LIVE
};

struct pyro_thread {
	/* Written under the registry lock, or by the thread itself when it
	 * begins; read by handlers. */
	_Atomic pid_t tid;
	_Atomic uint32_t state; /* enum pyro_thread_state */
	int timer;              /* kernel's number; valid if armed */
	bool armed;
	bool scanned;    /* found by the scan, not by pthread_create */
	bool seen;       /* by the scan that is under way */
	uint32_t serial; /* counts the threads that had this entry */
	struct pyro_stack stack;
	/* What pthread_create, or thrd_create, was asked to run; the thread reads
	 * them first. */
	union {
		void *(*start)(void *);
		int (*start_c11)(void *);
	};
	void *arg;
	uint32_t labels; /* that it begins with */
};

extern struct pyro_mutex pyro_registry_lock;

/* Map the region, once a process. 0 or -ENOMEM. */
int pyro_registry_init(void);
/* In a forked child, where the region reads as empty. System calls only. */
void pyro_registry_forked(void);

/* The region: NULL before init, then constant. */
extern struct pyro_thread *_Atomic pyro_registry_region;

/* Is p an entry? For pointers that came with a signal. Context: signal. */
static inline bool pyro_registry_holds(const void *p)
{
	uintptr_t base = (uintptr_t)atomic_load_explicit(&pyro_registry_region,
							 memory_order_acquire);
	uintptr_t offset = (uintptr_t)p - base;

	return base && offset < PYRO_THREADS_MAX * sizeof(struct pyro_thread) &&
	       offset % sizeof(struct pyro_thread) == 0;
}

/* All of these under the registry lock. Claim returns NULL when it is full. */
struct pyro_thread *pyro_registry_claim(enum pyro_thread_state state);
void pyro_registry_release(struct pyro_thread *thread);
/* Entries are below this index. */
size_t pyro_registry_limit(void);
struct pyro_thread *pyro_registry_at(size_t index);

/* Who walks a stack is counted, between enter and leave, which takes what enter
 * returned. Context: signal, hook, any thread. */
unsigned pyro_readers_enter(void) PYRO_SIGNAL_SAFE;
void pyro_readers_leave(unsigned entered) PYRO_SIGNAL_SAFE;

/* Wait until everyone has left who was in when this was called:
 * what was unpublished before may then be freed. False when one stays in for a
 * second (its thread is stopped): free nothing then. One thread at a time. */
bool pyro_registry_quiesce(void);

/* Bounds of the main thread's stack; of the calling thread if pthread_create
 * made it with that stack size and guard size. Both 0 if not known. */
struct pyro_stack pyro_stack_of_main(void);
struct pyro_stack pyro_stack_of_self(size_t size, size_t guard);

#endif
