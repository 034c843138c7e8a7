// SPDX-License-Identifier: Apache-2.0
/* budget.c - what profiling takes is measured, and rates halve when it is too much
 *
 * Intervals end with windows, whose profiles are most of what the library's threads
 * do. What is read once of each object is not in the sum: it does not go by rates,
 * and lines have a budget of their own, as has what somebody asks for. To look at all
 * threads takes much at once in programs of thousands: half the budget pays for it as
 * time goes by, and until that is done, but for a little, there is no other look. */
#include <stdio.h>

#include "api/session.h"
#include "api/stats.h"
#include "base/budget.h"
#include "base/cost.h"
#include "base/log.h"
#include "base/os.h"
#include "source/cpu.h"
#include "source/heap.h"
#include "source/wait.h"

#define INTERVAL_NS (5 * PYRO_NS_PER_SEC)
/* Also while a window goes on. */
#define LONGEST_NS (60 * PYRO_NS_PER_SEC)
/* So much time may be ahead that is to pay for looks at all threads. */
#define CREDIT_NS (10 * PYRO_NS_PER_SEC)

static uint64_t minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t own_ns(void)
{
	return pyro_cost_ns(PYRO_COST_HANDLERS) +
	       pyro_cost_ns(PYRO_COST_HOOKS) +
	       minus(pyro_library_cpu_ns(),
		     pyro_cost_ns(PYRO_COST_READING) +
			     pyro_cost_ns(PYRO_COST_ASKED));
}

/* CPU time of looks at all threads that is not paid for yet. */
static uint64_t debt_ns(const struct pyro_session *s)
{
	return pyro_budget_cpu(
		s->config.overhead_permille,
		minus(s->own.paid_ns, pyro_clock_ns(CLOCK_MONOTONIC)));
}

static void begin_interval(struct pyro_session *s)
{
	struct pyro_own *own = &s->own;

	own->since_ns = pyro_clock_ns(CLOCK_MONOTONIC);
	own->own_ns = own_ns();
	own->program_ns = pyro_program_cpu_ns();
	own->debt_ns = debt_ns(s);
	own->moments_ns = 0;
}

void pyro_budget_start(struct pyro_session *s)
{
	s->own = (struct pyro_own){0};
	pyro_cost_calibrate();
	begin_interval(s);
	pyro_counts.rate_halvings = 0;
}

/* Below 0 where another thread has read: differences are right all the same. */
uint64_t pyro_budget_work_ns(void)
{
	return pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID) -
	       pyro_cost_ns(PYRO_COST_READING);
}

bool pyro_budget_allows_moment(const struct pyro_session *s)
{
	return pyro_clock_ns(CLOCK_MONOTONIC) + CREDIT_NS >= s->own.paid_ns;
}

void pyro_budget_moment(struct pyro_session *s, uint64_t took_ns)
{
	/* One more that somebody has asked for counts at once. */
	if (!pyro_budget_allows_moment(s))
		return;
	s->own.moments_ns += took_ns;
	s->own.paid_ns =
		pyro_max(s->own.paid_ns, pyro_clock_ns(CLOCK_MONOTONIC)) +
		pyro_budget_time(s->config.overhead_permille, took_ns);
}

static void set_halvings(struct pyro_session *s, unsigned halvings)
{
	s->own.halvings = halvings;
	pyro_counts.rate_halvings = halvings;
	if (s->config.types & PYRO_TYPE_CPU)
		pyro_cpu_set_halvings(halvings);
	pyro_heap_set_halvings(halvings);
	pyro_wait_set_halvings(halvings);
}

void pyro_budget_resumed(struct pyro_session *s)
{
	if (s->own.halvings)
		set_halvings(s, s->own.halvings);
}

/* Returns the share of an interval that ends now, and what of it is for looks at
 * all threads. */
static uint64_t share_now(const struct pyro_session *s, uint64_t *moments)
{
	const struct pyro_own *own = &s->own;
	uint64_t debt = debt_ns(s);
	struct pyro_spent spent = {
		.own = minus(own_ns() + own->debt_ns, own->own_ns + debt),
		.program = minus(pyro_program_cpu_ns(), own->program_ns),
		.wall = pyro_clock_ns(CLOCK_MONOTONIC) - own->since_ns,
	};
	uint64_t share = pyro_budget_share(&spent);

	spent.own = minus(own->debt_ns + own->moments_ns, debt);
	*moments = pyro_min(pyro_budget_share(&spent), share);
	return share;
}

void pyro_budget_round(struct pyro_session *s, bool over)
{
	uint32_t budget = s->config.overhead_permille;
	uint64_t elapsed = pyro_clock_ns(CLOCK_MONOTONIC) - s->own.since_ns;
	uint64_t share, moments;
	unsigned halvings;

	if (elapsed < INTERVAL_NS || (!over && elapsed < LONGEST_NS))
		return;
	share = share_now(s, &moments);
	pyro_counts.overhead_ppm = share;
	halvings =
		pyro_budget_halvings(budget, s->own.halvings, share, moments);
	if (halvings > s->own.halvings)
		PYRO_LOG_ONCE("profiling took %llu.%02llu %% of the CPU time, "
			      "more than overhead_permille=%u allows: rates "
			      "are halved until it is less",
			      (unsigned long long)(share / 10000),
			      (unsigned long long)(share / 100 % 100), budget);
	if (halvings != s->own.halvings)
		set_halvings(s, halvings);
	begin_interval(s);
}

void pyro_budget_comment(const struct pyro_session *s,
			 struct pyro_profile *profile)
{
	const struct pyro_own *own = &s->own;
	char text[128];

	if (own->halvings) {
		snprintf(text, sizeof(text),
			 "rates were halved %u times: profiling took more than "
			 "overhead_permille=%u",
			 own->halvings, s->config.overhead_permille);
		pyro_profile_comment(profile, text);
	}
}
