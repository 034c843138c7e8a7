// SPDX-License-Identifier: Apache-2.0
/* threads_profile.h - what all threads do at a moment becomes a profile */
#ifndef PYRO_PROFILE_THREADS_PROFILE_H
#define PYRO_PROFILE_THREADS_PROFILE_H

#include "profile/frames.h"
#include "profile/stacks.h"

struct pyro_threads_moment {
	const struct pyro_stacks *stacks; /* a tick is a thread */
	uint64_t not_seen; /* threads that have none: of unknown creators */
	const char *type;  /* what threads are called */
	/* Of many moments: from one to the next. A tick is a thread at one of
	 * them, and there are nanoseconds, too. 0: of one. */
	int64_t interval_ns;
	int64_t time_ns, duration_ns; /* of the window that the moment ended */
	enum pyro_symbolize symbolize;
	bool strip;                     /* folders of file names */
	const struct pyro_lines *lines; /* what is known; NULL: nothing */
	struct pyro_names *names; /* makes them readable; NULL: as they are */
};

/* How many threads there are of each stack; or how long they have it. Returns owned;
 * NULL for out of memory. Reads symbols of modules that have samples. Collector. */
struct pyro_profile *
pyro_threads_profile(const struct pyro_threads_moment *moment,
		     struct pyro_modules *modules);

#endif
