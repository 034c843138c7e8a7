// SPDX-License-Identifier: Apache-2.0
/* session.c - the public calls, and the one session behind them
 *
 * Start prepares what handlers need, starts the collector and returns; the
 * collector arms the timers when it has built the tables. */
#include "api/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/identity.h"
#include "api/stats.h"
#include "base/log.h"
#include "base/on.h"
#include "base/os.h"
#include "base/slots.h"
#include "capture/labels.h"
#include "capture/ranges.h"
#include "source/cpu.h"
#include "source/hook.h"

#define DEBUG_ROOT "/usr/lib/debug"
#define QUEUE_BYTES_MAX ((size_t)16 << 20)
/* pyroscope_load() may block for 3 ms. */
#define START_LOCK_NS (2 * PYRO_NS_PER_MS)
/* Symbolizing and writing one profile, at the most. */
#define LAST_PROFILE_MS 1000u
#define STOP_WAIT_NS PYRO_NS_PER_SEC
/* pyro record: longest wait for the tables before main. */
#define ARMED_WAIT_NS (2 * PYRO_NS_PER_SEC)

struct pyro_session pyro_session = {
	.lock = PYRO_MUTEX_INIT(PYRO_RANK_SESSION),
	.round = PYRO_MUTEX_INIT(PYRO_RANK_ROUND),
};
struct pyro_process pyro_process;

/* A power of two that holds some tenths of a second of samples from every
 * processor; a program that reads its data in allocates it in a burst. */
static size_t slot_count(const struct pyro_config *config)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t count = config->types & ~PYRO_TYPE_CPU ? 1024 : 256;

	while (count < (size_t)(cpus > 0 ? cpus : 1) * 64 && count < 8192)
		count *= 2;
	return count;
}

static int start_uploader(struct pyro_session *s)
{
	struct pyro_uploader_config config = {
		.url = s->config.url,
		.user_agent = "pyroscope-c/" PYROSCOPE_VERSION_STRING,
		.headers = s->config.headers,
		.timeout_ms = s->config.send_timeout_ms,
		.queue_max = s->config.queue_max,
		.tries_max = s->config.tries_max,
		.queue_bytes_max =
			pyro_min(QUEUE_BYTES_MAX,
				 ((size_t)s->config.memory_mib << 20) / 4),
		.stats = &pyro_counts.upload,
	};

	s->uploader = NULL;
	if (s->config.output_dir[0] || s->config.format == PYRO_FORMAT_NONE)
		return 0;
	s->uploader = pyro_uploader_new(&config);
	return s->uploader ? 0 : -ENOMEM;
}

static int prepare(struct pyro_session *s)
{
	int err = pyro_on_init() == 0 ? 0 : -ENOTSUP;

	if (!err)
		err = pyro_memory_begin(s);
	if (!err)
		err = pyro_registry_init();
	if (!err)
		err = pyro_slots_init(slot_count(&s->config),
				      (uint16_t)s->config.stack_depth);
	if (err)
		return err;
	pyro_slots_set_depth((uint16_t)s->config.stack_depth);
	pyro_hook_init();
	pyro_hook_inherit_labels(s->config.inherit_labels);
	pyro_lifecycle_init();
	return pyro_cpu_start(
		s->config.types & PYRO_TYPE_CPU ? s->config.sample_rate : 0,
		s->config.types & PYRO_TYPE_MOMENT);
}

static void free_naming(struct pyro_session *s)
{
	pyro_lines_free(s->lines);
	s->lines = NULL;
	pyro_names_free(s->names);
	s->names = NULL;
}

/* What was paused is so in forked children, too. Their parent may have been about to
 * change it. */
static void set_types(struct pyro_session *s, bool forked)
{
	if (!forked)
		atomic_store(&s->types_asked, s->config.types);
	atomic_store(&s->types, atomic_load(&s->types_asked));
	atomic_store(&s->types_done, atomic_load(&s->types));
	pyro_cpu_pause(!(s->types & PYRO_TYPE_CPU));
}

int pyro_session_run(enum pyro_start_how how)
{
	struct pyro_session *s = &pyro_session;
	bool forked = how == PYRO_START_FORKED;
	struct pyro_modules *inherited = forked ? s->inherited : NULL;

	s->how = how;
	s->began_ns = pyro_clock_ns(CLOCK_MONOTONIC);
	s->modules = inherited ? inherited : pyro_modules_new(DEBUG_ROOT);
	if (!s->modules)
		return -ENOMEM;
	s->names = pyro_names_new(s->config.demangle);

	s->lines = s->config.symbolize == PYRO_SYMBOLIZE_LINES
			   ? pyro_lines_new(DEBUG_ROOT,
					    (size_t)s->config.lines_memory_mib
						    << 20,
					    s->config.lines_cpu_permille)
			   : NULL;

	int err = start_uploader(s);

	if (err)
		goto free_modules;
	s->sequence = 0;
	s->own = (struct pyro_own){0};
	s->marked = false;
	s->to_listen = pyro_process.serves;
	s->batched = 0;
	s->stale = inherited != NULL;
	s->quiet = true;
	s->heap_lost = (struct pyro_weight){0};
	atomic_store(&s->shipped, false);
	atomic_store(&s->flush_asked, 0);
	atomic_store(&s->flush_done, 0);
	atomic_store(&s->stop_asked, false);
	atomic_store(&s->armed, 0);
	atomic_store(&s->ended, 0);
	set_types(s, forked);
	pyro_windows_begin(
		s, forked ? atomic_load(&pyro_on_page->child_since_ns) : 0);
	pyro_cpu_window_start(s, forked);
	atomic_store(&s->state, PYRO_SESSION_RUNNING);
	pyro_heap_window_start(s);
	pyro_wait_window_start(s);
	pyro_threads_window_start(s);
	if (!forked)
		pyro_on_set(PYRO_ON_STARTING);
	err = pyro_thread_start("pyro-collect", pyro_collector_main, s);
	if (!err) {
		s->inherited = NULL;
		return 0;
	}
	if (!forked)
		pyro_on_set(PYRO_ON_NO);
	atomic_store(&s->state, PYRO_SESSION_IDLE);
	if (s->uploader)
		pyro_uploader_free(s->uploader, 0);
free_modules:
	free_naming(s);
	if (!inherited) /* else handlers use them */
		pyro_modules_free(s->modules);
	s->modules = NULL;
	return err;
}

/* Of the sanitizers' runtimes. */
extern void __asan_init(void) PYRO_WEAK;
extern void __hwasan_init(void) PYRO_WEAK;
extern void __msan_init(void) PYRO_WEAK;
extern void __tsan_init(void) PYRO_WEAK;

/* Their interceptors and ours do not get on, and their times mean nothing. rr
 * sets the variable for what it records. */
bool pyro_session_is_refused(void)
{
	const char *preload = secure_getenv("LD_PRELOAD");

	return __asan_init || __hwasan_init || __msan_init || __tsan_init ||
	       (preload && strstr(preload, "vgpreload")) ||
	       secure_getenv("RUNNING_UNDER_RR");
}

static void free_session(struct pyro_session *s)
{
	if (s->uploader)
		pyro_uploader_free(s->uploader, 0);
	if (s->quiet)
		pyro_modules_free(s->modules);
	pyro_stacks_free(&s->stacks);
	pyro_heap_stacks_free(&s->heap);
	pyro_wait_window_free(s);
	pyro_threads_window_free(s);
	pyro_wall_free(s);
	free_naming(s);
	pyro_counts_stopped();
	s->modules = NULL;
	s->uploader = NULL;
	atomic_store(&s->state, PYRO_SESSION_IDLE);
	pyro_log_as(PYRO_LOG_INFO, "profiling ends");
}

static int start(const struct pyroscope_config *given, enum pyro_start_how how)
{
	struct pyro_session *s = &pyro_session;

	if (!pyro_mutex_lock_for(&s->lock, START_LOCK_NS))
		return -EALREADY; /* somebody is at it */

	/* A stop that took too long may be through by now. */
	if (atomic_load(&s->state) == PYRO_SESSION_STOPPING &&
	    atomic_load(&s->ended))
		free_session(s);

	int err = atomic_load(&s->state) == PYRO_SESSION_IDLE ? 0 : -EALREADY;

	if (!err && pyro_session_is_refused()) {
		pyro_log_as(PYRO_LOG_ERROR,
			    "not started: the program runs under a sanitizer, "
			    "Valgrind or rr");
		err = -ENOTSUP;
	}
	if (!err)
		err = pyro_config_load(&s->config, given,
				       pyro_process.descendant);
	if (!err) {
		pyro_process.pid = pyro_getpid();
		pyro_process.serves =
			s->config.pprof_address[0] && !pyro_process.descendant;
		pyro_labels_leave(
			(uint32_t)(PYRO_OWN_LABELS + s->config.tags.count));
		err = prepare(s);
		if (!err)
			err = pyro_session_run(how);
		if (err)
			pyro_log_as(PYRO_LOG_ERROR, "not started: %s",
				    pyroscope_strerror(err));
		else
			pyro_config_tell(&s->config);
	}
	pyro_mutex_unlock(&s->lock);
	return err;
}

int pyro_session_start(const struct pyroscope_config *given,
		       enum pyro_start_how how)
{
	int cancel = pyro_cancel_disable(), err;

	pyro_lifecycle_enter();
	pyro_lifecycle_watch_forks();
	err = start(given, how);
	if (!err && how == PYRO_START_ROOT)
		pyro_wait(&pyro_session.armed, 0, ARMED_WAIT_NS);
	pyro_cancel_restore(cancel);
	return err;
}

/* What is too short for a profile starts no uploader. */
static bool worth_uploading(struct pyro_session *s)
{
	return atomic_load(&s->shipped) || !s->uploader ||
	       !pyro_process.preloaded ||
	       pyro_program_cpu_ns() >= PYRO_UPLOAD_CPU_NS;
}

int pyro_session_end(uint32_t timeout_ms, uint32_t failed_ms)
{
	struct pyro_session *s = &pyro_session;

	if (!worth_uploading(s))
		return 0;
	s->end_ns =
		pyro_clock_ns(CLOCK_MONOTONIC) + timeout_ms * PYRO_NS_PER_MS;
	s->end_failed_ms = failed_ms;
	s->end_result = 0;
	atomic_store(&s->stop_asked, true);
	pyro_slots_wake();
	if (!pyro_wait(&s->ended, 0,
		       pyro_max(timeout_ms, LAST_PROFILE_MS) * PYRO_NS_PER_MS))
		return -ETIMEDOUT;
	return s->end_result;
}

void pyroscope_load(const char *address)
{
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;

	config.server_address = address;
	pyro_session_start(&config, PYRO_START_NORMAL);
}

int pyroscope_start(const struct pyroscope_config *config)
{
	return pyro_session_start(config, PYRO_START_NORMAL);
}

bool pyro_session_is_uncollected(struct pyro_session *s)
{
	return atomic_load(&s->state) == PYRO_SESSION_RUNNING &&
	       pyro_on_get() == PYRO_ON_CHILD && !s->modules;
}

int pyroscope_stop(uint32_t timeout_ms)
{
	struct pyro_session *s = &pyro_session;
	int cancel = pyro_cancel_disable(), err = 0;

	pyro_lifecycle_enter();
	pyro_mutex_lock(&s->lock);
	if (pyro_session_is_uncollected(s)) {
		pyro_hook_on_child(NULL);
		pyro_on_set(PYRO_ON_NO);
		pyro_cpu_stop();
		atomic_store(&s->state, PYRO_SESSION_IDLE);
	}
	if (atomic_load(&s->state) == PYRO_SESSION_RUNNING) {
		pyro_hook_on_child(NULL);
		atomic_store(&s->state, PYRO_SESSION_STOPPING);
		err = pyro_session_end(timeout_ms, timeout_ms);
		atomic_store(&s->stop_asked, true);
		pyro_slots_wake();
		if (pyro_wait(&s->ended, 0, STOP_WAIT_NS))
			free_session(s);
		else
			pyro_log_as(PYRO_LOG_ERROR,
				    "stopping takes long; profiling cannot be "
				    "started again before it is through");
	}
	pyro_mutex_unlock(&s->lock);
	pyro_cancel_restore(cancel);
	return err;
}

uint32_t pyro_left_ms(uint64_t end_ns)
{
	uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);

	return end_ns > now ? (uint32_t)((end_ns - now) / PYRO_NS_PER_MS) : 0;
}

int pyroscope_flush(uint32_t timeout_ms)
{
	return pyro_session_flush(pyro_max(timeout_ms, LAST_PROFILE_MS),
				  timeout_ms);
}

/* Session lock held. */
static int flush_window(struct pyro_session *s, uint64_t wait_ns)
{
	uint32_t target = atomic_fetch_add(&s->flush_asked, 1) + 1, done;
	uint64_t end = pyro_clock_ns(CLOCK_MONOTONIC) + wait_ns;

	pyro_slots_wake();
	/* First may be done what a call has asked for that gave up. */
	while ((int32_t)((done = atomic_load(&s->flush_done)) - target) < 0) {
		uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);

		if (now >= end || !pyro_wait(&s->flush_done, done, end - now))
			return -ETIMEDOUT;
	}
	return 0;
}

int pyro_session_flush(uint32_t window_ms, uint32_t timeout_ms)
{
	struct pyro_session *s = &pyro_session;
	uint64_t wait_ns = window_ms * PYRO_NS_PER_MS;
	uint64_t end =
		pyro_clock_ns(CLOCK_MONOTONIC) + timeout_ms * PYRO_NS_PER_MS;
	int err = 0;

	pyro_lifecycle_enter();
	if (pyro_session_is_uncollected(s))
		pyro_lifecycle_revive();
	/* Held so that no stop frees what is waited on. */
	if (!pyro_mutex_lock_for(&s->lock, wait_ns))
		return -ETIMEDOUT;
	if (atomic_load(&s->state) == PYRO_SESSION_RUNNING &&
	    !pyro_session_is_uncollected(s)) {
		err = flush_window(s, wait_ns);
		if (!err && timeout_ms && s->uploader)
			err = pyro_uploader_flush(s->uploader,
						  pyro_left_ms(end),
						  pyro_left_ms(end));
	}
	pyro_mutex_unlock(&s->lock);
	return err;
}

int pyroscope_set_app_name(const char *name)
{
	int err = pyro_identity_set_app_name(name);

	if (!err && atomic_load(&pyro_session.state) != PYRO_SESSION_IDLE)
		err = -EALREADY;
	return err;
}

int pyroscope_set_log(pyroscope_log_fn *fn, void *arg)
{
	return pyro_log_call(fn, arg);
}

void pyroscope_fork_child(void)
{
	pyro_lifecycle_revive();
}

int pyroscope_stack_register(const void *stack, size_t size)
{
	uintptr_t lo = (uintptr_t)stack;

	return size > UINTPTR_MAX - lo ? -EINVAL
				       : pyro_ranges_add(lo, lo + size);
}

void pyroscope_stack_unregister(const void *stack)
{
	pyro_ranges_remove((uintptr_t)stack);
}

#define ERRORS(XX)                                                         \
	XX(0, "success")                                                   \
	XX(EALREADY, "profiling is on already")                            \
	XX(ECANCELED, "switched off by profiling_enabled")                 \
	XX(EINVAL, "invalid argument")                                     \
	XX(E2BIG, "the program is newer than the library")                 \
	XX(ENOTSUP, "this process cannot be profiled")                     \
	XX(EBUSY, "the program uses every signal that sampling could use") \
	XX(ENOMEM, "out of memory")                                        \
	XX(EAGAIN, "no thread could be started")                           \
	XX(ETIMEDOUT, "not everything was delivered in time")              \
	XX(EACCES, "permission denied")                                    \
	XX(ENOSPC, "no space left on device")                              \
	XX(EADDRINUSE, "the address is in use")                            \
	XX(EADDRNOTAVAIL, "no address of this host")                       \
	XX(EAFNOSUPPORT, "this host has no addresses of that kind")        \
	XX(EMFILE, "too many open files")                                  \
	XX(ENFILE, "too many open files in the system")                    \
	XX(EBADF, "no such descriptor")                                    \
	XX(EPIPE, "nobody reads what is written")                          \
	XX(EIO, "input or output has failed")                              \
	XX(ENOENT, "no such file or directory")

const char *pyroscope_strerror(int error)
{
	switch (error < 0 ? -error : error) {
#define TEXT(code, text) \
	case code:       \
		return text;
		ERRORS(TEXT)
#undef TEXT
	default:
		return "unknown error";
	}
}

const char *pyroscope_version(void)
{
	return PYROSCOPE_VERSION_STRING;
}
