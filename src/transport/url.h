// SPDX-License-Identifier: Apache-2.0
/* url.h - the server's address */
#ifndef PYRO_TRANSPORT_URL_H
#define PYRO_TRANSPORT_URL_H

#include "base/util.h"

#define PYRO_URL_DEFAULT "http://127.0.0.1:4040"
#define PYRO_URL_HOST_MAX 253
#define PYRO_URL_PATH_MAX 1024
#define PYRO_URL_SOCKET_MAX 107
#define PYRO_URL_USER_MAX 255
#define PYRO_URL_PASSWORD_MAX 1023

struct pyro_url {
	bool https;
	bool ipv6;                        /* host was written in brackets */
	bool dropped;                     /* a query or fragment was dropped */
	bool has_port;                    /* it was written */
	bool has_user;                    /* user, and perhaps a password */
	char host[PYRO_URL_HOST_MAX + 1]; /* without brackets */
	uint16_t port;                    /* the scheme's by default */
	char path[PYRO_URL_PATH_MAX + 1]; /* "" or "/base", no slash at end */
	/* "": none. Else who is asked, and host is "localhost". */
	char socket[PYRO_URL_SOCKET_MAX + 1];
	/* Decoded. Secret: for no log line. */
	char user[PYRO_URL_USER_MAX + 1];
	char password[PYRO_URL_PASSWORD_MAX + 1];
};

/* White space around is trimmed; NULL and empty are PYRO_URL_DEFAULT. Valid is
 * http(s)://[user[:password]@]host[:1-65535][/path], a query or fragment being
 * dropped, or unix:///path/of/a/socket, for plain HTTP. 0 or -EINVAL, and then *why says in a few words what is wrong, and
 * shows nothing of the text. */
int pyro_url_parse(const char *text, struct pyro_url *url, const char **why);

/* Any address, good or bad, for a log line: what stands before an @ becomes
 * "***". Cut where it is too long. */
void pyro_url_redact(const char *text, char *to, size_t cap);

#endif
