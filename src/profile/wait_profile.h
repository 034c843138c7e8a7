// SPDX-License-Identifier: Apache-2.0
/* wait_profile.h - a window's waits become a symbolized profile */
#ifndef PYRO_PROFILE_WAIT_PROFILE_H
#define PYRO_PROFILE_WAIT_PROFILE_H

#include "profile/frames.h"
#include "profile/types.h"
#include "profile/wait_stacks.h"

struct pyro_wait_window {
	const struct pyro_wait_stacks *stacks;
	uint32_t types; /* of PYRO_TYPE_MUTEX or of PYRO_TYPE_BLOCK */
	int64_t time_ns, duration_ns;    /* start (CLOCK_REALTIME) and length */
	struct pyro_weight not_captured; /* of which no stack is known, */
	struct pyro_weight
		left_over; /* and that no unlocker was charged with */
	enum pyro_symbolize symbolize;
	bool strip;                     /* folders of file names */
	const struct pyro_lines *lines; /* what is known; NULL: nothing */
	struct pyro_names *names; /* makes them readable; NULL: as they are */
};

/* Samples of the block profile have the label wait_class: sync, io or sleep.
 * Returns owned; NULL for out of memory. Reads symbols of modules that have
 * samples. Collector. */
struct pyro_profile *pyro_wait_profile(const struct pyro_wait_window *window,
				       struct pyro_modules *modules);

#endif
