// SPDX-License-Identifier: Apache-2.0
/* http.c - one POST on one connection over plain HTTP/1.1
 *
 * One deadline over connecting, sending and receiving, and a cancel word that
 * is looked at every 100 ms. The server is listened to while the body is still
 * being sent, because one that refuses (413) answers early and hangs up. No
 * redirects, no connection kept: a descriptor that stays open in
 * somebody else's process would have to survive their closing it. */
#include "transport/http.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/os.h"
#include "transport/http_parse.h"
#include "transport/resolve.h"

#define SLICE_NS (100 * PYRO_NS_PER_MS)
/* For the body of a response, whose status is known already. */
#define BODY_WAIT_NS PYRO_NS_PER_SEC

struct until {
	uint64_t end_ns;
	const _Atomic uint32_t *cancel; /* may be NULL */
};

/* Returns the events that are there, -ETIMEDOUT or -ECANCELED. */
static int wait_for(int fd, short events, const struct until *until)
{
	for (;;) {
		uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);
		struct pollfd pfd = {.fd = fd, .events = events};

		if (until->cancel && atomic_load(until->cancel))
			return -ECANCELED;
		if (now >= until->end_ns)
			return -ETIMEDOUT;

		uint64_t slice = pyro_min(until->end_ns - now, SLICE_NS);
		int n = poll(&pfd, 1, (int)(slice / PYRO_NS_PER_MS) + 1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0 && (pfd.revents & POLLNVAL))
			return -EBADF;
		if (n > 0)
			return pfd.revents;
	}
}

int pyro_http_socket(int family, int type, int protocol)
{
	int fd = socket(family, type | SOCK_CLOEXEC, protocol);

	if (fd < 0)
		return -errno;
	return pyro_fd_high(fd);
}

static int connect_one(const union pyro_address *address,
		       const struct until *until)
{
	int one = 1;
	int err = 0;
	socklen_t len = sizeof(err);
	int fd = pyro_http_socket(address->any.sa_family,
				  SOCK_STREAM | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return fd;
	/* The whole request leaves in one go; nothing is gained by waiting. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

	if (connect(fd, &address->any, pyro_address_len(address)) < 0) {
		err = -errno;
		if (err == -EINPROGRESS || err == -EINTR) {
			err = wait_for(fd, POLLOUT, until);
			if (err > 0) {
				err = 0;
				getsockopt(fd, SOL_SOCKET, SO_ERROR, &err,
					   &len);
				err = -err;
			}
		}
	}
	if (err) {
		close(fd);
		return err;
	}
	return fd;
}

/* Each address gets its share of the time, so that a dead first one leaves
 * some for the others. Descriptor or the last error. */
static int connect_any(const struct pyro_addresses *addresses,
		       const struct until *until)
{
	int fd = -EHOSTUNREACH;

	for (size_t i = 0; i < addresses->count; i++) {
		uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);
		uint64_t left = until->end_ns > now ? until->end_ns - now : 0;
		struct until share = {
			.end_ns = now + left / (addresses->count - i),
			.cancel = until->cancel,
		};

		fd = connect_one(&addresses->list[i], &share);
		if (fd >= 0 || fd == -ECANCELED)
			break;
	}
	return fd;
}

static void write_head(const struct pyro_http_request *request,
		       struct pyro_buf *head)
{
	const struct pyro_url *url = request->url;

	pyro_buf_printf(head, "POST %s%s HTTP/1.1\r\n", url->path,
			request->path);
	pyro_buf_printf(head, url->ipv6 ? "Host: [%s]" : "Host: %s", url->host);
	if (url->port != 80)
		pyro_buf_printf(head, ":%u", url->port);
	pyro_buf_printf(head, "\r\nUser-Agent: %s\r\nContent-Type: %s\r\n",
			request->user_agent, request->content_type);
	if (request->content_encoding)
		pyro_buf_printf(head, "Content-Encoding: %s\r\n",
				request->content_encoding);
	if (request->headers)
		pyro_buf_puts(head, request->headers);
	pyro_buf_printf(head,
			"Content-Length: %zu\r\nConnection: close\r\n\r\n",
			request->body_len);
}

/* Returns 1 when all is sent, 0 when the socket is full, else -errno. */
static int send_some(int fd, struct iovec out[2])
{
	struct msghdr msg = {.msg_iov = out, .msg_iovlen = 2};

	while (out[0].iov_len + out[1].iov_len > 0) {
		ssize_t n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		for (int i = 0; i < 2; i++) {
			size_t part = pyro_min((size_t)n, out[i].iov_len);

			if (part == 0) /* a NULL body has no offset 0 */
				continue;
			out[i].iov_base = (char *)out[i].iov_base + part;
			out[i].iov_len -= part;
			n -= (ssize_t)part;
		}
	}
	return 1;
}

/* Returns 1 when the response is complete, 0 when more is to come. */
static int receive_some(int fd, struct pyro_http_parser *parser)
{
	char bytes[4096];
	ssize_t n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ECONNRESET;
	return pyro_http_parse(parser, bytes, (size_t)n);
}

/* Send and receive until the response is complete (1) or it cannot be. */
static int talk(int fd, struct iovec out[2], struct until until,
		struct pyro_http_parser *parser)
{
	bool sending = true;
	bool in_body = false;
	int send_err = 0;

	for (;;) {
		int ready = wait_for(fd, sending ? POLLIN | POLLOUT : POLLIN,
				     &until);

		if (ready < 0)
			return ready;
		/* First what came, and to the end also when sending failed: a
		 * refusal may stand before the reset. */
		if (ready & (POLLIN | POLLHUP | POLLERR)) {
			int got = receive_some(fd, parser);

			if (got < 0 && send_err)
				return send_err;
			if (got)
				return got;
		}
		if (parser->head_done && !in_body) {
			in_body = true;
			until.end_ns = pyro_min(until.end_ns,
						pyro_clock_ns(CLOCK_MONOTONIC) +
							BODY_WAIT_NS);
		}
		if (sending && (ready & POLLOUT)) {
			int sent = send_some(fd, out);

			sending = sent == 0;
			send_err = sent < 0 ? sent : 0;
		}
	}
}

static int exchange(int fd, const struct pyro_http_request *request,
		    const struct until *until,
		    struct pyro_http_response *response)
{
	struct pyro_http_parser parser = {0};
	struct pyro_buf head = {0};

	write_head(request, &head);
	if (head.failed) {
		pyro_buf_free(&head);
		return -ENOMEM;
	}

	struct iovec out[2] = {
		{.iov_base = head.data, .iov_len = head.len},
		{.iov_base = (void *)(uintptr_t)request->body,
		 .iov_len = request->body_len},
	};
	int err = talk(fd, out, *until, &parser);

	pyro_buf_free(&head);
	if (!parser.head_done)
		return err;
	*response = parser.response;
	return 0;
}

int pyro_http_post(const struct pyro_http_request *request,
		   struct pyro_http_response *response)
{
	struct until until = {
		.end_ns = pyro_clock_ns(CLOCK_MONOTONIC) +
			  request->timeout_ms * PYRO_NS_PER_MS,
		.cancel = request->cancel,
	};
	struct pyro_addresses addresses;

	if (request->url->https || (request->proxy && *request->proxy->scheme))
		return pyro_curl_post(request, response);
	*response = (struct pyro_http_response){0};

	int err = pyro_resolve(request->url, &addresses);

	if (err)
		return err;

	int fd = connect_any(&addresses, &until);

	if (fd < 0)
		return fd;
	err = exchange(fd, request, &until, response);
	close(fd);
	return err;
}
