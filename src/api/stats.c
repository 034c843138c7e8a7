// SPDX-License-Identifier: Apache-2.0
/* stats.c - the library's counters, for the program to read */
#include "api/stats.h"

#include <errno.h>
#include <string.h>

#include "api/session.h"
#include "base/arena.h"
#include "base/cost.h"
#include "base/os.h"
#include "capture/labels.h"
#include "source/bind.h"
#include "source/cpu.h"
#include "source/heap.h"

struct pyro_counts pyro_counts;

void pyro_counts_stopped(void)
{
	pyro_counts.rate_halvings = 0;
	pyro_counts.objects = 0;
	pyro_counts.tables_bytes = 0;
}

void pyro_counts_forked(void)
{
	memset(&pyro_counts, 0, sizeof(pyro_counts));
	pyro_cost_forked();
	for (int i = 0; i < PYRO_LABELS_REFUSALS; i++)
		pyro_labels_refused[i] = 0;
}

static void read_stacks(struct pyroscope_stats *out)
{
	/* What of CPU time there is no sample of has none. */
	uint64_t *const reason[] = {
		[PYRO_STOP_END] = &out->complete,
		[PYRO_STOP_DEPTH] = &out->truncated_depth,
		[PYRO_STOP_GAP] = &out->truncated_gap,
		[PYRO_STOP_EXPRESSION] = &out->truncated_expression,
		[PYRO_STOP_REGISTER] = &out->truncated_register,
		[PYRO_STOP_BOUNDS] = &out->truncated_bounds,
		[PYRO_STOP_PROGRESS] = &out->truncated_progress,
		[PYRO_STOP_UNMAPPED] = &out->truncated_unmapped,
		[PYRO_STOP_PENDING] = &out->truncated_pending,
		[PYRO_STOP_UNLOADED] = &out->truncated_unloaded,
	};

	for (size_t i = 0; i < PYRO_COUNT_OF(reason); i++) {
		*reason[i] = pyro_counts.samples[i];
		out->samples += *reason[i];
	}
	out->overflow = pyro_counts.overflow;
	out->lost = pyro_counts.lost;
	out->unsampled_ns = pyro_counts.unsampled_ns;
}

static void read_profiles(struct pyroscope_stats *out)
{
	const struct pyro_upload_stats *upload = &pyro_counts.upload;

	out->profiles_sent = upload->sent + pyro_counts.written;
	out->profiles_dropped_full = upload->dropped_full;
	out->profiles_dropped_refused = upload->dropped_refused;
	out->profiles_dropped_old = upload->dropped_old;
	out->profiles_dropped_stopped = upload->dropped_freed;
	out->profiles_dropped_unwritten = pyro_counts.unwritten;
	out->tries_failed = upload->failed_tries;
}

static void read_calls(struct pyroscope_stats *out)
{
	struct pyro_bind_counts counts = pyro_bind_counts(NULL);

	out->calls_seen = counts.bound;
	out->calls_redirected = counts.patched;
	out->calls_unseen = counts.elsewhere;
}

static void read_own(struct pyroscope_stats *out)
{
	out->library_cpu_ns = pyro_library_cpu_ns();
	out->reading_cpu_ns = pyro_cost_ns(PYRO_COST_READING);
	out->handlers_cpu_ns = pyro_cost_ns(PYRO_COST_HANDLERS);
	out->hooks_cpu_ns = pyro_cost_ns(PYRO_COST_HOOKS);
	out->overhead_ppm = pyro_counts.overhead_ppm;
	out->rate_halvings = pyro_counts.rate_halvings;
}

int pyroscope_stats(struct pyroscope_stats *stats)
{
	struct pyroscope_stats now = {0};

	if (!stats || stats->size < sizeof(stats->size) || stats->size > 65536)
		return -EINVAL;
	pyro_lifecycle_enter();
	read_stacks(&now);
	read_profiles(&now);
	read_calls(&now);
	now.threads_unarmed = pyro_cpu_unarmed();
	read_own(&now);
	now.heap_samples = pyro_counts.heap_samples;
	now.heap_lost = pyro_counts.heap_lost;
	now.heap_live = pyro_live_count();
	now.heap_interval = pyro_heap_interval();
	for (int i = 0; i < PYRO_LABELS_REFUSALS; i++)
		now.labels_refused += pyro_labels_refused[i];
	now.objects = pyro_counts.objects;
	now.tables_bytes = pyro_counts.tables_bytes;
	now.memory_bytes = pyro_memory_mapped();
	now.memory_refused = pyro_memory_refused();

	now.size = stats->size;
	memset((char *)stats + pyro_min(stats->size, sizeof(now)), 0,
	       stats->size - pyro_min(stats->size, sizeof(now)));
	memcpy(stats, &now, pyro_min(now.size, sizeof(now)));
	return 0;
}
