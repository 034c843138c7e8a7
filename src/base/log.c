// SPDX-License-Identifier: Apache-2.0
/* log.c - lines to descriptor 2, to a file, or nowhere */
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static char path_copy[PATH_MAX];
static const char *_Atomic log_path;

void pyro_log_to(const char *path)
{
	if (path) {
		snprintf(path_copy, sizeof(path_copy), "%s", path);
		path = path_copy;
	}
	atomic_store(&log_path, path);
}

void pyro_log(const char *fmt, ...)
{
	int saved = errno;
	const char *path = atomic_load(&log_path);
	char line[512];
	va_list args;

	if (path && !*path)
		return;

	int n = snprintf(line, sizeof(line), "pyroscope: ");

	va_start(args, fmt);
	int m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, args);
	va_end(args);
	if (m < 0)
		m = 0;

	size_t len = pyro_min((size_t)(n + m), sizeof(line) - 2);

	/* An address or a name may hold anything: one cause stays one line. */
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 127)
			line[i] = '?';
	line[len++] = '\n';

	/* One write, so that lines of several processes do not mix. A log that
	 * cannot be written has nobody to be told to. */
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC,
			     0600)
		      : STDERR_FILENO;

	if (fd >= 0 && write(fd, line, len) < 0)
		errno = 0;
	if (path && fd >= 0)
		close(fd);
	errno = saved;
}
