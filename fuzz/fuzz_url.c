// SPDX-License-Identifier: Apache-2.0
/* fuzz_url.c - any text as a server address: what is accepted is well-formed */
#include "transport/url.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pyro_url url;
	const char *why = NULL;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (pyro_url_parse(text, &url, &why) != 0) {
		check(why && *why);
	} else {
		size_t path_len = strlen(url.path);

		check(!why && url.port != 0 && *url.host);
		check(!strpbrk(url.host, "/@[]?# \r\n\t"));
		check(url.ipv6 == (strchr(url.host, ':') != NULL));
		check(path_len == 0 || url.path[0] == '/');
		check(path_len == 0 || url.path[path_len - 1] != '/');
		for (size_t i = 0; i < path_len; i++)
			check(url.path[i] > ' ' && url.path[i] <= '~');
		check(!*url.socket || (*url.socket == '/' && path_len == 0));
		check(url.has_user || (!*url.user && !*url.password));
		check(!strpbrk(url.user, "\r\n"));
		check(!strpbrk(url.password, "\r\n"));
	}
	free(text);
	return 0;
}
