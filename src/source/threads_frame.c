// SPDX-License-Identifier: Apache-2.0
/* threads_frame.c - a frame that is found by a frame pointer, without it
 *
 * Code that is compiled with frame pointers, or without optimization, keeps sp at a
 * distance from the CFA that CFI does not tell, but the instructions do: they are
 * followed as those of code without CFI are (synth.h). Where the function begins,
 * the rows tell: there CFA is sp + 8, as it is before each return, from which no
 * path leads to pc. */
#include "source/threads_frame.h"

#include "base/os.h"
#include "capture/arch.h"
#include "image/synth.h"

#define CODE_MAX 8192
#define BEGINNINGS_MAX 8
#define BEHIND 16 /* the instruction at pc is whole */

/* What was found last, by pc; the object may be another one the next time. */
static struct found {
	const struct pyro_unwind_table *table;
	uintptr_t pc, distance;
} found[64];

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

/* Does the function that begins there come to pc with a frame as the rule's? */
static uintptr_t follow(struct pyro_synth *synth, const unsigned char *bytes,
			uint64_t begin, uint64_t at,
			const struct pyro_rule *rule)
{
	struct search search = {.at = at};
	const struct pyro_synth_code code = {
		.bytes = bytes,
		.lo = begin,
		.len = at - begin + BEHIND,
		.start = &begin,
		.start_count = 1,
		.is_code = true,
	};

	if (pyro_synth_rows(synth, &code, take_row, &search) != 0 ||
	    search.rule.cfa != PYRO_CFA_SP || search.rule.cfa_off <= 0 ||
	    !(search.rule.flags & PYRO_RULE_FP_SAVED) ||
	    !(rule->flags & PYRO_RULE_FP_SAVED) ||
	    search.rule.fp_off != rule->fp_off)
		return 0;
	return (uintptr_t)search.rule.cfa_off;
}

static bool begins(const struct pyro_rule *rule)
{
	return rule->cfa == PYRO_CFA_SP && rule->cfa_off == 8 &&
	       rule->flags == 0;
}

/* Beginnings before `at`, the nearest first, of which at least `from` on can be
 * read. */
static uintptr_t search_rows(struct pyro_synth *synth,
			     const struct pyro_unwind_table *table,
			     const unsigned char *bytes, uint64_t from,
			     uint64_t at, const struct pyro_rule *rule)
{
	uint64_t page = (at >> 16) - table->first_page;
	uint32_t row = table->page_first[page + 1];
	int tried = 0;

	while (row-- > 0 && tried < BEGINNINGS_MAX) {
		while (row < table->page_first[page])
			page--;

		uint64_t begin =
			(table->first_page + page) << 16 | table->rows[row].lo;
		uintptr_t distance;

		if (begin < from)
			break;
		if (begin > at || !begins(&table->rules[table->rows[row].rule]))
			continue;
		tried++;
		distance =
			follow(synth, bytes + (begin - from), begin, at, rule);
		if (distance)
			return distance;
	}
	return 0;
}

static uintptr_t find(const struct pyro_map *map, const struct pyro_rule *rule,
		      uintptr_t pc)
{
	static unsigned char bytes[CODE_MAX + BEHIND];
	uintptr_t lo = pc - map->lo > CODE_MAX ? pc - CODE_MAX : map->lo;
	struct pyro_synth *synth;
	uintptr_t distance;

	/* NOLINTNEXTLINE(performance-no-int-to-ptr): any address */
	if (!pyro_read_memory((const void *)lo, bytes, pc - lo + BEHIND))
		return 0;
	synth = pyro_synth_new();
	if (!synth)
		return 0;
	distance = search_rows(synth, map->table, bytes, lo - map->bias,
			       pc - map->bias, rule);
	pyro_synth_free(synth);
	return distance;
}

uintptr_t pyro_threads_frame(const struct pyro_map *map,
			     const struct pyro_rule *rule, uintptr_t pc)
{
	struct found *f = &found[pc * UINT64_C(0x9e3779b97f4a7c15) >> 58];

	if (!PYRO_RA_AT_CFA || !map->table || pc < map->lo ||
	    map->hi - pc < BEHIND || pc - map->bias < map->table->lo ||
	    pc - map->bias >= map->table->hi)
		return 0;
	if (f->pc != pc || f->table != map->table)
		*f = (struct found){
			.table = map->table,
			.pc = pc,
			.distance = find(map, rule, pc),
		};
	return f->distance;
}
