// SPDX-License-Identifier: Apache-2.0
/* upload.c - profiles on their way to the server
 *
 * A ring under one lock; the uploader thread works on its head and takes it out
 * when its fate is known. While it is on the wire the head cannot be dropped,
 * in between tries it can. How long to wait after a failure belongs to the
 * server and not to the profile: all profiles share one backoff. */
#include "transport/upload.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/os.h"
#include "base/sync.h"
#include "transport/http.h"

#define PUSH_PATH "/push.v1.PusherService/Push"
#define AGE_MAX_NS ((int64_t)(55 * 60 * PYRO_NS_PER_SEC))
#define BACKOFF_MIN_NS (500 * PYRO_NS_PER_MS)
#define BACKOFF_MAX_NS (60 * PYRO_NS_PER_SEC)
#define RETRY_AFTER_MAX_S 300
/* A server that comes and goes gets its two lines once in this time. */
#define TELL_AGAIN_NS (10 * 60 * PYRO_NS_PER_SEC)

struct entry {
	struct pyro_upload upload;
	uint64_t seq;      /* rises with each push */
	unsigned refusals; /* that can pass, but have not yet */
};

/* A line for the log, written when the lock is free again: descriptor 2 may be
 * a pipe that nobody reads. */
struct note {
	const char *what; /* NULL: nothing to tell */
	char detail[320];
};

struct pyro_uploader {
	/* Set in new, then constant. */
	size_t mapped;
	struct pyro_uploader_config config;
	size_t cap; /* of the ring: queue_max and the one on the wire */
	char ca_file[1024];
	struct pyro_proxy proxy;

	struct pyro_mutex lock;
	/* Guarded by lock. */
	bool started;
	bool stop;
	bool on_wire; /* the head is being sent */
	bool told;    /* that the server is unreachable */
	size_t head;  /* index of the oldest */
	size_t len;   /* entries */
	size_t bytes; /* memory of their bodies */
	uint64_t next_seq;
	unsigned failures; /* in a row, of retryable kind */
	uint64_t next_try_ns;
	uint64_t told_ns;
	uint32_t told_status[600 / 32 + 1]; /* a bit for each */

	/* Counters to wait on, moved under the lock. */
	_Atomic uint32_t work; /* by others, for the thread */
	_Atomic uint32_t done; /* by the thread, after each try */
	/* Read by the transfer. */
	_Atomic uint32_t cancel;
	_Atomic uint32_t end; /* of the thread, see below */

	struct entry ring[];
};

/* Whoever comes second, the thread that ends or the one that frees, frees. */
enum {
	RUNNING,
	ENDED,
	ABANDONED
};

static void move(_Atomic uint32_t *counter)
{
	atomic_fetch_add(counter, 1);
	pyro_wake(counter);
}

static struct entry *entry_at(struct pyro_uploader *u, size_t i)
{
	return &u->ring[(u->head + i) % u->cap];
}

static void use_address_user(struct pyro_uploader_config *config)
{
	const char *wrong = pyro_headers_basic(
		&config->headers, config->url.user, config->url.password);

	if (wrong)
		pyro_log("the user name in the server's address is not used: "
			 "%s",
			 wrong);
}

struct pyro_uploader *
pyro_uploader_new(const struct pyro_uploader_config *config)
{
	size_t cap = pyro_max(config->queue_max, 1) + 1;

	if (cap > (SIZE_MAX / 2 - sizeof(struct pyro_uploader)) /
			  sizeof(struct entry))
		return NULL;

	size_t size = sizeof(struct pyro_uploader) + cap * sizeof(struct entry);
	struct pyro_uploader *u = pyro_pages_alloc(size);

	if (!u)
		return NULL;
	u->mapped = size;
	u->config = *config;
	u->cap = cap;
	u->lock.rank = PYRO_RANK_QUEUE;

	if (u->config.url.has_user)
		use_address_user(&u->config);

	/* Here and not when it is needed: the uploader thread must not read the
	 * environment, which the program may be changing. */
	const char *ca_file = secure_getenv("SSL_CERT_FILE");

	if (ca_file && strlen(ca_file) < sizeof(u->ca_file))
		memcpy(u->ca_file, ca_file, strlen(ca_file));
	pyro_proxy_find(&u->config.url, &u->proxy);
	return u;
}

/* Take entry i out, which is the head or, with the head on the wire, the one
 * behind it. */
static void remove_entry(struct pyro_uploader *u, size_t i)
{
	struct entry *gone = entry_at(u, i);

	u->bytes -= gone->upload.body.cap;
	pyro_buf_free(&gone->upload.body);
	if (i == 1)
		*gone = *entry_at(u, 0);
	*entry_at(u, 0) = (struct entry){0};
	u->head = (u->head + 1) % u->cap;
	u->len--;
	move(&u->done);
}

/* Make room for one more of these bytes: the oldest goes first. */
static void make_room(struct pyro_uploader *u, size_t bytes)
{
	size_t keep = u->on_wire ? 1 : 0;
	size_t wire_bytes = keep ? entry_at(u, 0)->upload.body.cap : 0;

	while (u->len > keep &&
	       (u->len - keep >= u->cap - 1 ||
		u->bytes - wire_bytes + bytes > u->config.queue_bytes_max)) {
		remove_entry(u, keep);
		u->config.stats->dropped_full++;
	}
}

static void destroy(struct pyro_uploader *u)
{
	u->config.stats->dropped_freed += u->len;
	while (u->len > 0)
		remove_entry(u, 0);
	pyro_pages_free(u, u->mapped);
}

static void drop_old(struct pyro_uploader *u)
{
	int64_t now = (int64_t)pyro_clock_ns(CLOCK_REALTIME);

	while (u->len > 0 &&
	       entry_at(u, 0)->upload.time_ns < now - AGE_MAX_NS) {
		remove_entry(u, 0);
		u->config.stats->dropped_old++;
	}
}

static const char *reason_of(int err)
{
	static const struct {
		int err;
		const char *text;
	} reasons[] = {
		{ECONNREFUSED, "connection refused"},
		{ECONNRESET, "connection closed before the answer"},
		{EPIPE, "connection closed before the answer"},
		{ETIMEDOUT, "no answer in time"},
		{EHOSTUNREACH, "no such host, or no way to it"},
		{ENETUNREACH, "network unreachable"},
		{ENOENT, "there is no such socket"},
		{EACCES, "permission denied"},
		{EPROTO, "the answer is not HTTP, or not TLS"},
		{EKEYREJECTED, "its certificate is not trusted"},
		{ENOMEM, "out of memory"},
		{EMFILE, "too many open files"},
	};

	for (size_t i = 0; i < PYRO_COUNT_OF(reasons); i++)
		if (reasons[i].err == -err)
			return reasons[i].text;
	return "it cannot be reached";
}

static void log_note(const struct pyro_url *url, const struct note *note)
{
	const char *end = note->detail[0] ? ": " : "";

	if (*url->socket) {
		pyro_log("%s unix://%s%s%s", note->what, url->socket, end,
			 note->detail);
		return;
	}
	pyro_log("%s %s://%s%s%s:%u%s%s%s", note->what,
		 url->https ? "https" : "http", url->ipv6 ? "[" : "", url->host,
		 url->ipv6 ? "]" : "", url->port, url->path, end, note->detail);
}

static void note_failure(struct pyro_uploader *u, int err,
			 const struct pyro_http_response *response,
			 uint64_t now, struct note *note)
{
	if (u->told || (u->told_ns && now - u->told_ns < TELL_AGAIN_NS))
		return;
	u->told = true;
	u->told_ns = now;
	note->what = "cannot send for now to";
	if (!err)
		snprintf(note->detail, sizeof(note->detail), "HTTP %d %s",
			 response->status, response->message);
	else
		snprintf(note->detail, sizeof(note->detail), "%s",
			 response->message[0] ? response->message
					      : reason_of(err));
}

static void note_refused(struct pyro_uploader *u,
			 const struct pyro_http_response *response,
			 struct note *note)
{
	unsigned status = (unsigned)response->status;
	uint32_t bit = UINT32_C(1) << status % 32;

	if (u->told_status[status / 32] & bit)
		return;
	u->told_status[status / 32] |= bit;
	note->what = "profiles are refused by";
	snprintf(note->detail, sizeof(note->detail), "HTTP %u %s", status,
		 status / 100 == 3 ? "leads elsewhere, where nothing is sent: "
				     "give the address that it leads to"
				   : response->message);
}

/* Is it the server, and surely not this profile? */
static bool is_outage(int status)
{
	return status >= 502 && status <= 504;
}

static bool can_pass(const struct entry *entry, int status)
{
	/* /ingest says 422 for everything, also for what will pass. */
	if (status == 422 && entry->upload.body_at)
		return entry->refusals == 0;
	return is_outage(status) || status == 408 || status == 429 ||
	       status == 500;
}

static uint64_t backoff_ns(unsigned failures, uint32_t retry_after_s)
{
	uint64_t ns = BACKOFF_MAX_NS;

	if (failures < 8)
		ns = pyro_min(BACKOFF_MIN_NS << (failures - 1), ns);
	/* Half to whole: what went down together must not come back so. */
	ns = ns / 2 + pyro_random() % (ns / 2 + 1);
	return pyro_max(ns, pyro_min(retry_after_s, RETRY_AFTER_MAX_S) *
				    PYRO_NS_PER_SEC);
}

static void settle_failure(struct pyro_uploader *u, int err,
			   const struct pyro_http_response *response,
			   struct note *note)
{
	uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);

	u->failures++;
	u->next_try_ns = now + backoff_ns(u->failures, response->retry_after_s);
	note_failure(u, err, response, now, note);
	if (!err && !is_outage(response->status) &&
	    ++entry_at(u, 0)->refusals >= u->config.tries_max) {
		remove_entry(u, 0);
		u->config.stats->dropped_refused++;
	}
}

static void settle_answer(struct pyro_uploader *u, bool sent,
			  const struct pyro_http_response *response,
			  struct note *note)
{
	u->failures = 0;
	u->next_try_ns = 0;
	remove_entry(u, 0);
	if (!sent) {
		u->config.stats->dropped_refused++;
		if (response->status)
			note_refused(u, response, note);
		return;
	}
	u->config.stats->sent++;
	if (u->told)
		note->what = "sending again to";
	u->told = false;
}

/* The head has been tried. */
static void settle(struct pyro_uploader *u, int err,
		   const struct pyro_http_response *response, struct note *note)
{
	bool sent = !err && response->status >= 200 && response->status < 300;

	u->on_wire = false;
	if (err == -ECANCELED)
		return;
	u->config.stats->last_status = err ? err : response->status;
	if (!sent)
		u->config.stats->failed_tries++;
	/* Without libcurl a further try is as vain as this one; its absence
	 * has been told. */
	if (err ? err != -ENOTSUP : can_pass(entry_at(u, 0), response->status))
		settle_failure(u, err, response, note);
	else
		settle_answer(u, sent, response, note);
	move(&u->done);
}

/* Called with the lock, which is given up during the transfer. */
static void try_head(struct pyro_uploader *u)
{
	const struct pyro_upload *upload = &entry_at(u, 0)->upload;
	const char *path = (const char *)upload->body.data;
	size_t at = upload->body_at;
	struct pyro_http_request request = {
		.url = &u->config.url,
		.path = at ? path : PUSH_PATH,
		.content_type =
			at ? path + strlen(path) + 1 : "application/proto",
		.content_encoding = at ? NULL : "gzip",
		.user_agent = u->config.user_agent,
		.headers = u->config.headers.text,
		.proxy = &u->proxy,
		.body = upload->body.data + at,
		.body_len = upload->body.len - at,
		.timeout_ms = u->config.timeout_ms,
		.ca_file = u->ca_file,
		.cancel = &u->cancel,
	};
	struct pyro_http_response response;
	struct note note = {0};

	u->on_wire = true;
	pyro_mutex_unlock(&u->lock);
	int err = pyro_http_post(&request, &response);
	pyro_mutex_lock(&u->lock);
	settle(u, err, &response, &note);
	if (note.what) {
		pyro_mutex_unlock(&u->lock);
		log_note(&u->config.url, &note);
		pyro_mutex_lock(&u->lock);
	}
}

static void run(void *arg)
{
	struct pyro_uploader *u = arg;

	pyro_mutex_lock(&u->lock);
	while (!u->stop) {
		uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);

		drop_old(u);
		if (u->len > 0 && now >= u->next_try_ns) {
			try_head(u);
			continue;
		}

		uint32_t seen = atomic_load(&u->work);
		uint64_t sleep_ns =
			u->len > 0 ? u->next_try_ns - now : UINT64_MAX;

		pyro_mutex_unlock(&u->lock);
		pyro_wait(&u->work, seen, sleep_ns);
		pyro_mutex_lock(&u->lock);
	}
	pyro_mutex_unlock(&u->lock);

	if (atomic_exchange(&u->end, ENDED) == ABANDONED)
		destroy(u);
	else
		pyro_wake(&u->end); /* the address: it may be gone by now */
}

static int start_locked(struct pyro_uploader *u)
{
	if (u->started)
		return 0;

	int err = pyro_thread_start("pyro-upload", run, u);

	u->started = err == 0;
	return err;
}

static int push_locked(struct pyro_uploader *u, const struct pyro_upload *up)
{
	if (up->body.cap > u->config.queue_bytes_max) {
		u->config.stats->dropped_full++;
		return -EFBIG;
	}

	int err = u->stop ? -ECANCELED : start_locked(u);

	if (err) {
		u->config.stats->dropped_full++;
		return err;
	}
	make_room(u, up->body.cap);
	*entry_at(u, u->len) = (struct entry){
		.upload = *up,
		.seq = u->next_seq++,
	};
	u->len++;
	u->bytes += up->body.cap;
	move(&u->work);
	return 0;
}

int pyro_uploader_push(struct pyro_uploader *u, struct pyro_upload *upload)
{
	int err = -ENOMEM;

	if (!upload->body.failed) {
		pyro_mutex_lock(&u->lock);
		err = push_locked(u, upload);
		pyro_mutex_unlock(&u->lock);
	}
	if (err)
		pyro_buf_free(&upload->body);
	upload->body = (struct pyro_buf){0};
	return err;
}

int pyro_uploader_flush(struct pyro_uploader *u, uint32_t timeout_ms,
			uint32_t failed_ms)
{
	uint64_t start = pyro_clock_ns(CLOCK_MONOTONIC);
	int err = 0;

	pyro_mutex_lock(&u->lock);
	uint64_t target = u->next_seq;

	/* Whatever the backoff says, one try for the one who is waiting. */
	if (u->len > 0 && !u->on_wire) {
		u->next_try_ns = 0;
		move(&u->work);
	}
	while (u->len > 0 && entry_at(u, 0)->seq < target) {
		uint32_t limit_ms = timeout_ms;

		if (u->failures && failed_ms < limit_ms)
			limit_ms = failed_ms;

		uint64_t end = start + limit_ms * PYRO_NS_PER_MS;
		uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);
		uint32_t seen = atomic_load(&u->done);

		if (u->stop || now >= end) {
			err = -ETIMEDOUT;
			break;
		}
		pyro_mutex_unlock(&u->lock);
		pyro_wait(&u->done, seen, end - now);
		pyro_mutex_lock(&u->lock);
	}
	pyro_mutex_unlock(&u->lock);
	return err;
}

int pyro_uploader_halt(struct pyro_uploader *u, uint32_t timeout_ms)
{
	pyro_mutex_lock(&u->lock);
	u->stop = true;
	bool started = u->started;

	atomic_store(&u->cancel, 1);
	move(&u->work);
	move(&u->done);
	pyro_mutex_unlock(&u->lock);

	if (started &&
	    !pyro_wait(&u->end, RUNNING, timeout_ms * PYRO_NS_PER_MS))
		return -ETIMEDOUT;
	return 0;
}

void pyro_uploader_free(struct pyro_uploader *u, uint32_t timeout_ms)
{
	uint32_t end = RUNNING;

	if (!u)
		return;
	if (pyro_uploader_halt(u, timeout_ms) != 0 &&
	    atomic_compare_exchange_strong(&u->end, &end, ABANDONED))
		return;
	destroy(u);
}
