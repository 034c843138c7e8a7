// SPDX-License-Identifier: Apache-2.0
/* drops.c - the private folder into which recorded processes drop profiles
 *
 * The programs that write there are not trusted further than they are run:
 * what is no sound profile in a regular file is skipped. */
#include "cli/drops.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "cli/file.h"
#include "profile/merge.h"

#define REMOVE_TRIES 20
#define REMOVE_PAUSE (5 * PYRO_NS_PER_MS)
#define COMMENT_PREFIX "pyroscope: "

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

/* A session of the library: a process has another after each exec. */
struct session {
	uint64_t pid, began;
	bool open; /* its last window is missing */
};

struct collector {
	int dir;
	struct pyro_profile *profile;
	struct pyro_drops *drops;
	struct session *session;
	size_t count, cap;
	int error;
};

static bool ends_with(const char *s, const char *end)
{
	size_t len = strlen(s), end_len = strlen(end);

	return len > end_len && strcmp(s + len - end_len, end) == 0;
}

static bool parse_name(const char *name, struct session *session)
{
	return *name >= '0' && *name <= '9' &&
	       sscanf(name, "%20" SCNu64 "-%20" SCNu64, &session->pid,
		      &session->began) == 2;
}

static void note(struct collector *c, const struct session *session)
{
	struct session *grown = pyro_array_grow(c->session, &c->cap,
						c->count + 1, sizeof(*grown));

	if (!grown) {
		c->error = -ENOMEM;
		return;
	}
	c->session = grown;
	grown[c->count++] = *session;
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
static bool runs(const struct session *session)
{
	uint64_t asleep =
		pyro_clock_ns(CLOCK_BOOTTIME) - pyro_clock_ns(CLOCK_MONOTONIC);

	return started_ns(session->pid) <= session->began + asleep;
}

static int by_process(const void *x, const void *y)
{
	const struct session *a = x, *b = y;

	if (a->pid != b->pid)
		return a->pid > b->pid ? 1 : -1;
	return (a->began > b->began) - (a->began < b->began);
}

static void count_processes(struct collector *c)
{
	if (c->count)
		qsort(c->session, c->count, sizeof(*c->session), by_process);
	for (size_t i = 0; i < c->count; i++) {
		const struct session *s = &c->session[i];
		bool newest = i + 1 == c->count || s[1].pid != s->pid;

		c->drops->processes += newest;
		if (!s->open)
			continue;
		/* Followed by another: it ended by exec. */
		if ((newest || s[1].began == s->began) && runs(s))
			c->drops->running++;
		else
			c->drops->cut++;
	}
}

/* "truncated_gap" and so on. */
static void add_stop(struct pyro_drops *drops, const char *key, uint64_t count)
{
	static const char prefix[] = "truncated_";

	if (strncmp(key, prefix, sizeof(prefix) - 1) != 0)
		return;
	for (int i = 0; i < PYRO_STOP_COUNT; i++)
		if (strcmp(key + sizeof(prefix) - 1, pyro_stop_name(i)) == 0)
			drops->stops[i] += count;
}

static void add_unsampled(struct pyro_drops *drops, int64_t ns)
{
	if (__builtin_add_overflow(drops->unsampled_ns, ns,
				   &drops->unsampled_ns))
		drops->unsampled_ns = INT64_MAX;
}

/* Add the numbers of one comment, "pyroscope: key=value ...". */
static void add_comment(struct pyro_drops *drops, const char *comment)
{
	char key[32];
	long long value;
	int used;

	if (strncmp(comment, COMMENT_PREFIX, strlen(COMMENT_PREFIX)) != 0)
		return;
	comment += strlen(COMMENT_PREFIX);
	while (sscanf(comment, " %31[a-z_]=%lld%n", key, &value, &used) == 2) {
		uint64_t count = value > 0 ? (uint64_t)value : 0;

		comment += used;
		if (strcmp(key, "samples") == 0)
			drops->samples += count;
		else if (strcmp(key, "lost") == 0)
			drops->lost += count;
		else if (strcmp(key, "truncated") == 0)
			drops->truncated += count;
		else if (strcmp(key, "threads_unarmed") == 0)
			drops->threads_unarmed += count;
		else if (strcmp(key, "unsampled_ns") == 0)
			add_unsampled(drops, value);
		else
			add_stop(drops, key, count);
	}
}

static void collect_profile(struct collector *c, const char *name)
{
	struct pyro_profile *window = NULL;
	int err = pyro_file_read(c->dir, name, &window);

	if (!err)
		err = pyro_profile_merge(c->profile, window);
	if (err == -ENOMEM) {
		c->error = err;
	} else if (err) {
		c->drops->unreadable++;
	} else {
		c->drops->files++;
		for (size_t i = 0; i < window->comments_count; i++)
			add_comment(
				c->drops,
				pyro_profile_text(window, window->comments[i]));
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

static void collect_entry(struct collector *c, const char *name)
{
	struct session session;

	if (!parse_name(name, &session))
		return;
	session.open = ends_with(name, ".open");
	if (ends_with(name, ".pb.gz"))
		collect_profile(c, name);
	else if (!session.open)
		return;
	note(c, &session);
}

int pyro_drops_collect(const char *path, struct pyro_profile *profile,
		       struct pyro_drops *drops)
{
	DIR *dir = opendir(path);

	*drops = (struct pyro_drops){0};
	if (!dir)
		return -errno;

	struct collector c = {
		.dir = dirfd(dir), .profile = profile, .drops = drops};
	struct dirent *entry;

	while (!c.error && (entry = readdir(dir)))
		collect_entry(&c, entry->d_name);
	count_processes(&c);
	collect_log(&c);
	pyro_pages_free(c.session, c.cap * sizeof(*c.session));
	closedir(dir);
	return c.error;
}

static int remove_entry(const char *path, const struct stat *st, int type,
			struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	(void)(type == FTW_DP ? rmdir(path) : unlink(path));
	return 0;
}

void pyro_drops_remove(const char *path)
{
	for (int i = 0; i < REMOVE_TRIES; i++) {
		nftw(path, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
		if (access(path, F_OK) < 0)
			return;
		/* Somebody has just dropped another file. */
		pyro_sleep_ns(REMOVE_PAUSE);
	}
}
