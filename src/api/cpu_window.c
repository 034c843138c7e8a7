// SPDX-License-Identifier: Apache-2.0
/* cpu_window.c - a window's samples of CPU time as a profile, and its clocks */
#include "api/session.h"
#include "api/stats.h"
#include "base/buf.h"
#include "base/cost.h"
#include "base/os.h"
#include "profile/cpu_profile.h"
#include "source/cpu.h"

/* As far as CPU time is sampled. */
static struct pyro_clocks read_clocks(const struct pyro_session *s)
{
	struct pyro_clocks now = s->cpu.ended;

	if (!s->cpu.stopped) {
		now.cpu_ns = pyro_process_cpu_ns();
		now.library_ns = pyro_max(pyro_library_cpu_ns(),
					  s->cpu.began.library_ns);
		now.samples_ns = pyro_cost_ns(PYRO_COST_HANDLERS) +
				 pyro_cost_ns(PYRO_COST_HOOKS);
	}
	return now;
}

static void count_from(struct pyro_session *s, struct pyro_clocks now)
{
	pyro_stacks_clear(&s->stacks);
	s->cpu.began = now;
	s->cpu.lost_ns = s->cpu.lost_ticks = 0;
}

void pyro_cpu_window_start(struct pyro_session *s, bool forked)
{
	s->cpu = (struct pyro_cpu_used){0};
	/* A forked child's clock began at zero when it did. */
	count_from(s, forked ? (struct pyro_clocks){0} : read_clocks(s));
	s->cpu.ended = s->cpu.began;
	s->cpu.stopped = !(s->types & PYRO_TYPE_CPU);
}

void pyro_cpu_window_stop(struct pyro_session *s)
{
	s->cpu.ended = read_clocks(s);
	s->cpu.stopped = true;
}

void pyro_cpu_window_go_on(struct pyro_session *s)
{
	struct pyro_clocks ended = s->cpu.ended, now;

	s->cpu.stopped = false;
	now = read_clocks(s);
	/* What was not shown yet is of the next window. */
	s->cpu.began.cpu_ns += now.cpu_ns - ended.cpu_ns;
	s->cpu.began.library_ns +=
		pyro_max(now.library_ns, ended.library_ns) - ended.library_ns;
	s->cpu.began.samples_ns += now.samples_ns - ended.samples_ns;
}

static void comment(struct pyro_session *s, struct pyro_profile *profile,
		    struct pyro_clocks now, uint64_t unsampled_ns)
{
	const struct pyro_stacks *stacks = &s->stacks;
	struct pyro_buf text = {0};

	pyro_buf_printf(
		&text,
		"pyroscope: samples=%llu lost=%llu truncated=%llu "
		"unsampled_ns=%llu own_ns=%llu threads_unarmed=%llu",
		(unsigned long long)stacks->records,
		(unsigned long long)s->cpu.lost_ticks,
		(unsigned long long)(stacks->records -
				     stacks->stops[PYRO_STOP_END]),
		(unsigned long long)unsampled_ns,
		(unsigned long long)(now.library_ns - s->cpu.began.library_ns +
				     now.samples_ns - s->cpu.began.samples_ns),
		(unsigned long long)pyro_cpu_unarmed());
	for (int i = PYRO_STOP_END + 1; i < PYRO_STOP_COUNT; i++)
		if (stacks->stops[i])
			pyro_buf_printf(&text, " truncated_%s=%llu",
					pyro_stop_name(i),
					(unsigned long long)stacks->stops[i]);
	pyro_buf_put(&text, "", 1);
	if (!text.failed)
		pyro_profile_comment(profile, (const char *)text.data);
	pyro_buf_free(&text);
}

static void want_lines(struct pyro_session *s)
{
	for (size_t i = 0; i < s->stacks.set.count; i++)
		pyro_window_want_lines(s, &s->stacks.set.stacks[i],
				       s->stacks.values[i].ns);
}

/* What the process used, less what samples explain: signed, because a sample
 * stands for a whole period of which a part may lie in the window before. */
static int64_t residual_of(const struct pyro_session *s, struct pyro_clocks now)
{
	const struct pyro_cpu_used *used = &s->cpu;

	return used->residual_ns + (int64_t)(now.cpu_ns - used->began.cpu_ns) -
	       (int64_t)(now.library_ns - used->began.library_ns) -
	       (int64_t)(s->stacks.total_ns + used->lost_ns);
}

/* As pyro_output_window(). */
static bool write_profile(struct pyro_session *s, struct pyro_clocks now,
			  uint64_t unsampled_ns)
{
	const struct pyro_window *w = &s->windows[PYRO_OUTPUT_CPU];
	const struct pyro_cpu_window window = {
		.stacks = &s->stacks,
		.period_ns = pyro_cpu_period_ns(),
		.time_ns = w->time_ns,
		.duration_ns = w->duration_ns,
		.lost_ns = s->cpu.lost_ns,
		.lost_ticks = s->cpu.lost_ticks,
		.unsampled_ns = unsampled_ns,
		.library_ns = now.library_ns - s->cpu.began.library_ns,
		.symbolize = s->config.symbolize,
		.strip = s->config.strip,
		.traces = s->config.trace_ids,
		.lines = s->lines,
		.names = s->names,
	};
	struct pyro_profile *profile = pyro_cpu_profile(&window, s->modules);
	bool over;

	if (profile)
		comment(s, profile, now, unsampled_ns);
	over = pyro_output_window(s, PYRO_OUTPUT_CPU, profile, w->may_go_on);
	pyro_profile_free(profile);
	return over;
}

bool pyro_cpu_window_end(struct pyro_session *s, bool last)
{
	struct pyro_cpu_used *used = &s->cpu;
	struct pyro_clocks now = read_clocks(s);
	uint64_t period = pyro_cpu_period_ns();
	int64_t residual = residual_of(s, now);
	bool empty = s->stacks.set.count == 0 && used->lost_ns == 0;
	uint64_t unsampled = 0;

	last |= used->stopped;
	/* An idle window says nothing: its little goes to the next one. */
	if (empty && !last && now.cpu_ns - used->began.cpu_ns < 10 * period)
		return true;
	if (residual >= (last ? 1 : (int64_t)period))
		unsampled = (uint64_t)residual;
	if (s->lines) {
		want_lines(s);
		pyro_window_lines(s, last);
	}
	if (!write_profile(s, now, unsampled))
		return false;
	pyro_counts.unsampled_ns += unsampled;
	used->residual_ns = residual - (int64_t)unsampled;
	count_from(s, now);
	return true;
}
