// SPDX-License-Identifier: Apache-2.0
/* leaks.h - what of a heap profile was never freed */
#ifndef PYRO_CLI_LEAKS_H
#define PYRO_CLI_LEAKS_H

#include "profile/profile.h"

struct pyro_leaks {
	struct pyro_profile *profile;       /* owned: the leaks alone, in use */
	int64_t min_age;                    /* seconds, a power of two or 0 */
	int64_t bytes, objects;             /* of the leaks */
	int64_t young_bytes, young_objects; /* left out */
	int64_t ageless_bytes; /* of the leaks those of which no age is known */
};

/* Keep of a profile of the heap what is in use and at least min_age seconds old,
 * which is rounded down to what the label "age" can tell. Free in any case. 0 or
 * -errno; -EINVAL if it does not have both inuse_objects and inuse_space. */
int pyro_leaks_init(struct pyro_leaks *leaks,
		    const struct pyro_profile *profile, int64_t min_age);
void pyro_leaks_fini(struct pyro_leaks *leaks);

/* Tell of the greatest leaks, with their stacks. 0 or -ENOMEM. */
int pyro_leaks_say(const struct pyro_leaks *leaks, size_t rows);

#endif
