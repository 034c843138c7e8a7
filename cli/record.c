// SPDX-License-Identifier: Apache-2.0
/* record.c - pyro record: run a program, then write profiles of it all
 *
 * Each process drops its windows into a private folder while it runs; when the
 * program has ended they are merged into one profile of each kind. The program's
 * own exit code or signal is always what the caller gets. */
#include "cli/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "cli/types.h"

#define LEAK_AGE_S 8

/* Windows' numbers become those of the run. */
static void describe(const struct pyro_recording *rec,
		     struct pyro_profile *profile,
		     const struct pyro_drop_sums *sums)
{
	struct pyro_buf buf = {0};
	char text[256];

	profile->time_ns = rec->time_ns;
	profile->duration_ns = (int64_t)rec->duration_ns;
	pyro_buf_printf(&buf,
			PYRO_DROPS_COUNTS
			"samples=%" PRIu64 " lost=%" PRIu64
			" truncated=%" PRIu64 " unsampled_ns=%" PRId64
			" own_ns=%" PRIu64 " threads_unarmed=%" PRIu64
			" unreadable=%zu cut=%zu",
			sums->samples, sums->lost, sums->truncated,
			sums->unsampled_ns, sums->own_ns, sums->threads_unarmed,
			rec->drops.unreadable, rec->drops.cut);
	for (int i = PYRO_STOP_END + 1; i < PYRO_STOP_COUNT; i++)
		if (sums->stops[i])
			pyro_buf_printf(&buf, " truncated_%s=%" PRIu64,
					pyro_stop_name(i), sums->stops[i]);
	pyro_buf_put(&buf, "", 1);
	if (!buf.failed)
		pyro_profile_comment(profile, (const char *)buf.data);
	pyro_buf_free(&buf);
	if (rec->why_not) {
		snprintf(text, sizeof(text), "not profiled: %s", rec->why_not);
		pyro_profile_comment(profile, text);
	}
}

static int write_profile(const struct pyro_profile *profile,
			 struct pyro_recorded *recorded)
{
	int err = pyro_output_write_profile(&recorded->output, profile,
					    &recorded->trimmed);

	if (err)
		pyro_say("record: cannot write %s: %s", recorded->output.path,
			 strerror(-err));
	return err;
}

static bool is_wanted(const struct pyro_recording *rec, int kind)
{
	return rec->launch.types & pyro_drop_types(kind);
}

/* Windows bring the interval that the heap was sampled with. */
static void set_types(struct pyro_profile *profile, int kind, uint32_t types,
		      uint32_t rate)
{
	if (kind == PYRO_DROP_CPU)
		pyro_profile_set_cpu(profile, (int64_t)PYRO_NS_PER_SEC / rate);
	else if (kind == PYRO_DROP_HEAP)
		pyro_profile_set_heap(profile, types, 1);
	else if (kind == PYRO_DROP_THREADS || kind == PYRO_DROP_CREATION)
		pyro_profile_set_threads(profile, "threads");
	else
		pyro_profile_set_wait(profile, types);
}

/* Empty profiles of what was asked for. */
static int begin_profiles(struct pyro_recording *rec)
{
	for (int i = 0; i < PYRO_DROP_KINDS; i++) {
		if (!is_wanted(rec, i))
			continue;
		rec->of[i].profile = pyro_profile_new();
		if (!rec->of[i].profile)
			return -ENOMEM;
		set_types(rec->of[i].profile, i,
			  rec->launch.types & pyro_drop_types(i),
			  rec->launch.rate);
	}
	return 0;
}

/* A short run has no old memory; then half its time is old. */
static int64_t leak_age(const struct pyro_recording *rec)
{
	int64_t half = (int64_t)(rec->duration_ns / PYRO_NS_PER_SEC / 2);

	if (rec->launch.leaks_age >= 0)
		return rec->launch.leaks_age;
	return half < LEAK_AGE_S ? half : LEAK_AGE_S;
}

static int collect(struct pyro_recording *rec)
{
	struct pyro_profile *profiles[PYRO_DROP_KINDS];
	int err = begin_profiles(rec);

	for (int i = 0; i < PYRO_DROP_KINDS; i++)
		profiles[i] = rec->of[i].profile;
	if (!err && *rec->folder)
		err = pyro_drops_collect(rec->folder, profiles, &rec->drops);
	if (!err && rec->launch.leaks)
		err = pyro_leaks_init(&rec->leaks, profiles[PYRO_DROP_HEAP],
				      leak_age(rec));
	return err;
}

static int write_profiles(struct pyro_recording *rec)
{
	int first = 0;

	for (int i = 0; i < PYRO_DROP_KINDS; i++) {
		struct pyro_profile *profile = rec->of[i].profile;
		int err;

		if (!profile)
			continue;
		if (i == PYRO_DROP_HEAP && rec->launch.leaks)
			profile = rec->leaks.profile;
		describe(rec, profile, &rec->drops.of[i]);
		err = write_profile(profile, &rec->of[i]);
		first = first ? first : err;
	}
	return first;
}

/* Collect, write, tell. 0 or -errno after a message. */
static int finish(struct pyro_recording *rec)
{
	int err = collect(rec);

	if (err)
		pyro_say("record: cannot write %s: %s", rec->launch.output,
			 strerror(-err));
	else
		err = write_profiles(rec);
	if (!err && !rec->launch.quiet && !rec->why_not)
		pyro_summary_say(rec);
	for (int i = 0; i < PYRO_DROP_KINDS; i++)
		pyro_profile_free(rec->of[i].profile);
	pyro_leaks_fini(&rec->leaks);
	return err;
}

static const char *prepare(struct pyro_recording *rec)
{
	static char why[256];
	int err;

	if (rec->target.why_not)
		return rec->target.why_not;
	err = pyro_drops_make(rec->folder);
	if (err) {
		rec->folder[0] = '\0';
		snprintf(why, sizeof(why), "no folder in TMPDIR or /tmp: %s",
			 strerror(-err));
		return why;
	}
	return pyro_launch_environment(&rec->launch, rec->folder);
}

/* Descriptors that are closed stay so for the program, but files that are
 * opened here must not get the numbers of the standard streams. */
static void reserve_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

static int64_t realtime_ns(void)
{
	return (int64_t)pyro_clock_ns(CLOCK_REALTIME);
}

static void open_output(struct pyro_recorded *recorded, const char *path)
{
	int err = pyro_output_open(&recorded->output, path);

	if (err)
		pyro_say("record: cannot write %s: %s", path, strerror(-err));
}

/* The first kind goes to the file that was named. */
static void open_outputs(struct pyro_recording *rec)
{
	const char *path = rec->launch.output;

	for (int i = 0; i < PYRO_DROP_KINDS; i++) {
		if (!is_wanted(rec, i))
			continue;
		open_output(&rec->of[i], path ? path : rec->of[i].path);
		path = NULL;
	}
}

static bool name_beside(struct pyro_recording *rec, int kind)
{
	const char *path = rec->launch.output;
	size_t stem = pyro_file_stem(path);

	return snprintf(rec->of[kind].path, PATH_MAX, "%.*s%s%s", (int)stem,
			path, pyro_drop_suffix(kind), path + stem) < PATH_MAX;
}

/* x.pb.gz to x.heap.pb.gz, for all but the first. -1, or the exit code: two
 * profiles do not go into a pipe. */
static int name_others(struct pyro_recording *rec)
{
	const char *path = rec->launch.output;
	int wanted = 0;
	struct stat st;

	for (int i = 0; i < PYRO_DROP_KINDS; i++)
		if (is_wanted(rec, i) && wanted++ && !name_beside(rec, i)) {
			pyro_say("record: cannot write %s: %s", path,
				 strerror(ENAMETOOLONG));
			return PYRO_EXIT_USAGE;
		}
	if (wanted > 1 && stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		pyro_say("record: %s takes one profile: -t cpu or -t heap",
			 path);
		return PYRO_EXIT_USAGE;
	}
	return -1;
}

/* The exit code, unless this process dies by the program's signal. */
static int run(struct pyro_recording *rec)
{
	int err;

	open_outputs(rec);
	rec->why_not = prepare(rec);
	if (rec->why_not)
		pyro_launch_unprofiled(&rec->launch, rec->why_not);
	rec->time_ns = realtime_ns();
	rec->start_ns = pyro_clock_ns(CLOCK_MONOTONIC);
	err = pyro_supervise(rec->launch.argv,
			     rec->why_not ? NULL : pyro_launch_root,
			     &rec->outcome);
	rec->duration_ns = pyro_clock_ns(CLOCK_MONOTONIC) - rec->start_ns;
	if (!err && !rec->outcome.exec_errno)
		err = finish(rec);
	else if (err)
		pyro_say("record: cannot start a process: %s", strerror(-err));
	if (*rec->folder)
		pyro_drops_remove(rec->folder);
	if (rec->outcome.exec_errno)
		return pyro_launch_failed(&rec->launch,
					  rec->outcome.exec_errno);
	if (rec->outcome.signal)
		return pyro_die_by(rec->outcome.signal);
	if (rec->outcome.exit_code)
		return rec->outcome.exit_code;
	return err ? PYRO_EXIT_FAILED : PYRO_EXIT_OK;
}

int pyro_record_main(int argc, char **argv)
{
	/* Static: it holds paths, and lives as long as the command. */
	static struct pyro_recording rec;
	int code = pyro_launch_parse(argc, argv, true, &rec.launch);

	if (code < 0)
		code = name_others(&rec);
	if (code >= 0)
		return code;
	reserve_streams();
	pyro_target_check(rec.launch.argv[0], &rec.target);
	if (rec.target.exec_errno)
		return pyro_launch_failed(&rec.launch, rec.target.exec_errno);
	return run(&rec);
}
