// SPDX-License-Identifier: Apache-2.0
/* resolve.c - names by the libc, numbers and "localhost" without it
 *
 * getaddrinfo allocates and may load modules; it is called by our own thread
 * only, and only where it has to be. Also for HTTPS, where libcurl would
 * start a thread of its own for it.
 *
 * glibc's may load modules in static programs, too, of just the release that they
 * were linked with, and the linker warns of who names it. So libpyroscope.a has
 * it only where the program itself brought it. */
#include "transport/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <strings.h>

#include "base/log.h"

#if defined(PYRO_STATIC) && defined(__GLIBC__)
extern __typeof__(getaddrinfo) getaddrinfo PYRO_WEAK;
extern __typeof__(freeaddrinfo) freeaddrinfo PYRO_WEAK;
#define HAS_RESOLVER (getaddrinfo && freeaddrinfo)
#else
#define HAS_RESOLVER true
#endif

bool pyro_resolver_is_there(void)
{
	return HAS_RESOLVER;
}

socklen_t pyro_address_len(const union pyro_address *address)
{
	switch (address->any.sa_family) {
	case AF_UNIX:
		return sizeof(address->local);
	case AF_INET6:
		return sizeof(address->v6);
	default:
		return sizeof(address->v4);
	}
}

static bool take_socket(const struct pyro_url *url, union pyro_address *out)
{
	memset(out, 0, sizeof(*out));
	out->local.sun_family = AF_UNIX;
	strcpy(out->local.sun_path, url->socket);
	return *url->socket;
}

static bool take_number(const struct pyro_url *url, union pyro_address *out)
{
	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, url->host, &out->v4.sin_addr) == 1) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(url->port);
		return true;
	}
	if (inet_pton(AF_INET6, url->host, &out->v6.sin6_addr) == 1) {
		out->v6.sin6_family = AF_INET6;
		out->v6.sin6_port = htons(url->port);
		return true;
	}
	return false;
}

static bool take_info(const struct addrinfo *info, uint16_t port,
		      union pyro_address *out)
{
	memset(out, 0, sizeof(*out));
	if (info->ai_family == AF_INET && info->ai_addrlen == sizeof(out->v4)) {
		memcpy(&out->v4, info->ai_addr, sizeof(out->v4));
		out->v4.sin_port = htons(port);
		return true;
	}
	if (info->ai_family == AF_INET6 &&
	    info->ai_addrlen == sizeof(out->v6)) {
		memcpy(&out->v6, info->ai_addr, sizeof(out->v6));
		out->v6.sin6_port = htons(port);
		return true;
	}
	return false;
}

static bool take_localhost(const struct pyro_url *url,
			   struct pyro_addresses *out)
{
	if (strcasecmp(url->host, "localhost") != 0)
		return false;
	memset(out->list, 0, sizeof(out->list));
	out->list[0].v6.sin6_family = AF_INET6;
	out->list[0].v6.sin6_port = htons(url->port);
	out->list[0].v6.sin6_addr = in6addr_loopback;
	out->list[1].v4.sin_family = AF_INET;
	out->list[1].v4.sin_port = htons(url->port);
	out->list[1].v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	out->count = 2;
	return true;
}

int pyro_resolve(const struct pyro_url *url, struct pyro_addresses *out)
{
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found = NULL;

	out->count = 0;
	out->numeric = take_socket(url, &out->list[0]) ||
		       take_number(url, &out->list[0]);
	if (out->numeric) {
		out->count = 1;
		return 0;
	}
	if (take_localhost(url, out))
		return 0;
	if (!HAS_RESOLVER) {
		PYRO_LOG_ONCE(
			"a static program without getaddrinfo resolves no "
			"names: the server's address has to be a number");
		return -EHOSTUNREACH;
	}

	int err = getaddrinfo(url->host, NULL, &hints, &found);

	if (err)
		return err == EAI_MEMORY ? -ENOMEM : -EHOSTUNREACH;
	for (struct addrinfo *info = found;
	     info && out->count < PYRO_ADDRESS_MAX; info = info->ai_next)
		if (take_info(info, url->port, &out->list[out->count]))
			out->count++;
	freeaddrinfo(found);
	return out->count ? 0 : -EHOSTUNREACH;
}
