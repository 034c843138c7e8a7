// SPDX-License-Identifier: Apache-2.0
/* fuzz_http.c - any bytes as a response: in whatever pieces they come (the
 * first byte says in how large ones), the result is the same */
#include "transport/http_parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static int parse_pieces(struct pyro_http_parser *parser, const uint8_t *data,
			size_t size, size_t piece)
{
	int got = 0;

	for (size_t at = 0; at < size && got == 0; at += piece)
		got = pyro_http_parse(parser, data + at,
				      pyro_min(piece, size - at));
	return got;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pyro_http_parser whole = {0};
	struct pyro_http_parser parts = {0};

	if (size == 0)
		return 0;

	size_t piece = (size_t)data[0] + 1;

	data++;
	size--;

	int got = pyro_http_parse(&whole, data, size);

	check(got == 0 || got == 1 || got == -EPROTO);
	check(parse_pieces(&parts, data, size, piece) == got);
	check(whole.head_done == parts.head_done);
	check(got != 1 || whole.head_done);
	if (whole.head_done) {
		const struct pyro_http_response *r = &whole.response;

		check(memcmp(r, &parts.response, sizeof(*r)) == 0);
		check(r->status >= 200 && r->status <= 599);
		check(strlen(r->message) < sizeof(r->message));
		for (const char *c = r->message; *c; c++)
			check(*c >= ' ' && *c <= '~');
	}
	return 0;
}
