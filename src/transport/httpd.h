// SPDX-License-Identifier: Apache-2.0
/* httpd.h - a small HTTP server, for whoever fetches profiles
 *
 * By libmicrohttpd, loaded when it is first needed. GET only; all in one thread,
 * that of pyro_httpd_run(); a request may be answered later. */
#ifndef PYRO_TRANSPORT_HTTPD_H
#define PYRO_TRANSPORT_HTTPD_H

#include <sys/stat.h>

#include "base/util.h"

struct pyro_httpd;
struct pyro_httpd_request;

/* Either answers, or keeps the request and has it answered later. path begins with
 * "/" and lives as long as the request. */
typedef void pyro_httpd_fn(void *arg, struct pyro_httpd_request *request,
			   const char *path);

/* By which a forked child knows it. */
struct pyro_httpd_socket {
	int fd;
	struct stat what;
};

/* A listening socket at "host:port": a number, localhost, or nothing, which is
 * 127.0.0.1; IPv6 stands in brackets. *to is written before it has the address.
 * The descriptor, -EINVAL or -errno. */
int pyro_httpd_bind(const char *address, struct pyro_httpd_socket *to);

/* Owns fd. 0, or -ENOENT: there is no libmicrohttpd, -ENOTSUP: a static program,
 * -ENOMEM. Not in a signal handler; changes errno. */
int pyro_httpd_start(int fd, pyro_httpd_fn *fn, void *arg,
		     struct pyro_httpd **out);
/* Serve what there is, and wait at most timeout_ms for more. */
void pyro_httpd_run(struct pyro_httpd *httpd, int timeout_ms);
/* Requests that were kept must be answered before. */
void pyro_httpd_stop(struct pyro_httpd *httpd);
/* In a forked child: close the parent's socket, unless there is none, or the program
 * has closed it before and its number is something else now. System calls only. */
void pyro_httpd_forked(const struct pyro_httpd_socket *socket);

/* Of the request's query, decoded; NULL: it has none. A key without a value has
 * "". */
const char *pyro_httpd_query(struct pyro_httpd_request *request,
			     const char *key);
const char *pyro_httpd_header(struct pyro_httpd_request *request,
			      const char *name);

struct pyro_httpd_answer {
	unsigned status;
	const char *type;     /* constant */
	const char *filename; /* constant; NULL: to be shown, not kept */
	const void *body;     /* copied */
	size_t len;
};
/* Once for each request, which is not the caller's any more. */
void pyro_httpd_answer(struct pyro_httpd_request *request,
		       const struct pyro_httpd_answer *answer);

#endif
