// SPDX-License-Identifier: Apache-2.0
/* log.h - the library's few lines to its user
 *
 * Each line begins with "pyroscope: " and goes to descriptor 2 or to a function
 * of the program's, and to the file that `pyro` or the user named, or nowhere; a
 * cause is told once per process. Never called from signal handlers. */
#ifndef PYRO_BASE_LOG_H
#define PYRO_BASE_LOG_H

#include <stdatomic.h>

#include "base/util.h"

/* Where lines go: NULL is descriptor 2, "" nowhere, else append to this file.
 * Borrows path until return. */
void pyro_log_to(const char *path);

enum pyro_log_level {
	PYRO_LOG_NONE,
	PYRO_LOG_ERROR, /* there is no profiling, or not any more */
	PYRO_LOG_WARN,  /* something is not as the user wants it */
	PYRO_LOG_INFO,  /* profiling begins, or ends */
	PYRO_LOG_DEBUG  /* each profile */
};

/* Lines above this level are not written; PYRO_LOG_WARN until it is set. */
void pyro_log_set_level(enum pyro_log_level level);

/* One line, without its newline; cut at 500 bytes. Keeps errno. Any thread. */
void pyro_log_as(enum pyro_log_level level, const char *fmt, ...)
	PYRO_PRINTF(2, 3);

/* The same from a hook, in which the program's function is not called. */
void pyro_log_in_hook(enum pyro_log_level level, const char *fmt, ...)
	PYRO_PRINTF(2, 3);

/* Who gets the lines in the place of descriptor 2: level, the text without
 * "pyroscope: ", and arg. One call at a time. NULL: nobody. 0, or -EBUSY: the former
 * does not return, and nothing is changed. */
typedef void pyro_log_fn(int level, const char *text, void *arg);
int pyro_log_call(pyro_log_fn *fn, void *arg);
/* In a forked child, whose other threads are gone. */
void pyro_log_forked(void);

#define pyro_log(...) pyro_log_as(PYRO_LOG_WARN, __VA_ARGS__)

/* The same, once for each place in the code. */
#define PYRO_LOG_ONCE(...)                          \
	do {                                        \
		static _Atomic bool told_;          \
		if (!atomic_exchange(&told_, true)) \
			pyro_log(__VA_ARGS__);      \
	} while (0)

#endif
