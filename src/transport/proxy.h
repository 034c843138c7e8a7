// SPDX-License-Identifier: Apache-2.0
/* proxy.h - the proxy that the environment names for a server */
#ifndef PYRO_TRANSPORT_PROXY_H
#define PYRO_TRANSPORT_PROXY_H

#include "transport/url.h"

struct pyro_proxy {
	char scheme[8];     /* http, https, socks4, ...; "": no proxy */
	struct pyro_url at; /* host, port, user and password */
};

/* Read libcurl's variables: for http:// servers http_proxy (not HTTP_PROXY,
 * which a CGI program's client decides), for https:// ones https_proxy or
 * HTTPS_PROXY, for both all_proxy or ALL_PROXY; no_proxy or NO_PROXY lists
 * domains, addresses and networks (10.0.0.0/8) to go to directly, "*" for all.
 * Servers on this host never have one. A bad variable is one log line, and no
 * proxy. For a thread that may read the environment. */
void pyro_proxy_find(const struct pyro_url *server, struct pyro_proxy *proxy);

#endif
