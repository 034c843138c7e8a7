// SPDX-License-Identifier: Apache-2.0
/* proxy.c - the proxy that the environment names for a server
 *
 * Decided here and not by libcurl: who needs no proxy for http:// need not load
 * it, and the environment must not be read by the uploader's thread. */
#include "transport/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"

#define PORT_DEFAULT 1080 /* libcurl's */

/* An IP address in network order; its length, 0 for a name. */
static size_t read_address(const char *text, unsigned char bytes[16])
{
	if (inet_pton(AF_INET, text, bytes) == 1)
		return 4;
	return inet_pton(AF_INET6, text, bytes) == 1 ? 16 : 0;
}

static bool is_this_host(const struct pyro_url *server)
{
	static const unsigned char v6[16] = {[15] = 1};
	unsigned char bytes[16];
	size_t len = read_address(server->host, bytes);

	if (len == 0)
		return strcasecmp(server->host, "localhost") == 0;
	return len == 4 ? bytes[0] == 127 : memcmp(bytes, v6, 16) == 0;
}

/* Is the address the entry, or in the network "address/bits"? */
static bool network_holds(char *entry, const unsigned char *address, size_t len)
{
	unsigned char base[16];
	char *slash = strchr(entry, '/'), *end;
	unsigned long bits = len * 8;

	if (slash) {
		*slash = '\0';
		bits = strtoul(slash + 1, &end, 10);
		if (end == slash + 1 || *end || bits > len * 8)
			return false;
	}
	if (read_address(entry, base) != len)
		return false;
	for (unsigned long i = 0; i < bits; i++)
		if ((base[i / 8] ^ address[i / 8]) >> (7 - i % 8) & 1)
			return false;
	return true;
}

/* One entry of no_proxy, which is changed. */
static bool entry_matches(char *entry, const char *host)
{
	unsigned char address[16];
	size_t len = read_address(host, address);
	size_t host_len = strlen(host);

	if (strcmp(entry, "*") == 0)
		return true;
	if (len > 0)
		return network_holds(entry, address, len);

	const char *domain = entry + (*entry == '.');
	size_t domain_len = strlen(domain);

	if (domain_len == 0 || domain_len > host_len ||
	    strcasecmp(host + host_len - domain_len, domain) != 0)
		return false;
	return domain_len == host_len || host[host_len - domain_len - 1] == '.';
}

static bool is_excepted(const char *list, const char *host)
{
	char entry[256];

	while (list && *list) {
		size_t len = strcspn(list, ", \t");

		if (len > 0 && len < sizeof(entry)) {
			memcpy(entry, list, len);
			entry[len] = '\0';
			if (entry_matches(entry, host))
				return true;
		}
		list += len;
		list += strspn(list, ", \t");
	}
	return false;
}

/* Value of the first variable that is set and not empty, and its name. */
static const char *first_of(const char *const *names, const char **name)
{
	for (; *names; names++) {
		const char *value = secure_getenv(*names);

		*name = *names;
		if (value && *value)
			return value;
	}
	return NULL;
}

static const char *parse(const char *text, struct pyro_proxy *proxy)
{
	static const char *const schemes[] = {"http",    "https",  "socks4",
					      "socks4a", "socks5", "socks5h"};
	const char *rest = strstr(text, "://");
	const char *scheme = "http", *wrong = NULL;
	char url[2048];

	for (size_t i = 0; rest && i < PYRO_COUNT_OF(schemes); i++) {
		size_t len = strlen(schemes[i]);

		if ((size_t)(rest - text) == len &&
		    strncasecmp(text, schemes[i], len) == 0) {
			scheme = schemes[i];
			text = rest + 3;
			rest = NULL;
		}
	}
	if (rest)
		return "it must begin with http://, https:// or socks5://";

	bool https = strcmp(scheme, "https") == 0;

	if (snprintf(url, sizeof(url), "%s://%s", https ? "https" : "http",
		     text) >= (int)sizeof(url))
		return "it is too long";
	if (pyro_url_parse(url, &proxy->at, &wrong) != 0)
		return wrong;
	if (!proxy->at.has_port && !https)
		proxy->at.port = PORT_DEFAULT;
	strcpy(proxy->scheme, scheme);
	return NULL;
}

void pyro_proxy_find(const struct pyro_url *server, struct pyro_proxy *proxy)
{
	static const char *const http[] = {"http_proxy", "all_proxy",
					   "ALL_PROXY", NULL};
	static const char *const https[] = {"https_proxy", "HTTPS_PROXY",
					    "all_proxy", "ALL_PROXY", NULL};
	static const char *const none[] = {"no_proxy", "NO_PROXY", NULL};
	const char *name;
	const char *text = first_of(server->https ? https : http, &name);
	const char *except_name;

	*proxy = (struct pyro_proxy){0};
	if (!text || is_this_host(server) ||
	    is_excepted(first_of(none, &except_name), server->host))
		return;

	const char *wrong = parse(text, proxy);

	if (wrong)
		pyro_log("the proxy in %s is not used: %s", name, wrong);
}
