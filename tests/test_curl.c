// SPDX-License-Identifier: Apache-2.0
/* test_curl.c - HTTPS through libcurl against python's ssl module with a
 * certificate made for the occasion
 *
 * Each test runs in a child of its own, because libcurl is loaded once in a
 * process and some look at how. Needs openssl and python3 in the PATH. */
#include "transport/http.h"
#include "transport/upload.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/os.h"
#include "loopback.h"

#define GUARD_MS 10000

/* Answers by path; what it was sent stands in the file "seen". */
static const char server[] =
	"import http.server, ssl, socket, sys, time\n"
	"class H(http.server.BaseHTTPRequestHandler):\n"
	"  def log_message(self, *a): pass\n"
	"  def do_POST(self):\n"
	"    body = self.rfile.read(int(self.headers['Content-Length']))\n"
	"    open('seen', 'wb').write(('%s\\n%s\\n' % (self.path,\n"
	"      self.headers)).encode() + body)\n"
	"    if 'hang' in self.path: time.sleep(60)\n"
	"    if 'busy' in self.path:\n"
	"      self.send_response(503)\n"
	"      self.send_header('Retry-After', '7')\n"
	"      self.end_headers()\n"
	"      self.wfile.write(b'later\\n')\n"
	"    elif 'moved' in self.path:\n"
	"      self.send_response(302)\n"
	"      self.send_header('Location', 'https://127.0.0.1:1/')\n"
	"      self.end_headers()\n"
	"    elif 'large' in self.path:\n"
	"      self.send_response(500)\n"
	"      self.end_headers()\n"
	"      try:\n"
	"        while True: self.wfile.write(b'x' * 10000)\n"
	"      except OSError: pass\n"
	"    else:\n"
	"      self.send_response(200)\n"
	"      self.send_header('Content-Length', '0')\n"
	"      self.end_headers()\n"
	"class S(http.server.ThreadingHTTPServer):\n"
	"  daemon_threads = True\n"
	"  def handle_error(self, *a): pass\n"
	"s = S(('127.0.0.1', 0), H)\n"
	"c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n"
	"c.load_cert_chain('cert.pem', 'key.pem')\n"
	"s.socket = c.wrap_socket(s.socket, server_side=True,\n"
	"  do_handshake_on_connect=False)\n"
	"print(s.server_port, flush=True)\n"
	"s.serve_forever()\n";

static char dir[] = "/tmp/test_curl.XXXXXX";
static char ca_file[64];
static pid_t server_pid;
static unsigned server_port;

static int start_server(void **state)
{
	int out[2];
	char line[16] = "";

	(void)state;
	if (!mkdtemp(dir) || chdir(dir) < 0 || pipe2(out, O_CLOEXEC) < 0)
		return -1;
	sprintf(ca_file, "%s/cert.pem", dir);
	if (system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 "
		   "-keyout key.pem -out cert.pem -subj /CN=localhost -addext "
		   "subjectAltName=DNS:localhost 2>openssl.log"))
		return -1;
	server_pid = fork();
	if (server_pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		alarm(150);
		execlp("python3", "python3", "-c", server, (char *)NULL);
		_exit(127);
	}
	close(out[1]);
	/* To the line's end: python may write that by itself. */
	for (size_t len = 0; len < sizeof(line) - 1 && !strchr(line, '\n');
	     len++)
		if (read(out[0], line + len, 1) <= 0)
			return -1;
	close(out[0]);
	server_port = (unsigned)strtoul(line, NULL, 10);
	return server_port ? 0 : -1;
}

static int stop_server(void **state)
{
	(void)state;
	if (server_pid > 0) {
		kill(server_pid, SIGTERM);
		waitpid(server_pid, NULL, 0);
	}
	unlink("key.pem");
	unlink("cert.pem");
	unlink("openssl.log");
	unlink("seen");
	unlink("stderr");
	unlink("log");
	unlink("libcurl.so.4");
	return chdir("/") < 0 || rmdir(dir) < 0;
}

/* In a child, whose failed check is an exit code with a line on stderr. */
#define CHECK(condition)                                                  \
	do {                                                              \
		if (!(condition)) {                                       \
			fprintf(stderr, "test_curl.c:%d: %s\n", __LINE__, \
				#condition);                              \
			_exit(1);                                         \
		}                                                         \
	} while (0)

static void check_in_child(void (*run)(void), int code)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		/* cmocka's handler would go on with the next test. */
		signal(SIGSEGV, SIG_DFL);
		alarm(60);
		run();
		exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
}

static struct pyro_http_response response;
static const char *more_headers;
static struct pyro_proxy proxy;

static int post_to(unsigned port, const char *host, const char *path,
		   const char *ca, uint32_t timeout_ms,
		   const _Atomic uint32_t *cancel)
{
	struct pyro_url url;
	const char *why;
	char text[128];

	sprintf(text, "https://%s:%u/base", host, port);
	CHECK(pyro_url_parse(text, &url, &why) == 0);

	struct pyro_http_request request = {
		.url = &url,
		.path = path,
		.content_type = "application/proto",
		.content_encoding = "gzip",
		.user_agent = "test/1",
		.headers = more_headers,
		.proxy = &proxy,
		.body = (const unsigned char *)"a\0b",
		.body_len = 3,
		.timeout_ms = timeout_ms,
		.ca_file = ca,
		.cancel = cancel,
	};

	return pyro_http_post(&request, &response);
}

static int post(const char *path)
{
	return post_to(server_port, "localhost", path, ca_file, GUARD_MS, NULL);
}

static size_t read_seen(char *to, size_t cap)
{
	FILE *f = fopen("seen", "r");

	CHECK(f);
	size_t len = fread(to, 1, cap - 1, f);

	fclose(f);
	to[len] = '\0';
	return len;
}

static void run_ok(void)
{
	char seen[2048];

	CHECK(!dlopen("libcurl.so.4", RTLD_NOW | RTLD_NOLOAD));
	CHECK(post("/push") == 0);
	CHECK(dlopen("libcurl.so.4", RTLD_NOW | RTLD_NOLOAD));
	CHECK(response.status == 200);

	size_t len = read_seen(seen, sizeof(seen));

	CHECK(strncmp(seen, "/base/push\n", 11) == 0);
	CHECK(strstr(seen, "\nContent-Type: application/proto\n"));
	CHECK(strstr(seen, "\nContent-Encoding: gzip\n"));
	CHECK(strstr(seen, "\nUser-Agent: test/1\n"));
	CHECK(strstr(seen, "\nContent-Length: 3\n"));
	CHECK(!strstr(seen, "\nExpect:"));
	CHECK(memcmp(seen + len - 3, "a\0b", 3) == 0);
}

static void run_headers(void)
{
	char seen[2048];

	more_headers = "Authorization: Bearer t-1\r\nX-Scope-OrgID: team\r\n";
	CHECK(post("/push") == 0);
	CHECK(response.status == 200);
	read_seen(seen, sizeof(seen));
	CHECK(strstr(seen, "\nAuthorization: Bearer t-1\n"));
	CHECK(strstr(seen, "\nX-Scope-OrgID: team\n"));
	/* Not to where a redirect leads: that is not followed. */
	CHECK(post("/moved") == 0);
	CHECK(response.status == 302);
}

static char proxied[4096];

static void serve_proxy(struct loopback *l, int fd)
{
	size_t len = 0;

	(void)l;
	while (len < sizeof(proxied) - 1 && !strstr(proxied, "\r\n\r\n")) {
		ssize_t n = read(fd, proxied + len, sizeof(proxied) - 1 - len);

		if (n <= 0)
			return;
		len += (size_t)n;
		proxied[len] = '\0';
	}
	loopback_send(fd, strncmp(proxied, "CONNECT", 7) == 0
				  ? "HTTP/1.1 403 No\r\n\r\n"
				  : "HTTP/1.1 200 OK\r\n"
				    "Content-Length: 0\r\n\r\n");
}

/* A proxy gets whole requests for http://, for names that only it can resolve;
 * for https:// it gets an address, and not what is for the server. */
static void run_proxy(void)
{
	struct loopback l;
	struct pyro_url url;
	const char *why;
	char text[128];

	CHECK(loopback_start(&l, AF_INET, 0, serve_proxy));
	sprintf(text, "http://me:pass@localhost:%u", l.port);
	setenv("all_proxy", text, 1);
	CHECK(pyro_url_parse("http://server.invalid/base", &url, &why) == 0);
	pyro_proxy_find(&url, &proxy);
	more_headers = "Authorization: Bearer secret\r\n";

	struct pyro_http_request request = {
		.url = &url,
		.path = "/push",
		.content_type = "application/proto",
		.user_agent = "test/1",
		.headers = more_headers,
		.proxy = &proxy,
		.timeout_ms = GUARD_MS,
	};

	CHECK(pyro_http_post(&request, &response) == 0);
	CHECK(response.status == 200);
	CHECK(strstr(proxied, "POST http://server.invalid/base/push ") ==
	      proxied);
	CHECK(strstr(proxied, "\r\nProxy-Authorization: Basic bWU6cGFzcw==\r"));
	CHECK(strstr(proxied, "\r\nAuthorization: Bearer secret\r\n"));

	memset(proxied, 0, sizeof(proxied));
	CHECK(post_to(443, "server.invalid", "/push", ca_file, GUARD_MS, NULL) <
	      0);
	CHECK(strstr(proxied, "CONNECT server.invalid:443 ") == proxied);
	CHECK(strstr(proxied, "\r\nProxy-Authorization: Basic bWU6cGFzcw==\r"));
	CHECK(!strstr(proxied, "secret"));
	CHECK(strstr(response.message, "403"));
	CHECK(!strstr(response.message, "pass"));
	loopback_stop(&l);
}

static void run_answers(void)
{
	CHECK(post("/busy") == 0);
	CHECK(response.status == 503);
	CHECK(response.retry_after_s == 7);
	CHECK(strcmp(response.message, "later ") == 0);
	CHECK(post("/moved") == 0);
	CHECK(response.status == 302);
	CHECK(post("/large") == 0);
	CHECK(response.status == 500);
	CHECK(strlen(response.message) == sizeof(response.message) - 1);
}

/* A certificate that nobody vouches for, and one for another name. */
static void run_untrusted(void)
{
	unlink("seen");
	CHECK(post_to(server_port, "localhost", "/", NULL, GUARD_MS, NULL) ==
	      -EKEYREJECTED);
	CHECK(response.message[0]);
	CHECK(post_to(server_port, "localhost", "/", "", GUARD_MS, NULL) ==
	      -EKEYREJECTED);
	CHECK(post_to(server_port, "127.0.0.1", "/", ca_file, GUARD_MS, NULL) ==
	      -EKEYREJECTED);
	CHECK(post_to(server_port, "localhost", "/", "/no/such.pem", GUARD_MS,
		      NULL) == -EKEYREJECTED);
	CHECK(access("seen", F_OK) < 0);
}

static void serve_nothing(struct loopback *l, int fd)
{
	loopback_hang(l, fd);
}

static void serve_http(struct loopback *l, int fd)
{
	(void)l;
	loopback_send(fd, "HTTP/1.1 200 OK\r\n\r\n");
}

static uint64_t now_ms(void)
{
	return pyro_clock_ns(CLOCK_MONOTONIC) / PYRO_NS_PER_MS;
}

static void run_broken(void)
{
	struct loopback l;
	uint64_t start = now_ms();

	CHECK(post_to(loopback_closed_port(), "127.0.0.1", "/", ca_file,
		      GUARD_MS, NULL) == -ECONNREFUSED);
	/* Hangs in the handshake, and behind the request. */
	CHECK(loopback_start(&l, AF_INET, 0, serve_nothing));
	CHECK(post_to(l.port, "127.0.0.1", "/", ca_file, 500, NULL) ==
	      -ETIMEDOUT);
	loopback_stop(&l);
	CHECK(post_to(server_port, "localhost", "/hang", ca_file, 500, NULL) ==
	      -ETIMEDOUT);
	CHECK(now_ms() - start < GUARD_MS);
	CHECK(loopback_start(&l, AF_INET, 0, serve_http));
	CHECK(post_to(l.port, "127.0.0.1", "/", ca_file, GUARD_MS, NULL) ==
	      -EPROTO);
	loopback_stop(&l);
}

static _Atomic uint32_t cancel;

static void *cancel_soon(void *arg)
{
	(void)arg;
	usleep(300000);
	cancel = 1;
	return NULL;
}

static void run_cancel(void)
{
	pthread_t thread;
	uint64_t start = now_ms();

	CHECK(pthread_create(&thread, NULL, cancel_soon, NULL) == 0);
	CHECK(post_to(server_port, "localhost", "/hang", ca_file, 60000,
		      &cancel) == -ECANCELED);
	CHECK(now_ms() - start < GUARD_MS);
	pthread_join(thread, NULL);
}

/* Nothing is printed, no descriptor is left, and the environment's proxy is
 * not asked. */
static void run_quiet(void)
{
	struct stat st;
	int saved = dup(STDERR_FILENO);
	int fd = open("stderr", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	CHECK(post("/") == 0);

	int before = dup(STDERR_FILENO);

	close(before);
	dup2(fd, STDERR_FILENO);
	CHECK(post("/") == 0);
	CHECK(post("/busy") == 0);
	CHECK(post_to(server_port, "localhost", "/", NULL, GUARD_MS, NULL) ==
	      -EKEYREJECTED);
	dup2(saved, STDERR_FILENO);

	int after = dup(STDERR_FILENO);

	CHECK(after == before);
	CHECK(fstat(fd, &st) == 0 && st.st_size == 0);
}

static void post_at_exit(void)
{
	CHECK(post("/at-exit") == 0);
	CHECK(response.status == 200);
	CHECK(unlink("seen") == 0);
	_exit(42);
}

static _Atomic int loaded;

static void on_loaded(void)
{
	loaded++;
	CHECK(atexit(post_at_exit) == 0);
}

/* What is registered by the hook runs while TLS still works. */
static void run_exit(void)
{
	pyro_curl_loaded = on_loaded;
	CHECK(post("/") == 0);
	CHECK(post("/") == 0);
	CHECK(loaded == 1);
}

static struct pyro_upload_stats stats;

/* The whole way: the uploader finds the authority by the environment. */
static void run_uploader(void)
{
	struct pyro_uploader_config config = {
		.user_agent = "test/1",
		.timeout_ms = GUARD_MS,
		.queue_max = 10,
		.queue_bytes_max = 1 << 20,
		.tries_max = 10,
		.stats = &stats,
	};
	struct pyro_upload upload = {
		.time_ns = (int64_t)pyro_clock_ns(CLOCK_REALTIME),
	};
	char text[64], seen[2048];
	const char *why;

	setenv("SSL_CERT_FILE", ca_file, 1);
	sprintf(text, "https://localhost:%u", server_port);
	CHECK(pyro_url_parse(text, &config.url, &why) == 0);

	struct pyro_uploader *u = pyro_uploader_new(&config);

	CHECK(u);
	pyro_buf_puts(&upload.body, "profile");
	CHECK(pyro_uploader_push(u, &upload) == 0);
	CHECK(pyro_uploader_flush(u, GUARD_MS, GUARD_MS) == 0);
	CHECK(stats.sent == 1);
	pyro_uploader_free(u, GUARD_MS);

	size_t len = read_seen(seen, sizeof(seen));

	CHECK(strncmp(seen, "/push.v1.PusherService/Push\n", 28) == 0);
	CHECK(memcmp(seen + len - 7, "profile", 7) == 0);
}

/* Started anew with a libcurl.so.4 in its path that is none. */
static int run_absent(void)
{
	struct pyro_uploader_config config = {
		.user_agent = "test/1",
		.timeout_ms = GUARD_MS,
		.queue_max = 10,
		.queue_bytes_max = 1 << 20,
		.tries_max = 10,
		.stats = &stats,
	};
	char line[512];
	const char *why;

	pyro_log_to("log");
	CHECK(pyro_url_parse("https://localhost:1", &config.url, &why) == 0);

	struct pyro_uploader *u = pyro_uploader_new(&config);

	CHECK(u);
	for (int i = 0; i < 3; i++) {
		struct pyro_upload upload = {
			.time_ns = (int64_t)pyro_clock_ns(CLOCK_REALTIME),
		};

		pyro_buf_puts(&upload.body, "profile");
		CHECK(pyro_uploader_push(u, &upload) == 0);
	}
	CHECK(pyro_uploader_flush(u, GUARD_MS, GUARD_MS) == 0);
	CHECK(stats.dropped_refused == 3);
	CHECK(stats.last_status == -ENOTSUP);
	pyro_uploader_free(u, GUARD_MS);

	FILE *f = fopen("log", "r");

	CHECK(f && fgets(line, sizeof(line), f));
	CHECK(strstr(line, "install libcurl4"));
	CHECK(!fgets(line, sizeof(line), f));
	fclose(f);
	return 0;
}

static void exec_absent(void)
{
	int fd = open("libcurl.so.4", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	CHECK(write(fd, "none", 4) == 4);
	close(fd);
	setenv("LD_LIBRARY_PATH", dir, 1);
	/* libc keeps the text of dlopen's error until the uploader's thread is
	 * gone, which exit does not wait for. */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	execl("/proc/self/exe", "test_curl", "absent", (char *)NULL);
	_exit(127);
}

static void test_absent(void **state)
{
	(void)state;
	check_in_child(exec_absent, 0);
}

static void test_ok(void **state)
{
	(void)state;
	check_in_child(run_ok, 0);
}

static void test_headers(void **state)
{
	(void)state;
	check_in_child(run_headers, 0);
}

static void test_proxy(void **state)
{
	(void)state;
	check_in_child(run_proxy, 0);
}

static void test_answers(void **state)
{
	(void)state;
	check_in_child(run_answers, 0);
}

static void test_untrusted(void **state)
{
	(void)state;
	check_in_child(run_untrusted, 0);
}

static void test_broken(void **state)
{
	(void)state;
	check_in_child(run_broken, 0);
}

static void test_cancel(void **state)
{
	(void)state;
	check_in_child(run_cancel, 0);
}

static void test_quiet(void **state)
{
	(void)state;
	check_in_child(run_quiet, 0);
}

static void test_uploader(void **state)
{
	(void)state;
	check_in_child(run_uploader, 0);
}

static void test_exit(void **state)
{
	(void)state;
	check_in_child(run_exit, 42);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return run_absent();

	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_proxy),
		cmocka_unit_test(test_ok),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_uploader),
		cmocka_unit_test(test_exit),
		cmocka_unit_test(test_untrusted),
		cmocka_unit_test(test_absent),
	};

	alarm(150);
	unsetenv("SSL_CERT_FILE");
	pyro_log_to("");
	return cmocka_run_group_tests(tests, start_server, stop_server);
}
