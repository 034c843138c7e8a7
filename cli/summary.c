// SPDX-License-Identifier: Apache-2.0
/* summary.c - what pyro record tells when the program has ended */
#include "cli/recording.h"

#include <inttypes.h>

#include "base/buf.h"
#include "cli/report.h"
#include "cli/types.h"

#define TOP_FUNCTIONS 5
#define TOP_LEAKS 10

/* "a, b, c" of what is not zero. */
static void add_loss(struct pyro_buf *buf, uint64_t count, const char *one,
		     const char *many)
{
	if (count)
		pyro_buf_printf(buf, "%s%" PRIu64 " %s", buf->len ? ", " : "",
				count, count == 1 ? one : many);
}

/* " (gap 3, depth 1)" */
static void add_stops(struct pyro_buf *buf, const struct pyro_drops *drops)
{
	const char *before = " (";

	for (int i = PYRO_STOP_END + 1; i < PYRO_STOP_COUNT; i++) {
		uint64_t count = 0;

		for (int kind = 0; kind < PYRO_DROP_KINDS; kind++)
			count += drops->of[kind].stops[i];
		if (!count)
			continue;
		pyro_buf_printf(buf, "%s%s %" PRIu64, before, pyro_stop_name(i),
				count);
		before = ", ";
	}
	if (before[0] == ',')
		pyro_buf_printf(buf, ")");
}

static double unsampled(const struct pyro_recording *rec)
{
	const struct pyro_profile *cpu = rec->of[PYRO_DROP_CPU].profile;

	return cpu ? pyro_percent(rec->drops.of[PYRO_DROP_CPU].unsampled_ns,
				  pyro_type_total(cpu, cpu->type_count - 1))
		   : 0;
}

static void say_losses(const struct pyro_recording *rec)
{
	const struct pyro_drops *drops = &rec->drops;
	struct pyro_buf buf = {0};
	double percent = unsampled(rec);
	uint64_t lost = 0, truncated = 0, trimmed = 0;

	for (int kind = 0; kind < PYRO_DROP_KINDS; kind++) {
		lost += drops->of[kind].lost;
		truncated += drops->of[kind].truncated;
		trimmed += rec->of[kind].trimmed;
	}
	add_loss(&buf, lost, "sample lost", "samples lost");
	add_loss(&buf, truncated, "stack cut short", "stacks cut short");
	add_stops(&buf, drops);
	add_loss(&buf, trimmed, "stack in [trimmed]", "stacks in [trimmed]");
	add_loss(&buf, drops->of[PYRO_DROP_CPU].threads_unarmed,
		 "thread without timer", "threads without timer");
	add_loss(&buf, drops->unreadable, "dropped file unreadable",
		 "dropped files unreadable");
	add_loss(&buf, drops->cut,
		 "last window (a process was killed, _exit'ed or exec'd)",
		 "last windows (processes were killed, _exit'ed or exec'd)");
	add_loss(&buf, drops->running, "process still running",
		 "processes still running");
	if (percent >= 0.05)
		pyro_buf_printf(&buf, "%s%.1f %% of the time unsampled",
				buf.len ? ", " : "", percent);
	if (drops->log_lines)
		pyro_buf_printf(&buf, "%s%zu %s, first: %s",
				buf.len ? "; " : "", drops->log_lines,
				drops->log_lines == 1 ? "message" : "messages",
				drops->log);
	pyro_buf_put(&buf, "", 1);
	if (!buf.failed)
		pyro_say("losses: %s", buf.len > 1 ? (char *)buf.data : "none");
	pyro_buf_free(&buf);
}

/* The functions in which most is, as shares or as amounts. */
static void say_top(const struct pyro_profile *profile, size_t type,
		    bool amounts)
{
	struct pyro_report report;
	char text[256], value[32];

	if (pyro_report_init(&report, profile, type) < 0)
		goto fini;
	pyro_report_sort(&report, false);
	for (size_t i = 0; i < pyro_min(TOP_FUNCTIONS, report.count); i++) {
		const struct pyro_entry *entry = &report.entry[i];

		if (entry->flat <= 0)
			break;
		snprintf(value, sizeof(value), "%5.1f %%",
			 pyro_percent(entry->flat, report.total));
		if (amounts)
			pyro_value_text(
				entry->flat,
				pyro_profile_text(profile,
						  profile->type[type].unit),
				value, sizeof(value));
		pyro_say("%*s  %s", amounts ? 10 : 0, value,
			 pyro_entry_text(entry, text, sizeof(text)));
	}
fini:
	pyro_report_fini(&report);
}

static void say_run(const struct pyro_recording *rec)
{
	static const char *const sample[PYRO_DROP_KINDS] = {
		[PYRO_DROP_CPU] = "sample",
		[PYRO_DROP_HEAP] = "sampled allocation",
		[PYRO_DROP_MUTEX] = "sampled unlock",
		[PYRO_DROP_BLOCK] = "sampled wait",
		[PYRO_DROP_THREADS] = "thread",
		[PYRO_DROP_CREATION] = "thread",
	};
	const struct pyro_drops *drops = &rec->drops;
	const struct pyro_profile *cpu = rec->of[PYRO_DROP_CPU].profile;
	int first = 0;
	struct pyro_buf buf = {0};
	uint64_t samples;

	while (!rec->of[first].profile)
		first++;
	samples = drops->of[first].samples;
	pyro_buf_printf(&buf, "%.1f s; %" PRIu64 " %s%s, ",
			(double)rec->duration_ns / 1e9, samples, sample[first],
			samples == 1 ? "" : "s");
	if (cpu)
		pyro_buf_printf(
			&buf, "%.2f of ",
			(double)pyro_type_total(cpu, cpu->type_count - 1) /
				1e9);
	pyro_buf_printf(&buf, "%.2f CPU seconds",
			(double)rec->outcome.cpu_ns / 1e9);
	if (cpu)
		pyro_buf_printf(
			&buf, " (%.1f %% for profiling)",
			pyro_percent((int64_t)drops->of[PYRO_DROP_CPU].own_ns,
				     (int64_t)rec->outcome.cpu_ns));
	pyro_buf_printf(&buf, ", %zu process%s", drops->processes,
			drops->processes == 1 ? "" : "es");
	pyro_buf_put(&buf, "", 1);
	if (!buf.failed)
		pyro_say("%s", (char *)buf.data);
	pyro_buf_free(&buf);
}

/* "1.2 GiB in 300 objects allocated", if these types were asked for. */
static void add_heap(struct pyro_buf *buf, const struct pyro_profile *heap,
		     const char *space, const char *objects, const char *what)
{
	size_t bytes = pyro_type_find(heap, space);
	size_t count = pyro_type_find(heap, objects);
	char text[32];

	if (bytes == PYRO_TYPE_NONE && count == PYRO_TYPE_NONE)
		return;
	pyro_buf_puts(buf, buf->len ? "; " : "");
	if (bytes != PYRO_TYPE_NONE)
		pyro_buf_puts(buf,
			      pyro_value_text(pyro_type_total(heap, bytes),
					      "bytes", text, sizeof(text)));
	if (count != PYRO_TYPE_NONE)
		pyro_buf_printf(buf, "%s%" PRId64 " objects",
				bytes != PYRO_TYPE_NONE ? " in " : "",
				pyro_type_total(heap, count));
	pyro_buf_printf(buf, " %s", what);
}

static void say_heap(const struct pyro_recording *rec)
{
	const struct pyro_profile *heap = rec->of[PYRO_DROP_HEAP].profile;
	struct pyro_buf buf = {0};

	if (rec->drops.of[PYRO_DROP_HEAP].files == 0) {
		pyro_say("heap: no process told of any");
		return;
	}
	add_heap(&buf, heap, "alloc_space", "alloc_objects", "allocated");
	add_heap(&buf, heap, "inuse_space", "inuse_objects", "in use at exit");
	pyro_buf_put(&buf, "", 1);
	if (!buf.failed)
		pyro_say("heap: %s", (char *)buf.data);
	pyro_buf_free(&buf);
}

static void say_heap_top(const struct pyro_profile *heap)
{
	size_t type = pyro_type_default(heap);

	if (heap->samples_count == 0)
		return;
	pyro_say("%s most:",
		 pyro_type_is_inuse(heap, type) ? "in use" : "allocated");
	say_top(heap, type, true);
}

/* How long threads waited, and where. */
static void say_waits(const struct pyro_recording *rec, int kind)
{
	const struct pyro_profile *profile = rec->of[kind].profile;
	const char *name = kind == PYRO_DROP_MUTEX ? "mutex" : "block";
	size_t delay, count;
	char text[32];

	if (!profile)
		return;
	if (rec->drops.of[kind].files == 0) {
		pyro_say("%s: no process told of any", name);
		return;
	}
	delay = pyro_type_find(profile, "delay");
	count = pyro_type_find(profile, "contentions");
	if (count != PYRO_TYPE_NONE)
		pyro_say("%s: %" PRId64 " waits", name,
			 pyro_type_total(profile, count));
	if (delay != PYRO_TYPE_NONE)
		pyro_say("%s: waited %s", name,
			 pyro_value_text(pyro_type_total(profile, delay),
					 "nanoseconds", text, sizeof(text)));
	say_top(profile, pyro_type_default(profile), true);
}

/* Where threads were when all of them were looked at, or came from. */
static void say_threads(const struct pyro_recording *rec, int kind,
			const char *where)
{
	const struct pyro_profile *profile = rec->of[kind].profile;
	size_t looks = rec->drops.of[kind].files;

	if (!profile)
		return;
	if (looks == 0) {
		pyro_say("threads: no process told of any");
		return;
	}
	pyro_say("threads: %.1f on average, at %zu moment%s; most %s:",
		 (double)pyro_type_total(profile, 0) / (double)looks, looks,
		 looks == 1 ? "" : "s", where);
	say_top(profile, 0, true);
}

static void say_leaks(const struct pyro_recording *rec)
{
	const struct pyro_leaks *leaks = &rec->leaks;
	char bytes[32], young[32], age[48];

	pyro_value_text(leaks->bytes, "bytes", bytes, sizeof(bytes));
	pyro_value_text(leaks->young_bytes, "bytes", young, sizeof(young));
	snprintf(age, sizeof(age), ", %" PRId64 " s old or older",
		 leaks->min_age);
	pyro_say("leaks: %s in %" PRId64 " objects in use at exit%s", bytes,
		 leaks->objects, leaks->min_age ? age : "");
	if (pyro_leaks_say(leaks, TOP_LEAKS) < 0)
		pyro_say("out of memory for the leaks' stacks");
	if (leaks->young_bytes || leaks->young_objects)
		pyro_say("left out: %s in %" PRId64
			 " younger objects; --leaks=0 shows them",
			 young, leaks->young_objects);
	if (leaks->ageless_bytes)
		pyro_say("of unknown age: %s of it",
			 pyro_value_text(leaks->ageless_bytes, "bytes", bytes,
					 sizeof(bytes)));
	if (rec->drops.cut || rec->drops.running)
		pyro_say("of processes without their last window: what was in "
			 "use when they last told");
}

void pyro_summary_say(const struct pyro_recording *rec)
{
	const struct pyro_profile *cpu = rec->of[PYRO_DROP_CPU].profile;
	const struct pyro_profile *heap = rec->of[PYRO_DROP_HEAP].profile;

	say_run(rec);
	if (heap)
		say_heap(rec);
	say_losses(rec);
	if (cpu)
		say_top(cpu, cpu->type_count - 1, false);
	if (rec->leaks.profile)
		say_leaks(rec);
	else if (heap)
		say_heap_top(heap);
	say_waits(rec, PYRO_DROP_MUTEX);
	say_waits(rec, PYRO_DROP_BLOCK);
	say_threads(rec, PYRO_DROP_THREADS, "often in");
	say_threads(rec, PYRO_DROP_CREATION, "created in");
	for (int i = 0; i < PYRO_DROP_KINDS; i++) {
		bool leaks = i == PYRO_DROP_HEAP && rec->leaks.profile;
		const char *path = rec->of[i].output.path;

		if (rec->of[i].profile)
			pyro_say("wrote %s; next: pyro %s %s", path,
				 leaks ? "view" : "top", path);
	}
}
