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
#include "base/log.h"
#include "base/os.h"
#include "encode/gzip.h"
#include "encode/pprof.h"
#include "encode/push.h"
#include "transport/file.h"

/* What a kind of profile is called there. */
static const struct {
	const char *series, *file;
} names[] = {
	[PYRO_OUTPUT_CPU] = {"process_cpu", "pb.gz"},
	[PYRO_OUTPUT_HEAP] = {"memory", "heap.pb.gz"},
	[PYRO_OUTPUT_MUTEX] = {"mutex", "mutex.pb.gz"},
	[PYRO_OUTPUT_BLOCK] = {"block", "block.pb.gz"},
};

/* The labels of a series. pid has room for the number of a process. */
static size_t make_labels(const struct pyro_session *s, enum pyro_output kind,
			  char pid[16],
			  struct pyro_series_label to[PYRO_SERIES_LABELS_MAX])
{
	const struct pyro_tags *tags = &s->config.tags;
	size_t count = 0;

	to[count++] =
		(struct pyro_series_label){"__name__", names[kind].series};
	to[count++] = (struct pyro_series_label){"__delta__", "false"};
	to[count++] =
		(struct pyro_series_label){"hostname", s->config.hostname};
	to[count++] = (struct pyro_series_label){"pyroscope_spy", "cspy"};
	to[count++] = (struct pyro_series_label){"service_name",
						 s->config.application_name};
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
		     const struct pyro_buf *pprof, struct pyro_buf *out)
{
	char pid[16];
	struct pyro_series_label labels[PYRO_SERIES_LABELS_MAX];
	size_t count = make_labels(s, kind, pid, labels);
	struct pyro_buf message = {0};

	int err = pyro_push_write(labels, count, pprof->data, pprof->len,
				  &message);

	if (!err)
		err = pyro_gzip(message.data, message.len, out);
	pyro_buf_free(&message);
	return err;
}

/* Into the queue. What that does not take, the uploader has counted. */
static int push(struct pyro_session *s, const struct pyro_profile *profile,
		struct pyro_buf *packed)
{
	struct pyro_upload upload = {
		.body = *packed,
		.time_ns = profile->time_ns,
	};

	*packed = (struct pyro_buf){0};
	atomic_store(&s->shipped, true);
	return pyro_uploader_push(s->uploader, &upload);
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
		const struct pyro_profile *profile, struct pyro_buf *packed)
{
	struct pyro_buf pprof = {0};
	int err;

	if (s->uploader)
		err = pyro_pprof_write_limited(profile, &pprof, NULL);
	else
		err = pyro_pprof_write(profile, &pprof);
	if (!err)
		err = s->uploader ? make_push(s, kind, &pprof, packed)
				  : pyro_gzip(pprof.data, pprof.len, packed);
	pyro_buf_free(&pprof);
	return err;
}

bool pyro_output_window(struct pyro_session *s, enum pyro_output kind,
			const struct pyro_profile *profile)
{
	struct pyro_buf packed = {0};
	int err = pack(s, kind, profile, &packed);

	if (!err && !s->uploader) {
		err = drop(s, kind, &packed);
		pyro_counts.written += err == 0;
	}
	pyro_counts.unwritten += err != 0;
	if (!err && s->uploader)
		err = push(s, profile, &packed);
	pyro_buf_free(&packed);
	if (err)
		PYRO_LOG_ONCE("a profile could not be written: %s",
			      pyroscope_strerror(err));
	else
		pyro_output_mark(s, false);
	return err == 0;
}

void pyro_output_mark(struct pyro_session *s, bool pending)
{
	char path[PATH_MAX + 96];

	if (s->uploader || s->marked == pending)
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
