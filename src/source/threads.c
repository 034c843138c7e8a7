// SPDX-License-Identifier: Apache-2.0
/* threads.c - the stacks of parked threads, by what /proc tells of them
 *
 * A signal would end a parked thread's poll or sleep with EINTR, so none is sent.
 * The kernel tells pc and sp of a thread in a system call; its stack is copied
 * and walked from there. The line is read again afterwards: a thread that stands
 * elsewhere has written over what was copied. It may have left and come back to
 * the same call at the same sp; then the frames above it are, nearly always, the
 * same too. */
#include "source/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"
#include "source/threads_frame.h"

/* A number of a system call, six arguments, sp and pc. */
#define LINE_MAX_BYTES 256
/* A name may be of parentheses and spaces, fifteen of them: what is behind the
 * last one is within this. */
#define STAT_MAX_BYTES 128
#define PAGE_BYTES 4096
#define NO_PAGE 1 /* the address of none */

static bool parse_hex(const char **at, uintptr_t *value)
{
	const char *c = *at;
	unsigned digits = 0;

	if (c[0] != ' ' || c[1] != '0' || c[2] != 'x')
		return false;
	*value = 0;
	for (c += 3;; c++, digits++) {
		unsigned digit;

		if (*c >= '0' && *c <= '9')
			digit = (unsigned)(*c - '0');
		else if (*c >= 'a' && *c <= 'f')
			digit = (unsigned)(*c - 'a') + 10;
		else
			break;
		*value = *value << 4 | digit;
	}
	*at = c;
	return digits > 0 && digits <= 2 * sizeof(*value);
}

bool pyro_threads_parse(const char *line, uintptr_t *pc, uintptr_t *sp)
{
	bool blocked = line[0] == '-'; /* not in a call: a page fault */
	unsigned before = blocked ? 0 : 6;
	uintptr_t argument;

	line += blocked ? 1 : 0;
	if (*line < '0' || *line > '9')
		return false;
	while (*line >= '0' && *line <= '9')
		line++;
	for (unsigned i = 0; i < before; i++)
		if (!parse_hex(&line, &argument))
			return false;
	return parse_hex(&line, sp) && parse_hex(&line, pc) &&
	       (*line == '\n' || *line == '\0') && *sp && *pc;
}

/* A descriptor or -errno; -ESRCH: the thread is gone. */
static int open_file(pid_t tid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/task/%d/%s", (int)tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd : errno == ENOENT ? -ESRCH : -errno;
}

/* The beginning, ended by a zero: all 0 behind it, so that two compare. 0 or
 * -errno. */
static int read_line(int fd, char *line, size_t size)
{
	ssize_t n;

	memset(line, 0, size);
	n = pread(fd, line, size - 1, 0);
	return n < 0 ? -errno : n == 0 ? -ESRCH : 0;
}

/* The kernel's words (fs/proc/array.c). */
static const char *state_word(char letter)
{
	static const struct {
		char letter;
		const char *word;
	} known[] = {
		{'R', "running"}, {'S', "sleeping"},     {'D', "disk sleep"},
		{'T', "stopped"}, {'t', "tracing stop"}, {'X', "dead"},
		{'Z', "zombie"},  {'P', "parked"},       {'I', "idle"},
	};

	for (size_t i = 0; i < PYRO_COUNT_OF(known); i++)
		if (known[i].letter == letter)
			return known[i].word;
	return "unknown";
}

bool pyro_threads_parse_stat(const char *line, struct pyro_thread_facts *facts)
{
	const char *begin = strchr(line, '('), *end = strrchr(line, ')');
	size_t len;

	if (!begin || end < begin || end[1] != ' ' || !end[2])
		return false;
	len = (size_t)(end - begin - 1);
	if (len >= sizeof(facts->name))
		return false;
	memcpy(facts->name, begin + 1, len);
	facts->name[len] = '\0';
	facts->state = state_word(end[2]);
	return true;
}

int pyro_threads_describe(pid_t tid, struct pyro_thread_facts *facts)
{
	char line[STAT_MAX_BYTES];
	int saved = errno, fd = open_file(tid, "stat"), err = fd;

	if (fd >= 0) {
		err = read_line(fd, line, sizeof(line));
		if (!err && !pyro_threads_parse_stat(line, facts))
			err = -EINVAL;
		close(fd);
	}
	errno = saved;
	return err;
}

/* What was copied last: a stack is in few pages, and a call of the kernel takes as
 * long for a page as for a word. Collector. */
static struct {
	uintptr_t at; /* NO_PAGE: nothing */
	uint64_t bytes[PAGE_BYTES / sizeof(uint64_t)];
} page;

/* Within a page, as walks read. */
static bool copy_foreign(uint64_t *to, uintptr_t addr, size_t len)
{
	uintptr_t at = addr & ~(uintptr_t)(PAGE_BYTES - 1);

	if (len > PAGE_BYTES - (addr - at))
		return false;
	if (at != page.at) {
		page.at = NO_PAGE;
		/* NOLINTNEXTLINE(performance-no-int-to-ptr): any address */
		if (!pyro_read_memory((const void *)at, page.bytes, PAGE_BYTES))
			return false;
		page.at = at;
	}
	memcpy(to, (const char *)page.bytes + (addr - at), len);
	return true;
}

static enum pyro_thread_read why_not(int err)
{
	return err == -ESRCH ? PYRO_THREAD_GONE : PYRO_THREAD_HIDDEN;
}

static enum pyro_thread_read read_stack(int fd,
					const struct pyro_snapshot *snapshot,
					uint64_t *pc, size_t max, size_t *depth,
					struct pyro_walk *walk)
{
	char before[LINE_MAX_BYTES], after[LINE_MAX_BYTES];
	uintptr_t at, sp;
	int err = read_line(fd, before, sizeof(before));

	if (err)
		return why_not(err);
	if (strncmp(before, "running", 7) == 0)
		return PYRO_THREAD_RUNNING;
	if (!pyro_threads_parse(before, &at, &sp))
		return PYRO_THREAD_HIDDEN;

	page.at = NO_PAGE;

	size_t n = pyro_unwind_foreign(snapshot, at, sp, copy_foreign,
				       pyro_threads_frame, pc, max, walk);

	err = read_line(fd, after, sizeof(after));
	if (err)
		return why_not(err);
	if (memcmp(before, after, sizeof(before)) != 0)
		return PYRO_THREAD_MOVED;
	*depth = n;
	return PYRO_THREAD_PARKED;
}

enum pyro_thread_read pyro_threads_read(pid_t tid,
					const struct pyro_snapshot *snapshot,
					uint64_t *pc, size_t max, size_t *depth,
					struct pyro_walk *walk)
{
	int saved = errno, fd = open_file(tid, "syscall");
	enum pyro_thread_read result;

	*depth = 0;
	if (fd < 0) {
		result = why_not(fd);
	} else {
		result = read_stack(fd, snapshot, pc, max, depth, walk);
		close(fd);
	}
	errno = saved;
	return result;
}
