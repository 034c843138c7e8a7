// SPDX-License-Identifier: Apache-2.0
/* taps.c - profiles for whoever asks, beside those that are sent */
#include "api/taps.h"

#include <errno.h>
#include <string.h>

#include "base/os.h"
#include "encode/gzip.h"
#include "encode/pprof.h"
#include "profile/merge.h"

/* What one is kept to, as each window adds to it. */
#define SAMPLES_MAX 16000
/* Some of ten thousand threads, at a busy machine; else there would be nothing. */
#define WINDOW_MS 10000
/* What comments begin with that tell what a window has lost. */
#define COUNTS "pyroscope: "

static struct pyro_mutex lock = PYRO_MUTEX_INIT(PYRO_RANK_TAPS);
static struct pyro_tap *open_taps;
/* Of enum pyro_output: bits of those that a tap is open for. */
static _Atomic uint32_t wanted;

static const struct {
	const char *name;
	enum pyro_output kind;
	uint32_t types; /* of which it needs one; 0: none */
} kinds[] = {
	{"cpu", PYRO_OUTPUT_CPU, PYRO_TYPE_CPU},
	{"heap", PYRO_OUTPUT_HEAP, PYRO_TYPE_HEAP},
	{"mutex", PYRO_OUTPUT_MUTEX, PYRO_TYPE_MUTEX},
	{"block", PYRO_OUTPUT_BLOCK, PYRO_TYPE_BLOCK},
	{"threads", PYRO_OUTPUT_THREADS, PYRO_TYPE_THREADS_ANY},
	{"wall", PYRO_OUTPUT_WALL, 0},
};

static uint32_t types_of(enum pyro_output kind)
{
	for (size_t i = 0; i < PYRO_COUNT_OF(kinds); i++)
		if (kinds[i].kind == kind)
			return kinds[i].types;
	return 0;
}

static bool is_running(void)
{
	return atomic_load(&pyro_session.state) == PYRO_SESSION_RUNNING;
}

bool pyro_tap_is_profiled(enum pyro_output kind)
{
	return is_running() && (kind == PYRO_OUTPUT_WALL ||
				(pyro_session.types & types_of(kind)));
}

bool pyro_tap_is_paused(enum pyro_output kind)
{
	return is_running() && !(pyro_session.types & types_of(kind)) &&
	       (pyro_session.config.types & types_of(kind));
}

/* What a window says of a moment, the next one says anew. */
static bool is_of_a_moment(const struct pyro_profile *profile, size_t type,
			   enum pyro_output kind)
{
	const char *name = pyro_profile_text(profile, profile->type[type].type);

	return kind == PYRO_OUTPUT_THREADS || strncmp(name, "inuse_", 6) == 0;
}

/* sum and what came after it, as a new profile; NULL: out of memory. */
static struct pyro_profile *joined(const struct pyro_profile *sum,
				   const struct pyro_profile *next,
				   enum pyro_output kind)
{
	struct pyro_profile *profile = pyro_profile_new(), *trimmed;
	int64_t factor[PYRO_PROFILE_TYPES_MAX];
	int err = profile ? 0 : -ENOMEM;

	for (size_t i = 0; sum && i < sum->type_count; i++)
		factor[i] = !next || !is_of_a_moment(sum, i, kind);
	if (!err && sum)
		err = pyro_profile_merge_scaled(profile, sum, factor);
	if (!err && next)
		err = pyro_profile_merge(profile, next);
	if (!err && profile->samples_count > SAMPLES_MAX) {
		trimmed = pyro_profile_trim(profile, SAMPLES_MAX);
		pyro_profile_free(profile);
		return trimmed;
	}
	if (!err)
		return profile;
	if (profile)
		pyro_profile_free(profile);
	return NULL;
}

/* They are of one window, and differ in each: those of all are more and more. */
static void drop_counts(struct pyro_profile *profile)
{
	size_t kept = 0;

	for (size_t i = 0; i < profile->comments_count; i++) {
		uint32_t comment = profile->comments[i];

		if (strncmp(pyro_profile_text(profile, comment), COUNTS,
			    sizeof(COUNTS) - 1) != 0)
			profile->comments[kept++] = comment;
	}
	profile->comments_count = kept;
}

/* What cannot be added for want of memory is missing. */
static void add(struct pyro_tap *tap, const struct pyro_profile *profile)
{
	struct pyro_profile *sum;

	if (tap->sum)
		drop_counts(tap->sum);
	sum = joined(tap->sum, profile, tap->kind);
	if (!sum)
		return;
	if (tap->sum)
		pyro_profile_free(tap->sum);
	tap->sum = sum;
}

bool pyro_taps_want(enum pyro_output kind)
{
	return atomic_load(&wanted) & 1u << kind;
}

void pyro_taps_add(enum pyro_output kind, const struct pyro_profile *profile,
		   uint64_t start_ns)
{
	if (!pyro_taps_want(kind))
		return;
	pyro_mutex_lock(&lock);
	for (struct pyro_tap *tap = open_taps; tap; tap = tap->next)
		if (tap->kind == kind && start_ns >= tap->since_ns)
			add(tap, profile);
	pyro_mutex_unlock(&lock);
}

/* Lock held. */
static void count_wanted(void)
{
	uint32_t bits = 0;

	for (const struct pyro_tap *tap = open_taps; tap; tap = tap->next)
		bits |= 1u << tap->kind;
	atomic_store(&wanted, bits);
}

/* Lock held. */
static void link_tap(struct pyro_tap *tap)
{
	tap->next = open_taps;
	open_taps = tap;
	count_wanted();
}

void pyro_tap_open(struct pyro_tap *tap, enum pyro_output kind)
{
	*tap = (struct pyro_tap){
		.kind = kind,
		.since_ns = pyro_clock_ns(CLOCK_MONOTONIC),
	};
	pyro_mutex_lock(&lock);
	link_tap(tap);
	pyro_mutex_unlock(&lock);
	pyro_session_flush(WINDOW_MS, 0);
}

/* Nothing happened: the types are still told. */
static struct pyro_profile *nothing(enum pyro_output kind)
{
	struct pyro_profile *profile = pyro_profile_new();
	const struct pyro_config *config = &pyro_session.config;

	if (!profile)
		return NULL;
	if (kind == PYRO_OUTPUT_CPU)
		pyro_profile_set_cpu(profile, (int64_t)(PYRO_NS_PER_SEC /
							config->sample_rate));
	else if (kind == PYRO_OUTPUT_HEAP)
		pyro_profile_set_heap(profile, config->types,
				      config->heap_interval);
	else if (kind == PYRO_OUTPUT_THREADS)
		pyro_profile_set_threads(profile, "threads");
	else if (kind == PYRO_OUTPUT_WALL)
		pyro_profile_set_wall(profile, 0);
	else
		pyro_profile_set_wait(profile, config->types & types_of(kind));
	profile->time_ns = (int64_t)pyro_clock_ns(CLOCK_REALTIME);
	return profile;
}

/* Lock held. */
static struct pyro_profile *copy_of(const struct pyro_tap *tap)
{
	return tap->sum ? joined(tap->sum, NULL, tap->kind)
			: nothing(tap->kind);
}

struct pyro_profile *pyro_tap_read(struct pyro_tap *tap)
{
	struct pyro_profile *profile;

	pyro_session_flush(WINDOW_MS, 0);
	pyro_mutex_lock(&lock);
	profile = copy_of(tap);
	pyro_mutex_unlock(&lock);
	return profile;
}

/* From then on both are given the same windows. */
struct pyro_profile *pyro_tap_branch(const struct pyro_tap *from,
				     struct pyro_tap *tap)
{
	struct pyro_profile *profile;

	pyro_session_flush(WINDOW_MS, 0);
	pyro_mutex_lock(&lock);
	profile = copy_of(from);
	if (profile) {
		*tap = (struct pyro_tap){
			.kind = from->kind,
			.since_ns = from->since_ns,
		};
		link_tap(tap);
	}
	pyro_mutex_unlock(&lock);
	return profile;
}

struct pyro_profile *pyro_tap_take(struct pyro_tap *tap)
{
	struct pyro_profile *profile;

	pyro_session_flush(WINDOW_MS, 0);
	pyro_mutex_lock(&lock);
	profile = tap->sum;
	tap->sum = NULL;
	pyro_mutex_unlock(&lock);
	return profile ? profile : nothing(tap->kind);
}

struct pyro_profile *pyro_tap_close(struct pyro_tap *tap)
{
	struct pyro_profile *profile = pyro_tap_read(tap);
	struct pyro_tap **at = &open_taps;

	pyro_mutex_lock(&lock);
	while (*at && *at != tap)
		at = &(*at)->next;
	if (*at)
		*at = tap->next;
	count_wanted();
	pyro_mutex_unlock(&lock);
	if (tap->sum)
		pyro_profile_free(tap->sum);
	tap->sum = NULL;
	return profile;
}

void pyro_taps_forked(void)
{
	pyro_mutex_reset(&lock);
	open_taps = NULL;
	atomic_store(&wanted, 0);
}

static int write_profile(const struct pyro_profile *profile, int fd)
{
	struct pyro_buf plain = {0}, packed = {0};
	int err = pyro_pprof_write(profile, &plain);

	if (!err)
		err = pyro_gzip(plain.data, plain.len, &packed);
	if (!err)
		err = pyro_write_all(fd, packed.data, packed.len);
	pyro_buf_free(&plain);
	pyro_buf_free(&packed);
	return err;
}

int pyroscope_profile_write(const char *kind, uint32_t seconds, int fd)
{
	struct pyro_profile *profile;
	struct pyro_tap tap;
	size_t i = 0;
	uint64_t end;
	int err, saved = errno;

	while (i < PYRO_COUNT_OF(kinds) &&
	       (!kind || strcmp(kind, kinds[i].name) != 0))
		i++;
	if (i == PYRO_COUNT_OF(kinds) || seconds > 3600)
		return -EINVAL;
	pyro_lifecycle_enter();
	if (!pyro_tap_is_profiled(kinds[i].kind))
		return -ENOENT;
	pyro_tap_open(&tap, kinds[i].kind);
	/* Signals end a sleep. */
	end = pyro_clock_ns(CLOCK_MONOTONIC) + seconds * PYRO_NS_PER_SEC;
	for (uint64_t now; (now = pyro_clock_ns(CLOCK_MONOTONIC)) < end;)
		pyro_sleep_ns(end - now);
	profile = pyro_tap_close(&tap);
	err = profile ? write_profile(profile, fd) : -ENOMEM;
	if (profile)
		pyro_profile_free(profile);
	errno = saved;
	return err;
}
