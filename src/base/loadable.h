// SPDX-License-Identifier: Apache-2.0
/* loadable.h - can an executable's ld.so load this library? */
#ifndef PYRO_BASE_LOADABLE_H
#define PYRO_BASE_LOADABLE_H

#include "base/util.h"

enum pyro_loadable {
	PYRO_LOADABLE_YES,
	PYRO_LOADABLE_UNKNOWN, /* cannot be read, or is no ELF file */
	PYRO_LOADABLE_STATIC,  /* has no ld.so: LD_PRELOAD is not looked at */
	PYRO_LOADABLE_MACHINE, /* 32 bits, or another processor */
	PYRO_LOADABLE_OTHER_LIBC, /* its ld.so belongs to another libc */
};

/* Look at the file, and for a script at its interpreter. System calls only: a
 * vfork child may ask before it calls exec. Keeps errno. */
enum pyro_loadable pyro_loadable(const char *path) PYRO_SIGNAL_SAFE;

#endif
