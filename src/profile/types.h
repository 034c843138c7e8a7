// SPDX-License-Identifier: Apache-2.0
/* types.h - what can be profiled, as the bits of a mask */
#ifndef PYRO_PROFILE_TYPES_H
#define PYRO_PROFILE_TYPES_H

enum {
	PYRO_TYPE_CPU = 1,
	/* Sample types of the heap's profile, in the order in which it has
	 * them. */
	PYRO_TYPE_ALLOC_OBJECTS = 2,
	PYRO_TYPE_ALLOC_SPACE = 4,
	PYRO_TYPE_INUSE_OBJECTS = 8,
	PYRO_TYPE_INUSE_SPACE = 16,

	PYRO_TYPE_ALLOC = PYRO_TYPE_ALLOC_OBJECTS | PYRO_TYPE_ALLOC_SPACE,
	PYRO_TYPE_INUSE = PYRO_TYPE_INUSE_OBJECTS | PYRO_TYPE_INUSE_SPACE,
	PYRO_TYPE_HEAP = PYRO_TYPE_ALLOC | PYRO_TYPE_INUSE
};

#endif
