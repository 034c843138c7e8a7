// SPDX-License-Identifier: Apache-2.0
/* library.c - dlopen, and dlsym for a list of functions */
#include "base/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

#ifdef PYRO_STATIC

bool pyro_library_can_load(void)
{
	return false;
}

int pyro_library_load(const char *file,
		      const struct pyro_library_function *function,
		      size_t count)
{
	(void)file;
	(void)function;
	(void)count;
	return -ENOTSUP;
}

#else

bool pyro_library_can_load(void)
{
	return true;
}

int pyro_library_load(const char *file,
		      const struct pyro_library_function *function,
		      size_t count)
{
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return -ENOENT;
	for (size_t i = 0; i < count; i++) {
		bool optional = function[i].name[0] == '?';
		void *symbol = dlsym(library, function[i].name + optional);

		/* ISO C has no cast from void * to a function pointer. */
		memcpy(function[i].to, &symbol, sizeof(symbol));
		if (!symbol && !optional)
			return -ENOSYS;
	}
	return 0;
}

#endif
