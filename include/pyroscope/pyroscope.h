/* SPDX-License-Identifier: Apache-2.0 */
/* pyroscope.h - continuous profiling of this process, sent to Pyroscope
 *
 *     #include <pyroscope/pyroscope.h>
 *
 *     int main(void)
 *     {
 *             pyroscope_load("http://127.0.0.1:4040");
 *             ...
 *     }
 *
 * is all that a program needs; link it with -lpyroscope. This version profiles
 * CPU time, the heap, threads, locks and waits on Linux x86_64.
 *
 * Rules for all functions:
 *
 *  - Functions that return int give 0 or a negative errno value, never -1 with
 *    errno; pyroscope_strerror() has the texts. errno itself is kept.
 *  - No function aborts, exits, raises a signal or prints, but for lines that
 *    begin with "pyroscope: " on descriptor 2, one for each kind of problem;
 *    pyroscope_set_log() takes them.
 *  - Strings passed in are UTF-8, read during the call only and copied where
 *    they are needed later. Strings passed out are constant and live as long as
 *    the process; do not free them.
 *  - "Threads: any" means that any thread may call at any time, concurrently
 *    with itself and every other function here. A function is safe to call in
 *    a signal handler only where it says so.
 *  - The header is C99 and C++98, and includes nothing but <stddef.h> and
 *    <stdint.h>. */
#ifndef PYROSCOPE_PYROSCOPE_H
#define PYROSCOPE_PYROSCOPE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header, for #if. Compare PYROSCOPE_VERSION_STRING with
 * pyroscope_version() to see which library the program runs with: a library is
 * compatible with every header of the same major version and an equal or lower
 * minor version (as long as the major version is 0: the same minor version). */
#define PYROSCOPE_VERSION_MAJOR 0
#define PYROSCOPE_VERSION_MINOR 1
#define PYROSCOPE_VERSION_PATCH 0
#define PYROSCOPE_VERSION_STRING "0.1.0"

/* 0xMMmmpp, to compare with < and >=. */
#define PYROSCOPE_VERSION_NUM                                              \
	(PYROSCOPE_VERSION_MAJOR * 65536 + PYROSCOPE_VERSION_MINOR * 256 + \
	 PYROSCOPE_VERSION_PATCH)

/* On or off is decided where this header is included:
 *
 *     compiler flags           profiling
 *     none                     on
 *     -DRELEASE                off
 *     -DRELEASE -DPYROSCOPE    on
 *     -DPYROSCOPE_DISABLE      off, whatever else is defined
 *
 * Off means that nothing is left: each call below is a macro that checks the
 * types of its arguments without evaluating them, so that the object code is
 * the same as if the call had been deleted, with gcc and clang, at -O0 and
 * -O2, and the program is linked without the library. (What remains at -O0 is
 * the program's own: a config variable and the stores into it; and where the
 * result of a call is used, it is the constant 0.) So an argument must
 * have no side effects, such as i++, and when off, the functions cannot be
 * called through pointers.
 *
 * PYROSCOPE_ENABLED is 1 or 0 accordingly, for #if. */
#if defined(PYROSCOPE_DISABLE) || (defined(RELEASE) && !defined(PYROSCOPE))
#define PYROSCOPE_ENABLED 0
#else
#define PYROSCOPE_ENABLED 1
#endif

/* Marks what the shared library exports. Nothing else in it is visible, apart
 * from the libc functions that it wraps (tools/hooks.txt in its sources). */
#if defined(__GNUC__)
#define PYROSCOPE_API __attribute__((visibility("default")))
#else
#define PYROSCOPE_API
#endif

/* What to profile and where to send it. Zero (NULL, 0) in any field but size
 * means the default. Where a field has an environment variable, a value in the
 * struct wins over the variable, and the variable over the default; a bad value in
 * the variable is a log line, and as if it were not set. docs/configuration.md has
 * all variables.
 *
 * Always start from PYROSCOPE_CONFIG_INIT. Later versions append fields and
 * never move or remove one; size tells the library which of them the program
 * knows, so an old program runs with a new library. */
struct pyroscope_config {
	/* sizeof(struct pyroscope_config) as the program was compiled. Set by
	 * PYROSCOPE_CONFIG_INIT. */
	size_t size;

	/* Where profiles are sent:
	 * "http://[user[:password]@]host[:port][/path]", "https://...", or
	 * "unix:///path", a socket on which a server of plain HTTP listens.
	 * User and password are sent as basic authentication, stand in no log
	 * line, and may be percent-encoded. A path comes before the server's
	 * own. A redirect is not followed. Where libcurl would use a proxy
	 * (http_proxy, https_proxy, all_proxy, no_proxy), one is used, but never
	 * to this host itself.
	 * White space around it is dropped, as are (with a log line) a query and
	 * a fragment. The port is 1 to 65535, by default the scheme's own; the
	 * host has at most 253 characters; an IPv6 address stands in brackets.
	 * A host without a scheme, as in "localhost:4040", is an error.
	 * Variable: PYROSCOPE_SERVER_ADDRESS.
	 * Default (NULL or ""): "http://127.0.0.1:4040".
	 * PYROSCOPE_ADHOC_SERVER_ADDRESS in the environment wins over all, this
	 * field included. */
	const char *server_address;

	/* The name under which the program is found in Pyroscope, published as
	 * the label service_name. 1 to 255 bytes. Labels may follow it, as in
	 * "shop{region=eu,zone=a}"; tags win over these.
	 * Variables: PYROSCOPE_APPLICATION_NAME, else OTEL_SERVICE_NAME, else
	 * service.name of OTEL_RESOURCE_ATTRIBUTES, else APP_NAME.
	 * Default (NULL or ""): what pyroscope_set_app_name() was given, else
	 * the variables, else the name of the executable's file. */
	const char *application_name;

	/* Samples per second of CPU time, for each thread: 1 to 1000.
	 * Most Linux kernels tick 250 times a second; above that, one sample
	 * stands for several periods, and is counted so.
	 * Variable: PYROSCOPE_SAMPLE_RATE.
	 * Default (0): 100. */
	uint32_t sample_rate;

	/* Milliseconds from one profile sent to the next: 1000 to 600000. Each
	 * profile covers the time since the one before.
	 * Variable: PYROSCOPE_UPLOAD_INTERVAL, with a unit as in "15s", "500ms".
	 * Default (0): 15000. */
	uint32_t upload_interval_ms;

	/* What is said of each frame of a stack:
	 *   "names"   its function
	 *   "lines"   source lines and inlined functions, too, where there is
	 *             debug information and libdw.so.1: read by the library's
	 *             own thread, within lines_cpu_permille and
	 *             lines_memory_mib, so that a large program's lines come
	 *             some profiles later
	 *   "server"  its address and build ID, for servers that have the
	 *             executables and look for the names themselves (Pyroscope
	 *             with -symbolizer.enabled); what has no build ID is named
	 *             as above.
	 * Variable: PYROSCOPE_SYMBOLS.
	 * Default (NULL or ""): "names". */
	const char *symbols;

	/* How names of C++ and Rust functions are written, for
	 * std::vector<int>::at(unsigned long) const:
	 *   "simplified"  std::vector::at, without parameters and template
	 *                 arguments, so that their instances are one function
	 *   "full"        all of it
	 *   "none"        _ZNKSt6vectorIiSaIiEE2atEm, as in the executable; it
	 *                 is in the profile as the function's system name in
	 *                 any case.
	 * Variable: PYROSCOPE_DEMANGLE.
	 * Default (NULL or ""): "simplified". */
	const char *demangle;

	/* With symbols "lines": thousandths of one core, 1 to 1000, that reading
	 * debug information may take on average. Half a second of CPU time is
	 * there in the beginning; what is not used is saved up to as much again.
	 * Variable: PYROSCOPE_LINES_CPU_PERMILLE.
	 * Default (0): 10. */
	uint32_t lines_cpu_permille;

	/* With symbols "lines": MiB of memory, 8 to 4096, that reading debug
	 * information may take. It is given back after each profile, but for an
	 * eighth at the most, in which results are remembered. A compilation
	 * unit whose debug information takes more than a quarter of it has no
	 * lines.
	 * Variable: PYROSCOPE_LINES_MEMORY_MIB.
	 * Default (0): 64. */
	uint32_t lines_memory_mib;

	/* What is profiled: a comma separated list of
	 *   "cpu"            where CPU time goes
	 *   "alloc_objects"  where the heap's blocks are allocated, and how many
	 *   "alloc_space"    the same in bytes
	 *   "inuse_objects"  how many blocks are in use at the end of each
	 *                    profile, by where they were allocated
	 *   "inuse_space"    the same in bytes
	 *   "heap"           these four
	 *   "mutex_count"    how often threads wait for locks, by who unlocks:
	 *                    mutexes, read-write locks and spinlocks
	 *   "mutex_duration" how long. Each delay is charged to who unlocked
	 *                    since it began, as in Go's mutex profile.
	 *   "mutex"          both
	 *   "block_count"    how often threads wait: for locks, condition
	 *                    variables, semaphores, barriers, ends of threads
	 *                    and functions that run once; for input and output
	 *   "block_duration" how long
	 *   "block"          both. Waits shorter than a millisecond are sampled,
	 *                    so that sums are right on average.
	 *   "threads"        what all threads do when a profile ends: how many
	 *                    there are of each stack, with the labels thread,
	 *                    its name (of 200 names at most), and state. Those
	 *                    that wait are not woken for it.
	 *   "goroutines"     the same under the name that Grafana knows from Go
	 *   "thread_creation" the threads that there are then, by the stack of
	 *                    the pthread_create() or thrd_create() that they
	 *                    come from
	 * Blank space around a word is dropped. A word that is none of these is an
	 * error here, and in the variable a log line.
	 * Variable: PYROSCOPE_PROFILE_TYPES.
	 * Default (NULL or ""): "cpu,heap,threads,mutex,block". */
	const char *profile_types;

	/* Bytes allocated from one sample of the heap to the next, on average:
	 * 1 to 1073741824; 1 samples every allocation. What is sampled stands
	 * for what is not, without bias: a stack that has allocated n times this
	 * is right by some 1/sqrt(n) of its bytes. It is doubled while the
	 * program allocates so much that samples would be too many.
	 * Variables: PYROSCOPE_HEAP_INTERVAL, else
	 * PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES, also with a unit as in "64k",
	 * "1m" or "1g", of 1024 each.
	 * Default (0): 524288. */
	uint32_t heap_interval;

	/* Which waits are in the block profile: a comma separated list of
	 *   "sync"   for other threads
	 *   "io"     for files, sockets and other processes: read, write, recv,
	 *            send, accept, connect, poll, select, epoll_wait, fsync,
	 *            flock, waitpid and their like
	 *   "sleep"  sleep, usleep, nanosleep and their like.
	 * The label wait_class tells them apart. Of reads and writes that take
	 * less than a few milliseconds, times are right on average, and those
	 * are counted in which the system's clock has ticked.
	 * Variable: PYROSCOPE_BLOCK_CLASSES.
	 * Default (NULL or ""): "sync,io". */
	const char *block_classes;

	/* Labels of everything that this process sends: a comma separated list
	 * of name=value, or name:value. A name is [a-zA-Z_][a-zA-Z0-9_.]* of at
	 * most 255 bytes, "." stands for "_", and the library's own names are not
	 * to be had, but for hostname; a value has at most 1023 bytes and no
	 * comma. At most 12, which go together with those of the variable, of
	 * the file and of OTEL_RESOURCE_ATTRIBUTES (docs/configuration.md); of
	 * two with one name that in code counts. Above 7, a thread may have
	 * fewer than 16 of its own: the server takes 30 in all.
	 * service_repository, service_git_ref and service_root_path tell the
	 * server where sources are; they do not go with symbols "server".
	 * Variables: PYROSCOPE_TAGS, else PYROSCOPE_LABELS.
	 * Default (NULL or ""): none. */
	const char *tags;

	/* How profiles are sent:
	 *   "push"    as a message of Pyroscope's own, the best choice
	 *   "ingest"  as a form to /ingest, for old servers and for proxies that
	 *             let nothing else through. Label values lose "," and "}"
	 *             there.
	 *   "file"    not at all, but into output_dir, which is so wherever that
	 *             is set
	 *   "none"    not at all: for who fetches them (pyroscope_listen()).
	 * Variable: PYROSCOPE_FORMAT.
	 * Default (NULL or ""): "push". */
	const char *format;

	/* Basic authentication: at most 255 bytes without a colon, and 1023.
	 * Wins over user:password@ in server_address, and over auth_token unless
	 * that is from a stronger place: code, the environment, the file.
	 * Variables: PYROSCOPE_BASIC_AUTH_USER, PYROSCOPE_BASIC_AUTH_PASSWORD, or
	 * with _FILE behind these for files that hold them.
	 * Default (NULL or ""): none. */
	const char *basic_auth_user;
	const char *basic_auth_password;

	/* A bearer token of at most 4096 bytes.
	 * Variables: PYROSCOPE_AUTH_TOKEN_FILE, or the deprecated PYROSCOPE_AUTH_TOKEN.
	 * Default (NULL or ""): none. */
	const char *auth_token;

	/* Whose profiles these are, for a server with tenants: 1 to 150 letters,
	 * digits and !-_.*'(), sent as the header X-Scope-OrgID.
	 * Variable: PYROSCOPE_TENANT_ID.
	 * Default (NULL or ""): none. */
	const char *tenant_id;

	/* More headers of each request, as JSON: {"name": "value"}. Line ends in
	 * them are refused, as are headers that the library writes itself. Of two
	 * for one header the stronger place's is sent, in one place that of the
	 * settings above. What is given here stands in no log line.
	 * Variable: PYROSCOPE_HTTP_HEADERS.
	 * Default (NULL or ""): none. */
	const char *http_headers;

	/* Frames of a stack, 8 to 512, from the innermost on: of deeper ones
	 * the root is "[truncated]". A later session of the process gets no
	 * deeper than the first: memory for samples is taken once.
	 * Variable: PYROSCOPE_STACK_DEPTH.
	 * Default (0): 128. */
	uint32_t stack_depth;

	/* 1: a thread begins with the labels that its creator has just then
	 * (PYROSCOPE_LABELS_SCOPE), those of pthread_create(), thrd_create() and
	 * std::thread. For programs that start threads for a piece of work;
	 * those of a pool would keep the labels of their first.
	 * Variable: PYROSCOPE_INHERIT_LABELS.
	 * Default (0): none. */
	uint32_t inherit_labels;

	/* MiB of memory, 8 to 65536, that the library maps at most; what libcurl,
	 * libdw and libmicrohttpd allocate for it is not in it. Above three
	 * quarters of it, a stack that is not in the running profile yet is
	 * counted as "[overflow]", so that sums stay right; at the limit, stacks
	 * of newly loaded code are cut and profiles may be dropped, after one log
	 * line. Below 16, that is soon so in programs with large libraries. Where
	 * the process has a limit of address space (ulimit -v), a quarter of what
	 * is left of that when profiling begins, if it is less, or the half up to
	 * 16 MiB; with less than 16 MiB left, profiling does not begin.
	 * Variable: PYROSCOPE_MEMORY_MIB.
	 * Default (0): 64. */
	uint32_t memory_mib;

	/* What profiling may take: thousandths, 1 to 1000, of the program's CPU
	 * time or of one core, whichever is more. Above, rates halve until it is
	 * less (pyroscope_stats.overhead_ppm): sample_rate, heap_interval, those
	 * of waits; "threads" are looked at less often. At most six times, and
	 * not for what is read once of each object.
	 * Variable: PYROSCOPE_OVERHEAD_PERMILLE.
	 * Default (0): 10. */
	uint32_t overhead_permille;

	/* A folder, which has to be there, into which profiles are written, as
	 * files whose names end in .pb.gz, instead of being sent.
	 * Variable: PYROSCOPE_OUTPUT_DIR. Default (NULL or ""): none. */
	const char *output_dir;

	/* Which lines the log has: "none", "error", "warn", "info" or "debug",
	 * each with those before it (PYROSCOPE_LOG_ERROR and so on).
	 * Variable: PYROSCOPE_LOG_LEVEL. Default (NULL or ""): "warn". */
	const char *log_level;

	/* 1: samples of a span have the label trace_id (pyroscope_span_begin()).
	 * Variable: PYROSCOPE_TRACE_IDS. Default (0): none. */
	uint32_t trace_ids;

	/* 1: files, executables and libraries are named without their folders.
	 * Variable: PYROSCOPE_STRIP_FILENAMES. Default (0): with them. */
	uint32_t strip_filenames;

	/* Milliseconds for one try to send a profile: 1000 to 300000.
	 * Variable: PYROSCOPE_PROFILE_EXPORT_TIMEOUT, with a unit as in "10s".
	 * Default (0): 10000. */
	uint32_t profile_export_timeout_ms;

	/* Profiles that wait for the server, 1 to 65536, if 16 MiB hold them.
	 * Variable: PYROSCOPE_PUSH_QUEUE_CAPACITY. Default (0): 1024. */
	uint32_t push_queue_capacity;
};

/* The value to initialise a configuration with:
 *
 *     struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;
 *
 *     config.server_address = "https://profiles.example.com";
 *     err = pyroscope_start(&config);
 */
#define PYROSCOPE_CONFIG_INIT                                                  \
	{                                                                      \
		sizeof(struct pyroscope_config), NULL, NULL, 0, 0, NULL, NULL, \
			0, 0, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL,     \
			NULL, NULL, 0, 0, 0, 0, NULL, NULL, 0, 0, 0, 0         \
	}

/* Set one field of config by its name, as programs do that have settings of their
 * own as texts.
 *
 *     err = pyroscope_config_set(&config, "upload_interval", "30s");
 *
 * key is a name of docs/configuration.md that code may set; "-" and "." in it are
 * as good as "_", capitals as small letters, and PYROSCOPE_ may stand before it. value
 * is written as in the environment; NULL and "" bring the default back. A text is
 * not copied: like what is stored in config by hand, it is borrowed until
 * pyroscope_start() returns.
 *
 * Returns 0, or after a log line
 *   -EINVAL  config or key is NULL, key is no such name, value is none of it, or
 *            config->size does not hold the field; config is unchanged.
 *
 * Threads: any, for a config that no other uses. Signal handlers: no. */
PYROSCOPE_API int pyroscope_config_set(struct pyroscope_config *config,
				       const char *key, const char *value);

/* Start profiling this process and sending profiles to the server at address,
 * with all else as the environment or the defaults say.
 *
 * address is what pyroscope_config.server_address says; NULL and "" mean its
 * default. It is borrowed until return.
 *
 * Returns nothing and never fails towards the caller: a bad address, or a
 * system on which profiling cannot work, is one log line and no profiling. The
 * first call with a good address wins, all later ones do nothing; after a bad
 * one, another call may try again. A server that does not answer is no error:
 * profiles wait for it in a bounded queue. Blocks for at most 3 ms.
 *
 * What was measured since the last profile is sent when the program returns
 * from main or calls exit() or quick_exit(), which may delay that by at most 2 s, by
 * 200 ms if the server was already seen dead. Nothing is sent by _exit().
 *
 * Threads: any. Signal handlers: no. */
PYROSCOPE_API void pyroscope_load(const char *address);

/* Start profiling as config says; NULL is PYROSCOPE_CONFIG_INIT.
 *
 * config and the strings in it are borrowed until return. The same as
 * pyroscope_load() otherwise, and the two share one session.
 *
 * Returns 0 when sampling is on, or
 *   -EALREADY  it was on already; that session goes on unchanged
 *   -ECANCELED PYROSCOPE_PROFILING_ENABLED is 0 in the environment: the user
 *              wants none. No log line.
 *   -EINVAL    a field is out of its bounds, or size is not plausible
 *   -E2BIG     config has fields set that this library does not know
 *   -ENOTSUP   this process cannot be profiled: another kind of CPU or an old
 *              kernel, a sanitizer, Valgrind or rr, a privileged executable
 *   -ENOMEM, -EAGAIN  no memory, no thread or no timer could be had
 * A log line says more.
 *
 * Threads: any. Signal handlers: no. */
PYROSCOPE_API int pyroscope_start(const struct pyroscope_config *config);

/* Stop profiling and send what was measured.
 *
 * timeout_ms is the longest wait in milliseconds for the last profiles to be
 * sent; 0 does not wait and drops them. Profiling has ended on return in any
 * case, no signal of the library arrives any more, and pyroscope_start() may
 * begin again.
 *
 * Returns 0, also when profiling was not on, or
 *   -ETIMEDOUT  stopped, but not everything was delivered in time.
 *
 * Threads: any; a concurrent call waits for the first. Signal handlers: no. */
PYROSCOPE_API int pyroscope_stop(uint32_t timeout_ms);

/* End the running window now and send everything measured so far, without
 * waiting for the interval; profiling goes on. For programs that are about to
 * be suspended or killed, and for tests.
 *
 * timeout_ms is the longest wait in milliseconds for the server; 0 only hands
 * the profiles to the sending thread.
 *
 * Returns 0 when the server has them (with timeout_ms 0: when they are queued),
 * also when profiling is not on, or
 *   -ETIMEDOUT  not everything was delivered in time; sending goes on.
 *
 * Threads: any. Signal handlers: no. */
PYROSCOPE_API int pyroscope_flush(uint32_t timeout_ms);

/* Profile some types no longer, for the time being, and then again: around work that
 * is not of interest, or where each nanosecond counts.
 *
 * types is a list of the words of pyroscope_config.profile_types; those that
 * are not profiled at all are left out, and NULL and "" are all that are. For the
 * whole process, until they are resumed, profiling is stopped, or the process ends;
 * forked children begin as their parent is then. What is paused twice is
 * resumed once.
 *
 * When the call returns it is done: the profiles that have these types end there and
 * are sent, and others begin, so that each has a type for all of its time, or not at
 * all. What is paused costs what it costs before pyroscope_load(). Some milliseconds:
 * each call makes profiles that are sent, so it is not for each request.
 *
 * Of CPU time, what is used while it is paused is in no profile, nor is it
 * "[unsampled]". A wait for a lock is in the mutex profile until the pause, or if
 * it begins after it; in the block profile is none into which a pause falls. Of the
 * heap, what is freed while it is paused is not in use after it; what is allocated
 * then is not known, nor is a block that realloc() moves or grows then: the
 * profile's comment says for how long. The heap is sampled until all four of its
 * types are paused.
 *
 * Returns 0, also where that is so already, or
 *   -EINVAL    a word is none of these: after a log line, and nothing is changed
 *   -ENOENT    none of them is profiled, as while profiling is not on: it is
 *              not kept for a start
 *   -ETIMEDOUT the library's thread has not come to it within a second, but will.
 *
 * Threads: any. Signal handlers: no. */
PYROSCOPE_API int pyroscope_pause(const char *types);
PYROSCOPE_API int pyroscope_resume(const char *types);

/* Take a profile and write it, for a program that has a page or a command for it.
 *
 * kind is "cpu", "heap", "mutex", "block" or "threads", of which profile_types must
 * have something, or "wall", in any case: all the time of all threads, waiting or
 * not, by what they do at some hundred moments a second, or as many as take a twentieth
 * of one core. Threads that wait are not interrupted. seconds, at most 3600, is how
 * long: the call returns when they are over. What is sent to the server is the same
 * with it and without, only that a window ends before and after. Of the heap, what was
 * allocated is of these seconds, what is in use of their end; with 0 that is now, as
 * are "threads". fd, which stays open, gets a gzipped pprof by write(), as whose
 * caller to be prepared for SIGPIPE.
 *
 * Returns 0, or
 *   -EINVAL  there is no such kind, or seconds is too many
 *   -ENOENT  it is not profiled now, or paused
 *   -ENOMEM, or what write() has failed with.
 *
 * Threads: any, several at once. Signal handlers: no. */
PYROSCOPE_API int pyroscope_profile_write(const char *kind, uint32_t seconds,
					  int fd);

/* Serve profiles to go tool pprof, to Alloy and to whoever else fetches them:
 *
 *     go tool pprof http://127.0.0.1:6060/debug/pprof/profile?seconds=5
 *
 * At /debug/pprof/ are: profile (CPU time), heap, allocs, mutex, block, threads,
 * goroutine (the same), delta_heap, delta_mutex, delta_block; with seconds=N of the
 * next N seconds, with debug=1 as text; /debug/fgprof, all the time of all threads
 * (pyroscope_profile_write(), "wall"); and /metrics for Prometheus. By a thread of
 * the library and libmicrohttpd.so.12. The setting pprof_address does the same from
 * the start of profiling.
 *
 * address is "127.0.0.1:6060", ":6060" (the same), "[::1]:6060", or another
 * address of this host, from which everybody who can reach it reads the program's
 * function names and may cost it time: then set PYROSCOPE_PPROF_TOKEN, the bearer
 * token that is wanted. NULL or "" stops serving; it waits for what is being
 * served. A forked child does not serve, but a daemon, whose parent exits within a
 * minute, does by the setting.
 *
 * Returns 0, or
 *   -EINVAL    no such address, or PYROSCOPE_PPROF_TOKEN is bad
 *   -EALREADY  it serves already
 *   -ENOENT    there is no libmicrohttpd.so.12; -ENOTSUP: a static program
 *   -EADDRINUSE, or what socket() and bind() have failed with
 *   -ENOMEM, -EAGAIN  no memory or no thread could be had.
 *
 * Threads: any. Signal handlers: no. */
PYROSCOPE_API int pyroscope_listen(const char *address);

/* Set the name under which the program is found in Pyroscope, for sessions
 * started later: it stands in for pyroscope_config.application_name where that
 * is NULL or empty. Call it before pyroscope_load().
 *
 * name is copied. NULL or "" takes back what an earlier call has set.
 *
 * Returns 0, or
 *   -EINVAL    it is not what pyroscope_config.application_name may be
 *   -EALREADY  profiling is on; the running session keeps its name, the next
 *              one takes this.
 *
 * Threads: any. Signal handlers: no. */
PYROSCOPE_API int pyroscope_set_app_name(const char *name);

/* How much a line of the log matters. */
#define PYROSCOPE_LOG_ERROR 1 /* there is no profiling, or not any more */
#define PYROSCOPE_LOG_WARN 2  /* something is not as the user wants it */
#define PYROSCOPE_LOG_INFO 3  /* profiling begins, or ends */
#define PYROSCOPE_LOG_DEBUG 4 /* each profile */

/* Gets a line of the log: one of the levels, UTF-8 text of at most 500 bytes without
 * "pyroscope: " and without a line end, borrowed for the call, and what was given to
 * pyroscope_set_log(). It is called by the library's own threads, on which all
 * signals are blocked, and by threads that have called a function of this header or
 * exit(); never in a signal handler, nor in a call of another library's function
 * that this one wraps, malloc() for example. One call at a time; in a forked
 * child, too. It returns soon, throws nothing, calls no function of this header,
 * and waits for no thread that does. */
typedef void pyroscope_log_fn(int level, const char *text, void *arg);

/* Have the log's lines given to fn, in the place of descriptor 2; NULL: written
 * there again. What PYROSCOPE_LOG_FILE names gets them, too, and of which levels
 * there are lines pyroscope_config.log_level says. Before pyroscope_load(), to have
 * all of them.
 *
 * While fn does not return, lines that come meanwhile wait for a tenth of a second and
 * go to descriptor 2 then. arg has to live until another call of this
 * function has returned 0: then the former fn is not called any more.
 *
 * Returns 0, or
 *   -EBUSY  a call of the former fn has lasted for a second, or is what calls this;
 *           nothing is changed.
 *
 * Where profiling is off by the table above, nobody calls a static fn: mark it
 * unused, as clang warns.
 *
 * Threads: any. Signal handlers: no. */
PYROSCOPE_API int pyroscope_set_log(pyroscope_log_fn *fn, void *arg);

/* Send the profiles of this forked child from now on.
 *
 * A child of a profiled process is profiled by itself, under the same name with
 * its process number in the label pid. It begins to send when it has lived for
 * 100 ms and then makes a blocking call, starts a thread or exits: samples of
 * one that only computes wait in a small pool, and what does not fit is counted
 * as lost. Such a child calls this once after fork() returned 0. (One that calls
 * exec is followed under the pyro command only.) One that _Fork() or clone() made
 * of a program with threads sends nothing otherwise: libc's locks may be held there.
 *
 * Does nothing in a process that is no such child or already sends. Do not call
 * it between vfork() and exec.
 *
 * Threads: any. Signal handlers: no. */
PYROSCOPE_API void pyroscope_fork_child(void);

/* Tell of a stack that is no thread's own: a coroutine's, a fiber's, one of
 * makecontext().
 *
 * Stacks on it are then walked like those of threads. Without, they are walked
 * too, but the kernel copies them, 256 bytes at a time, some 1 us each, and 192
 * times at the most: what is deeper is [truncated].
 *
 * [stack, stack + size) has to stay mapped and readable until it is taken back,
 * which must be done before it is unmapped or freed. At most 4096 are known at a
 * time. One that begins at the same address replaces the one before.
 *
 * Returns 0, or
 *   -EINVAL  stack is NULL, or size 0
 *   -ENOSPC  there are 4096.
 *
 * Threads: any. Signal handlers: yes. */
PYROSCOPE_API int pyroscope_stack_register(const void *stack, size_t size);

/* Take a stack back that was registered, before its memory is given away.
 * Nothing happens when it is not known.
 *
 * Threads: any. Signal handlers: yes. */
PYROSCOPE_API void pyroscope_stack_unregister(const void *stack);

/* Tell that a pool, an arena or another allocator of the program's own has given
 * out size bytes at block: they are sampled and shown in the heap's profile as if
 * malloc() had been called there. What the pool itself takes from malloc() is in
 * the profile, too. Tell of all blocks, sampled or not: the library chooses.
 *
 * block is what pyroscope_heap_free() is told later; NULL, when there was no
 * memory, is ignored. size is in bytes. Costs about what a malloc() hook costs: a
 * nanosecond, and some microseconds for one sampled block in heap_interval bytes.
 *
 * Threads: any; for one block in the order in which it is given out and taken
 * back. Signal handlers: yes. */
PYROSCOPE_API void pyroscope_heap_alloc(const void *block, size_t size);

/* Tell that the block is taken back, before another thread can get it. Nothing
 * happens when it is not known, as most are not, and when it is NULL.
 *
 * Threads: any. Signal handlers: yes. */
PYROSCOPE_API void pyroscope_heap_free(const void *block);

/* Labels: what the calling thread is working on, such as route "/cart". Samples of
 * all kinds but "threads" carry the labels that their thread has at that moment;
 * Pyroscope shows a series for each set of labels, to be filtered and compared by.
 *
 *     void handle(const struct request *request)
 *     {
 *             PYROSCOPE_LABELS_SCOPE("route", request->route);
 *             ...
 *     }
 *
 * A set of labels is a number that stands for the same labels in all threads, for
 * the rest of the process and in its forked children; 0 is the empty set, which
 * each thread begins with (but see pyroscope_config.inherit_labels). So a set can be
 * kept with a task, a connection or a fiber and be put on by whoever runs it.
 *
 * There are at most 16384 sets in a process, for the server stores a series for
 * each: a label is for what has tens of values, not for user or request numbers.
 * A name is [a-zA-Z_][a-zA-Z0-9_]*, does not begin with "__" and has at most 255
 * bytes, a value has at most 1023, a set at most 16 labels (fewer with more than 7
 * pyroscope_config.tags). What goes beyond leaves the set as it is: it is counted
 * (pyroscope_stats.labels_refused), and said in a log line once. A name that the
 * profile has already, such as hostname, is not changed by a label. */
typedef uint32_t pyroscope_labels;

/* The set with one label more than base, or with another value for it; "" as value
 * takes it out. key and value are copied when they are new. To be made once and
 * kept, where pyroscope_labels_set() is then all that is called each time.
 *
 * Returns base when that cannot be, as said above. Some 10 ns if the thread has
 * asked for the same lately, else some 30 for each label of the set.
 *
 * Threads: any. Signal handlers: no. */
PYROSCOPE_API pyroscope_labels pyroscope_labels_with(pyroscope_labels base,
						     const char *key,
						     const char *value);

/* The calling thread's set.
 *
 * Threads: any. Signal handlers: yes. */
PYROSCOPE_API pyroscope_labels pyroscope_labels_get(void);

/* Make labels, as one of these functions returned it, the calling thread's set.
 * Returns what it was before. A store.
 *
 * Threads: any. Signal handlers: yes; back to what it was before they return. */
PYROSCOPE_API pyroscope_labels pyroscope_labels_set(pyroscope_labels labels);

/* Give the calling thread's set one label more, as pyroscope_labels_with() does.
 * Returns what it was before, for pyroscope_labels_pop().
 *
 * Threads: any. Signal handlers: no. */
PYROSCOPE_API pyroscope_labels pyroscope_labels_push(const char *key,
						     const char *value);

/* Go back to what pyroscope_labels_push() returned.
 *
 * Threads: that of the push. Signal handlers: yes. */
PYROSCOPE_API void pyroscope_labels_pop(pyroscope_labels before);

/* Give the calling thread's set one label more until the block ends in which this
 * stands, in whatever way: return, break, goto, an exception of C++. Not longjmp()
 * and not the end of the thread. A declaration, with gcc and clang; with
 * pyroscope.hpp an object of C++. */
#define PYROSCOPE_LABELS_SCOPE(key, value)                            \
	__attribute__((cleanup(pyroscope_labels_scope_end_), unused)) \
	pyroscope_labels                                              \
	PYROSCOPE_LABELS_NAME_(__LINE__) = pyroscope_labels_push(key, value)
#define PYROSCOPE_LABELS_NAME_(line) PYROSCOPE_LABELS_NAME2_(line)
#define PYROSCOPE_LABELS_NAME2_(line) pyroscope_labels_before_##line##_

/* Tell that the calling thread works for a span of a distributed trace, until
 * pyroscope_span_end(): its samples of CPU time carry the label span_id, by
 * which Grafana finds the profile of a span. For that the span needs the attribute
 * pyroscope.profile.id, its span_id in 16 hexadecimal digits, too.
 *
 * trace_id and span_id are the bytes of W3C Trace Context, in that order, and are
 * copied; trace_id may be NULL. With pyroscope_config.trace_ids samples have the label
 * trace_id, too: not for servers before Pyroscope 2.1, which make a series of each.
 * A server with -symbolizer.enabled gives the whole service for a span.
 * name, unless NULL, is the label span_name, of which there should be few
 * (see PYROSCOPE_LABELS_SCOPE). Begin and end nest, and the outermost counts: the
 * service's own root span. Where a task moves between threads, end and begin it
 * there. Useful from some 20 ms of CPU time. Some nanoseconds, with a name some 10.
 *
 * Threads: any. Signal handlers: no. */
PYROSCOPE_API void pyroscope_span_begin(const uint8_t trace_id[16],
					const uint8_t span_id[8],
					const char *name);

/* The span ends, and the thread's labels are what they were when it began. Does
 * nothing when none has begun.
 *
 * Threads: that of the begin. Signal handlers: no. */
PYROSCOPE_API void pyroscope_span_end(void);

/* Give a lock a name: with a name of "cache", waits for it have a frame
 * "[lock cache]" above the one that waited or unlocked, in the mutex and block
 * profiles. Several locks may have one name.
 *
 * lock is its address; it is not looked at. name is copied, at most 1023 bytes; NULL
 * takes it back, to be called before a named lock's memory is freed. Names count as
 * sets of labels (see there), and at most 4096 locks may have one.
 *
 * Returns 0, or
 *   -EINVAL  lock is NULL, name is too long, or there are too many sets of labels
 *   -ENOSPC  there are too many named locks.
 *
 * Threads: any, but not twice at once for the same lock. Signal handlers: no. */
PYROSCOPE_API int pyroscope_lock_name(const void *lock, const char *name);

/* For locks of the program's own, that are not pthread's: three places in them.
 *
 *     void lock(struct my_lock *l)
 *     {
 *             if (try_lock(l))
 *                     return;
 *             pyroscope_lock_contended(l);
 *             wait_and_lock(l);
 *             pyroscope_lock_acquired(l);
 *     }
 *
 *     void unlock(struct my_lock *l)
 *     {
 *             pyroscope_lock_unlocked(l);
 *             really_unlock(l);
 *     }
 *
 * _contended: the calling thread is going to wait for the lock; _acquired: it has
 * it, or has given up. A wait for another lock between the two takes its place.
 * _unlocked: the lock is about to be unlocked, or just has been: the sooner, the less of
 * the waits is "[unlocker not seen]". The lock is not looked at.
 *
 * A load or two where nobody waits, or the profiles are off; else some 100 ns, and
 * some microseconds for one that is sampled.
 *
 * Threads: any. Signal handlers: _unlocked. */
PYROSCOPE_API void pyroscope_lock_contended(const void *lock);
PYROSCOPE_API void pyroscope_lock_acquired(const void *lock);
PYROSCOPE_API void pyroscope_lock_unlocked(const void *lock);

/* What the library has counted since the process began, over all sessions; a
 * forked child begins with zeros. A reason code for each stack that is not
 * complete is the root frame of such stacks in the profiles, too.
 *
 * Samples are counted as profiles count them, by expirations of threads' timers:
 * one that came late stands for several. What is still on its way to the
 * library's own thread, for a tenth of a second in busy programs, is not in.
 *
 * Later versions append fields: start from PYROSCOPE_STATS_INIT. */
struct pyroscope_stats {
	/* sizeof(struct pyroscope_stats) as the program was compiled. Set by
	 * PYROSCOPE_STATS_INIT. */
	size_t size;

	/* Samples with a stack: complete and all of truncated_, added up. */
	uint64_t samples;
	/* Samples without: more came at once than the pool had room for;
	 * "[lost]" in profiles. */
	uint64_t lost;
	/* Of samples: those that came with one more stack than the 50000 that
	 * are kept apart in a profile; "[overflow]" in profiles. */
	uint64_t overflow;

	/* Samples whose stack was walked to its outermost frame. */
	uint64_t complete;
	/* Samples whose stack was not, by the reason:
	 * "[truncated]": more than stack_depth frames. */
	uint64_t truncated_depth;
	/* "[truncated: no unwind information]": code without it, nor a frame
	 * pointer to follow. */
	uint64_t truncated_gap;
	/* "[truncated: rule not understood]" */
	uint64_t truncated_expression;
	/* "[truncated: register not known]": the rule needs a register that is
	 * not followed from frame to frame. */
	uint64_t truncated_register;
	/* "[truncated: stack not readable]": not mapped, or too much of a stack
	 * that nobody told of (pyroscope_stack_register). */
	uint64_t truncated_bounds;
	/* "[truncated: broken stack]": the caller's frame would lie below. */
	uint64_t truncated_progress;
	/* "[truncated: code of no object]": code made at run time. */
	uint64_t truncated_unmapped;
	/* "[truncated: tables not built yet]" */
	uint64_t truncated_pending;
	/* "[truncated: code unloaded since]" */
	uint64_t truncated_unloaded;

	/* Nanoseconds of CPU time that no sample explains, of profiles so far:
	 * "[unsampled]". */
	uint64_t unsampled_ns;
	/* Threads that have no timer now, by the user's limit of pending
	 * signals. */
	uint64_t threads_unarmed;
	/* Nanoseconds of CPU time that the library's own threads have used. */
	uint64_t library_cpu_ns;

	/* Loaded objects, as of the last look, and bytes of unwind tables and
	 * function names of these and of those that are unloaded. 0 while
	 * profiling is off. */
	uint64_t objects;
	uint64_t tables_bytes;

	/* Profiles that the server has taken, or that were written into the
	 * folder of pyro record. */
	uint64_t profiles_sent;
	/* Profiles that nobody will get: the queue was full; the server refused
	 * them, or answered 408, 429 or 500 ingest_max_tries times; older than
	 * 55 minutes; still in the queue when profiling was stopped; no memory,
	 * or no place on the disk, in the end: until then the next one has what
	 * they had. */
	uint64_t profiles_dropped_full;
	uint64_t profiles_dropped_refused;
	uint64_t profiles_dropped_old;
	uint64_t profiles_dropped_stopped;
	uint64_t profiles_dropped_unwritten;
	/* Tries to send one that failed, for whatever reason. */
	uint64_t tries_failed;

	/* References of the loaded objects to functions that the library
	 * interposes, as of the last look: those that lead to it, so many of
	 * them redirected by it (since the process began, of unloaded objects,
	 * too), and those that do not. Where the program links the library, or
	 * it is preloaded, the dynamic linker makes them lead to it. Where a
	 * library of the program links it, or the running program opens it,
	 * they are redirected. References to an older version of a function, or
	 * to another object's function of that name, are left alone; those
	 * that were never used may be in none of the numbers. In libpyroscope.a,
	 * where the linker does all that, they are 0. */
	uint64_t calls_seen;
	uint64_t calls_redirected;
	uint64_t calls_unseen;
	/* Allocations that were sampled, and an estimate of those that were not
	 * because more came at once than the pool had room for ("[lost]" in
	 * heap profiles). */
	uint64_t heap_samples;
	uint64_t heap_lost;
	/* Sampled blocks that are not freed yet, and the bytes between two
	 * samples, on average, now: heap_interval, or more while samples come
	 * too fast. 0 while the heap is not profiled. */
	uint64_t heap_live;
	uint64_t heap_interval;

	/* Labels that were not set: not valid, or too many (see
	 * PYROSCOPE_LABELS_SCOPE). */
	uint64_t labels_refused;

	/* Bytes that the library has mapped now, and how often there were none,
	 * by memory_mib or by the system. */
	uint64_t memory_bytes;
	uint64_t memory_refused;

	/* What profiling takes, in nanoseconds of CPU time. In signal handlers,
	 * with 2.3 us for the delivery of each signal; and in calls that take a
	 * sample of the heap or of waiting. One in 16 is measured and stands for
	 * all. What calls take that pass through the library without a sample
	 * cannot be measured here; docs/benchmarks.md has it. */
	uint64_t handlers_cpu_ns;
	uint64_t hooks_cpu_ns;
	/* Of library_cpu_ns: for what is read once of each loaded object, its
	 * tables and names, and for lines. */
	uint64_t reading_cpu_ns;
	/* All of that without reading_cpu_ns, in the last interval of some
	 * seconds: millionths of the program's CPU time or of one core,
	 * whichever is more. Above overhead_permille rates halve, well below
	 * they double again; how many times they are halved now. */
	uint64_t overhead_ppm;
	uint64_t rate_halvings;
};

/* The value to initialise it with: its size, and zeros. */
#define PYROSCOPE_STATS_INIT                                                  \
	{                                                                     \
		sizeof(struct pyroscope_stats), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, \
			0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0                    \
	}

/* Read the counters into stats, whose size is set:
 *
 *     struct pyroscope_stats stats = PYROSCOPE_STATS_INIT;
 *
 *     if (pyroscope_stats(&stats) == 0 && stats.lost > 0)
 *             ...
 *
 * Fields that this library does not know become 0. Costs about a microsecond
 * and waits for nobody. Where profiling is off by the table above, nothing is
 * written: the fields keep the zeros of PYROSCOPE_STATS_INIT.
 *
 * Returns 0, or
 *   -EINVAL  stats is NULL, or its size is not plausible.
 *
 * Threads: any. Signal handlers: no. */
#if defined(__GNUC__) && defined(__cplusplus)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow" /* a struct and a function, as stat */
#endif
PYROSCOPE_API int pyroscope_stats(struct pyroscope_stats *stats);
#if defined(__GNUC__) && defined(__cplusplus)
#pragma GCC diagnostic pop
#endif

/* The English text of an error returned by a function of this header, without
 * a full stop. Values of either sign are known; any other gives "unknown
 * error". Never NULL.
 *
 * Threads: any. Signal handlers: yes. */
PYROSCOPE_API const char *pyroscope_strerror(int error);

/* The version of the library that the program runs with, like "0.1.0". Never
 * NULL; "" where profiling is off by the table above, as there is no library.
 *
 * Threads: any. Signal handlers: yes. */
PYROSCOPE_API const char *pyroscope_version(void);

/* What pyroscope_features() tells. */
#define PYROSCOPE_FEATURE_CPU 1u   /* CPU profiles, in files or over http:// */
#define PYROSCOPE_FEATURE_HTTPS 2u /* https://, where libcurl is installed */
#define PYROSCOPE_FEATURE_LINES 4u /* symbols "lines", where libdw is */
#define PYROSCOPE_FEATURE_RESOLVER 8u /* servers by name, not by number alone */
#define PYROSCOPE_FEATURE_HEAP 16u    /* heap profiles */

/* What the library can do in this process, profiling or not: an OR of
 * PYROSCOPE_FEATURE_ values. Bits that this header does not name may be set; it
 * is 0 where profiling is off by the table above.
 *
 * CPU and HEAP are missing under sanitizers, Valgrind and rr. libpyroscope.a, which
 * is for static programs, loads no other library: it has neither HTTPS nor LINES; and
 * with glibc it has RESOLVER only in a program that calls getaddrinfo() itself
 * (localhost is always known). With musl it has it.
 *
 * Threads: any. Signal handlers: no. */
PYROSCOPE_API uint32_t pyroscope_features(void);

#if PYROSCOPE_ENABLED

static inline void pyroscope_labels_scope_end_(pyroscope_labels *before)
{
	pyroscope_labels_pop(*before);
}

#else

/* The calls, when off. sizeof evaluates nothing, yet makes the compiler check
 * the call's arguments and count its variables as used. gcc warns of the 0 in a
 * statement unless it comes from a macro of a system header, which the rest of
 * this file is made by the pragma; a statement expression would not be warned
 * of either, but leaves a store behind at -O0. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC system_header
#endif
#define PYROSCOPE_OFF_INT_(call) ((void)sizeof(call), 0)

#define pyroscope_load(address) ((void)sizeof(((pyroscope_load)(address), 0)))
#define pyroscope_config_set(config, key, value) \
	PYROSCOPE_OFF_INT_((pyroscope_config_set)(config, key, value))
#define pyroscope_start(config) PYROSCOPE_OFF_INT_((pyroscope_start)(config))
#define pyroscope_stop(timeout_ms) \
	PYROSCOPE_OFF_INT_((pyroscope_stop)(timeout_ms))
#define pyroscope_flush(timeout_ms) \
	PYROSCOPE_OFF_INT_((pyroscope_flush)(timeout_ms))
#define pyroscope_pause(types) PYROSCOPE_OFF_INT_((pyroscope_pause)(types))
#define pyroscope_resume(types) PYROSCOPE_OFF_INT_((pyroscope_resume)(types))
#define pyroscope_profile_write(kind, seconds, fd) \
	PYROSCOPE_OFF_INT_((pyroscope_profile_write)(kind, seconds, fd))
#define pyroscope_listen(address) \
	PYROSCOPE_OFF_INT_((pyroscope_listen)(address))
#define pyroscope_set_app_name(name) \
	PYROSCOPE_OFF_INT_((pyroscope_set_app_name)(name))
#define pyroscope_set_log(fn, arg) \
	PYROSCOPE_OFF_INT_((pyroscope_set_log)(fn, arg))
#define pyroscope_fork_child() ((void)0)
#define pyroscope_stack_register(stack, size) \
	PYROSCOPE_OFF_INT_((pyroscope_stack_register)(stack, size))
#define pyroscope_stack_unregister(stack) \
	((void)sizeof(((pyroscope_stack_unregister)(stack), 0)))
#define pyroscope_heap_alloc(block, size) \
	((void)sizeof(((pyroscope_heap_alloc)(block, size), 0)))
#define pyroscope_heap_free(block) \
	((void)sizeof(((pyroscope_heap_free)(block), 0)))
#define pyroscope_labels_with(base, key, value) \
	((void)sizeof((pyroscope_labels_with)(base, key, value)), 0u)
#define pyroscope_labels_get() ((void)sizeof((pyroscope_labels_get)()), 0u)
#define pyroscope_labels_set(labels) \
	((void)sizeof((pyroscope_labels_set)(labels)), 0u)
#define pyroscope_labels_push(key, value) \
	((void)sizeof((pyroscope_labels_push)(key, value)), 0u)
#define pyroscope_labels_pop(before) \
	((void)sizeof(((pyroscope_labels_pop)(before), 0)))
#define pyroscope_span_begin(trace_id, span_id, name) \
	((void)sizeof(((pyroscope_span_begin)(trace_id, span_id, name), 0)))
#define pyroscope_span_end() ((void)0)
#define pyroscope_lock_name(lock, name) \
	PYROSCOPE_OFF_INT_((pyroscope_lock_name)(lock, name))
#define pyroscope_lock_contended(lock) \
	((void)sizeof(((pyroscope_lock_contended)(lock), 0)))
#define pyroscope_lock_acquired(lock) \
	((void)sizeof(((pyroscope_lock_acquired)(lock), 0)))
#define pyroscope_lock_unlocked(lock) \
	((void)sizeof(((pyroscope_lock_unlocked)(lock), 0)))
#undef PYROSCOPE_LABELS_SCOPE
#define PYROSCOPE_LABELS_SCOPE(key, value) \
	((void)sizeof((pyroscope_labels_push)(key, value)))
#define pyroscope_stats(stats) PYROSCOPE_OFF_INT_((pyroscope_stats)(stats))
#define pyroscope_strerror(error) \
	((void)sizeof((pyroscope_strerror)(error)), "")
#define pyroscope_version() ""
#define pyroscope_features() ((void)sizeof((pyroscope_features)()), 0u)

#endif

#ifdef __cplusplus
}
#endif

#endif
