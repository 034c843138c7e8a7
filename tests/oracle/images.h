// SPDX-License-Identifier: Apache-2.0
/* images.h - what the tracee has mapped, as a snapshot for the unwinder */
#ifndef PYRO_TESTS_ORACLE_IMAGES_H
#define PYRO_TESTS_ORACLE_IMAGES_H

#include <sys/types.h>

#include "capture/unwind.h"
#include "image/symbols.h"

#define IMAGES_MAX 64

struct image {
	char path[512];
	const char *name; /* last part of path */
	struct pyro_unwind_table *table;
	struct pyro_symbols *symbols;
	uint64_t text_vaddr; /* of its executable segment */
};

struct images {
	struct image image[IMAGES_MAX]; /* module id - 1 */
	size_t count;
	struct pyro_snapshot *with_memo, *without_memo;
	struct pyro_stack stack; /* of the main thread */
};

/* Read /proc/PID/maps; tables are built once for each file. */
void images_refresh(struct images *images, pid_t pid);

/* "function" and "module" at an address; "?" where there is none. */
void images_name(const struct images *images, uintptr_t pc,
		 const char **function, const char **module);

#endif
