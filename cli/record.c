// SPDX-License-Identifier: Apache-2.0
/* record.c - pyro record: run a program, then write one profile of it all
 *
 * Each process drops its windows into a private folder while it runs; when the
 * program has ended they are merged into one profile. The program's own exit
 * code or signal is always what the caller gets. */
#include "cli/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"
#include "cli/drops.h"
#include "cli/file.h"
#include "cli/report.h"
#include "cli/supervise.h"
#include "encode/gzip.h"
#include "encode/pprof.h"

#define TOP_FUNCTIONS 5
#define RATE_DEFAULT 100

struct recording {
	struct pyro_launch launch;
	struct pyro_target target;
	struct pyro_output output;
	char folder[PATH_MAX]; /* "": not profiled */
	const char *why_not;   /* not profiled */
	int64_t time_ns;       /* start, CLOCK_REALTIME */
	uint64_t start_ns, duration_ns;
	struct pyro_outcome outcome;
	struct pyro_drops drops;
	struct pyro_profile *profile;
	size_t trimmed; /* samples that did not fit */
};

/* "a, b, c" of what is not zero. */
static void add_loss(struct pyro_buf *buf, uint64_t count, const char *one,
		     const char *many)
{
	if (count)
		pyro_buf_printf(buf, "%s%" PRIu64 " %s", buf->len ? ", " : "",
				count, count == 1 ? one : many);
}

/* " (gap 3, depth 1)" */
static void add_stops(struct pyro_buf *buf, const struct pyro_drops *drops)
{
	const char *before = " (";

	for (int i = PYRO_STOP_END + 1; i < PYRO_STOP_COUNT; i++) {
		if (!drops->stops[i])
			continue;
		pyro_buf_printf(buf, "%s%s %" PRIu64, before, pyro_stop_name(i),
				drops->stops[i]);
		before = ", ";
	}
	if (before[0] == ',')
		pyro_buf_printf(buf, ")");
}

static void say_losses(const struct recording *rec, int64_t total)
{
	const struct pyro_drops *drops = &rec->drops;
	struct pyro_buf buf = {0};
	double unsampled = pyro_percent(drops->unsampled_ns, total);

	add_loss(&buf, drops->lost, "sample lost", "samples lost");
	add_loss(&buf, drops->truncated, "stack cut short", "stacks cut short");
	add_stops(&buf, drops);
	add_loss(&buf, rec->trimmed, "stack in [trimmed]",
		 "stacks in [trimmed]");
	add_loss(&buf, drops->threads_unarmed, "thread without timer",
		 "threads without timer");
	add_loss(&buf, drops->unreadable, "dropped file unreadable",
		 "dropped files unreadable");
	add_loss(&buf, drops->cut,
		 "last window (a process was killed, _exit'ed or exec'd)",
		 "last windows (processes were killed, _exit'ed or exec'd)");
	add_loss(&buf, drops->running, "process still running",
		 "processes still running");
	if (unsampled >= 0.05)
		pyro_buf_printf(&buf, "%s%.1f %% of the time unsampled",
				buf.len ? ", " : "", unsampled);
	if (drops->log_lines)
		pyro_buf_printf(&buf, "%s%zu %s, first: %s",
				buf.len ? "; " : "", drops->log_lines,
				drops->log_lines == 1 ? "message" : "messages",
				drops->log);
	pyro_buf_put(&buf, "", 1);
	if (!buf.failed)
		pyro_say("losses: %s", buf.len > 1 ? (char *)buf.data : "none");
	pyro_buf_free(&buf);
}

static void say_top(struct pyro_report *report)
{
	char text[256];

	pyro_report_sort(report, false);
	for (size_t i = 0; i < pyro_min(TOP_FUNCTIONS, report->count); i++) {
		const struct pyro_entry *entry = &report->entry[i];

		if (entry->flat <= 0)
			break;
		pyro_say("%5.1f %%  %s",
			 pyro_percent(entry->flat, report->total),
			 pyro_entry_text(entry, text, sizeof(text)));
	}
}

/* Three to eight lines. */
static void say_summary(const struct recording *rec)
{
	const struct pyro_drops *drops = &rec->drops;
	struct pyro_report report;

	if (pyro_report_init(&report, rec->profile,
			     rec->profile->type_count - 1) == 0) {
		pyro_say("%.1f s; %" PRIu64 " sample%s, %.2f of %.2f CPU "
			 "seconds, %zu process%s",
			 (double)rec->duration_ns / 1e9, drops->samples,
			 drops->samples == 1 ? "" : "s",
			 (double)report.total / 1e9,
			 (double)rec->outcome.cpu_ns / 1e9, drops->processes,
			 drops->processes == 1 ? "" : "es");
		say_losses(rec, report.total);
		say_top(&report);
	}
	pyro_report_fini(&report);
	pyro_say("wrote %s; next: pyro top %s", rec->output.path,
		 rec->output.path);
}

/* Windows' comments become one for the run. */
static void describe(struct recording *rec)
{
	const struct pyro_drops *drops = &rec->drops;
	struct pyro_buf buf = {0};
	char text[256];

	rec->profile->time_ns = rec->time_ns;
	rec->profile->duration_ns = (int64_t)rec->duration_ns;
	rec->profile->comments_count = 0;
	pyro_buf_printf(&buf,
			"pyroscope: samples=%" PRIu64 " lost=%" PRIu64
			" truncated=%" PRIu64 " unsampled_ns=%" PRId64
			" threads_unarmed=%" PRIu64 " unreadable=%zu cut=%zu",
			drops->samples, drops->lost, drops->truncated,
			drops->unsampled_ns, drops->threads_unarmed,
			drops->unreadable, drops->cut);
	for (int i = PYRO_STOP_END + 1; i < PYRO_STOP_COUNT; i++)
		if (drops->stops[i])
			pyro_buf_printf(&buf, " truncated_%s=%" PRIu64,
					pyro_stop_name(i), drops->stops[i]);
	pyro_buf_put(&buf, "", 1);
	if (!buf.failed)
		pyro_profile_comment(rec->profile, (const char *)buf.data);
	pyro_buf_free(&buf);
	if (rec->why_not) {
		snprintf(text, sizeof(text), "not profiled: %s", rec->why_not);
		pyro_profile_comment(rec->profile, text);
	}
}

static int write_profile(struct recording *rec)
{
	struct pyro_buf raw = {0}, packed = {0};
	int err = pyro_profile_error(rec->profile);

	if (!err)
		err = pyro_pprof_write_limited(rec->profile, &raw,
					       &rec->trimmed);
	if (!err)
		err = pyro_gzip(raw.data, raw.len, &packed);
	if (!err)
		err = pyro_output_write(&rec->output, packed.data, packed.len);
	pyro_buf_free(&raw);
	pyro_buf_free(&packed);
	return err;
}

/* Collect, write, tell. 0 or -errno after a message. */
static int finish(struct recording *rec)
{
	const char *rate = getenv("PYROSCOPE_SAMPLE_RATE");
	long hz = rate ? strtol(rate, NULL, 10) : RATE_DEFAULT;
	int err = -ENOMEM;

	rec->profile = pyro_profile_new();
	if (!rec->profile)
		goto fail;
	pyro_profile_set_cpu(rec->profile,
			     (int64_t)PYRO_NS_PER_SEC /
				     (hz > 0 ? hz : RATE_DEFAULT));
	err = *rec->folder ? pyro_drops_collect(rec->folder, rec->profile,
						&rec->drops)
			   : 0;
	if (err)
		goto fail;
	describe(rec);
	err = write_profile(rec);
	if (err)
		goto fail;
	if (!rec->launch.quiet && !rec->why_not)
		say_summary(rec);
	pyro_profile_free(rec->profile);
	return 0;
fail:
	pyro_say("record: cannot write %s: %s", rec->output.path,
		 strerror(-err));
	pyro_profile_free(rec->profile);
	return err;
}

static const char *prepare(struct recording *rec)
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

/* The exit code, unless this process dies by the program's signal. */
static int run(struct recording *rec)
{
	int err = pyro_output_open(&rec->output, rec->launch.output);

	if (err)
		pyro_say("record: cannot write %s: %s", rec->launch.output,
			 strerror(-err));
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
	static struct recording rec;
	int code = pyro_launch_parse(argc, argv, true, &rec.launch);

	if (code >= 0)
		return code;
	reserve_streams();
	pyro_target_check(rec.launch.argv[0], &rec.target);
	if (rec.target.exec_errno)
		return pyro_launch_failed(&rec.launch, rec.target.exec_errno);
	return run(&rec);
}
