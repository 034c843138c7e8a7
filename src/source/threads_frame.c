// SPDX-License-Identifier: Apache-2.0
/* threads_frame.c - a frame that is found by a frame pointer, without it
 *
 * Code that is compiled with frame pointers, or without optimization, keeps sp at a
 * distance from the CFA that CFI does not tell, but the instructions do: they are
 * followed as those of code without CFI are (synth.h), from where rbp is pushed,
 * which the rows tell. */
#include "source/threads_frame.h"

#include "base/os.h"
#include "capture/arch.h"
#include "image/synth.h"

/* Before pc and behind it, where paths that lead to it may run. */
#define CODE_MAX 16384
#define BEGINNINGS_MAX 8
#define PUSH_RBP 0x55

/* What was found last, by pc; the object may be another one the next time. */
static struct found {
	const struct pyro_unwind_table *table;
	uintptr_t pc, distance;
} found[64];

/* Code that could be read. */
struct window {
	const unsigned char *bytes;
	uint64_t lo, hi;
};

struct search {
	uint64_t at;
	struct pyro_rule rule;
	bool done;
};

static void take_row(void *arg, uint64_t hi, const struct pyro_rule *rule)
{
	struct search *search = arg;

	if (search->done || hi <= search->at)
		return;
	search->rule = *rule;
	search->done = true;
}

/* Does the function that begins there come to pc with a frame as the rule's? Along
 * paths that are there: nothing is guessed from what is around. */
static uintptr_t follow(struct pyro_synth *synth, const struct window *window,
			uint64_t begin, uint64_t at,
			const struct pyro_rule *rule)
{
	struct search search = {.at = at};
	const struct pyro_synth_code code = {
		.bytes = window->bytes + (begin - window->lo),
		.lo = begin,
		.len = window->hi - begin,
		.start = &begin,
		.start_count = 1,
	};

	if (pyro_synth_rows(synth, &code, take_row, &search) != 0 ||
	    search.rule.cfa != PYRO_CFA_SP || search.rule.cfa_off <= 0 ||
	    !(search.rule.flags & PYRO_RULE_FP_SAVED) ||
	    !(rule->flags & PYRO_RULE_FP_SAVED) ||
	    search.rule.fp_off != rule->fp_off)
		return 0;
	return (uintptr_t)search.rule.cfa_off;
}

/* Behind the push that a frame pointer's function begins with. */
static bool is_pushed(const struct pyro_rule *rule)
{
	return rule->cfa == PYRO_CFA_SP && rule->cfa_off == 16 &&
	       (rule->flags & PYRO_RULE_FP_SAVED) && rule->fp_off == -16;
}

/* From beginnings before `at`, the nearest first. */
static uintptr_t search_rows(struct pyro_synth *synth,
			     const struct pyro_unwind_table *table,
			     const struct window *window, uint64_t at,
			     const struct pyro_rule *rule)
{
	uint64_t page = (at >> 16) - table->first_page;
	uint32_t row = table->page_first[page + 1];
	int tried = 0;

	while (row-- > 0 && tried < BEGINNINGS_MAX) {
		while (row < table->page_first[page])
			page--;

		uint64_t behind =
			(table->first_page + page) << 16 | table->rows[row].lo;
		uint64_t begin = behind - 1;
		uintptr_t distance;

		if (behind <= window->lo)
			break;
		if (begin > at ||
		    window->bytes[begin - window->lo] != PUSH_RBP ||
		    !is_pushed(&table->rules[table->rows[row].rule]))
			continue;
		tried++;
		distance = follow(synth, window, begin, at, rule);
		if (distance)
			return distance;
	}
	return 0;
}

static uintptr_t find(const struct pyro_map *map, const struct pyro_rule *rule,
		      uintptr_t pc)
{
	static unsigned char bytes[2 * CODE_MAX];
	uintptr_t lo = pc - pyro_min(pc - map->lo, CODE_MAX);
	uintptr_t hi = pc + pyro_min(map->hi - pc, CODE_MAX);
	struct window window = {bytes, lo - map->bias, hi - map->bias};
	struct pyro_synth *synth;
	uintptr_t distance;

	/* NOLINTNEXTLINE(performance-no-int-to-ptr): any address */
	if (!pyro_read_memory((const void *)lo, bytes, hi - lo))
		return 0;
	synth = pyro_synth_new();
	if (!synth)
		return 0;
	distance =
		search_rows(synth, map->table, &window, pc - map->bias, rule);
	pyro_synth_free(synth);
	return distance;
}

uintptr_t pyro_threads_frame(const struct pyro_map *map,
			     const struct pyro_rule *rule, uintptr_t pc)
{
	struct found *f = &found[pc * UINT64_C(0x9e3779b97f4a7c15) >> 58];

	if (!PYRO_RA_AT_CFA || !map->table || pc < map->lo || pc >= map->hi ||
	    pc - map->bias < map->table->lo || pc - map->bias >= map->table->hi)
		return 0;
	if (f->pc != pc || f->table != map->table)
		*f = (struct found){
			.table = map->table,
			.pc = pc,
			.distance = find(map, rule, pc),
		};
	return f->distance;
}
