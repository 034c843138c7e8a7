// SPDX-License-Identifier: Apache-2.0
/* resolve.h - the addresses of the server, in the order to try them */
#ifndef PYRO_TRANSPORT_RESOLVE_H
#define PYRO_TRANSPORT_RESOLVE_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "transport/url.h"

#define PYRO_ADDRESS_MAX 8

union pyro_address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un local;
};

struct pyro_addresses {
	union pyro_address list[PYRO_ADDRESS_MAX];
	size_t count; /* never 0 after success */
	bool numeric; /* nothing had to be asked */
};

/* False: only numeric addresses and "localhost" are known. */
bool pyro_resolver_is_there(void);

/* 0, -EHOSTUNREACH for a name that does not resolve, -ENOMEM. A name server
 * that hangs blocks the caller for as long as the libc's resolver waits (see
 * resolv.conf): no deadline bounds it. */
int pyro_resolve(const struct pyro_url *url, struct pyro_addresses *out);

socklen_t pyro_address_len(const union pyro_address *address);

#endif
