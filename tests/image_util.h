// SPDX-License-Identifier: Apache-2.0
/* image_util.h - for tests of images: bytes that end at an unreadable page,
 * temporary folders, and commands whose failure fails the test */
#ifndef PYRO_TESTS_IMAGE_UTIL_H
#define PYRO_TESTS_IMAGE_UTIL_H

#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <setjmp.h>
#include <cmocka.h>

#include "base/buf.h"

#define GUARD_BYTES ((size_t)1 << 20)

/* A copy of the bytes that ends where memory ends. Valid until the next call. */
static inline unsigned char *guarded(const void *bytes, size_t len)
{
	static unsigned char *room;

	assert_true(len <= GUARD_BYTES);
	if (!room) {
		room = mmap(NULL, GUARD_BYTES + 4096, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_true(room != MAP_FAILED);
		assert_int_equal(mprotect(room + GUARD_BYTES, 4096, PROT_NONE),
				 0);
	}

	unsigned char *at = room + GUARD_BYTES - len;

	if (len)
		memcpy(at, bytes, len);
	return at;
}

__attribute__((format(printf, 1, 2))) static inline void run(const char *fmt,
							     ...)
{
	char command[4096];
	va_list args;

	va_start(args, fmt);
	assert_true(vsnprintf(command, sizeof(command), fmt, args) <
		    (int)sizeof(command));
	va_end(args);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

/* What a command prints. End with pclose(). */
__attribute__((format(printf, 1, 2))) static inline FILE *
output_of(const char *fmt, ...)
{
	char command[4096];
	va_list args;
	FILE *out;

	va_start(args, fmt);
	assert_true(vsnprintf(command, sizeof(command), fmt, args) <
		    (int)sizeof(command));
	va_end(args);
	out = popen(command, "r");
	assert_non_null(out);
	return out;
}

static inline char *test_dir(void)
{
	static char path[64];

	return path;
}

/* A new folder; remove_dir() ends it. */
static inline char *make_dir(void)
{
	strcpy(test_dir(), "/tmp/pyro-test-XXXXXX");
	assert_non_null(mkdtemp(test_dir()));
	return test_dir();
}

/* A file in it. Valid until the call after the next. */
static inline const char *in_dir(const char *name)
{
	static char path[2][128];
	static unsigned next;

	next = !next;
	snprintf(path[next], sizeof(path[next]), "%s/%s", test_dir(), name);
	return path[next];
}

static inline void remove_dir(const char *path)
{
	assert_memory_equal(path, "/tmp/pyro-test-", 15);
	run("rm -rf '%s'", path);
}

__attribute__((format(printf, 2, 3))) static inline void
write_text(const char *path, const char *fmt, ...)
{
	FILE *f = fopen(path, "w");
	va_list args;

	assert_non_null(f);
	va_start(args, fmt);
	vfprintf(f, fmt, args);
	va_end(args);
	assert_int_equal(fclose(f), 0);
}

/* The bytes as a file without a name. */
static inline int memory_file(const void *bytes, size_t len)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	return fd;
}

static inline int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("cannot open %s", path);
	return fd;
}

/* The same numbers in every run. */
static inline uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

#endif
