// SPDX-License-Identifier: Apache-2.0
/* http_parse.h - a response, taken apart as its bytes come in
 *
 * Pure: bytes in, fields out, no memory but the struct. Input is hostile. Once
 * the head is complete the answer is known; the body is only wanted for a
 * message in the log, so whatever is wrong with it just ends it. */
#ifndef PYRO_TRANSPORT_HTTP_PARSE_H
#define PYRO_TRANSPORT_HTTP_PARSE_H

#include "transport/http.h"

#define PYRO_HTTP_HEAD_MAX ((size_t)64 << 10) /* of all heads, 1xx included */
#define PYRO_HTTP_BODY_MAX ((size_t)4 << 10)  /* read, not kept */

/* Zero-initialised is ready. */
struct pyro_http_parser {
	struct pyro_http_response response;
	bool head_done; /* response is valid, message may still grow */

	/* Private. */
	enum {
		PYRO_HTTP_STATUS_LINE,
		PYRO_HTTP_HEADERS,
		PYRO_HTTP_BODY,
		PYRO_HTTP_CHUNK_SIZE,
		PYRO_HTTP_CHUNK,
		PYRO_HTTP_CHUNK_END,
		PYRO_HTTP_DONE
	} state;
	bool chunked;
	bool has_length;
	uint64_t length; /* bytes left of the body or of the chunk */
	/* Seconds since 1970; 0: not given. */
	int64_t date_s;        /* of the answer, by the server's clock */
	int64_t retry_after_s; /* a date, which that clock will show */
	size_t head_len;
	size_t body_len;
	size_t message_len;
	size_t line_len; /* may be more than is kept of it */
	char line[256];
};

/* Returns 1 when no more is wanted, 0 when more is, -EPROTO for what is not an
 * HTTP/1 response. */
int pyro_http_parse(struct pyro_http_parser *parser, const void *data,
		    size_t len);

/* Append text of a server to response->message, *used bytes of which are taken:
 * made printable, cut at the message's end. */
void pyro_http_message(struct pyro_http_response *response, size_t *used,
		       const char *text, size_t len);

#endif
