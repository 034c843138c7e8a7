// SPDX-License-Identifier: Apache-2.0
/* slots.h - records on their way from handlers to the collector
 *
 * One pool of fixed-size slots for the whole process. A writer takes a free
 * slot (CAS FREE to BUSY, a few probes), fills it and
 * commits it READY; the collector sweeps. No slot belongs to a thread, so
 * nesting, bursts and dead threads need no special case. When no slot is free
 * the event's weight is counted as lost, each kind for itself. The memory is zero
 * in a forked child: all slots are free there. */
#ifndef PYRO_BASE_SLOTS_H
#define PYRO_BASE_SLOTS_H

#include <stdatomic.h>
#include <sys/types.h>

#include "base/util.h"

/* Frames that a record can hold. */
#define PYRO_DEPTH_MAX 512 /* as far as it can be set */

enum pyro_kind {
	PYRO_KIND_CPU,
	PYRO_KIND_HEAP,
	PYRO_KIND_THREADS,
	PYRO_KIND_WALL, /* never in the pool */
	PYRO_KIND_BIRTH,
	PYRO_KIND_MUTEX,
	PYRO_KIND_BLOCK,
	PYRO_KIND_COUNT
};

/* What a record, or all that were lost, stand for. */
struct pyro_weight {
	uint64_t count; /* timer expirations; allocations; waits;
			 * threads; births */
	uint64_t value; /* nanoseconds of CPU time; bytes; ns of waiting */
};

/* An allocation that was sampled. */
struct pyro_heap_sample {
	uint64_t id;       /* of its entry in the live table */
	uint64_t size;     /* bytes asked for */
	uint64_t interval; /* mean bytes between samples when it was drawn */
};

/* For what a thread waits. */
enum pyro_wait_class {
	PYRO_WAIT_SYNC, /* other threads */
	PYRO_WAIT_IO,   /* files, sockets, other processes */
	PYRO_WAIT_SLEEP,
	PYRO_WAIT_CLASSES
};

/* Of a distributed trace (W3C Trace Context); zeros: none. */
struct pyro_span {
	uint8_t id[8];
	uint8_t trace[16];
};

/* Of a thread: its place in the registry, and the how manieth it is there. */
struct pyro_birth {
	uint32_t place, serial;
};

struct pyro_record {
	_Atomic uint32_t state;
	_Atomic pid_t tid; /* who took it: a dead thread's is reclaimed */
	enum pyro_kind kind;
	uint32_t generation; /* of the snapshot that pc[] belongs to */
	struct pyro_weight weight;
	union {
		struct pyro_heap_sample heap; /* PYRO_KIND_HEAP */
		struct pyro_span span;        /* PYRO_KIND_CPU */
		struct pyro_birth birth;      /* PYRO_KIND_BIRTH */
		uint32_t lock; /* PYRO_KIND_MUTEX, _BLOCK: the name of what was
				* waited for (capture/lock_names.h) */
	};
	uint64_t began;      /* PYRO_KIND_CPU: for base/cost.h */
	uint16_t wait_class; /* PYRO_KIND_BLOCK */
	uint32_t labels;     /* the thread's set of them (capture/labels.h) */
	uint16_t room;       /* how deep a stack may be here */
	uint16_t depth;
	uint16_t stop; /* enum pyro_stop: why the walk ended */
	/* Leaf first; return addresses are stored minus one, so that each
	 * lies inside the instruction that it stands for. */
	uint64_t pc[PYRO_DEPTH_MAX]; /* in the pool there are fewer */
};

/* count slots, a power of two, with room for depth frames, unless there is a pool:
 * another one after pyro_slots_free. 0 or -ENOMEM. */
int pyro_slots_init(size_t count, uint16_t depth);
/* How many frames a record may have from now on: depth, as far as there is room. */
void pyro_slots_set_depth(uint16_t depth);
/* Only when no handler can run. */
void pyro_slots_free(void);
/* In a forked child: forget what the parent had lost and counted. */
void pyro_slots_forked(void);

/* A slot to fill, or NULL after counting weight as lost. Context: signal, any
 * thread. */
struct pyro_record *pyro_slots_take(enum pyro_kind kind, pid_t tid,
				    struct pyro_weight weight) PYRO_SIGNAL_SAFE;
/* Are more than half of all slots waiting for the collector? */
bool pyro_slots_are_crowded(void) PYRO_SIGNAL_SAFE;
/* It cannot be recorded: its weight is lost. */
void pyro_slots_lose(struct pyro_record *record) PYRO_SIGNAL_SAFE;
/* Hand it to the collector; wakes it when it is idle, when the pool is half
 * full, and when the walk met code that is in no known object (urgent) and
 * pyro_slots_allow_urgent() was called since the last time. Context: signal. */
void pyro_slots_commit(struct pyro_record *record,
		       bool urgent) PYRO_SIGNAL_SAFE;
void pyro_slots_allow_urgent(void);

/* Call fn for every READY record and free its slot. Returns how many. */
typedef void pyro_record_fn(void *arg, const struct pyro_record *record);
size_t pyro_slots_sweep(pyro_record_fn *fn, void *arg);
/* Free slots that threads took and never committed, because they died. alive
 * tells whether a thread still exists. */
typedef bool pyro_alive_fn(void *arg, pid_t tid);
size_t pyro_slots_reclaim(pyro_alive_fn *alive, void *arg);

/* What was lost of a kind since the last call. */
struct pyro_weight pyro_slots_lost(enum pyro_kind kind);

/* Wait until pyro_slots_wake() was called after pyro_slots_wakes() gave seen, the
 * pool fills, or timeout_ns went by; with idle also until the first record is
 * committed. Collector. */
void pyro_slots_wait(uint32_t seen, uint64_t timeout_ns, bool idle);
uint32_t pyro_slots_wakes(void);
void pyro_slots_wake(void) PYRO_SIGNAL_SAFE;

#endif
