// SPDX-License-Identifier: Apache-2.0
/* types.h - kinds of profiles and values, by the names that users type */
#ifndef PYRO_CLI_TYPES_H
#define PYRO_CLI_TYPES_H

#include "profile/profile.h"
#include "profile/types.h"

/* The bits (profile/types.h) of a list such as "cpu,heap"; 0 if a name in it is none. */
uint32_t pyro_types_parse(const char *list);

#define PYRO_TYPE_NONE SIZE_MAX

/* The number of the profile's value of this name, or PYRO_TYPE_NONE. */
size_t pyro_type_find(const struct pyro_profile *profile, const char *name);

/* The number of the value to show when nobody asked for another: of the heap
 * what is in use, if anything is, else what was allocated; the last of other
 * profiles. */
size_t pyro_type_default(const struct pyro_profile *profile);

/* The number of the value of this name, of the default one for NULL. false after
 * a message of the verb that names those that there are. */
bool pyro_type_choose(const struct pyro_profile *profile, const char *verb,
		      const char *name, size_t *type);

/* Is this value one of the heap? Is it a state at the end, which is not summed
 * over time? */
bool pyro_type_is_heap(const struct pyro_profile *profile, size_t type);
bool pyro_type_is_inuse(const struct pyro_profile *profile, size_t type);

/* The value of all samples; sums of hostile numbers stop at the range's end. */
int64_t pyro_type_total(const struct pyro_profile *profile, size_t type);

#endif
