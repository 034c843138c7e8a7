// SPDX-License-Identifier: Apache-2.0
/* target.h - can this program be profiled by preloading a library? */
#ifndef PYRO_CLI_TARGET_H
#define PYRO_CLI_TARGET_H

#include <limits.h>

#include "base/util.h"

struct pyro_target {
	char path[PATH_MAX]; /* what would be executed */
	const char *why_not; /* NULL: can be profiled. Static */
	int exec_errno;      /* 0, or why it cannot be executed */
};

/* Look name up as execvp does, and look into what it finds: the executable, or
 * the interpreter of a script. Only reads; a wrong guess costs at most the
 * profile, as execvp decides again. */
void pyro_target_check(const char *name, struct pyro_target *target);

#endif
