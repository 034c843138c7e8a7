// SPDX-License-Identifier: Apache-2.0
/* lines_batch.c - addresses to functions, files and lines
 *
 * A batch sorts the waiting results by module and address, and takes the modules
 * by weight. Of a module, it is remembered which unit has which code; libdw is
 * opened for it, the units with waiting addresses are walked, the heaviest
 * first, and libdw is closed again. */
#include "image/lines_batch.h"

#include <errno.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <string.h>

#include "base/log.h"
#include "base/os.h"
#include "image/debug_file.h"
#include "image/debug_unit.h"
#include "image/libdw.h"
#include "image/sort.h"

#define ADDRESS_BITS PYRO_LINES_ADDRESS_BITS
#define ADDRESS_MASK ((UINT64_C(1) << ADDRESS_BITS) - 1)
#define TEXT_MAX 4096
/* What libdw takes for a byte of a line program, measured: 12 to 19. */
#define LINE_COST 20
/* Ranges of units may overlap: how many are looked at. */
#define OVERLAP_MAX 8

/* What a batch works on. Not on the stack: libdw's out-of-memory handler jumps
 * out of it. */
struct batch {
	struct pyro_lines *lines;
	uint64_t end_ns; /* of this thread's CPU time */
	/* By address, which is the key; the value is the result's number. */
	struct pyro_sort_item *waiting;
	size_t count, bytes;
	/* The module at work: */
	struct pyro_lines_module *module;
	struct pyro_elf elf, debug_elf;
	struct pyro_debug debug;
	struct pyro_debug_unit unit;
	uint64_t *address; /* of one unit's items */
	size_t address_cap;
	size_t libdw_bytes; /* that libdw has taken for its own */
	bool is_open;
};

static jmp_buf out_of_memory;
/* It has called that: each further time would lose memory again. */
static bool is_out_of_memory;

__attribute__((noreturn)) static void on_out_of_memory(void)
{
	longjmp(out_of_memory, 1);
}

static void say_too_large(void)
{
	PYRO_LOG_ONCE("no line numbers for some code: its debug information is "
		      "too large for lines_memory_mib");
}

static bool is_over(const struct batch *b)
{
	return pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID) >= b->end_ns;
}

/* The debug information is in the file itself, or in its separate one. */
static int open_debug(struct batch *b)
{
	struct pyro_lines *l = b->lines;
	const struct pyro_libdw *dw;
	struct pyro_build_id id;
	struct pyro_elf *elf = &b->elf;

	if (!pyro_elf_section(elf, ".debug_info")) {
		pyro_elf_build_id(elf, &id);
		if (pyro_debug_file_open(elf, &id, l->debug_root,
					 &b->debug_elf) != 0)
			return -ENOENT;
		elf = &b->debug_elf;
		if (!pyro_elf_section(elf, ".debug_info"))
			return -ENOENT;
	}
	dw = pyro_libdw();
	if (!dw)
		return -ENOSYS;

	/* Half is for what libdw itself takes, and the index. */
	int err = pyro_debug_open(&b->debug, dw, elf, l->debug_root,
				  l->memory_max / 2, on_out_of_memory);

	b->is_open = !err;
	b->libdw_bytes = 0;
	return err;
}

static void close_debug(struct batch *b)
{
	if (b->is_open)
		pyro_debug_close(&b->debug);
	b->is_open = false;
}

static void close_files(struct batch *b)
{
	close_debug(b);
	if (b->debug_elf.fd >= 0)
		pyro_debug_file_close(&b->debug_elf);
	if (b->elf.fd >= 0)
		pyro_debug_file_close(&b->elf);
	b->elf.fd = b->debug_elf.fd = -1;
}

/* libdw was left by a jump and is not to be called any more. */
static void abandon(struct batch *b)
{
	is_out_of_memory = true;
	PYRO_LOG_ONCE("out of memory: no more line numbers");
	if (b->is_open)
		pyro_debug_abandon(&b->debug);
	b->is_open = false;
	close_files(b);
}

static void append_range(struct pyro_lines_module *m,
			 const struct pyro_lines_range *range)
{
	struct pyro_lines_range *grown = pyro_array_grow(
		m->range, &m->cap, m->count + 1, sizeof(*grown));

	if (!grown)
		return;
	m->range = grown;
	grown[m->count++] = *range;
}

/* Sorting takes as much again, twice. */
static void add_range(void *arg, uint64_t unit, uint64_t lo, uint64_t hi)
{
	struct batch *b = arg;
	struct pyro_lines_range range = {lo, hi, unit};

	if (b->module->count < b->lines->memory_max / 12 / sizeof(range))
		append_range(b->module, &range);
	else
		say_too_large();
}

/* By rising address; what touches in one unit is joined. */
static int sort_ranges(struct pyro_lines_module *m)
{
	size_t bytes = (m->count + 1) * sizeof(struct pyro_sort_item);
	struct pyro_sort_item *order = pyro_pages_alloc(bytes);
	struct pyro_lines_module sorted = {.is_indexed = true};
	int err;

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < m->count; i++)
		order[i] = (struct pyro_sort_item){m->range[i].lo, i};
	err = pyro_sort(order, m->count);
	for (size_t i = 0; i < m->count && !err; i++) {
		struct pyro_lines_range r = m->range[order[i].value];
		struct pyro_lines_range *last =
			sorted.count ? &sorted.range[sorted.count - 1] : NULL;

		if (last && last->unit == r.unit && r.lo <= last->hi)
			last->hi = pyro_max(last->hi, r.hi);
		else
			append_range(&sorted, &r);
	}
	pyro_pages_free(order, bytes);
	pyro_pages_free(m->range, m->cap * sizeof(*m->range));
	*m = sorted;
	return err;
}

static const struct pyro_lines_range *
range_of(const struct pyro_lines_module *m, uint64_t vaddr)
{
	size_t lo = 0, hi = m->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (m->range[mid].lo <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t n = 0; n < OVERLAP_MAX && lo > 0; n++)
		if (m->range[--lo].hi > vaddr)
			return &m->range[lo];
	return NULL;
}

static uint32_t keep_text(struct pyro_lines *l, const char *text)
{
	return pyro_strings_add(&l->strings, text, strnlen(text, TEXT_MAX));
}

static void keep(struct pyro_lines *l, struct pyro_lines_result *r,
		 const struct pyro_debug_frame *frames, size_t count)
{
	struct pyro_lines_frame *all = pyro_array_grow(
		l->frame, &l->frame_cap, l->frame_count + count, sizeof(*all));

	r->state = PYRO_LINES_NONE;
	if (!all || count == 0)
		return;
	l->frame = all;
	r->state = PYRO_LINES_KNOWN;
	r->first = (uint32_t)l->frame_count;
	r->count = (uint16_t)count;
	for (size_t i = 0; i < count; i++)
		all[l->frame_count++] = (struct pyro_lines_frame){
			.function = keep_text(l, frames[i].function),
			.file = keep_text(l, frames[i].file),
			.line = frames[i].line,
			.start_line = frames[i].start_line,
		};
}

static struct pyro_lines_result *result_of(const struct batch *b,
					   const struct pyro_sort_item *item)
{
	return &b->lines->result[item->value];
}

static void give_up(struct batch *b, const struct pyro_sort_item *item,
		    size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (result_of(b, &item[i])->state == PYRO_LINES_WAITING)
			result_of(b, &item[i])->state = PYRO_LINES_NONE;
}

/* What was packed is in memory as a whole. */
static size_t to_read(const struct batch *b, enum pyro_debug_section section,
		      size_t len)
{
	return b->debug.main.image.part[section].is_packed ? 0 : len;
}

/* Does the unit fit into what memory there is? Handles are renewed when it does
 * not beside what other units have taken. */
static bool make_room(struct batch *b, uint64_t unit)
{
	size_t max = b->lines->memory_max, info_len, line_len, libdw;

	pyro_debug_unit_size(&b->debug, unit, &info_len, &line_len);
	libdw = line_len * LINE_COST + info_len / 16;
	info_len = to_read(b, PYRO_DEBUG_INFO, info_len);
	line_len = to_read(b, PYRO_DEBUG_LINE, line_len);
	if (info_len > max / 4 || libdw > max / 4) {
		say_too_large();
		return false;
	}
	if (b->libdw_bytes + libdw > max / 4 ||
	    b->debug.main.image.resident + info_len + line_len > max / 2) {
		if (pyro_debug_renew(&b->debug) != 0)
			return false;
		b->libdw_bytes = 0;
	}
	b->libdw_bytes += libdw;
	return true;
}

/* Items of one unit, by address. */
static void resolve_unit(struct batch *b, uint64_t unit,
			 const struct pyro_sort_item *item, size_t count)
{
	struct pyro_debug_frame frames[PYRO_CHAIN_MAX];
	uint64_t *address = pyro_array_grow(b->address, &b->address_cap, count,
					    sizeof(*address));

	if (address) {
		b->address = address;
		for (size_t i = 0; i < count; i++)
			address[i] =
				result_of(b, &item[i])->address & ADDRESS_MASK;
	}
	if (address && make_room(b, unit) &&
	    pyro_debug_unit_open(&b->unit, &b->debug, unit, address, count) ==
		    0) {
		for (size_t i = 0; i < count; i++)
			keep(b->lines, result_of(b, &item[i]), frames,
			     pyro_debug_unit_find(&b->unit, address[i],
						  frames));
		pyro_debug_unit_close(&b->unit);
	}
	give_up(b, item, count);
}

static uint64_t weight_of(const struct batch *b,
			  const struct pyro_sort_item *item, size_t count)
{
	uint64_t weight = 0;

	for (size_t i = 0; i < count; i++)
		weight += result_of(b, &item[i])->weight;
	return weight;
}

/* How many of count items, from the first on, have its key but for low bits. */
static size_t run_length(const struct pyro_sort_item *item, size_t count,
			 unsigned low_bits)
{
	size_t n = 1;

	while (n < count && item[n].key >> low_bits == item->key >> low_bits)
		n++;
	return n;
}

/* Where the runs of items begin, the heaviest run first. */
static int order_runs(const struct batch *b, const struct pyro_sort_item *item,
		      size_t count, unsigned low_bits,
		      struct pyro_sort_item *order, size_t *runs)
{
	*runs = 0;
	for (size_t i = 0; i < count;) {
		size_t n = run_length(item + i, count - i, low_bits);

		order[(*runs)++] =
			(struct pyro_sort_item){~weight_of(b, item + i, n), i};
		i += n;
	}
	return pyro_sort(order, *runs);
}

/* Sort a module's items by unit and go through these. */
static void resolve_units(struct batch *b, struct pyro_sort_item *item,
			  size_t count)
{
	size_t bytes = 2 * count * sizeof(*item), runs, left = 0;
	struct pyro_sort_item *by_unit = pyro_pages_alloc(bytes);
	struct pyro_sort_item *order = by_unit + count;

	if (!by_unit)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct pyro_lines_range *range =
			range_of(b->module, item[i].key & ADDRESS_MASK);

		if (range)
			by_unit[left++] = (struct pyro_sort_item){
				range->unit, item[i].value};
		else
			give_up(b, &item[i], 1);
	}
	/* Stable: addresses keep their order. */
	if (pyro_sort(by_unit, left) == 0 &&
	    order_runs(b, by_unit, left, 0, order, &runs) == 0)
		for (size_t i = 0; i < runs && (i == 0 || !is_over(b)); i++) {
			const struct pyro_sort_item *at =
				by_unit + order[i].value;

			resolve_unit(b, at->key, at,
				     run_length(at, left - order[i].value, 0));
		}
	pyro_pages_free(by_unit, bytes);
}

static int index_module(struct batch *b)
{
	struct pyro_lines_module *m = b->module;

	if (m->is_indexed) {
		pyro_debug_each_range(&b->debug, NULL, NULL);
		return 0;
	}
	pyro_debug_each_range(&b->debug, add_range, b);
	return sort_ranges(m);
}

static void resolve_module(struct batch *b, pyro_lines_open_fn *open, void *arg,
			   struct pyro_sort_item *item, size_t count)
{
	uint32_t id = (uint32_t)(item->key >> ADDRESS_BITS);
	int err;

	b->module = pyro_lines_module(b->lines, id);
	if (!b->module)
		return;
	b->elf.fd = b->debug_elf.fd = -1;
	err = open(arg, id, &b->elf);
	if (err)
		b->elf.fd = -1;
	else
		err = open_debug(b);
	if (!err)
		err = index_module(b);
	if (!err)
		resolve_units(b, item, count);
	else if (err != -ENOMEM)
		b->module->has_none = true;
	if (err == -EFBIG)
		say_too_large();
	if (err)
		give_up(b, item, count);
	close_files(b);
}

/* Sort what waits by address. */
static int gather(struct batch *b)
{
	struct pyro_lines *l = b->lines;

	b->bytes = (l->count + 1) * sizeof(*b->waiting);
	b->waiting = pyro_pages_alloc(b->bytes);
	if (!b->waiting)
		return -ENOMEM;
	for (size_t i = 0; i < l->count; i++)
		if (l->result[i].state == PYRO_LINES_WAITING)
			b->waiting[b->count++] = (struct pyro_sort_item){
				l->result[i].address, i};
	return pyro_sort(b->waiting, b->count);
}

static void resolve_modules(struct batch *b, pyro_lines_open_fn *open,
			    void *arg)
{
	size_t bytes = (b->count + 1) * sizeof(struct pyro_sort_item), runs;
	struct pyro_sort_item *order = pyro_pages_alloc(bytes);

	if (!order)
		return;
	if (order_runs(b, b->waiting, b->count, ADDRESS_BITS, order, &runs) ==
	    0)
		for (size_t i = 0; i < runs && (i == 0 || !is_over(b)); i++) {
			size_t at = order[i].value;

			resolve_module(b, open, arg, b->waiting + at,
				       run_length(b->waiting + at,
						  b->count - at, ADDRESS_BITS));
		}
	pyro_pages_free(order, bytes);
}

void pyro_lines_batch(struct pyro_lines *lines, pyro_lines_open_fn *open,
		      void *arg, uint64_t end_ns)
{
	struct batch *b = pyro_pages_alloc(sizeof(*b));

	if (!b)
		return;
	b->lines = lines;
	b->end_ns = end_ns;
	if (gather(b) == 0 && b->count) {
		/* What libdw had then is lost; it happens once. */
		if (!is_out_of_memory) {
			if (setjmp(out_of_memory) == 0)
				resolve_modules(b, open, arg);
			else
				abandon(b);
		}
		if (is_out_of_memory)
			give_up(b, b->waiting, b->count);
	}
	pyro_debug_unit_free(&b->unit);
	pyro_pages_free(b->address, b->address_cap * sizeof(*b->address));
	pyro_pages_free(b->waiting, b->bytes);
	pyro_pages_free(b, sizeof(*b));
	pyro_libdw_trim(lines->memory_max / 2);
}
