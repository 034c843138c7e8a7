// SPDX-License-Identifier: Apache-2.0
/* lines.c - what is asked for and what is remembered, within the budget
 *
 * Everything asked for is a result that is waiting for a batch. CPU time is
 * earned as time goes by and spent by batches; what a batch takes beyond its
 * share is a debt that the next ones pay. When too much is remembered, all of it
 * is forgotten. */
#include "image/lines_batch.h"

#include <errno.h>
#include <string.h>

#include "base/cost.h"
#include "base/os.h"

#define ADDRESS_BITS PYRO_LINES_ADDRESS_BITS
/* May be spent at once in the beginning, and is the most that is saved up. */
#define BURST_NS (500 * PYRO_NS_PER_MS)
/* A batch opens files anew, which has to be worth it. */
#define LEAST_NS ((int64_t)(10 * PYRO_NS_PER_MS))
/* So that sums stay within their type. */
#define EARN_MAX_NS (UINT64_C(1000000) * PYRO_NS_PER_SEC)

struct pyro_lines *pyro_lines_new(const char *debug_root, size_t memory_max,
				  uint32_t cpu_permille)
{
	struct pyro_lines *lines = pyro_pages_alloc(sizeof(*lines));

	if (!lines)
		return NULL;
	lines->debug_root = debug_root ? debug_root : "";
	lines->memory_max = memory_max;
	lines->cpu_permille = cpu_permille;
	lines->credit_ns = (int64_t)BURST_NS;
	if (pyro_strings_init(&lines->strings) != 0) {
		pyro_lines_free(lines);
		return NULL;
	}
	return lines;
}

/* All but the modules that have none, which are cheap to remember. */
static void forget(struct pyro_lines *l)
{
	pyro_strings_free(&l->strings);
	pyro_strings_init(&l->strings);
	pyro_table_free(&l->by_address);
	pyro_pages_free(l->result, l->cap * sizeof(*l->result));
	pyro_pages_free(l->frame, l->frame_cap * sizeof(*l->frame));
	l->result = NULL;
	l->frame = NULL;
	l->count = l->cap = l->frame_count = l->frame_cap = 0;
	for (size_t i = 0; i < l->module_cap; i++) {
		struct pyro_lines_module *m = &l->module[i];

		pyro_pages_free(m->range, m->cap * sizeof(*m->range));
		*m = (struct pyro_lines_module){.has_none = m->has_none};
	}
}

void pyro_lines_free(struct pyro_lines *lines)
{
	if (!lines)
		return;
	forget(lines);
	pyro_strings_free(&lines->strings);
	pyro_pages_free(lines->module,
			lines->module_cap * sizeof(*lines->module));
	pyro_pages_free(lines, sizeof(*lines));
}

static size_t remembered(const struct pyro_lines *l)
{
	size_t bytes = l->strings.arena.bytes + l->cap * sizeof(*l->result) +
		       l->frame_cap * sizeof(*l->frame);

	for (size_t i = 0; i < l->module_cap; i++)
		bytes += l->module[i].cap * sizeof(struct pyro_lines_range);
	return bytes;
}

static bool same_address(const void *owner, uint32_t item, const void *key)
{
	const struct pyro_lines *l = owner;

	return l->result[item].address == *(const uint64_t *)key;
}

static uint32_t find(const struct pyro_lines *l, uint64_t address)
{
	return pyro_table_find(&l->by_address,
			       pyro_hash(&address, sizeof(address), 0),
			       same_address, l, &address);
}

struct pyro_lines_module *pyro_lines_module(struct pyro_lines *l, uint32_t id)
{
	struct pyro_lines_module *all = pyro_array_grow(
		l->module, &l->module_cap, (size_t)id + 1, sizeof(*all));

	if (!all)
		return NULL;
	l->module = all;
	return &all[id];
}

void pyro_lines_want(struct pyro_lines *lines, uint32_t module, uint64_t vaddr,
		     uint64_t weight)
{
	uint64_t address = (uint64_t)module << ADDRESS_BITS | vaddr;
	struct pyro_lines_module *m = pyro_lines_module(lines, module);
	uint32_t found;

	/* Between two batches nobody holds on to what the last one found. */
	if (lines->had_batch && remembered(lines) > lines->memory_max / 8)
		forget(lines);
	lines->had_batch = false;
	found = find(lines, address);
	if (found != PYRO_TABLE_NONE) {
		lines->result[found].weight += weight;
		return;
	}
	if (!m || m->has_none || vaddr >> ADDRESS_BITS)
		return;

	struct pyro_lines_result *all = pyro_array_grow(
		lines->result, &lines->cap, lines->count + 1, sizeof(*all));

	if (!all)
		return;
	lines->result = all;
	if (pyro_table_add(&lines->by_address,
			   pyro_hash(&address, sizeof(address), 0),
			   (uint32_t)lines->count) != 0)
		return;
	all[lines->count++] = (struct pyro_lines_result){
		.address = address,
		.weight = weight,
		.state = PYRO_LINES_WAITING,
	};
}

static size_t count_waiting(const struct pyro_lines *l)
{
	size_t count = 0;

	for (size_t i = 0; i < l->count; i++)
		count += l->result[i].state == PYRO_LINES_WAITING;
	return count;
}

static uint64_t spent_ns(void)
{
	return pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

void pyro_lines_earn(struct pyro_lines *lines, uint64_t elapsed_ns)
{
	uint64_t earned =
		pyro_min(elapsed_ns, EARN_MAX_NS) / 1000 * lines->cpu_permille;
	int64_t most = (int64_t)pyro_max(earned, BURST_NS);

	lines->credit_ns += (int64_t)earned;
	if (lines->credit_ns > most)
		lines->credit_ns = most;
}

size_t pyro_lines_resolve(struct pyro_lines *lines, pyro_lines_open_fn *open,
			  void *arg, uint64_t cpu_max_ns)
{
	uint64_t begin = spent_ns(), spent;
	size_t waiting = count_waiting(lines);
	int saved = errno;

	lines->had_batch = true;
	if (waiting > 0 && lines->credit_ns >= LEAST_NS) {
		pyro_lines_batch(lines, open, arg,
				 begin + pyro_min((uint64_t)lines->credit_ns,
						  cpu_max_ns));
		waiting = count_waiting(lines);
	}
	spent = spent_ns() - begin;
	lines->credit_ns -= (int64_t)spent;
	pyro_cost_add(PYRO_COST_READING, spent);
	errno = saved;
	return waiting;
}

enum pyro_lines_state pyro_lines_find(const struct pyro_lines *lines,
				      uint32_t module, uint64_t vaddr,
				      struct pyro_source out[PYRO_SOURCES_MAX],
				      size_t *count)
{
	uint64_t address = (uint64_t)module << ADDRESS_BITS | vaddr;
	uint32_t found = find(lines, address);
	const struct pyro_lines_result *r;

	*count = 0;
	if (found == PYRO_TABLE_NONE)
		return module < lines->module_cap &&
				       lines->module[module].has_none
			       ? PYRO_LINES_NONE
			       : PYRO_LINES_WAITING;
	r = &lines->result[found];
	if (r->state != PYRO_LINES_KNOWN)
		return (enum pyro_lines_state)r->state;
	*count = r->count;
	for (size_t i = 0; i < r->count; i++) {
		const struct pyro_lines_frame *f = &lines->frame[r->first + i];

		out[i] = (struct pyro_source){
			.function =
				pyro_strings_get(&lines->strings, f->function),
			.file = pyro_strings_get(&lines->strings, f->file),
			.line = f->line,
			.start_line = f->start_line,
		};
	}
	return PYRO_LINES_KNOWN;
}
