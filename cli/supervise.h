// SPDX-License-Identifier: Apache-2.0
/* supervise.h - run a program as a child as if it had been run directly */
#ifndef PYRO_CLI_SUPERVISE_H
#define PYRO_CLI_SUPERVISE_H

#include <sys/types.h>

#include "base/util.h"

struct pyro_outcome {
	int exec_errno;  /* not 0: the program could not be executed */
	int exit_code;   /* of the program, if signal is 0 */
	int signal;      /* that killed it */
	uint64_t cpu_ns; /* of it and of what it waited for */
};

/* Run argv by execvp with this process's environment, and wait for it. The
 * child keeps this process's streams, group, terminal, signal mask and
 * dispositions; in_child, unless NULL, is called in it before exec. Signals
 * sent to this process are passed on; what a terminal sends, the child gets by
 * itself. Stops of the child stop this process too.
 *
 * Afterwards descriptors 0 and 1 of this process are /dev/null, and signals
 * stay blocked, so that the caller can finish its work. Single-threaded
 * callers only. 0 or -errno when no child could be made. */
int pyro_supervise(char **argv, void (*in_child)(void),
		   struct pyro_outcome *outcome);

/* Die by signal as the child did, without a second core file. Returns 128 +
 * signal where that cannot be (the first process of a container). */
int pyro_die_by(int signal);

#endif
