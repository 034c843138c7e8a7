// SPDX-License-Identifier: Apache-2.0
/* loopback.h - servers inside a test: one thread, one connection at a time,
 * and what it does with a connection is the test's */
#ifndef PYRO_TESTS_LOOPBACK_H
#define PYRO_TESTS_LOOPBACK_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct loopback {
	int listener;
	uint16_t port;
	pthread_t thread;
	void (*serve)(struct loopback *l, int fd);
	void *arg;
	_Atomic bool stop;
	_Atomic unsigned connections;
};

/* A bound socket of 127.0.0.1 or ::1; port 0 is any. -1 if that fails. */
static inline int loopback_bind(int family, uint16_t *port)
{
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address;
	int one = 1;
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memset(&address, 0, sizeof(address));
	address.any.sa_family = (sa_family_t)family;
	if (family == AF_INET6) {
		address.v6.sin6_addr = in6addr_loopback;
		address.v6.sin6_port = htons(*port);
	} else {
		address.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		address.v4.sin_port = htons(*port);
	}

	socklen_t len =
		family == AF_INET6 ? sizeof(address.v6) : sizeof(address.v4);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &address.any, len) < 0 ||
	    getsockname(fd, &address.any, &len) < 0) {
		close(fd);
		return -1;
	}
	*port = ntohs(family == AF_INET6 ? address.v6.sin6_port
					 : address.v4.sin_port);
	return fd;
}

/* A port of 127.0.0.1 where nobody listens. */
static inline uint16_t loopback_closed_port(void)
{
	uint16_t port = 0;
	int fd = loopback_bind(AF_INET, &port);

	if (fd < 0)
		abort();
	close(fd);
	return port;
}

static inline void *loopback_main(void *arg)
{
	struct loopback *l = arg;

	while (!l->stop) {
		struct pollfd pfd = {.fd = l->listener, .events = POLLIN};

		if (poll(&pfd, 1, 20) <= 0)
			continue;

		int fd = accept(l->listener, NULL, NULL);

		if (fd < 0)
			continue;
		l->connections++;
		l->serve(l, fd);
		close(fd);
	}
	return NULL;
}

/* port 0 is any. False when the family is not there. */
static inline bool loopback_start(struct loopback *l, int family, uint16_t port,
				  void (*serve)(struct loopback *, int))
{
	l->port = port;
	l->serve = serve;
	l->stop = false;
	l->connections = 0;
	l->listener = loopback_bind(family, &l->port);
	if (l->listener < 0)
		return false;
	if (listen(l->listener, 16) < 0 ||
	    pthread_create(&l->thread, NULL, loopback_main, l))
		abort();
	return true;
}

static inline void loopback_stop(struct loopback *l)
{
	l->stop = true;
	pthread_join(l->thread, NULL);
	close(l->listener);
}

/* Hold the connection until the peer or the test ends it. */
static inline void loopback_hang(struct loopback *l, int fd)
{
	char bytes[4096];

	while (!l->stop) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};

		if (poll(&pfd, 1, 20) > 0 &&
		    read(fd, bytes, sizeof(bytes)) <= 0)
			return;
	}
}

static inline void loopback_send(int fd, const char *text)
{
	size_t len = strlen(text);

	while (len > 0) {
		ssize_t n = send(fd, text, len, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		len -= (size_t)n;
	}
}

/* Read a request into buf, NUL-terminated. Returns where its body begins, and
 * its length in *body_len; 0 when it is not complete. */
static inline size_t loopback_request(int fd, char *buf, size_t cap,
				      size_t *body_len)
{
	size_t len = 0;

	while (len + 1 < cap) {
		ssize_t n = read(fd, buf + len, cap - 1 - len);

		if (n <= 0)
			return 0;
		len += (size_t)n;
		buf[len] = '\0';

		char *end = strstr(buf, "\r\n\r\n");
		char *length = strstr(buf, "\r\nContent-Length: ");

		if (!end || !length || length > end)
			continue;
		*body_len = strtoul(length + 18, NULL, 10);

		size_t at = (size_t)(end + 4 - buf);

		if (len - at >= *body_len)
			return at;
	}
	return 0;
}

#endif
