// SPDX-License-Identifier: Apache-2.0
/* calls.c - labels and spans of one thread: nanoseconds of each way, a line each,
 * the medians of rounds in turns */
#include <pyroscope/pyroscope.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "calls.h"

#define ROUNDS 51
#define TURNS 100000
#define ROUTES 64

static const uint8_t trace_id[16] = {1}, span_id[8] = {2};
static char route[ROUTES][16];
static pyroscope_labels cart;

static void two_calls(unsigned i)
{
	(void)i;
	nothing();
	nothing();
}

static void set_twice(unsigned i)
{
	pyroscope_labels before = pyroscope_labels_set(cart);

	(void)i;
	pyroscope_labels_set(before);
}

static void get_and_set(unsigned i)
{
	(void)i;
	pyroscope_labels_set(pyroscope_labels_get());
}

static void push_pop(unsigned i)
{
	(void)i;
	pyroscope_labels_pop(pyroscope_labels_push("route", "/cart"));
}

static void push_pop_of_three(unsigned i)
{
	pyroscope_labels a = pyroscope_labels_push("tenant", "seven");
	pyroscope_labels b = pyroscope_labels_push("route", "/cart");
	pyroscope_labels c = pyroscope_labels_push("method", "GET");

	(void)i;
	pyroscope_labels_pop(c);
	pyroscope_labels_pop(b);
	pyroscope_labels_pop(a);
}

static void push_pop_of_eight(unsigned i)
{
	pyroscope_labels_pop(pyroscope_labels_push("route", route[i % 8]));
}

static void push_pop_of_many(unsigned i)
{
	pyroscope_labels_pop(pyroscope_labels_push("route", route[i % ROUTES]));
}

static void in_c(unsigned i)
{
	(void)i;
	scope_c("/cart");
}

static void in_cxx(unsigned i)
{
	(void)i;
	scope_cxx("/cart");
}

static void span(unsigned i)
{
	(void)i;
	pyroscope_span_begin(trace_id, span_id, NULL);
	pyroscope_span_end();
}

static void named_span(unsigned i)
{
	(void)i;
	pyroscope_span_begin(trace_id, span_id, "GET /cart");
	pyroscope_span_end();
}

static const struct way {
	const char *name;
	void (*run)(unsigned i);
} ways[] = {
	{"two calls of an empty function", two_calls},
	{"labels_set, a set and back", set_twice},
	{"labels_get and labels_set", get_and_set},
	{"push and pop", push_pop},
	{"push and pop, three labels", push_pop_of_three},
	{"push and pop, 8 values in turn", push_pop_of_eight},
	{"push and pop, 64 values in turn", push_pop_of_many},
	{"PYROSCOPE_LABELS_SCOPE in C", in_c},
	{"PYROSCOPE_LABELS_SCOPE in C++", in_cxx},
	{"span_begin and span_end", span},
	{"the same with a name", named_span},
};
#define WAYS (sizeof(ways) / sizeof(ways[0]))

int main(void)
{
	static double took[WAYS][ROUNDS];

	for (unsigned i = 0; i < ROUTES; i++)
		snprintf(route[i], sizeof(route[i]), "/route/%u", i);
	cart = pyroscope_labels_with(0, "route", "/cart");
	for (int round = 0; round < ROUNDS; round++)
		for (size_t way = 0; way < WAYS; way++) {
			double begin = now_ns();

			for (unsigned i = 0; i < TURNS; i++)
				ways[way].run(i);
			took[way][round] = (now_ns() - begin) / TURNS;
		}
	for (size_t way = 0; way < WAYS; way++)
		printf("%s\t%.2f\n", ways[way].name, median(took[way], ROUNDS));
	return 0;
}
