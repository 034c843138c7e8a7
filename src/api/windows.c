// SPDX-License-Identifier: Apache-2.0
/* windows.c - when windows begin and end
 *
 * All end together, at the interval. One whose types are paused or resumed ends
 * alone then: so it has a type for all of its time, or not at all. One that cannot
 * be written for now goes on. */
#include "api/session.h"
#include "base/os.h"

/* What reading debug information may add to the program's exit. */
#define LAST_LINES_NS (500 * PYRO_NS_PER_MS)

static const uint32_t types_of[PYRO_WINDOWS] = {
	[PYRO_OUTPUT_CPU] = PYRO_TYPE_CPU,
	[PYRO_OUTPUT_HEAP] = PYRO_TYPE_HEAP,
	[PYRO_OUTPUT_MUTEX] = PYRO_TYPE_MUTEX,
	[PYRO_OUTPUT_BLOCK] = PYRO_TYPE_BLOCK,
	[PYRO_OUTPUT_THREADS] = PYRO_TYPE_MOMENT,
};

static int64_t realtime_ns(struct pyro_session *s)
{
	int64_t now = (int64_t)pyro_clock_ns(CLOCK_REALTIME);

	/* The server takes equal times of one series for the same profile. */
	if (now <= s->last_time_ns && s->last_time_ns - now < 1000000000)
		now = s->last_time_ns + 1;
	s->last_time_ns = now;
	return now;
}

static struct pyro_window window_now(struct pyro_session *s)
{
	return (struct pyro_window){
		.time_ns = realtime_ns(s),
		.start_ns = pyro_clock_ns(CLOCK_MONOTONIC),
	};
}

void pyro_windows_begin(struct pyro_session *s, uint64_t start_ns)
{
	struct pyro_window window = window_now(s);

	if (start_ns) {
		window.time_ns -= (int64_t)(window.start_ns - start_ns);
		window.start_ns = start_ns;
	}
	for (size_t i = 0; i < PYRO_WINDOWS; i++)
		s->windows[i] = window;
	s->round_ns = window.start_ns;
}

static bool end_window(struct pyro_session *s, enum pyro_output kind, bool last)
{
	switch (kind) {
	case PYRO_OUTPUT_CPU:
		return pyro_cpu_window_end(s, last);
	case PYRO_OUTPUT_HEAP:
		return pyro_heap_window_end(s, last);
	case PYRO_OUTPUT_THREADS:
		return pyro_threads_window_end(s, last);
	default:
		return pyro_wait_window_end(s, kind, last);
	}
}

/* Those that have any of types. changes: types that come or go. */
static void end_windows(struct pyro_session *s, uint32_t types,
			uint32_t changes, bool last)
{
	struct pyro_window next = window_now(s);

	for (enum pyro_output i = 0; i < PYRO_WINDOWS; i++) {
		struct pyro_window *window = &s->windows[i];

		if (!(types & types_of[i]))
			continue;
		window->duration_ns =
			(int64_t)(next.start_ns - window->start_ns);
		window->may_go_on = !last && !(changes & types_of[i]);
		if (!(s->types & types_of[i]) || end_window(s, i, last))
			*window = next;
	}
}

void pyro_windows_change(struct pyro_session *s, uint32_t changes)
{
	end_windows(s, changes, changes, false);
}

void pyro_windows_round(struct pyro_session *s, uint32_t changes, bool last)
{
	uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);

	if (s->lines)
		pyro_lines_earn(s->lines, now - s->round_ns);
	s->round_ns = now;
	end_windows(s, UINT32_MAX, changes, last);
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
