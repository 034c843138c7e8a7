// SPDX-License-Identifier: Apache-2.0
/* cfi_table.c - flatten all FDEs of a section into one table
 *
 * Two passes: the first walks the whole section (never .eh_frame_hdr, which may
 * be absent or lie), reads the CIEs and notes the FDEs; the second runs the
 * FDEs by rising address and writes rows straight into their final order. An
 * FDE that begins inside another one loses what they share. What lies between
 * FDEs is padding, or a hole (cfi_hole.c). Time and memory are linear in the size
 * of the section and the number of 64 KiB pages. */
#include "image/cfi_program.h"

#include <errno.h>

#include "base/table.h"
#include "image/cfi_hole.h"
#include "image/sort.h"

#define PAGES_MAX (UINT64_C(1) << 17)
#define TABLE_MAX (UINT64_C(1) << 30)
#define RULES_MAX 65535

/* A hole up to this size is padding and keeps the rule before it. */
#define PADDING_MAX 15

enum {
	RULE_GAP,
	RULE_BAD
};

struct builder {
	const struct pyro_cfi_input *in;

	struct pyro_cfi_cie *cie;
	size_t cie_count, cie_cap;
	struct pyro_table cie_index;
	uint32_t last_cie;

	/* key: first address; value: offset in the section, CIE << 32 */
	struct pyro_sort_item *fde;
	size_t fde_count, fde_cap;

	struct pyro_rule *rule;
	size_t rule_count, rule_cap;
	struct pyro_table rule_index;

	struct pyro_row *row;
	size_t row_count, row_cap;
	uint32_t *page_first;
	size_t page_count;
	uint64_t first_page;
	size_t page; /* whose rows are being written; page_count: none yet */
	uint64_t at; /* all before it is covered */
	uint16_t last_rule;
	uint64_t described;

	bool failed; /* out of memory */
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	a = (a ^ (b >> 29) ^ (b << 35)) * UINT64_C(0x9e3779b97f4a7c15);
	return a ^ a >> 32;
}

static bool cie_equal(const void *owner, uint32_t item, const void *key)
{
	const struct builder *b = owner;

	return b->cie[item].offset == *(const uint64_t *)key;
}

static void add_cie(struct builder *b, const struct pyro_cfi_entry *entry)
{
	struct pyro_cfi_cie cie;

	if (!pyro_cfi_read_cie(b->in, entry, &cie))
		return;

	struct pyro_cfi_cie *grown = pyro_array_grow(
		b->cie, &b->cie_cap, b->cie_count + 1, sizeof(cie));

	if (!grown || pyro_table_add(&b->cie_index, mix(entry->offset, 0),
				     (uint32_t)b->cie_count) != 0) {
		b->cie = grown ? grown : b->cie;
		b->failed = true;
		return;
	}
	b->cie = grown;
	b->cie[b->cie_count++] = cie;
}

static uint32_t find_cie(struct builder *b, uint64_t offset)
{
	if (b->last_cie < b->cie_count && b->cie[b->last_cie].offset == offset)
		return b->last_cie;

	uint32_t i = pyro_table_find(&b->cie_index, mix(offset, 0), cie_equal,
				     b, &offset);

	if (i != PYRO_TABLE_NONE)
		b->last_cie = i;
	return i;
}

static void add_fde(struct builder *b, const struct pyro_cfi_entry *entry)
{
	/* Compilers and linkers write the CIE first; one that comes later or
	 * not at all, or is no CIE, would have to be searched for. */
	uint32_t cie = find_cie(b, entry->cie_offset);
	struct pyro_cfi_fde fde;

	if (cie == PYRO_TABLE_NONE ||
	    !pyro_cfi_read_fde(b->in, &b->cie[cie], entry, &fde) ||
	    fde.hi <= b->in->lo || fde.lo >= b->in->hi)
		return;

	struct pyro_sort_item *grown = pyro_array_grow(
		b->fde, &b->fde_cap, b->fde_count + 1, sizeof(*grown));

	if (!grown) {
		b->failed = true;
		return;
	}
	b->fde = grown;
	b->fde[b->fde_count].key = fde.lo;
	b->fde[b->fde_count].value = entry->offset | (uint64_t)cie << 32;
	b->fde_count++;
}

static void collect(struct builder *b)
{
	struct pyro_cfi_entry entry;
	size_t at = 0;

	while (!b->failed && pyro_cfi_next_entry(b->in, &at, &entry)) {
		if (entry.is_cie)
			add_cie(b, &entry);
		else
			add_fde(b, &entry);
	}
}

static bool rule_equal(const void *owner, uint32_t item, const void *key)
{
	const struct builder *b = owner;

	return memcmp(&b->rule[item], key, sizeof(*b->rule)) == 0;
}

static uint16_t find_rule(struct builder *b, const struct pyro_rule *rule)
{
	uint64_t words[2];

	if (rule_equal(b, b->last_rule, rule))
		return b->last_rule;
	memcpy(words, rule, sizeof(words));

	uint64_t hash = mix(words[0], words[1]);
	uint32_t i = pyro_table_find(&b->rule_index, hash, rule_equal, b, rule);

	if (i != PYRO_TABLE_NONE)
		return (uint16_t)i;
	if (b->rule_count >= RULES_MAX)
		return RULE_BAD;

	struct pyro_rule *grown = pyro_array_grow(
		b->rule, &b->rule_cap, b->rule_count + 1, sizeof(*rule));

	if (grown)
		b->rule = grown;
	if (!grown || pyro_table_add(&b->rule_index, hash,
				     (uint32_t)b->rule_count) != 0) {
		b->failed = true;
		return RULE_BAD;
	}
	b->rule[b->rule_count] = *rule;
	return (uint16_t)b->rule_count++;
}

static void add_row(struct builder *b, uint16_t lo, uint16_t rule)
{
	struct pyro_row *grown = pyro_array_grow(
		b->row, &b->row_cap, b->row_count + 1, sizeof(*grown));

	if (!grown || b->row_count >= TABLE_MAX / sizeof(*grown)) {
		b->row = grown ? grown : b->row;
		b->failed = true;
		return;
	}
	b->row = grown;
	b->row[b->row_count++] = (struct pyro_row){lo, rule};
	b->last_rule = rule;
}

/* Let rule hold from b->at to hi. */
static void cover(struct builder *b, uint64_t hi, uint16_t rule)
{
	while (b->at < hi && !b->failed) {
		size_t page = (size_t)((b->at >> 16) - b->first_page);

		if (page != b->page) {
			/* Pages begin with a row, also the first one. */
			b->page_first[page] = (uint32_t)b->row_count;
			b->page = page;
			add_row(b, 0, rule);
		} else if (rule != b->last_rule) {
			add_row(b, (uint16_t)b->at, rule);
		}
		b->at = pyro_min(hi, ((b->at >> 16) + 1) << 16);
	}
}

static void cover_row(void *arg, uint64_t hi, const struct pyro_rule *rule)
{
	struct builder *b = arg;

	cover(b, hi, find_rule(b, rule));
}

/* From b->at to hi there is no FDE. */
static void cover_hole(struct builder *b, uint64_t hi)
{
	bool is_padding = hi - b->at <= PADDING_MAX && b->at > b->in->lo;

	if (is_padding)
		cover(b, hi, b->last_rule);
	else if (b->in->holes && hi > b->at &&
		 pyro_cfi_hole_rows(b->in->holes, b->at, hi, cover_row, b) != 0)
		b->failed = true;
	cover(b, hi, RULE_GAP);
}

static void cover_fde(struct builder *b, const struct pyro_sort_item *item)
{
	const struct pyro_cfi_cie *cie = &b->cie[item->value >> 32];
	size_t offset = (uint32_t)item->value;
	struct pyro_cfi_entry entry;
	struct pyro_cfi_fde fde;
	struct pyro_cfi_run run;
	struct pyro_rule rule;
	uint64_t lo, hi;

	if (!pyro_cfi_next_entry(b->in, &offset, &entry) ||
	    !pyro_cfi_read_fde(b->in, cie, &entry, &fde))
		return;
	if (fde.lo > b->at)
		cover_hole(b, fde.lo);

	uint64_t before = b->at;

	pyro_cfi_run_start(&run, b->in, cie, &fde);
	while (!b->failed && pyro_cfi_run_next(&run, &lo, &hi, &rule)) {
		if (hi > b->at)
			cover(b, pyro_min(hi, b->in->hi), find_rule(b, &rule));
	}
	b->described += b->at - before;
}

static int build_rows(struct builder *b)
{
	static const struct pyro_rule bad = {.cfa = PYRO_CFA_BAD};

	b->first_page = b->in->lo >> 16;
	b->page_count = (size_t)(((b->in->hi - 1) >> 16) - b->first_page + 1);
	b->page = b->page_count;
	b->page_first =
		pyro_pages_alloc((b->page_count + 1) * sizeof(*b->page_first));
	b->rule = pyro_array_grow(NULL, &b->rule_cap, 256, sizeof(*b->rule));
	if (!b->page_first || !b->rule)
		return -ENOMEM;
	b->at = b->in->lo;
	b->rule_count = 1; /* RULE_GAP is all zero */
	find_rule(b, &bad);
	for (size_t i = 0; i < b->fde_count && !b->failed; i++)
		cover_fde(b, &b->fde[i]);
	if (b->at < b->in->hi)
		cover_hole(b, b->in->hi);
	b->page_first[b->page_count] = (uint32_t)b->row_count;
	return b->failed ? -ENOMEM : 0;
}

/* One allocation: the table, the pages, the rules, the rows. */
static int pack(const struct builder *b, struct pyro_unwind_table **out)
{
	size_t pages = (b->page_count + 1) * sizeof(*b->page_first);
	size_t rules = b->rule_count * sizeof(*b->rule);
	size_t rows = b->row_count * sizeof(*b->row);
	size_t at_rules = pyro_align_up(
		sizeof(struct pyro_unwind_table) + pages, sizeof(*b->rule));
	size_t bytes = at_rules + rules + rows;
	struct pyro_unwind_table *t = pyro_pages_alloc(bytes);
	char *base = (char *)t;

	if (!t)
		return -ENOMEM;
	memcpy(t + 1, b->page_first, pages);
	memcpy(base + at_rules, b->rule, rules);
	memcpy(base + at_rules + rules, b->row, rows);
	t->lo = b->in->lo;
	t->hi = b->in->hi;
	t->first_page = b->first_page;
	t->described = b->described;
	t->page_count = (uint32_t)b->page_count;
	t->row_count = (uint32_t)b->row_count;
	t->rule_count = (uint32_t)b->rule_count;
	t->bytes = (uint32_t)bytes;
	t->page_first = (const uint32_t *)(t + 1);
	t->rules = (const struct pyro_rule *)(base + at_rules);
	t->rows = (const struct pyro_row *)(base + at_rules + rules);
	*out = t;
	return 0;
}

static void free_builder(struct builder *b)
{
	pyro_pages_free(b->cie, b->cie_cap * sizeof(*b->cie));
	pyro_table_free(&b->cie_index);
	pyro_pages_free(b->fde, b->fde_cap * sizeof(*b->fde));
	pyro_pages_free(b->rule, b->rule_cap * sizeof(*b->rule));
	pyro_table_free(&b->rule_index);
	pyro_pages_free(b->row, b->row_cap * sizeof(*b->row));
	pyro_pages_free(b->page_first,
			(b->page_count + 1) * sizeof(*b->page_first));
}

int pyro_cfi_build_from(const struct pyro_cfi_input *in,
			struct pyro_unwind_table **table)
{
	struct builder b = {.in = in};
	int err;

	*table = NULL;
	/* Offsets in the section are kept in 32 bits. */
	if (in->lo >= in->hi || in->frame_len > UINT32_MAX ||
	    ((in->hi - 1) >> 16) - (in->lo >> 16) >= PAGES_MAX)
		return -EBADMSG;
	collect(&b);
	if (b.failed)
		err = -ENOMEM;
	else if (b.fde_count == 0 && (!in->holes || in->frame_len > 0))
		err = -EBADMSG;
	else
		err = pyro_sort(b.fde, b.fde_count);
	if (!err)
		err = build_rows(&b);
	if (!err)
		err = pack(&b, table);
	free_builder(&b);
	return err;
}

void pyro_cfi_free(struct pyro_unwind_table *table)
{
	if (table)
		pyro_pages_free(table, table->bytes);
}
