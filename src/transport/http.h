// SPDX-License-Identifier: Apache-2.0
/* http.h - one POST over plain HTTP/1.1, and the same over HTTPS by libcurl
 *
 * Plain HTTP is our own because loading libcurl costs a stranger's process
 * 6 ms and 6 MiB; HTTPS is libcurl's (curl.c), loaded when first needed. */
#ifndef PYRO_TRANSPORT_HTTP_H
#define PYRO_TRANSPORT_HTTP_H

#include "transport/url.h"

struct pyro_http_request {
	const struct pyro_url *url;
	const char *path; /* behind url->path, "/push.v1..." */
	const char *content_type;
	const char *content_encoding; /* NULL: none */
	const char *user_agent;
	const unsigned char *body;
	size_t body_len;
	uint32_t timeout_ms; /* whole exchange */
	/* Set to non-zero by another thread: give up soon. May be NULL. */
	const _Atomic uint32_t *cancel;
};

struct pyro_http_response {
	int status;             /* 100-599 */
	uint32_t retry_after_s; /* 0: not given */
	char message[256];      /* start of the body, printable, for the log */
};

/* One try. 0 when a response was read (any status), else -errno: -EPROTO for
 * what is not HTTP, -ETIMEDOUT, -ECANCELED, -EHOSTUNREACH for a name that does
 * not resolve, -ENOTSUP when HTTPS is asked and libcurl cannot be loaded. */
int pyro_http_post(const struct pyro_http_request *request,
		   struct pyro_http_response *response);
int pyro_curl_post(const struct pyro_http_request *request,
		   struct pyro_http_response *response);

#endif
