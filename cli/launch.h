// SPDX-License-Identifier: Apache-2.0
/* launch.h - what exec and record have in common: options, the environment in
 * which a program is profiled */
#ifndef PYRO_CLI_LAUNCH_H
#define PYRO_CLI_LAUNCH_H

#include "cli/cli.h"
#include "cli/target.h"
#include "settings/settings.h"

struct pyro_launch {
	/* Options that are settings, as texts of argv, checked but for the
	 * server's address. NULL: not given. */
	const char *given[PYRO_SETTINGS];
	const char *output; /* record */
	uint32_t types;     /* record: PYRO_TYPE_, never 0 */
	uint32_t rate;      /* record: samples a second */
	bool leaks;         /* record */
	int64_t leaks_age;  /* seconds; -1: not given */
	bool quiet;         /* record */
	char **argv;        /* the program and its arguments, never empty */
};

/* Parse the options of `record` (else of `exec`) up to the program's name.
 * Returns -1 to go on, else the exit code: help was printed, or one line that
 * says what is wrong. */
int pyro_launch_parse(int argc, char **argv, bool record,
		      struct pyro_launch *launch);

/* Let this process's environment name the configuration file of the options. 0, or
 * -1 for out of memory. */
int pyro_launch_config(const struct pyro_launch *launch);

/* Change this process's environment to the one in which the program is
 * profiled: into folder, or to the server if folder is NULL. Returns NULL, or
 * in a few words (static) why that cannot be; the environment is then kept. */
const char *pyro_launch_environment(const struct pyro_launch *launch,
				    const char *folder);

/* In the process that will execute the program: name it to the library, which
 * tells the program from its descendants. */
void pyro_launch_root(void);

/* Say in one line that and why the program is not profiled. */
void pyro_launch_unprofiled(const struct pyro_launch *launch, const char *why);

/* Say why the program could not be executed. Returns 126 or 127. */
int pyro_launch_failed(const struct pyro_launch *launch, int error);

#endif
