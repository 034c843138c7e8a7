// SPDX-License-Identifier: Apache-2.0
/* output.c - a window's profile on its way out
 *
 * To the server as a push message in the uploader's queue, or into the private
 * folder of `pyro record` as a file of its own, so that a process that is
 * killed loses its running window at most. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/session.h"
#include "api/stats.h"
#include "api/taps.h"
#include "base/log.h"
#include "base/os.h"
#include "encode/gzip.h"
#include "encode/ingest.h"
#include "encode/pprof.h"
#include "encode/push.h"
#include "transport/file.h"

/* What a kind of profile is called there, and its values, where /ingest would
 * call them otherwise than a push. */
static const struct {
	const char *series, *file, *types;
} names[] = {
	[PYRO_OUTPUT_CPU] = {"process_cpu", "pb.gz", NULL},
	[PYRO_OUTPUT_HEAP] = {"memory", "heap.pb.gz", NULL},
	[PYRO_OUTPUT_MUTEX] = {"mutex", "mutex.pb.gz", NULL},
	[PYRO_OUTPUT_BLOCK] =
		{"block", "block.pb.gz",
		 "{\"contentions\":{\"display-name\":\"block_count\"},"
		 "\"delay\":{\"display-name\":\"block_duration\"}}"},
	[PYRO_OUTPUT_THREADS] = {"threads", "threads.pb.gz", NULL},
	[PYRO_OUTPUT_GOROUTINES] = {"goroutines", "", NULL},
	[PYRO_OUTPUT_CREATION] =
		{"thread_creation", "creation.pb.gz",
		 "{\"threads\":{\"display-name\":\"thread_creation\"}}"},
};

void pyro_output_comment(struct pyro_profile *profile, const char *what,
			 const uint64_t stops[PYRO_STOP_COUNT], uint64_t lost)
{
	struct pyro_buf text = {0};
	uint64_t truncated = 0;

	for (int i = PYRO_STOP_END + 1; i < PYRO_STOP_COUNT; i++)
		truncated += stops[i];
	pyro_buf_printf(
		&text, "pyroscope: %s samples=%llu lost=%llu truncated=%llu",
		what, (unsigned long long)(stops[PYRO_STOP_END] + truncated),
		(unsigned long long)lost, (unsigned long long)truncated);
	for (int i = PYRO_STOP_END + 1; i < PYRO_STOP_COUNT; i++)
		if (stops[i])
			pyro_buf_printf(&text, " truncated_%s=%llu",
					pyro_stop_name(i),
					(unsigned long long)stops[i]);
	pyro_buf_put(&text, "", 1);
	if (!text.failed)
		pyro_profile_comment(profile, (const char *)text.data);
	pyro_buf_free(&text);
}

/* The series' labels but for those that the two ways to send spell differently;
 * pid has room for the number of a process. Returns how many. */
static size_t make_labels(const struct pyro_session *s, char pid[16],
			  struct pyro_series_label *to)
{
	const struct pyro_tags *tags = &s->config.tags;
	size_t count = 0;

	to[count++] =
		(struct pyro_series_label){"hostname", s->config.hostname};
	if (pyro_process.descendant) {
		snprintf(pid, 16, "%d", (int)pyro_process.pid);
		to[count++] = (struct pyro_series_label){"pid", pid};
	}
	for (size_t i = 0; i < tags->count; i++)
		to[count++] = (struct pyro_series_label){tags->tag[i].name,
							 tags->tag[i].value};
	return count;
}

static int make_push(const struct pyro_session *s, enum pyro_output kind,
		     const struct pyro_buf *pprof, struct pyro_upload *upload)
{
	char pid[16];
	struct pyro_series_label labels[PYRO_SERIES_LABELS_MAX] = {
		{"__name__", names[kind].series},
		{"__delta__", "false"},
		{"pyroscope_spy", "cspy"},
		{"service_name", s->config.application_name},
	};
	size_t count = 4 + make_labels(s, pid, labels + 4);
	struct pyro_buf message = {0};
	int err = pyro_push_write(labels, count, pprof->data, pprof->len,
				  &message);

	if (!err)
		err = pyro_gzip(message.data, message.len, &upload->body);
	pyro_buf_free(&message);
	return err;
}

static int make_ingest(const struct pyro_session *s, enum pyro_output kind,
		       const struct pyro_profile *profile,
		       const struct pyro_buf *pprof, struct pyro_upload *upload)
{
	char pid[16];
	struct pyro_series_label labels[PYRO_SERIES_LABELS_MAX];
	struct pyro_buf packed = {0};
	int err = pyro_gzip(pprof->data, pprof->len, &packed);
	const struct pyro_ingest request = {
		.application = s->config.application_name,
		.labels = labels,
		.label_count = make_labels(s, pid, labels),
		.time_ns = profile->time_ns,
		.duration_ns = profile->duration_ns,
		.sample_rate = s->config.sample_rate,
		.type_names = names[kind].types,
		.pprof = packed.data,
		.pprof_len = packed.len,
	};

	if (!err) {
		upload->body_at = pyro_ingest_write(&request, &upload->body);
		err = upload->body_at ? 0 : -ENOMEM;
	}
	pyro_buf_free(&packed);
	return err;
}

/* Into the queue. What that does not take, the uploader has counted. */
static int push(struct pyro_session *s, struct pyro_upload *upload)
{
	atomic_store(&s->shipped, true);
	return pyro_uploader_push(s->uploader, upload);
}

static int drop(struct pyro_session *s, enum pyro_output kind,
		const struct pyro_buf *packed)
{
	char name[96];

	snprintf(name, sizeof(name), "%d-%llu-%u.%s", (int)pyro_process.pid,
		 (unsigned long long)s->began_ns, s->sequence++,
		 names[kind].file);
	return pyro_file_write(s->config.output_dir, name, packed->data,
			       packed->len);
}

static int pack(struct pyro_session *s, enum pyro_output kind,
		const struct pyro_profile *profile, struct pyro_upload *upload)
{
	struct pyro_buf pprof = {0};
	int err;

	if (s->uploader)
		err = pyro_pprof_write_limited(profile, &pprof, NULL);
	else
		err = pyro_pprof_write(profile, &pprof);
	if (!err && !s->uploader)
		err = pyro_gzip(pprof.data, pprof.len, &upload->body);
	else if (!err && s->config.format == PYRO_FORMAT_INGEST)
		err = make_ingest(s, kind, profile, &pprof, upload);
	else if (!err)
		err = make_push(s, kind, &pprof, upload);
	pyro_buf_free(&pprof);
	return err;
}

/* Neither a server nor a folder: profiles are for those who fetch them. */
static bool goes_nowhere(const struct pyro_session *s)
{
	return !s->uploader && !s->config.output_dir[0];
}

/* May what has failed go on with the next profile? A folder may have room then.
 * What is too large, or has no memory to be packed in, would only grow; and what the
 * queue does not take is over with the others that it drops. */
static bool may_pass(const struct pyro_session *s, int err)
{
	return !s->uploader && err != -EFBIG && err != -ENOMEM;
}

/* Clears *may_go_on if it is over. */
static int ship(struct pyro_session *s, enum pyro_output kind,
		const struct pyro_profile *profile, bool *may_go_on)
{
	struct pyro_upload upload = {.time_ns = profile->time_ns};
	int err = pack(s, kind, profile, &upload);

	pyro_log_as(PYRO_LOG_DEBUG, "a profile: %s, %zu samples, %zu bytes",
		    names[kind].series, profile->samples_count,
		    upload.body.len);
	if (!err && !s->uploader) {
		err = drop(s, kind, &upload.body);
		pyro_counts.written += err == 0;
	}
	*may_go_on &= err && may_pass(s, err);
	pyro_counts.unwritten += err && !*may_go_on;
	if (!err && s->uploader)
		err = push(s, &upload);
	pyro_buf_free(&upload.body);
	return err;
}

/* Who asks for threads gets them by whichever name they are written. */
static enum pyro_output tapped_as(const struct pyro_session *s,
				  enum pyro_output kind)
{
	bool alone = !(s->types & PYRO_TYPE_THREADS);

	return kind == PYRO_OUTPUT_GOROUTINES && alone ? PYRO_OUTPUT_THREADS
						       : kind;
}

bool pyro_output_window(struct pyro_session *s, enum pyro_output kind,
			struct pyro_profile *profile, bool may_go_on)
{
	int err;

	if (!profile) {
		pyro_counts.unwritten++;
		return true;
	}
	pyro_budget_comment(s, profile);
	err = goes_nowhere(s) ? 0 : ship(s, kind, profile, &may_go_on);
	if (err) {
		PYRO_LOG_ONCE("a profile could not be written: %s",
			      pyroscope_strerror(err));
		return !may_go_on;
	}
	pyro_taps_add(tapped_as(s, kind), profile,
		      s->windows[pyro_min(kind, PYRO_OUTPUT_THREADS)].start_ns);
	pyro_output_mark(s, false);
	return true;
}

void pyro_output_mark(struct pyro_session *s, bool pending)
{
	char path[PATH_MAX + 96];

	if (s->uploader || s->marked == pending || goes_nowhere(s))
		return;
	s->marked = pending;
	snprintf(path, sizeof(path), "%s/%d-%llu.open", s->config.output_dir,
		 (int)pyro_process.pid, (unsigned long long)s->began_ns);
	if (!pending) {
		unlink(path);
		return;
	}

	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
}
