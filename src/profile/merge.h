// SPDX-License-Identifier: Apache-2.0
/* merge.h - many profiles into one, one less another, and one into less */
#ifndef PYRO_PROFILE_MERGE_H
#define PYRO_PROFILE_MERGE_H

#include "profile/profile.h"

/* Add all of from into to. The sample types of one of them must be the other's, or
 * some of these (-EINVAL): of the rest it has nothing. time_ns becomes the
 * earlier start, and duration_ns spans both. Locations of equal mapping (build
 * ID, else filename; and its range), address and lines are one. 0 or -errno. */
int pyro_profile_merge(struct pyro_profile *to,
		       const struct pyro_profile *from);

/* The same with each value multiplied by its type's factor (as many as from has
 * types): 1 adds, -1 takes away, 0 leaves the type out. What is then zero in
 * all values is not added. */
int pyro_profile_merge_scaled(struct pyro_profile *to,
			      const struct pyro_profile *from,
			      const int64_t *factor);

/* What profile has more than base, by stack, labels left aside: negative where
 * it has less, and nothing of what is the same. The time is profile's; there are
 * no comments. Their types must be equal (-EINVAL). Returns owned in *out, NULL
 * on failure. 0 or -errno. */
int pyro_profile_diff(const struct pyro_profile *base,
		      const struct pyro_profile *profile,
		      struct pyro_profile **out);

/* Keep at most max_samples samples: the lightest, by the greatest value of the
 * last one's unit, above or below zero, are summed into one sample "[trimmed]", so
 * that totals stay. Returns a new profile, owned, that holds only what its samples
 * use, and the first mapping, which is the program; NULL for out of memory. */
struct pyro_profile *pyro_profile_trim(const struct pyro_profile *profile,
				       size_t max_samples);

#endif
