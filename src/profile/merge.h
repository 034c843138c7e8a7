// SPDX-License-Identifier: Apache-2.0
/* merge.h - many profiles into one, and one into less */
#ifndef PYRO_PROFILE_MERGE_H
#define PYRO_PROFILE_MERGE_H

#include "profile/profile.h"

/* Add all of from into to. Their sample types must be equal (-EINVAL), unless
 * to is still empty and takes from's. time_ns becomes the earlier start, and
 * duration_ns spans both. Locations of equal mapping (build ID, else filename;
 * and its range), address and lines are one. 0 or -errno. */
int pyro_profile_merge(struct pyro_profile *to,
		       const struct pyro_profile *from);

/* Keep at most max_samples samples: the lightest, by the greatest value of the
 * last one's unit, are summed into one sample "[trimmed]", so that totals stay.
 * Returns a new profile, owned, that holds only what its samples use, and the
 * first mapping, which is the program; NULL for out of memory. */
struct pyro_profile *pyro_profile_trim(const struct pyro_profile *profile,
				       size_t max_samples);

#endif
