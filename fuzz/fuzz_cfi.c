// SPDX-License-Identifier: Apache-2.0
/* fuzz_cfi.c - a frame section from anywhere
 *
 * The first byte chooses the kind of section and machine; the rest is the
 * section, linked at 0x3000 to code at 0x1000 and up. */
#include "image/cfi.h"

#define CODE_BYTES 0x30000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		__builtin_trap();
}

/* Every address has a rule, and rows rise. */
static void check_table(const struct pyro_unwind_table *t)
{
	check(t->page_first[t->page_count] == t->row_count);
	for (uint32_t page = 0; page < t->page_count; page++) {
		uint32_t first = t->page_first[page];

		check(first < t->page_first[page + 1]);
		check(t->rows[first].lo == 0);
		for (uint32_t i = first; i < t->page_first[page + 1]; i++) {
			check(t->rows[i].rule < t->rule_count);
			check(i == first || t->rows[i].lo > t->rows[i - 1].lo);
		}
	}
	for (uint64_t at = t->lo; at < t->hi; at += 61)
		check(pyro_unwind_rule(t, at)->cfa <= PYRO_CFA_BAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pyro_unwind_table *table;

	if (size == 0)
		return 0;

	struct pyro_cfi_input in = {
		.frame = data + 1,
		.frame_len = size - 1,
		.frame_vaddr = 0x3000,
		.data_base = data[0] & 4 ? 0x2000 : 0,
		.is_debug_frame = data[0] & 1,
		.machine = data[0] & 2 ? EM_AARCH64 : EM_X86_64,
		.lo = 0x1000,
		.hi = 0x1000 + CODE_BYTES,
	};

	if (pyro_cfi_build_from(&in, &table) == 0)
		check_table(table);
	pyro_cfi_free(table);
	return 0;
}
