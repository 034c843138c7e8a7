// SPDX-License-Identifier: Apache-2.0
/* listener.c - /debug/pprof for whoever fetches profiles: go tool pprof, Alloy
 *
 * One thread of the library serves all. A profile of some seconds is a tap that is
 * open so long; those since the beginning are taps that stay open. */
#include "api/listener.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/taps.h"
#include "base/log.h"
#include "base/os.h"
#include "encode/gzip.h"
#include "encode/pprof.h"
#include "transport/httpd.h"

#define PENDING_MAX 8
#define SECONDS_DEFAULT 30
#define SECONDS_MAX 3600
#define BUSY_MS 20
#define IDLE_MS 500
#define WAIT_NS (5 * PYRO_NS_PER_SEC)
#define TEXT "text/plain; charset=utf-8"
#define PREFIX "/debug/pprof/"
#define FGPROF "/debug/fgprof"

/* What a page without "seconds" has. */
enum extent {
	SINCE_START,
	SINCE_LAST, /* time that somebody asked */
	SECONDS     /* of now */
};

static const struct route {
	const char *name;
	enum pyro_output kind;
	enum extent extent;
	const char *shown; /* the sample type to show first; NULL: the usual;
			    * for threads, what they are called */
	const char *help;
} routes[] = {
	{"profile", PYRO_OUTPUT_CPU, SECONDS, NULL,
	 "CPU time of the next 30 seconds"},
	{"heap", PYRO_OUTPUT_HEAP, SINCE_START, NULL, "the heap in use"},
	{"allocs", PYRO_OUTPUT_HEAP, SINCE_START, "alloc_space",
	 "the same, and all that was allocated"},
	{"mutex", PYRO_OUTPUT_MUTEX, SINCE_START, NULL,
	 "who made others wait for locks"},
	{"block", PYRO_OUTPUT_BLOCK, SINCE_START, NULL, "where threads waited"},
	{"threads", PYRO_OUTPUT_THREADS, SECONDS, "threads",
	 "what all threads do now"},
	{"goroutine", PYRO_OUTPUT_THREADS, SECONDS, "goroutine",
	 "the same, as scrapers ask for it"},
	{"delta_heap", PYRO_OUTPUT_HEAP, SINCE_LAST, NULL,
	 "heap since it was asked for last"},
	{"delta_mutex", PYRO_OUTPUT_MUTEX, SINCE_LAST, NULL,
	 "mutex since it was asked for last"},
	{"delta_block", PYRO_OUTPUT_BLOCK, SINCE_LAST, NULL,
	 "block since it was asked for last"},
};

/* Beside these. */
static const struct route fgprof = {
	"fgprof", PYRO_OUTPUT_WALL, SECONDS, NULL,
	"all the time of all threads, waiting or not, of the next 30 seconds"};

/* Taps that stay open, each for its kinds' first route. */
static const enum pyro_output kept[] = {PYRO_OUTPUT_HEAP, PYRO_OUTPUT_MUTEX,
					PYRO_OUTPUT_BLOCK};

enum state {
	STOPPED,
	STARTING,
	RUNNING
};

static struct {
	_Atomic uint32_t state; /* enum state; waited on */
	_Atomic bool stop_asked;
	_Atomic pid_t pid; /* whose: not a forked child's */
	struct pyro_httpd_socket socket;
	struct pyro_httpd *httpd;
	char token[PYRO_SECRET_MAX + 1];
	/* Listener's thread only. */
	struct pyro_tap since_start[PYRO_COUNT_OF(kept)];
	struct pyro_tap since_last[PYRO_COUNT_OF(kept)];
	struct pending {
		struct pyro_httpd_request *request; /* NULL: free */
		const struct route *route;
		struct pyro_tap tap;
		uint64_t due_ns;
		bool as_text;
	} pending[PENDING_MAX];
} listener;

/* ---- Answers ---- */

static void say(struct pyro_httpd_request *request, unsigned status,
		const char *text)
{
	const struct pyro_httpd_answer answer = {
		.status = status,
		.type = TEXT,
		.body = text,
		.len = strlen(text),
	};

	pyro_httpd_answer(request, &answer);
}

/* A line a stack, root first, and its values. */
static void write_folded(const struct pyro_profile *profile,
			 struct pyro_buf *out)
{
	pyro_buf_printf(out, "#");
	for (size_t t = 0; t < profile->type_count; t++)
		pyro_buf_printf(
			out, " %s/%s",
			pyro_profile_text(profile, profile->type[t].type),
			pyro_profile_text(profile, profile->type[t].unit));
	pyro_buf_printf(out, "\n");
	for (size_t i = 0; i < profile->samples_count; i++) {
		const struct pyro_sample *s = &profile->samples[i];

		for (uint32_t f = s->location_count; f > 0; f--)
			pyro_buf_printf(
				out, "%s%s",
				pyro_profile_frame(
					profile,
					profile->location_ids
						[s->first_location + f - 1]),
				f > 1 ? ";" : "");
		for (size_t t = 0; t < profile->type_count; t++)
			pyro_buf_printf(out, " %lld", (long long)s->value[t]);
		pyro_buf_printf(out, "\n");
	}
}

static void give(struct pyro_httpd_request *request, const struct route *route,
		 struct pyro_profile *profile, bool as_text)
{
	struct pyro_httpd_answer answer = {
		.status = 200,
		.type = as_text ? TEXT : "application/octet-stream",
		.filename = as_text ? NULL : route->name,
	};
	struct pyro_buf plain = {0}, packed = {0};
	int err = profile ? 0 : -ENOMEM;

	if (!err && route->kind == PYRO_OUTPUT_THREADS)
		profile->period_type.type = profile->type[0].type =
			pyro_profile_string(profile, route->shown);
	if (!err && route->shown)
		profile->default_type =
			pyro_profile_string(profile, route->shown);
	if (!err && as_text)
		write_folded(profile, &packed);
	else if (!err)
		err = pyro_pprof_write(profile, &plain);
	if (!err && !as_text)
		err = pyro_gzip(plain.data, plain.len, &packed);
	if (err || packed.failed) {
		say(request, 500, "out of memory\n");
	} else {
		answer.body = packed.data;
		answer.len = packed.len;
		pyro_httpd_answer(request, &answer);
	}
	if (profile)
		pyro_profile_free(profile);
	pyro_buf_free(&plain);
	pyro_buf_free(&packed);
}

/* ---- Requests ---- */

static size_t kept_index(enum pyro_output kind)
{
	size_t i = 0;

	while (i + 1 < PYRO_COUNT_OF(kept) && kept[i] != kind)
		i++;
	return i;
}

static void keep(struct pyro_httpd_request *request, const struct route *route,
		 unsigned seconds, bool as_text)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &listener.pending[i];

		if (p->request)
			continue;
		pyro_tap_open(&p->tap, route->kind);
		p->request = request;
		p->route = route;
		p->as_text = as_text;
		p->due_ns = pyro_clock_ns(CLOCK_MONOTONIC) +
			    seconds * PYRO_NS_PER_SEC;
		return;
	}
	say(request, 503, "too many profiles are being taken\n");
}

static void answer_due(bool all)
{
	uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);

	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct pending *p = &listener.pending[i];

		if (!p->request || (!all && now < p->due_ns))
			continue;
		give(p->request, p->route, pyro_tap_close(&p->tap), p->as_text);
		p->request = NULL;
	}
}

/* The first time, since the beginning. */
static struct pyro_profile *since_last(enum pyro_output kind)
{
	size_t i = kept_index(kind);
	struct pyro_tap *tap = &listener.since_last[i];

	return tap->since_ns ? pyro_tap_take(tap)
			     : pyro_tap_branch(&listener.since_start[i], tap);
}

/* -1: it is bad. */
static long seconds_of(struct pyro_httpd_request *request, long otherwise)
{
	const char *text = pyro_httpd_query(request, "seconds");
	char *end;
	long seconds;

	if (!text)
		return otherwise;
	seconds = strtol(text, &end, 10);
	if (end == text || *end || seconds < 0 || seconds > SECONDS_MAX)
		return -1;
	return seconds ? seconds : otherwise;
}

static void serve_profile(struct pyro_httpd_request *request,
			  const struct route *route)
{
	const char *debug = pyro_httpd_query(request, "debug");
	bool as_text = debug && strcmp(debug, "0") != 0;
	bool takes_time = route->kind == PYRO_OUTPUT_CPU ||
			  route->kind == PYRO_OUTPUT_WALL;
	long seconds = seconds_of(request, takes_time ? SECONDS_DEFAULT : 0);

	if (pyro_tap_is_paused(route->kind))
		say(request, 409, "paused by the program\n");
	else if (!pyro_tap_is_profiled(route->kind))
		say(request, 404,
		    "not profiled: see PYROSCOPE_PROFILE_TYPES\n");
	else if (seconds < 0)
		say(request, 400, "seconds is not 0 to 3600\n");
	else if (seconds > 0 || route->extent == SECONDS)
		keep(request, route, (unsigned)seconds, as_text);
	else if (route->extent == SINCE_LAST)
		give(request, route, since_last(route->kind), as_text);
	else
		give(request, route,
		     pyro_tap_read(
			     &listener.since_start[kept_index(route->kind)]),
		     as_text);
}

static void serve_buffer(struct pyro_httpd_request *request, const char *type,
			 struct pyro_buf *buf)
{
	const struct pyro_httpd_answer answer = {.status = 200,
						 .type = type,
						 .body = buf->data,
						 .len = buf->len};

	if (buf->failed)
		say(request, 500, "out of memory\n");
	else
		pyro_httpd_answer(request, &answer);
	pyro_buf_free(buf);
}

static void serve_index(struct pyro_httpd_request *request)
{
	struct pyro_buf page = {0};

	pyro_buf_printf(&page, "<!doctype html><title>" PREFIX "</title>\n"
			       "<h1>" PREFIX "</h1>\n<ul>\n");
	for (size_t i = 0; i < PYRO_COUNT_OF(routes); i++)
		if (pyro_tap_is_profiled(routes[i].kind))
			pyro_buf_printf(&page,
					"<li><a href=\"" PREFIX
					"%s?debug=1\">%s</a>: %s\n",
					routes[i].name, routes[i].name,
					routes[i].help);
	if (pyro_tap_is_profiled(fgprof.kind))
		pyro_buf_printf(&page,
				"<li><a href=\"" FGPROF
				"?debug=1\">%s</a>: %s\n",
				fgprof.name, fgprof.help);
	pyro_buf_printf(&page, "</ul>\n<p>As pprof without debug=1; with "
			       "seconds=N only of the next N seconds. "
			       "Counters: <a href=\"/metrics\">/metrics</a>\n");
	serve_buffer(request, "text/html; charset=utf-8", &page);
}

static void serve_cmdline(struct pyro_httpd_request *request)
{
	struct pyro_buf text = {0};

	if (pyro_read_file("/proc/self/cmdline", 1 << 20, &text) != 0)
		text.failed = true;
	serve_buffer(request, TEXT, &text);
}

static void serve_metrics(struct pyro_httpd_request *request)
{
	struct pyro_buf text = {0};

	pyro_metrics_write(&text);
	serve_buffer(request, "text/plain; version=0.0.4", &text);
}

/* In a time that does not tell where they differ. */
static bool is_allowed(struct pyro_httpd_request *request)
{
	static const char scheme[] = "Bearer ";
	const char *given = pyro_httpd_header(request, "Authorization");
	size_t len = strlen(listener.token);
	unsigned char differ = 0;

	if (len == 0)
		return true;
	if (!given || strncmp(given, scheme, sizeof(scheme) - 1) != 0)
		return false;
	given += sizeof(scheme) - 1;
	if (strlen(given) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		differ |= (unsigned char)(given[i] ^ listener.token[i]);
	return differ == 0;
}

static void serve(void *arg, struct pyro_httpd_request *request,
		  const char *path)
{
	const char *name = path + sizeof(PREFIX) - 1;
	size_t i = 0;

	(void)arg;
	if (!is_allowed(request)) {
		say(request, 401, "no token, or not the right one\n");
		return;
	}
	if (strcmp(path, "/metrics") == 0) {
		serve_metrics(request);
		return;
	}
	if (strcmp(path, "/debug/pprof") == 0 || strcmp(path, PREFIX) == 0) {
		serve_index(request);
		return;
	}
	if (strcmp(path, FGPROF) == 0) {
		serve_profile(request, &fgprof);
		return;
	}
	if (strcmp(path, PREFIX "cmdline") == 0) {
		serve_cmdline(request);
		return;
	}
	if (strncmp(path, PREFIX, sizeof(PREFIX) - 1) != 0) {
		say(request, 404, "see " PREFIX "\n");
		return;
	}
	while (i < PYRO_COUNT_OF(routes) && strcmp(routes[i].name, name) != 0)
		i++;
	if (i < PYRO_COUNT_OF(routes))
		serve_profile(request, &routes[i]);
	else
		say(request, 404, "see " PREFIX "\n");
}

/* ---- The thread ---- */

static bool is_pending(void)
{
	for (size_t i = 0; i < PENDING_MAX; i++)
		if (listener.pending[i].request)
			return true;
	return false;
}

static void close_kept(struct pyro_tap *tap)
{
	if (tap->since_ns)
		pyro_profile_free(pyro_tap_close(tap));
	*tap = (struct pyro_tap){0};
}

static void listener_main(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < PYRO_COUNT_OF(kept); i++)
		pyro_tap_open(&listener.since_start[i], kept[i]);
	atomic_store(&listener.state, RUNNING);
	pyro_wake(&listener.state);
	while (!atomic_load(&listener.stop_asked)) {
		pyro_httpd_run(listener.httpd,
			       is_pending() ? BUSY_MS : IDLE_MS);
		answer_due(false);
	}
	answer_due(true);
	pyro_httpd_run(listener.httpd, 0);
	pyro_httpd_stop(listener.httpd);
	for (size_t i = 0; i < PYRO_COUNT_OF(kept); i++) {
		close_kept(&listener.since_start[i]);
		close_kept(&listener.since_last[i]);
	}
	atomic_store(&listener.state, STOPPED);
	pyro_wake(&listener.state);
}

static int start(const char *address, const char *token)
{
	uint32_t stopped = STOPPED;
	int err, fd;

	/* First, so that nobody takes what begins here for a parent's. */
	atomic_store(&listener.pid, pyro_getpid());
	if (!atomic_compare_exchange_strong(&listener.state, &stopped,
					    STARTING))
		return -EALREADY;
	snprintf(listener.token, sizeof(listener.token), "%s", token);
	atomic_store(&listener.stop_asked, false);
	fd = pyro_httpd_bind(address, &listener.socket);
	err = fd < 0 ? fd : pyro_httpd_start(fd, serve, NULL, &listener.httpd);
	if (!err) {
		err = pyro_thread_start("pyro-listen", listener_main, NULL);
		if (err)
			pyro_httpd_stop(listener.httpd);
	}
	if (err)
		atomic_store(&listener.state, STOPPED);
	return err;
}

static int start_with_written_token(const char *address)
{
	struct pyro_settings written = {.quiet = true};
	const char *token;
	int err;

	pyro_settings_read(&written);
	written.quiet = false;
	token = pyro_config_token(&written, address);
	err = token ? start(address, token) : -EINVAL;
	pyro_settings_free(&written);
	return err;
}

static void stop(void)
{
	if (atomic_load(&listener.state) != RUNNING)
		return;
	atomic_store(&listener.stop_asked, true);
	pyro_wait(&listener.state, RUNNING, WAIT_NS);
}

/* A child that was forked by a call without handlers, as _Fork, while nothing was
 * profiled. */
static void leave_parents(void)
{
	if (atomic_load(&listener.state) != STOPPED &&
	    atomic_load(&listener.pid) != pyro_getpid())
		pyro_listener_forked();
}

int pyroscope_listen(const char *address)
{
	int err = 0, saved = errno;

	pyro_lifecycle_enter();
	pyro_lifecycle_watch_forks();
	leave_parents();
	if (!address || !*address)
		stop();
	else
		err = start_with_written_token(address);
	/* What happens from now on is counted. */
	if (!err)
		pyro_wait(&listener.state, STARTING, WAIT_NS);
	errno = saved;
	return err;
}

int pyro_listener_start(const char *address, const char *token, bool forked)
{
	int err;

	leave_parents();
	err = start(address, token);
	if (err == -ENOENT)
		pyro_log("not listening at %s: that needs libmicrohttpd.so.12 "
			 "(libmicrohttpd12 in Debian and Ubuntu)",
			 address);
	else if (err == -ENOTSUP)
		pyro_log("not listening at %s: a static program cannot load "
			 "libmicrohttpd.so.12",
			 address);
	else if (err == -EINVAL)
		pyro_log("not listening at %s: that is no address like "
			 "127.0.0.1:6060",
			 address);
	else if (err && err != -EALREADY && !(err == -EADDRINUSE && forked))
		pyro_log("not listening at %s: %s", address,
			 pyroscope_strerror(err));
	return err;
}

void pyro_listener_forked(void)
{
	/* Whatever the state: it may be just being opened, or closed. */
	pyro_httpd_forked(&listener.socket);
	memset(&listener, 0, sizeof(listener));
}
