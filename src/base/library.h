// SPDX-License-Identifier: Apache-2.0
/* library.h - other people's libraries, loaded when they are first needed
 *
 * Not by libpyroscope.a, which is for static programs: glibc's dlopen loads a
 * second libc there, which has to be of just the release that the program was
 * linked with; musl's loads nothing. */
#ifndef PYRO_BASE_LIBRARY_H
#define PYRO_BASE_LIBRARY_H

#include "base/util.h"

struct pyro_library_function {
	const char *name; /* "?" before it: may be missing */
	void *to;         /* a function pointer */
};

/* Can pyro_library_load() load anything at all? */
bool pyro_library_can_load(void);

/* Load a library, for ever, and find its functions. 0, -ENOENT when it is not
 * there or cannot be loaded, -ENOSYS when a function is missing (its pointer is
 * NULL), -ENOTSUP in a static program. The caller holds pyro_loader_lock. Changes
 * errno. */
int pyro_library_load(const char *file,
		      const struct pyro_library_function *function,
		      size_t count);

#endif
