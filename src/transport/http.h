// SPDX-License-Identifier: Apache-2.0
/* http.h - one POST over plain HTTP/1.1, and the same over HTTPS by libcurl
 *
 * Plain HTTP is our own because loading libcurl costs a stranger's process
 * 6 ms and 6 MiB; HTTPS and proxies are libcurl's (curl.c), loaded when first
 * needed. No redirect is followed: what is sent is secret, and meant for one
 * server. */
#ifndef PYRO_TRANSPORT_HTTP_H
#define PYRO_TRANSPORT_HTTP_H

#include "transport/proxy.h"

struct pyro_http_request {
	const struct pyro_url *url;
	const char *path; /* behind url->path, "/push.v1..." */
	const char *content_type;
	const char *content_encoding; /* NULL: none */
	const char *user_agent;
	/* More of them, each with its line end (struct pyro_headers); NULL:
	 * none. */
	const char *headers;
	const struct pyro_proxy *proxy; /* NULL, or no scheme in it: none */
	const unsigned char *body;
	size_t body_len;
	uint32_t timeout_ms; /* whole exchange */
	/* PEM file of authorities to trust for HTTPS; NULL or "": the
	 * system's. */
	const char *ca_file;
	/* Set to non-zero by another thread: give up soon. May be NULL. */
	const _Atomic uint32_t *cancel;
};

struct pyro_http_response {
	int status;             /* 100-599 */
	uint32_t retry_after_s; /* 0: not given */
	/* For the log, printable: the start of the body, or what libcurl said
	 * of its failure. */
	char message[256];
};

/* One try, by libcurl (pyro_curl_post) for HTTPS and proxies. 0 when a response
 * was read (any status), else -errno: -EPROTO for what is not HTTP, -ETIMEDOUT,
 * -ECANCELED, -EHOSTUNREACH for a name that does not resolve, -EKEYREJECTED for
 * a certificate that is not trusted, -ENOTSUP when libcurl is needed and cannot
 * be loaded. A body that is cut short is no error. The deadline does not
 * bound the libc's resolver. */
int pyro_http_post(const struct pyro_http_request *request,
		   struct pyro_http_response *response);
int pyro_curl_post(const struct pyro_http_request *request,
		   struct pyro_http_response *response);

/* A socket, close-on-exec and not one of the standard streams' numbers (a
 * program that closed those would write into it). Descriptor or -errno. */
int pyro_http_socket(int family, int type, int protocol);

/* Called once, right after libcurl and its TLS library were initialised: what
 * is registered with atexit() here runs before they are torn down. NULL by
 * default; set it before the first post. */
extern void (*pyro_curl_loaded)(void);

#endif
