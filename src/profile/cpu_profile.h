// SPDX-License-Identifier: Apache-2.0
/* cpu_profile.h - a window's stacks become a symbolized profile */
#ifndef PYRO_PROFILE_CPU_PROFILE_H
#define PYRO_PROFILE_CPU_PROFILE_H

#include "profile/frames.h"
#include "profile/stacks.h"

struct pyro_cpu_window {
	const struct pyro_stacks *stacks;
	uint64_t period_ns;
	int64_t time_ns, duration_ns; /* start (CLOCK_REALTIME) and length */
	/* CPU time beside the stacks, each shown as a frame of its own. */
	uint64_t lost_ns, lost_ticks; /* no free slot */
	uint64_t unsampled_ns;        /* no sample explains it */
	uint64_t library_ns;          /* the library's own threads */
	enum pyro_symbolize symbolize;
	bool strip;                     /* folders of file names */
	bool traces;                    /* spans have their trace's id, too */
	const struct pyro_lines *lines; /* what is known; NULL: nothing */
	struct pyro_names *names; /* makes them readable; NULL: as they are */
};

/* Returns owned; NULL for out of memory. Reads symbols of modules that have
 * samples. Collector. */
struct pyro_profile *pyro_cpu_profile(const struct pyro_cpu_window *window,
				      struct pyro_modules *modules);

#endif
