// SPDX-License-Identifier: Apache-2.0
/* stats.h - what pyroscope_stats() tells, while it is counted
 *
 * Since the process began, over all sessions; a forked child begins anew. The
 * collector and the uploader add, any thread reads: there is no lock that a call
 * could wait for. */
#ifndef PYRO_API_STATS_H
#define PYRO_API_STATS_H

#include "capture/unwind.h"
#include "transport/upload.h"

struct pyro_counts {
	/* Expirations of timers, by why the walk ended. */
	_Atomic uint64_t samples[PYRO_STOP_COUNT];
	_Atomic uint64_t overflow; /* of samples: more stacks than are kept */
	_Atomic uint64_t lost;     /* no free slot */
	_Atomic uint64_t unsampled_ns;
	_Atomic uint64_t heap_samples, heap_lost;
	_Atomic uint64_t written, unwritten; /* profiles: files; given up */
	/* Of the last interval, in parts per million; now. */
	_Atomic uint64_t overhead_ppm, rate_halvings;
	/* As of the collector's last look. */
	_Atomic uint64_t objects, tables_bytes;
	struct pyro_upload_stats upload;
};

extern struct pyro_counts pyro_counts;

/* The tables are gone. */
void pyro_counts_stopped(void);
/* In a forked child. Stores only. */
void pyro_counts_forked(void);

#endif
