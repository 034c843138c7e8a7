// SPDX-License-Identifier: Apache-2.0
/* fuzz_headers.c - any text as an object of headers: what comes of it is whole
 * lines, each with a name and a value, and none that the library writes */
#include "transport/headers.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_lines(const struct pyro_headers *headers)
{
	const char *line = headers->text;

	check(strlen(line) == headers->len && headers->len < PYRO_HEADERS_MAX);
	while (*line) {
		const char *colon = strchr(line, ':');
		const char *end = strstr(line, "\r\n");

		check(colon && end && line < colon && colon + 2 < end);
		check(strpbrk(line, "\r\n") == end);
		check(strncasecmp(line, "Content-Length:", 15) != 0);
		line = end + 2;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pyro_headers headers = {0};
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	pyro_headers_json(&headers, text);
	pyro_headers_tenant(&headers, text);
	pyro_headers_basic(&headers, text, text);
	check_lines(&headers);
	free(text);
	return 0;
}
