// SPDX-License-Identifier: Apache-2.0
/* upload.h - the uploader thread and its bounded queue
 *
 * One thread, started at the first push. Retries what can pass (connection
 * and read errors, 408, 429, 500, 502, 503, 504) with jittered backoff and
 * Retry-After, drops and counts what cannot; bytes are never changed between
 * tries, so the server can tell a repeat. When the queue is full the oldest
 * goes. A profile that a server which works refuses (408, 429, 500) is given up
 * after some tries; that there is none to be had is not the profile's fault, and
 * only the bounds of the queue and the profile's age end that. */
#ifndef PYRO_TRANSPORT_UPLOAD_H
#define PYRO_TRANSPORT_UPLOAD_H

#include <stdatomic.h>

#include "base/buf.h"
#include "transport/headers.h"
#include "transport/url.h"

struct pyro_upload {
	/* The push message, gzipped; or, with body_at, a request to /ingest:
	 * its path and its content type, each with a NUL, then the body. */
	struct pyro_buf body;
	size_t body_at;
	/* The profile's own time (CLOCK_REALTIME), by which the server refuses
	 * what is more than an hour old: after 55 minutes it is not sent. */
	int64_t time_ns;
};

/* Counted from 0 on, by all uploaders that share it. */
struct pyro_upload_stats {
	_Atomic uint64_t sent;
	_Atomic uint64_t failed_tries;    /* of any kind */
	_Atomic uint64_t dropped_full;    /* no room, or no thread */
	_Atomic uint64_t dropped_refused; /* by the server, at once or often */
	_Atomic uint64_t dropped_old;
	_Atomic uint64_t dropped_freed; /* still queued at the end */
	_Atomic int last_status; /* HTTP, or negative errno of the last try */
};

struct pyro_uploader_config {
	struct pyro_url url;    /* of the server, path is the base path */
	const char *user_agent; /* borrowed for the process's life */
	struct pyro_headers headers;
	uint32_t timeout_ms; /* of one try, connect to last byte */
	size_t queue_max;    /* profiles */
	size_t queue_bytes_max;
	unsigned tries_max; /* of a profile that the server refuses for now */
	/* Borrowed for the process's life: a thread that was given up counts,
	 * too. */
	struct pyro_upload_stats *stats;
};

struct pyro_uploader;

/* Starts no thread yet. Returns owned (pyro_uploader_free); NULL for OOM. */
struct pyro_uploader *
pyro_uploader_new(const struct pyro_uploader_config *config);

/* Consumes the bytes of upload->body, also on error. 0 or -errno. Any thread,
 * never blocks on the network. */
int pyro_uploader_push(struct pyro_uploader *uploader,
		       struct pyro_upload *upload);

/* Wait until all that was pushed before is sent or dropped. Gives up after
 * timeout_ms, or after failed_ms once a try has failed (now or earlier without
 * a success since). 0 or -ETIMEDOUT. */
int pyro_uploader_flush(struct pyro_uploader *uploader, uint32_t timeout_ms,
			uint32_t failed_ms);

/* Send no more: what is on the wire is given up. Returns 0 when the thread is
 * out of the network and TLS libraries for good, which takes some 100 ms at
 * most unless a name is just being resolved; -ETIMEDOUT after timeout_ms.
 * Before the TLS library's exit handler runs, this must have been called. */
int pyro_uploader_halt(struct pyro_uploader *uploader, uint32_t timeout_ms);

/* Halt, and free everything. A thread that does not end in time keeps its
 * memory and frees it when it ends. NULL is fine. */
void pyro_uploader_free(struct pyro_uploader *uploader, uint32_t timeout_ms);

#endif
