// SPDX-License-Identifier: Apache-2.0
/* url.h - the server's address */
#ifndef PYRO_TRANSPORT_URL_H
#define PYRO_TRANSPORT_URL_H

#include "base/util.h"

#define PYRO_URL_DEFAULT "http://127.0.0.1:4040"
#define PYRO_URL_HOST_MAX 253
#define PYRO_URL_PATH_MAX 1024

struct pyro_url {
	bool https;
	bool ipv6;                        /* host was written in brackets */
	bool dropped;                     /* a query or fragment was dropped */
	char host[PYRO_URL_HOST_MAX + 1]; /* without brackets */
	uint16_t port;                    /* the scheme's by default */
	char path[PYRO_URL_PATH_MAX + 1]; /* "" or "/base", no slash at end */
};

/* White space around is trimmed; NULL and empty are PYRO_URL_DEFAULT. Valid is
 * http(s)://host[:1-65535][/path]; a query or fragment is dropped. User names
 * and passwords in it are refused. 0 or -EINVAL, and then *why says in a few
 * words what is wrong. */
int pyro_url_parse(const char *text, struct pyro_url *url, const char **why);

#endif
