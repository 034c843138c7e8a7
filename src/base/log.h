// SPDX-License-Identifier: Apache-2.0
/* log.h - the library's few lines to its user
 *
 * Each line begins with "pyroscope: " and goes to descriptor 2, to the file
 * that `pyro` named, or nowhere; a cause is told once per process. Never called
 * from signal handlers or hooks. */
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

#define pyro_log(...) pyro_log_as(PYRO_LOG_WARN, __VA_ARGS__)

/* The same, once for each place in the code. */
#define PYRO_LOG_ONCE(...)                          \
	do {                                        \
		static _Atomic bool told_;          \
		if (!atomic_exchange(&told_, true)) \
			pyro_log(__VA_ARGS__);      \
	} while (0)

#endif
