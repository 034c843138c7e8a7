// SPDX-License-Identifier: Apache-2.0
/* heap_profile.h - a window of the heap becomes a symbolized profile */
#ifndef PYRO_PROFILE_HEAP_PROFILE_H
#define PYRO_PROFILE_HEAP_PROFILE_H

#include "profile/frames.h"
#include "profile/heap_stacks.h"
#include "profile/types.h"

struct pyro_heap_window {
	const struct pyro_heap_stacks
		*stacks;              /* after a look at what is live */
	uint32_t types;               /* of PYRO_TYPE_HEAP: its sample types */
	uint64_t interval;            /* of samples now */
	int64_t time_ns, duration_ns; /* start (CLOCK_REALTIME) and length */
	struct pyro_heap_values lost; /* allocated; no free slot */
	enum pyro_symbolize symbolize;
	bool strip;                     /* folders of file names */
	const struct pyro_lines *lines; /* what is known; NULL: nothing */
	struct pyro_names *names; /* makes them readable; NULL: as they are */
};

/* A stack's alloc_ values are the window's, its inuse_ ones those of the last
 * look. If that was with ages, these are in samples of their own, with the label
 * age. Returns owned; NULL for out of memory. Reads symbols of modules that have
 * samples. Collector. */
struct pyro_profile *pyro_heap_profile(const struct pyro_heap_window *window,
				       struct pyro_modules *modules);

#endif
