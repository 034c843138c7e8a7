// SPDX-License-Identifier: Apache-2.0
/* cli.h - what the verbs of the pyro command share
 *
 * Messages are one line on descriptor 2 that begins with "pyro: ". Standard
 * output carries only what was asked for: a table, a version, a help text. */
#ifndef PYRO_CLI_CLI_H
#define PYRO_CLI_CLI_H

#include <stdio.h>

#include "base/util.h"

enum pyro_exit {
	PYRO_EXIT_OK = 0,
	PYRO_EXIT_FAILED = 1,
	PYRO_EXIT_USAGE = 2,
	/* As shells have them. */
	PYRO_EXIT_NOT_EXECUTABLE = 126,
	PYRO_EXIT_NOT_FOUND = 127
};

/* Each runs one verb; argv[0] is the verb. Returns the exit code. */
typedef int pyro_command_fn(int argc, char **argv);
pyro_command_fn pyro_diff_main;
pyro_command_fn pyro_exec_main;
pyro_command_fn pyro_record_main;
pyro_command_fn pyro_top_main;
pyro_command_fn pyro_view_main;

/* Print the reference of all settings. */
void pyro_settings_page(void);

/* One line on stderr. Control characters in what is printed become '?': names
 * of files and functions are the program's, the terminal is the user's. */
void pyro_say(const char *fmt, ...) PYRO_PRINTF(1, 2);

/* Tell that getopt_long returned '?' or ':' for these arguments. Returns
 * PYRO_EXIT_USAGE. */
int pyro_bad_option(char **argv, int result);

/* Copy s into to, at most cap - 1 bytes and a NUL, without control characters
 * (also the C1 ones in UTF-8) and never ending inside a character. Returns to. */
char *pyro_printable(const char *s, char *to, size_t cap);

#endif
