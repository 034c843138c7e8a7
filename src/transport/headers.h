// SPDX-License-Identifier: Apache-2.0
/* headers.h - headers that the user wants in each request: who sends, for whom
 *
 * What they hold is secret: it stands in no log line, and the functions say
 * what is wrong without showing it. */
#ifndef PYRO_TRANSPORT_HEADERS_H
#define PYRO_TRANSPORT_HEADERS_H

#include "base/util.h"

#define PYRO_HEADERS_MAX 8192u
#define PYRO_SECRET_MAX 4096u /* bytes of a token */

/* Zero-initialised is none. */
struct pyro_headers {
	size_t len;
	char text[PYRO_HEADERS_MAX]; /* "Name: value\r\n" ..., NUL-terminated */
};

/* What is wrong with a good header whose name another one has that is there. */
extern const char pyro_headers_twice[];

/* Each adds one header, pyro_headers_json all of an object of strings. They
 * return NULL, or in a few words what is wrong; then nothing was added (by
 * pyro_headers_json: all that is good, up to where it is no such object; what it
 * returns is pyro_headers_twice only if nothing else is wrong). Line ends and
 * other control characters are refused, as is a second header of one name, or one
 * of those that make the request (Host, Content-Length ...). */
const char *pyro_headers_add(struct pyro_headers *headers, const char *name,
			     const char *value);
const char *pyro_headers_basic(struct pyro_headers *headers, const char *user,
			       const char *password);
const char *pyro_headers_bearer(struct pyro_headers *headers,
				const char *token);
const char *pyro_headers_tenant(struct pyro_headers *headers,
				const char *tenant);
const char *pyro_headers_json(struct pyro_headers *headers, const char *json);

#endif
