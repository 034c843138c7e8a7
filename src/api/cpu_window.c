// SPDX-License-Identifier: Apache-2.0
/* cpu_window.c - a window's clock, and its samples of CPU time as a profile */
#include "api/session.h"
#include "api/stats.h"
#include "base/buf.h"
#include "base/os.h"
#include "profile/cpu_profile.h"
#include "source/cpu.h"

/* What reading debug information may add to the program's exit. */
#define LAST_LINES_NS (500 * PYRO_NS_PER_MS)

static int64_t realtime_ns(struct pyro_session *s)
{
	int64_t now = (int64_t)pyro_clock_ns(CLOCK_REALTIME);

	/* The server takes equal times of one series for the same profile. */
	if (now <= s->last_time_ns && s->last_time_ns - now < 1000000000)
		now = s->last_time_ns + 1;
	s->last_time_ns = now;
	return now;
}

static void start_clock(struct pyro_session *s)
{
	s->window.time_ns = realtime_ns(s);
	s->window.start_ns = pyro_clock_ns(CLOCK_MONOTONIC);
}

void pyro_window_since(struct pyro_session *s, uint64_t start_ns)
{
	s->window.time_ns -= (int64_t)(s->window.start_ns - start_ns);
	s->window.start_ns = start_ns;
}

void pyro_window_begin(struct pyro_session *s, uint64_t cpu_ns,
		       uint64_t library_ns)
{
	pyro_stacks_clear(&s->stacks);
	start_clock(s);
	s->window.cpu_ns = cpu_ns;
	s->window.library_ns = library_ns;
	s->window.lost_ns = s->window.lost_ticks = 0;
}

static void comment(struct pyro_session *s, struct pyro_profile *profile,
		    uint64_t unsampled_ns)
{
	const struct pyro_stacks *stacks = &s->stacks;
	struct pyro_buf text = {0};

	pyro_buf_printf(&text,
			"pyroscope: samples=%llu lost=%llu truncated=%llu "
			"unsampled_ns=%llu threads_unarmed=%llu",
			(unsigned long long)stacks->records,
			(unsigned long long)s->window.lost_ticks,
			(unsigned long long)(stacks->records -
					     stacks->stops[PYRO_STOP_END]),
			(unsigned long long)unsampled_ns,
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

static int open_module(void *arg, uint32_t module, struct pyro_elf *elf)
{
	return pyro_modules_open(arg, module, elf);
}

/* As much as the budget allows; the rest keeps its names and is tried again when
 * it is seen again. */
void pyro_window_lines(struct pyro_session *s, bool last)
{
	pyro_lines_resolve(s->lines, open_module, s->modules,
			   last ? LAST_LINES_NS : UINT64_MAX);
}

void pyro_window_want_lines(struct pyro_session *s,
			    const struct pyro_stack_frames *stack,
			    uint64_t weight)
{
	for (size_t i = 0; i < stack->depth; i++) {
		uint32_t module = PYRO_FRAME_MODULE(stack->frames[i]);

		if (module && module != PYRO_FRAME_LOCK)
			pyro_lines_want(s->lines, module,
					PYRO_FRAME_ADDRESS(stack->frames[i]),
					weight);
	}
}

static void want_lines(struct pyro_session *s)
{
	for (size_t i = 0; i < s->stacks.set.count; i++)
		pyro_window_want_lines(s, &s->stacks.set.stacks[i],
				       s->stacks.values[i].ns);
}

static bool write_window(struct pyro_session *s,
			 const struct pyro_cpu_window *window)
{
	struct pyro_profile *profile = pyro_cpu_profile(window, s->modules);
	bool written = false;

	if (profile) {
		comment(s, profile, window->unsampled_ns);
		written = pyro_output_window(s, PYRO_OUTPUT_CPU, profile);
		pyro_profile_free(profile);
	}
	return written;
}

/* What the process used, less what samples explain: signed, because a sample
 * stands for a whole period of which a part may lie in the window before. */
void pyro_cpu_window_end(struct pyro_session *s, bool last)
{
	uint64_t cpu = pyro_process_cpu_ns();
	struct pyro_window *w = &s->window;
	uint64_t library = pyro_max(pyro_library_cpu_ns(), w->library_ns);
	uint64_t period = pyro_cpu_period_ns();
	int64_t residual = w->residual_ns + (int64_t)(cpu - w->cpu_ns) -
			   (int64_t)(library - w->library_ns) -
			   (int64_t)(s->stacks.total_ns + w->lost_ns);
	bool empty = s->stacks.set.count == 0 && w->lost_ns == 0;

	/* An idle window says nothing: its little goes to the next one. */
	if (!(s->config.types & PYRO_TYPE_CPU) ||
	    (empty && !last && cpu - w->cpu_ns < 10 * period)) {
		start_clock(s);
		return;
	}

	uint64_t unsampled = 0;

	if (residual >= (last ? 1 : (int64_t)period))
		unsampled = (uint64_t)residual;

	struct pyro_cpu_window window = {
		.stacks = &s->stacks,
		.period_ns = period,
		.time_ns = w->time_ns,
		.duration_ns =
			(int64_t)(pyro_clock_ns(CLOCK_MONOTONIC) - w->start_ns),
		.lost_ns = w->lost_ns,
		.lost_ticks = w->lost_ticks,
		.unsampled_ns = unsampled,
		.library_ns = library - w->library_ns,
		.symbolize = s->config.symbolize,
		.strip = s->config.strip,
		.lines = s->lines,
		.names = s->names,
	};
	uint64_t ns = s->stacks.total_ns + w->lost_ns;
	uint64_t ticks = s->stacks.total_ticks + w->lost_ticks;

	if (s->lines) {
		want_lines(s);
		pyro_window_lines(s, last);
	}

	bool written = write_window(s, &window);

	if (written)
		pyro_counts.unsampled_ns += unsampled;
	w->residual_ns = residual - (int64_t)unsampled;
	pyro_window_begin(s, cpu, library);
	if (!written) { /* the next one says what is missing */
		w->lost_ns = ns;
		w->lost_ticks = ticks;
		w->residual_ns += (int64_t)unsampled;
	}
}
