// SPDX-License-Identifier: Apache-2.0
/* httpd.c - a small HTTP server by libmicrohttpd
 *
 * Without threads of its own: ours runs it, in which all signals are blocked and
 * which no hook sees. */
#include "transport/httpd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/library.h"
#include "base/os.h"
#include "base/sync.h"
#include "transport/url.h"

#define CONNECTIONS_MAX 32u
#define IDLE_SECONDS 30u
#define BACKLOG 16

/* Written once under pyro_loader_lock, then constant. */
static struct {
	bool usable;
	struct MHD_Daemon *(*start)(unsigned, uint16_t,
				    MHD_AcceptPolicyCallback, void *,
				    MHD_AccessHandlerCallback, void *, ...);
	void (*stop)(struct MHD_Daemon *);
	enum MHD_Result (*run)(struct MHD_Daemon *);
	enum MHD_Result (*timeout)(struct MHD_Daemon *,
				   MHD_UNSIGNED_LONG_LONG *);
	const union MHD_DaemonInfo *(*info)(struct MHD_Daemon *,
					    enum MHD_DaemonInfoType, ...);
	struct MHD_Response *(*from_buffer)(size_t, void *,
					    enum MHD_ResponseMemoryMode);
	enum MHD_Result (*add_header)(struct MHD_Response *, const char *,
				      const char *);
	enum MHD_Result (*queue)(struct MHD_Connection *, unsigned,
				 struct MHD_Response *);
	void (*destroy)(struct MHD_Response *);
	void (*suspend)(struct MHD_Connection *);
	void (*resume)(struct MHD_Connection *);
	const char *(*lookup)(struct MHD_Connection *, enum MHD_ValueKind,
			      const char *);
} mhd;

struct pyro_httpd {
	struct MHD_Daemon *daemon;
	pyro_httpd_fn *fn;
	void *arg;
	int epoll;
};

struct pyro_httpd_request {
	struct MHD_Connection *connection;
	struct MHD_Response *response; /* NULL: not answered yet */
	unsigned status;
	bool asked, suspended;
	char path[512];
};

static int load(void)
{
	const struct pyro_library_function wanted[] = {
		{"MHD_start_daemon", &mhd.start},
		{"MHD_stop_daemon", &mhd.stop},
		{"MHD_run", &mhd.run},
		{"MHD_get_timeout", &mhd.timeout},
		{"MHD_get_daemon_info", &mhd.info},
		{"MHD_create_response_from_buffer", &mhd.from_buffer},
		{"MHD_add_response_header", &mhd.add_header},
		{"MHD_queue_response", &mhd.queue},
		{"MHD_destroy_response", &mhd.destroy},
		{"MHD_suspend_connection", &mhd.suspend},
		{"MHD_resume_connection", &mhd.resume},
		{"MHD_lookup_connection_value", &mhd.lookup},
	};
	int err = 0;

	pyro_mutex_lock(&pyro_loader_lock);
	if (!mhd.usable)
		err = pyro_library_load("libmicrohttpd.so.12", wanted,
					PYRO_COUNT_OF(wanted));
	mhd.usable = err == 0;
	pyro_mutex_unlock(&pyro_loader_lock);
	return err;
}

static int to_socket_address(const struct pyro_url *url,
			     struct sockaddr_storage *to, socklen_t *len)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)to;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)to;
	const char *host =
		strcmp(url->host, "localhost") == 0 ? "127.0.0.1" : url->host;

	memset(to, 0, sizeof(*to));
	if (url->ipv6) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons(url->port);
		*len = sizeof(*v6);
		return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 ? 0
								      : -EINVAL;
	}
	v4->sin_family = AF_INET;
	v4->sin_port = htons(url->port);
	*len = sizeof(*v4);
	return inet_pton(AF_INET, host, &v4->sin_addr) == 1 ? 0 : -EINVAL;
}

static int parse(const char *address, struct sockaddr_storage *to,
		 socklen_t *len)
{
	char text[PYRO_URL_HOST_MAX + 32];
	struct pyro_url url;
	const char *why;
	int got = snprintf(text, sizeof(text), "http://%s%s",
			   *address == ':' ? "127.0.0.1" : "", address);

	if (got < 0 || (size_t)got >= sizeof(text) ||
	    pyro_url_parse(text, &url, &why) != 0 || !url.has_port ||
	    url.path[0] || url.has_user || url.dropped)
		return -EINVAL;
	return to_socket_address(&url, to, len);
}

/* A child would share what is made of a socket that it does not know of: a fork waits,
 * but not for as long as the kernel may take to have room for high numbers. */
static int open_socket(int family, struct pyro_httpd_socket *to)
{
	int fd;

	pyro_mutex_lock(&pyro_loader_lock);
	fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		fd = -errno;
	} else {
		to->fd = fd;
		fstat(fd, &to->what);
		to->fd = fd = pyro_fd_high(fd);
	}
	pyro_mutex_unlock(&pyro_loader_lock);
	return fd;
}

int pyro_httpd_bind(const char *address, struct pyro_httpd_socket *to)
{
	struct sockaddr_storage at;
	socklen_t len;
	int err = parse(address, &at, &len), fd, on = 1;

	if (err)
		return err;
	fd = open_socket(at.ss_family, to);
	if (fd < 0)
		return fd;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at, len) != 0 ||
	    listen(fd, BACKLOG) != 0) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static enum MHD_Result refuse(struct MHD_Connection *connection)
{
	struct MHD_Response *response =
		mhd.from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	enum MHD_Result result;

	if (!response)
		return MHD_NO;
	mhd.add_header(response, "Allow", "GET");
	result = mhd.queue(connection, MHD_HTTP_METHOD_NOT_ALLOWED, response);
	mhd.destroy(response);
	return result;
}

static struct pyro_httpd_request *new_request(struct MHD_Connection *connection,
					      const char *path)
{
	struct pyro_httpd_request *request = calloc(1, sizeof(*request));

	if (request && strlen(path) < sizeof(request->path)) {
		request->connection = connection;
		memcpy(request->path, path, strlen(path) + 1);
		return request;
	}
	free(request);
	return NULL;
}

/* Called when the headers are there, then again, and again when the connection is
 * resumed. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection,
				  const char *path, const char *method,
				  const char *version, const char *data,
				  size_t *data_size, void **context)
{
	struct pyro_httpd *httpd = arg;
	struct pyro_httpd_request *request = *context;

	(void)version;
	(void)data;
	if (strcmp(method, "GET") != 0) {
		if (*data_size == 0)
			return refuse(connection);
		*data_size = 0;
		return MHD_YES;
	}
	if (!request) {
		*context = new_request(connection, path);
		return *context ? MHD_YES : MHD_NO;
	}
	if (!request->asked) {
		request->asked = true;
		httpd->fn(httpd->arg, request, request->path);
		if (!request->response) {
			request->suspended = true;
			mhd.suspend(connection);
			return MHD_YES;
		}
	}
	return mhd.queue(connection, request->status, request->response);
}

static void on_end(void *arg, struct MHD_Connection *connection, void **context,
		   enum MHD_RequestTerminationCode how)
{
	struct pyro_httpd_request *request = *context;

	(void)arg;
	(void)connection;
	(void)how;
	if (request && request->response)
		mhd.destroy(request->response);
	free(request);
	*context = NULL;
}

int pyro_httpd_start(int fd, pyro_httpd_fn *fn, void *arg,
		     struct pyro_httpd **out)
{
	struct pyro_httpd *httpd = calloc(1, sizeof(*httpd));
	const union MHD_DaemonInfo *info;
	int err = httpd ? load() : -ENOMEM;

	if (err)
		goto fail;
	*httpd = (struct pyro_httpd){.fn = fn, .arg = arg};
	httpd->daemon = mhd.start(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL,
		on_request, httpd, MHD_OPTION_LISTEN_SOCKET, fd,
		MHD_OPTION_NOTIFY_COMPLETED, on_end, NULL,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_END);
	if (!httpd->daemon) {
		err = -ENOMEM;
		goto fail;
	}
	info = mhd.info(httpd->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info) {
		pyro_httpd_stop(httpd); /* and fd */
		return -ENOTSUP;
	}
	httpd->epoll = info->epoll_fd;
	*out = httpd;
	return 0;
fail:
	close(fd);
	free(httpd);
	return err;
}

void pyro_httpd_run(struct pyro_httpd *httpd, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = httpd->epoll, .events = POLLIN};
	MHD_UNSIGNED_LONG_LONG due;

	if (mhd.timeout(httpd->daemon, &due) == MHD_YES &&
	    due < (MHD_UNSIGNED_LONG_LONG)timeout_ms)
		timeout_ms = (int)due;
	poll(&poll_fd, 1, timeout_ms);
	mhd.run(httpd->daemon);
}

void pyro_httpd_stop(struct pyro_httpd *httpd)
{
	mhd.stop(httpd->daemon);
	free(httpd);
}

void pyro_httpd_forked(const struct pyro_httpd_socket *socket)
{
	struct stat now;

	/* What libmicrohttpd has opened beside it is not told apart. */
	if (fstat(socket->fd, &now) == 0 && now.st_dev == socket->what.st_dev &&
	    now.st_ino == socket->what.st_ino)
		close(socket->fd);
}

const char *pyro_httpd_query(struct pyro_httpd_request *request,
			     const char *key)
{
	return mhd.lookup(request->connection, MHD_GET_ARGUMENT_KIND, key);
}

const char *pyro_httpd_header(struct pyro_httpd_request *request,
			      const char *name)
{
	return mhd.lookup(request->connection, MHD_HEADER_KIND, name);
}

void pyro_httpd_answer(struct pyro_httpd_request *request,
		       const struct pyro_httpd_answer *answer)
{
	char disposition[128];

	request->status = answer->status;
	request->response =
		mhd.from_buffer(answer->len, (void *)(uintptr_t)answer->body,
				MHD_RESPMEM_MUST_COPY);
	if (!request->response) {
		request->status = MHD_HTTP_INTERNAL_SERVER_ERROR;
		request->response =
			mhd.from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	} else {
		mhd.add_header(request->response, "Content-Type", answer->type);
		mhd.add_header(request->response, "X-Content-Type-Options",
			       "nosniff");
	}
	if (request->response && answer->filename) {
		snprintf(disposition, sizeof(disposition),
			 "attachment; filename=\"%s\"", answer->filename);
		mhd.add_header(request->response, "Content-Disposition",
			       disposition);
	}
	if (request->suspended) {
		request->suspended = false;
		mhd.resume(request->connection);
	}
}
