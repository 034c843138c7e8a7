// SPDX-License-Identifier: Apache-2.0
/* drops.c - the private folder into which recorded processes drop profiles
 *
 * The programs that write there are not trusted further than they are run:
 * what is no sound profile in a regular file is skipped. */
#include "cli/drops.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "cli/file.h"
#include "cli/types.h"
#include "profile/merge.h"

#define REMOVE_TRIES 20
#define REMOVE_PAUSE (5 * PYRO_NS_PER_MS)
/* The library makes no folders there, but a program may. */
#define LEVELS_MAX 16

static int make_in(const char *base, char path[PATH_MAX])
{
	char real[PATH_MAX];

	/* Absolute: the program may change its folder. */
	if (!realpath(base, real))
		return -errno;
	if (snprintf(path, PATH_MAX, "%s/pyro-XXXXXX", real) >= PATH_MAX)
		return -ENAMETOOLONG;
	if (!mkdtemp(path))
		return -errno;
	/* Servers that root starts become somebody else, who may write here
	 * too then, as in /tmp, but neither list nor touch the others' files. */
	if (geteuid() == 0)
		chmod(path, 01733);
	return 0;
}

int pyro_drops_make(char path[PATH_MAX])
{
	const char *base = getenv("TMPDIR");

	if (base && *base && make_in(base, path) == 0)
		return 0;
	return make_in("/tmp", path);
}

static const struct {
	const char *suffix;
	uint32_t types;
} kinds[PYRO_DROP_KINDS] = {
	[PYRO_DROP_CPU] = {"", PYRO_TYPE_CPU},
	[PYRO_DROP_HEAP] = {".heap", PYRO_TYPE_HEAP},
	[PYRO_DROP_MUTEX] = {".mutex", PYRO_TYPE_MUTEX},
	[PYRO_DROP_BLOCK] = {".block", PYRO_TYPE_BLOCK},
	[PYRO_DROP_THREADS] = {".threads", PYRO_TYPE_THREADS_ANY},
	[PYRO_DROP_CREATION] = {".creation", PYRO_TYPE_CREATION},
};

/* Not a profile: the last window of this session is missing. */
#define DROP_OPEN (-1)

const char *pyro_drop_suffix(enum pyro_drop_kind kind)
{
	return kinds[kind].suffix;
}

uint32_t pyro_drop_types(enum pyro_drop_kind kind)
{
	return kinds[kind].types;
}

/* A file. Those of one pid and began are a session of the library: a process
 * has another after each exec. */
struct drop {
	uint64_t pid, began, number;
	int kind; /* enum pyro_drop_kind, DROP_OPEN */
};

struct collector {
	int dir;
	struct pyro_profile *const *profiles;
	struct pyro_drops *drops;
	struct drop *drop;
	size_t count, cap;
	int error;
};

static void drop_name(const struct drop *drop, char *to, size_t cap)
{
	if (drop->kind == DROP_OPEN)
		snprintf(to, cap, "%" PRIu64 "-%" PRIu64 ".open", drop->pid,
			 drop->began);
	else
		snprintf(to, cap, "%" PRIu64 "-%" PRIu64 "-%" PRIu64 "%s.pb.gz",
			 drop->pid, drop->began, drop->number,
			 kinds[drop->kind].suffix);
}

/* Only names that the library writes: what is read is opened by drop_name(). */
static bool parse_name(const char *name, struct drop *drop)
{
	char same[96];

	*drop = (struct drop){0};
	if (sscanf(name, "%20" SCNu64 "-%20" SCNu64 "-%20" SCNu64, &drop->pid,
		   &drop->began, &drop->number) < 2)
		return false;
	for (drop->kind = DROP_OPEN; drop->kind < PYRO_DROP_KINDS;
	     drop->kind++) {
		drop_name(drop, same, sizeof(same));
		if (strcmp(same, name) == 0)
			return true;
	}
	return false;
}

static void note(struct collector *c, const struct drop *drop)
{
	struct drop *grown =
		pyro_array_grow(c->drop, &c->cap, c->count + 1, sizeof(*grown));

	if (!grown) {
		c->error = -ENOMEM;
		return;
	}
	c->drop = grown;
	grown[c->count++] = *drop;
}

/* When a process was started, in CLOCK_BOOTTIME; UINT64_MAX when it ended. */
static uint64_t started_ns(uint64_t pid)
{
	struct pyro_buf stat = {0};
	char path[64], state = 'X';
	unsigned long long ticks = 0;

	snprintf(path, sizeof(path), "/proc/%" PRIu64 "/stat", pid);
	if (pyro_read_file(path, 4096, &stat) == 0)
		pyro_buf_put(&stat, "", 1);

	/* The name in parentheses may hold anything. */
	char *end = stat.len && !stat.failed ? strrchr((char *)stat.data, ')')
					     : NULL;

	if (end)
		sscanf(end + 1,
		       " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u "
		       "%*d %*d %*d %*d %*d %*d %llu",
		       &state, &ticks);
	pyro_buf_free(&stat);
	if (state == 'X' || state == 'Z')
		return UINT64_MAX;
	return ticks * (PYRO_NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* Is the process that began this session still there? One that was given its
 * number later started later. */
static bool runs(const struct drop *drop)
{
	uint64_t asleep =
		pyro_clock_ns(CLOCK_BOOTTIME) - pyro_clock_ns(CLOCK_MONOTONIC);

	return started_ns(drop->pid) <= drop->began + asleep;
}

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_session(const void *x, const void *y)
{
	const struct drop *a = x, *b = y;

	if (a->pid != b->pid)
		return order(a->pid, b->pid);
	if (a->began != b->began)
		return order(a->began, b->began);
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return order(a->number, b->number);
}

static void count_processes(struct collector *c)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct drop *drop = &c->drop[i];
		size_t next = i + 1;

		c->drops->processes += i == 0 || drop[-1].pid != drop->pid;
		if (drop->kind != DROP_OPEN)
			continue;
		while (next < c->count && drop->began == c->drop[next].began &&
		       drop->pid == c->drop[next].pid)
			next++;
		/* Followed by another: it ended by exec. */
		if ((next == c->count || c->drop[next].pid != drop->pid) &&
		    runs(drop))
			c->drops->running++;
		else
			c->drops->cut++;
	}
}

/* "truncated_gap" and so on. */
static void add_stop(struct pyro_drop_sums *sums, const char *key,
		     uint64_t count)
{
	static const char prefix[] = "truncated_";

	if (strncmp(key, prefix, sizeof(prefix) - 1) != 0)
		return;
	for (int i = 0; i < PYRO_STOP_COUNT; i++)
		if (strcmp(key + sizeof(prefix) - 1, pyro_stop_name(i)) == 0)
			sums->stops[i] += count;
}

static void add_unsampled(struct pyro_drop_sums *sums, int64_t ns)
{
	if (__builtin_add_overflow(sums->unsampled_ns, ns, &sums->unsampled_ns))
		sums->unsampled_ns = INT64_MAX;
}

/* Add the numbers of one comment, "pyroscope: key=value ...". False if it is
 * another one. */
static bool add_comment(struct pyro_drop_sums *sums, const char *comment)
{
	char key[32];
	long long value;
	int used = 0;

	if (strncmp(comment, PYRO_DROPS_COUNTS, strlen(PYRO_DROPS_COUNTS)) != 0)
		return false;
	comment += strlen(PYRO_DROPS_COUNTS);
	/* Behind a word that says what is counted: "heap samples=3". */
	if (sscanf(comment, " %31[a-z]%n", key, &used) == 1 &&
	    comment[used] == ' ')
		comment += used;
	while (sscanf(comment, " %31[a-z_]=%lld%n", key, &value, &used) == 2) {
		uint64_t count = value > 0 ? (uint64_t)value : 0;

		comment += used;
		if (strcmp(key, "samples") == 0)
			sums->samples += count;
		else if (strcmp(key, "lost") == 0)
			sums->lost += count;
		else if (strcmp(key, "truncated") == 0)
			sums->truncated += count;
		else if (strcmp(key, "threads_unarmed") == 0)
			sums->threads_unarmed += count;
		else if (strcmp(key, "own_ns") == 0)
			sums->own_ns += count;
		else if (strcmp(key, "unsampled_ns") == 0)
			add_unsampled(sums, value);
		else
			add_stop(sums, key, count);
	}
	return true;
}

/* Add up the window's numbers and leave them out of it: each says something else,
 * and would be one more text in the sum. What windows say in words stays. */
static void take_counts(struct pyro_drop_sums *sums,
			struct pyro_profile *window)
{
	size_t kept = 0;

	for (size_t i = 0; i < window->comments_count; i++) {
		uint32_t comment = window->comments[i];

		if (!add_comment(sums, pyro_profile_text(window, comment)))
			window->comments[kept++] = comment;
	}
	window->comments_count = kept;
}

/* Is there none of its kind after it, and no other session of its process? */
static bool is_last(const struct collector *c, const struct drop *drop)
{
	const struct drop *next = drop + 1, *end = c->drop + c->count;

	for (; next < end && next->pid == drop->pid; next++)
		if (next->began != drop->began || next->kind == drop->kind)
			return false;
	return true;
}

/* What is in use is a state: only its last report counts, and none of a program
 * that its process has left by exec. */
static int merge(struct collector *c, const struct pyro_profile *window,
		 const struct drop *drop)
{
	bool last = is_last(c, drop);
	int64_t factor[PYRO_PROFILE_TYPES_MAX];

	for (size_t i = 0; i < window->type_count; i++)
		factor[i] = last || !pyro_type_is_inuse(window, i);
	return pyro_profile_merge_scaled(c->profiles[drop->kind], window,
					 factor);
}

static void collect_profile(struct collector *c, const struct drop *drop)
{
	struct pyro_profile *window = NULL;
	struct pyro_drop_sums sums;
	char name[96];

	if (drop->kind == DROP_OPEN || !c->profiles[drop->kind])
		return;
	sums = c->drops->of[drop->kind];
	drop_name(drop, name, sizeof(name));

	int err = pyro_file_read(c->dir, name, &window);

	if (!err) {
		take_counts(&sums, window);
		err = merge(c, window, drop);
	}
	if (err == -ENOMEM) {
		c->error = err;
	} else if (err) {
		c->drops->unreadable++;
	} else {
		sums.files++;
		c->drops->of[drop->kind] = sums;
	}
	pyro_profile_free(window);
}

static void collect_log(struct collector *c)
{
	struct pyro_drops *drops = c->drops;
	char line[PYRO_DROPS_LOG_MAX];
	int fd = openat(c->dir, "log",
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (fgets(line, sizeof(line), file)) {
		size_t len = strcspn(line, "\n");

		if (!line[len])
			continue; /* the rest of a long line */
		line[len] = '\0';
		if (drops->log_lines++ == 0)
			memcpy(drops->log, line, sizeof(line));
	}
	fclose(file);
}

static void list(struct collector *c, DIR *dir)
{
	struct dirent *entry;
	struct drop drop;

	while (!c->error && (entry = readdir(dir)))
		if (parse_name(entry->d_name, &drop))
			note(c, &drop);
	if (c->count)
		qsort(c->drop, c->count, sizeof(*c->drop), by_session);
}

int pyro_drops_collect(const char *path,
		       struct pyro_profile *const profiles[PYRO_DROP_KINDS],
		       struct pyro_drops *drops)
{
	DIR *dir = opendir(path);

	*drops = (struct pyro_drops){0};
	if (!dir)
		return -errno;

	struct collector c = {
		.dir = dirfd(dir), .profiles = profiles, .drops = drops};

	list(&c, dir);
	for (size_t i = 0; !c.error && i < c.count; i++)
		collect_profile(&c, &c.drop[i]);
	count_processes(&c);
	collect_log(&c);
	pyro_pages_free(c.drop, c.cap * sizeof(*c.drop));
	closedir(dir);
	return c.error;
}

/* Open a folder of ours; another's may be swapped for anything while we look. */
static int open_own(int dir, const char *name)
{
	struct stat st;
	int fd = openat(dir, name,
			O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW);

	if (fd < 0 || (fstat(fd, &st) == 0 && st.st_uid == geteuid()))
		return fd;
	close(fd);
	return -1;
}

/* Never by path, of which each part could be a symbolic link by now. */
static void remove_in(int dir, int levels)
{
	DIR *list = dir < 0 ? NULL : fdopendir(dir);
	struct dirent *entry;

	if (!list && dir >= 0)
		close(dir);
	while (list && (entry = readdir(list))) {
		const char *name = entry->d_name;

		if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
			continue;
		if (unlinkat(dir, name, 0) == 0 || errno != EISDIR)
			continue;
		if (levels)
			remove_in(open_own(dir, name), levels - 1);
		unlinkat(dir, name, AT_REMOVEDIR);
	}
	if (list)
		closedir(list);
}

void pyro_drops_remove(const char *path)
{
	for (int i = 0; i < REMOVE_TRIES; i++) {
		remove_in(open_own(AT_FDCWD, path), LEVELS_MAX);
		if (rmdir(path) == 0 || errno == ENOENT)
			return;
		/* Somebody has just dropped another file. */
		pyro_sleep_ns(REMOVE_PAUSE);
	}
}
