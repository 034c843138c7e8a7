// SPDX-License-Identifier: Apache-2.0
/* curl.c - one POST over HTTPS, or through a proxy, by libcurl
 *
 * The library is loaded at the first post (some milliseconds and megabytes that
 * a plain HTTP user does not pay) and never unloaded: its TLS library has left
 * things with the libc that cannot be taken back. Each post has a handle and a
 * connection of its own, so that no descriptor stays open in between. The multi
 * interface is used for one transfer because it gives control back every 100 ms:
 * the program may be waiting to exit, and no transfer must be inside the TLS
 * library when that is torn down.
 *
 * Its own look for proxies is off: that reads the environment, which is not safe
 * while the program may be changing it. */
#include "transport/http.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/library.h"
#include "base/log.h"
#include "base/os.h"
#include "base/sync.h"
#include "transport/http_parse.h"
#include "transport/resolve.h"

#define SLICE_MS 100

void (*pyro_curl_loaded)(void);

/* Written once under pyro_loader_lock, then constant. */
static struct {
	bool tried;
	bool usable;
	CURLcode (*global_init)(long);
	CURL *(*easy_init)(void);
	CURLcode (*easy_setopt)(CURL *, CURLoption, ...);
	CURLcode (*easy_getinfo)(CURL *, CURLINFO, ...);
	void (*easy_cleanup)(CURL *);
	CURLM *(*multi_init)(void);
	CURLMcode (*multi_add)(CURLM *, CURL *);
	CURLMcode (*multi_perform)(CURLM *, int *);
	CURLMcode (*multi_wait)(CURLM *, struct curl_waitfd *, unsigned, int,
				int *);
	CURLMsg *(*multi_read)(CURLM *, int *);
	CURLMcode (*multi_remove)(CURLM *, CURL *);
	CURLMcode (*multi_cleanup)(CURLM *);
	struct curl_slist *(*slist_append)(struct curl_slist *, const char *);
	void (*slist_free_all)(struct curl_slist *);
	void (*tls_thread_stop)(void); /* OpenSSL's; NULL with others */
} curl;

static int load_functions(void)
{
	const struct pyro_library_function wanted[] = {
		{"curl_global_init", &curl.global_init},
		{"curl_easy_init", &curl.easy_init},
		{"curl_easy_setopt", &curl.easy_setopt},
		{"curl_easy_getinfo", &curl.easy_getinfo},
		{"curl_easy_cleanup", &curl.easy_cleanup},
		{"curl_multi_init", &curl.multi_init},
		{"curl_multi_add_handle", &curl.multi_add},
		{"curl_multi_perform", &curl.multi_perform},
		{"curl_multi_wait", &curl.multi_wait},
		{"curl_multi_info_read", &curl.multi_read},
		{"curl_multi_remove_handle", &curl.multi_remove},
		{"curl_multi_cleanup", &curl.multi_cleanup},
		{"curl_slist_append", &curl.slist_append},
		{"curl_slist_free_all", &curl.slist_free_all},
		{"?OPENSSL_thread_stop", &curl.tls_thread_stop},
	};

	return pyro_library_load("libcurl.so.4", wanted, PYRO_COUNT_OF(wanted));
}

/* True when libcurl can be used; *fresh when this call has made it so. */
static bool load_locked(bool *fresh)
{
	if (curl.tried)
		return curl.usable;
	curl.tried = true;

	int err = load_functions();

	if (err == -ENOTSUP) {
		PYRO_LOG_ONCE(
			"https:// and proxies need libcurl, which a static "
			"program cannot load: nothing is sent");
		return false;
	}
	if (err == -ENOENT) {
		PYRO_LOG_ONCE(
			"https:// and proxies need libcurl.so.4, nothing is "
			"sent: install libcurl4 (Debian, Ubuntu) or "
			"libcurl (Fedora, Alpine)");
		return false;
	}
	if (err || curl.global_init(CURL_GLOBAL_ALL) != CURLE_OK) {
		PYRO_LOG_ONCE(
			"https:// and proxies need libcurl.so.4, and the one "
			"here cannot be used: nothing is sent");
		return false;
	}
	curl.usable = true;
	*fresh = true;
	return true;
}

static bool load(void)
{
	bool fresh = false;

	pyro_mutex_lock(&pyro_loader_lock);
	bool usable = load_locked(&fresh);
	pyro_mutex_unlock(&pyro_loader_lock);

	if (fresh && pyro_curl_loaded)
		pyro_curl_loaded();
	return usable;
}

/* What the callbacks of one post need. */
struct exchange {
	const struct pyro_http_request *request;
	struct pyro_http_response *response;
	size_t seen; /* bytes of body */
	size_t message_len;
};

static size_t on_body(char *data, size_t one, size_t len, void *arg)
{
	struct exchange *x = arg;

	(void)one;
	pyro_http_message(x->response, &x->message_len, data, len);
	x->seen += len;
	return x->seen < PYRO_HTTP_BODY_MAX ? len : 0; /* 0: enough, stop */
}

static curl_socket_t on_socket(void *arg, curlsocktype purpose,
			       struct curl_sockaddr *address)
{
	(void)arg, (void)purpose;
	int fd = pyro_http_socket(address->family, address->socktype,
				  address->protocol);

	return fd < 0 ? CURL_SOCKET_BAD : fd;
}

static const struct pyro_proxy *
proxy_of(const struct pyro_http_request *request)
{
	return request->proxy && *request->proxy->scheme ? request->proxy
							 : NULL;
}

static void write_url(const char *scheme, const struct pyro_url *url,
		      const char *path, const char *path_end,
		      struct pyro_buf *out)
{
	pyro_buf_printf(out, url->ipv6 ? "%s://[%s]:%u%s%s" : "%s://%s:%u%s%s",
			scheme, url->host, url->port, path, path_end);
	pyro_buf_put(out, "", 1);
}

/* "host:port:address,address": libcurl then asks nobody. */
static void write_resolved(const struct pyro_url *url,
			   const struct pyro_addresses *addresses,
			   struct pyro_buf *out)
{
	char text[INET6_ADDRSTRLEN];

	pyro_buf_printf(out, "%s:%u", url->host, url->port);
	for (size_t i = 0; i < addresses->count; i++) {
		const union pyro_address *a = &addresses->list[i];
		bool v6 = a->any.sa_family == AF_INET6;

		inet_ntop(a->any.sa_family,
			  v6 ? (const void *)&a->v6.sin6_addr
			     : (const void *)&a->v4.sin_addr,
			  text, sizeof(text));
		pyro_buf_printf(out, v6 ? "%c[%s]" : "%c%s", i ? ',' : ':',
				text);
	}
	pyro_buf_put(out, "", 1);
}

/* Append a copy of the line; false for out of memory. */
static bool add_line(struct curl_slist **list, const char *text, size_t len)
{
	struct pyro_buf line = {0};
	struct curl_slist *longer = NULL;

	pyro_buf_put(&line, text, len);
	pyro_buf_put(&line, "", 1);
	if (!line.failed)
		longer = curl.slist_append(*list, (const char *)line.data);
	pyro_buf_free(&line);
	if (longer)
		*list = longer;
	return longer != NULL;
}

static bool add_header(struct curl_slist **list, const char *name,
		       const char *value)
{
	struct pyro_buf line = {0};
	bool ok;

	pyro_buf_printf(&line, "%s: %s", name, value);
	ok = !line.failed && add_line(list, (const char *)line.data, line.len);
	pyro_buf_free(&line);
	return ok;
}

static bool add_headers(struct curl_slist **list, const char *lines)
{
	bool ok = true;

	while (ok && lines && *lines) {
		const char *end = strstr(lines, "\r\n");

		ok = add_line(list, lines, (size_t)(end - lines));
		lines = end + 2;
	}
	return ok;
}

static int error_of(int code)
{
	switch (code) {
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_GOT_NOTHING:
		return -ECONNRESET;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
		return -EKEYREJECTED;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	default:
		return -EPROTO;
	}
}

/* All that must outlive the transfer. */
struct options {
	struct pyro_buf url;
	struct pyro_buf proxy;
	struct pyro_buf resolved;
	struct curl_slist *headers;
	struct curl_slist *hosts;
};

static void options_free(struct options *options)
{
	curl.slist_free_all(options->hosts);
	curl.slist_free_all(options->headers);
	pyro_buf_free(&options->resolved);
	pyro_buf_free(&options->proxy);
	pyro_buf_free(&options->url);
}

static int options_make(const struct pyro_http_request *request,
			struct options *options)
{
	const struct pyro_url *url = request->url;
	const struct pyro_proxy *proxy = proxy_of(request);
	/* Who is talked to: a proxy resolves the server's name itself. */
	const struct pyro_url *peer = proxy ? &proxy->at : url;
	struct pyro_addresses addresses;
	int err = pyro_resolve(peer, &addresses);
	bool ok;

	if (err)
		return err;
	write_url(url->https ? "https" : "http", url, url->path, request->path,
		  &options->url);
	if (proxy)
		write_url(proxy->scheme, &proxy->at, "", "", &options->proxy);
	write_resolved(peer, &addresses, &options->resolved);
	/* An empty Expect: the body is sent without asking first. */
	ok = !options->url.failed && !options->resolved.failed &&
	     !options->proxy.failed &&
	     add_header(&options->headers, "Content-Type",
			request->content_type) &&
	     add_header(&options->headers, "Expect", "");
	if (ok && request->content_encoding)
		ok = add_header(&options->headers, "Content-Encoding",
				request->content_encoding);
	if (ok)
		ok = add_headers(&options->headers, request->headers);
	if (ok && !addresses.numeric) {
		options->hosts = curl.slist_append(
			NULL, (const char *)options->resolved.data);
		ok = options->hosts != NULL;
	}
	return ok ? 0 : -ENOMEM;
}

/* "": none, also when the environment knows one. The server's headers are not
 * for the proxy. */
static void set_proxy(CURL *easy, const struct options *options,
		      const struct pyro_proxy *proxy)
{
	curl.easy_setopt(easy, CURLOPT_PROXY,
			 proxy ? (char *)options->proxy.data : "");
	curl.easy_setopt(easy, CURLOPT_NOPROXY, "");
	curl.easy_setopt(easy, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	if (!proxy || !proxy->at.has_user)
		return;
	curl.easy_setopt(easy, CURLOPT_PROXYUSERNAME, proxy->at.user);
	curl.easy_setopt(easy, CURLOPT_PROXYPASSWORD, proxy->at.password);
}

/* Not set, because libcurl's default is what is wanted: verify the certificate
 * and the host's name, follow no redirect, print nothing. */
static void set_options(CURL *easy, const struct options *options,
			struct exchange *x, long timeout_ms)
{
	const struct pyro_http_request *request = x->request;

	curl.easy_setopt(easy, CURLOPT_URL, (char *)options->url.data);
	set_proxy(easy, options, proxy_of(request));
	curl.easy_setopt(easy, CURLOPT_RESOLVE, options->hosts);
	curl.easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl.easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
	curl.easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	curl.easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 (long)CURL_HTTP_VERSION_1_1);
	curl.easy_setopt(easy, CURLOPT_POST, 1L);
	curl.easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
			 (curl_off_t)request->body_len);
	curl.easy_setopt(easy, CURLOPT_POSTFIELDS, request->body);
	curl.easy_setopt(easy, CURLOPT_HTTPHEADER, options->headers);
	curl.easy_setopt(easy, CURLOPT_USERAGENT, request->user_agent);
	if (request->ca_file && *request->ca_file) {
		curl.easy_setopt(easy, CURLOPT_CAINFO, request->ca_file);
		curl.easy_setopt(easy, CURLOPT_PROXY_CAINFO, request->ca_file);
	}
	curl.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl.easy_setopt(easy, CURLOPT_WRITEDATA, x);
}

/* Run the transfer to its end: a CURLcode, or -errno. */
static int drive(CURLM *multi, const _Atomic uint32_t *cancel)
{
	int running = 1;
	int left;

	for (;;) {
		CURLMcode code = curl.multi_perform(multi, &running);
		int ready = 0;

		if (code != CURLM_OK)
			return code == CURLM_OUT_OF_MEMORY ? -ENOMEM : -EPROTO;
		if (!running)
			break;
		if (cancel && atomic_load(cancel))
			return -ECANCELED;
		if (curl.multi_wait(multi, NULL, 0, SLICE_MS, &ready) !=
		    CURLM_OK)
			return -ENOMEM;
		/* Without a descriptor to wait for it does not wait. */
		if (!ready)
			pyro_sleep_ns(PYRO_NS_PER_MS);
	}

	const CURLMsg *msg = curl.multi_read(multi, &left);

	return msg ? (int)msg->data.result : -EPROTO;
}

static int transfer(CURL *easy, const _Atomic uint32_t *cancel)
{
	CURLM *multi = curl.multi_init();
	int result = -ENOMEM;

	if (!multi)
		return result;
	if (curl.multi_add(multi, easy) == CURLM_OK) {
		result = drive(multi, cancel);
		curl.multi_remove(multi, easy);
	}
	curl.multi_cleanup(multi);
	return result;
}

static int read_response(CURL *easy, struct pyro_http_response *response)
{
	curl_off_t retry_after = 0;
	long status = 0;

	curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200 || status > 599)
		return -EPROTO;
	response->status = (int)status;
	/* Unknown to old versions, which then leave it 0. */
	curl.easy_getinfo(easy, CURLINFO_RETRY_AFTER, &retry_after);
	if (retry_after > 0)
		response->retry_after_s =
			(uint32_t)pyro_min((uint64_t)retry_after, UINT32_MAX);
	return 0;
}

static int perform(const struct options *options, struct exchange *x,
		   long timeout_ms)
{
	char detail[CURL_ERROR_SIZE] = "";
	CURL *easy = curl.easy_init();

	if (!easy)
		return -ENOMEM;
	set_options(easy, options, x, timeout_ms);
	curl.easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);

	int result = transfer(easy, x->request->cancel);

	/* Once there is body the head was complete; how the body ends, by our
	 * own will or not, is of no interest. */
	if (result == 0 || x->seen > 0) {
		result = read_response(easy, x->response);
	} else if (result > 0) {
		pyro_http_message(x->response, &x->message_len, detail,
				  strlen(detail));
		result = error_of(result);
	}
	curl.easy_cleanup(easy);
	return result;
}

int pyro_curl_post(const struct pyro_http_request *request,
		   struct pyro_http_response *response)
{
	uint64_t start = pyro_clock_ns(CLOCK_MONOTONIC);
	struct exchange x = {.request = request, .response = response};
	struct options options = {0};

	*response = (struct pyro_http_response){0};
	if (!load())
		return -ENOTSUP;

	int err = options_make(request, &options);
	uint64_t spent_ms =
		(pyro_clock_ns(CLOCK_MONOTONIC) - start) / PYRO_NS_PER_MS;

	/* libcurl takes a timeout of 0 for none. */
	if (!err && spent_ms >= request->timeout_ms)
		err = -ETIMEDOUT;
	if (!err)
		err = perform(&options, &x,
			      (long)(request->timeout_ms - spent_ms));
	options_free(&options);
	/* Else what OpenSSL keeps for a thread is freed when the thread ends,
	 * which may be just when the process ends and OpenSSL is torn down. */
	if (curl.tls_thread_stop)
		curl.tls_thread_stop();
	return err;
}
