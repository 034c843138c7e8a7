// SPDX-License-Identifier: Apache-2.0
/* launch.h - what exec and record have in common: options, the environment in
 * which a program is profiled */
#ifndef PYRO_CLI_LAUNCH_H
#define PYRO_CLI_LAUNCH_H

#include "cli/cli.h"
#include "cli/target.h"

/* Borrowed from argv; NULL where not given. */
struct pyro_launch {
	const char *server;   /* exec */
	const char *output;   /* record */
	const char *rate;     /* checked: 1 to 1000 */
	const char *symbols;  /* checked: names, lines or server */
	const char *demangle; /* checked: simplified, full or none */
	const char *name;     /* checked: 1 to 255 bytes */
	const char *log_file;
	const char *types_text; /* checked: a list of types */
	unsigned int types;     /* the same as bits; record: never 0 */
	const char *interval_text;
	uint32_t heap_interval; /* the same in bytes; 0: not given */
	bool leaks;             /* record */
	int64_t leaks_age;      /* seconds; -1: not given */
	bool no_children;
	bool quiet;  /* record */
	char **argv; /* the program and its arguments, never empty */
};

/* Parse the options of `record` (else of `exec`) up to the program's name.
 * Returns -1 to go on, else the exit code: help was printed, or one line that
 * says what is wrong. */
int pyro_launch_parse(int argc, char **argv, bool record,
		      struct pyro_launch *launch);

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
