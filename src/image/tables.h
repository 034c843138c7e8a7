// SPDX-License-Identifier: Apache-2.0
/* tables.h - compact unwind tables: made by the collector, read in handlers
 *
 * A module's CFI is flattened into rows sorted by ELF virtual address. A row
 * says from which address on which rule holds, until the next row. Rows are
 * grouped by pages of 64 KiB so that an address needs only 16 bits:
 *
 *     page_first[vaddr >> 16 - first_page] -> rows of that page, sorted by lo
 *     row  {u16 lo, u16 rule}    4 bytes; the first row of a page has lo == 0
 *     rule {..}                 16 bytes; deduplicated, a few hundred a module
 *
 * Every address of [lo, hi) has a row: holes without CFI have a GAP rule.
 * Tables and snapshots are immutable once published and freed after a grace
 * period. All memory is pages of our own: a racing dlclose cannot hurt. */
#ifndef PYRO_IMAGE_TABLES_H
#define PYRO_IMAGE_TABLES_H

#include <stdatomic.h>

#include "base/util.h"

enum pyro_cfa {
	PYRO_CFA_GAP,      /* no CFI for these addresses */
	PYRO_CFA_END,      /* return address undefined: the outermost frame */
	PYRO_CFA_SP,       /* CFA = sp + cfa_off */
	PYRO_CFA_FP,       /* CFA = fp + cfa_off (rbp, x29) */
	PYRO_CFA_RBX,      /* CFA = rbx + cfa_off (ld.so's lazy binding) */
	PYRO_CFA_PLT,      /* CFA = sp + 8 + ((pc & 15) >= cfa_off ? 8 : 0) */
	PYRO_CFA_SP_DEREF, /* CFA = *(sp + cfa_off) + post */
	PYRO_CFA_FP_DEREF, /* CFA = *(fp + cfa_off) + post (DRAP) */
	PYRO_CFA_SP_INDEX, /* CFA = *(sp + 8 * reg + cfa_off) + post: top
			    * frame only (OpenSSL) */
	PYRO_CFA_REG,      /* CFA = reg + cfa_off: top frame only */
	PYRO_CFA_SIGNAL,   /* signal trampoline: registers in the ucontext */
	PYRO_CFA_BAD       /* an expression that is not understood */
};

/* How fp and rbx of the caller are found; none set: unchanged. */
enum pyro_rule_flags {
	PYRO_RULE_FP_SAVED = 1,  /* at CFA + fp_off */
	PYRO_RULE_FP_AT_FP = 2,  /* at fp + fp_off (DRAP frames) */
	PYRO_RULE_RBX_SAVED = 4, /* at CFA + rbx_off */
	PYRO_RULE_RBX_AT_FP = 8, /* at fp + rbx_off (DRAP frames) */
	PYRO_RULE_FP_LOST = 16,  /* cannot be restored by these rules */
	PYRO_RULE_RBX_LOST = 32, /* cannot be restored by these rules */
	PYRO_RULE_RA_REG = 64,   /* return address in register ra_off: top
				    * frame only (vfork: rdi; arm64: lr) */
	PYRO_RULE_LARGE = 128    /* fp_off, rbx_off and ra_off are in words:
				    * arm64's gcc saves below the locals */
};

struct pyro_rule {
	uint8_t cfa;   /* enum pyro_cfa */
	uint8_t flags; /* enum pyro_rule_flags */
	uint8_t reg;   /* DWARF number, for PYRO_CFA_REG */
	uint8_t unused;
	int32_t cfa_off;
	int16_t fp_off;
	int16_t rbx_off;
	int16_t ra_off; /* return address at CFA + ra_off (x86_64: -8) */
	int16_t post;
};
_Static_assert(sizeof(struct pyro_rule) == 16, "rules are 16 bytes");

struct pyro_row {
	uint16_t lo;   /* address within the 64 KiB page */
	uint16_t rule; /* index into rules */
};

struct pyro_unwind_table {
	uint64_t lo, hi;     /* ELF virtual addresses covered */
	uint64_t first_page; /* lo >> 16 */
	uint64_t described;  /* bytes of [lo, hi) with CFI */
	uint32_t page_count;
	uint32_t row_count;
	uint32_t rule_count;
	uint32_t bytes;             /* of this one allocation */
	const uint32_t *page_first; /* page_count + 1 entries */
	const struct pyro_row *rows;
	const struct pyro_rule *rules;
};

/* One executable range of one loaded module. */
struct pyro_map {
	uintptr_t lo, hi; /* run-time addresses */
	uintptr_t bias;   /* run-time address - ELF virtual address */
	const struct pyro_unwind_table *table; /* NULL: not built, no CFI */
	uint32_t module;                       /* its id, never 0 */
	bool fixed; /* there since the start, and to the end */
};

/* How walks went on from a return address: most of them go over the same few
 * hundred. Handlers write it, all at once and without a lock: what two halves of
 * different writes make up does not fit its own check. */
struct pyro_memo {
	_Atomic uint64_t check; /* address looked up, xor the mixed step */
	_Atomic uint64_t step;  /* a rule in short (unwind.c); 0: nothing */
};
#define PYRO_MEMO_BITS 11

/* What is mapped executable, sorted by lo, without overlaps. All but the memos
 * is constant. */
struct pyro_snapshot {
	uint32_t generation; /* rises with each, never 0 */
	uint32_t count;
	/* Objects loaded since the snapshot before, and gone by this one. */
	uint32_t hidden;
	size_t bytes;           /* of this allocation */
	struct pyro_memo *memo; /* 1 << PYRO_MEMO_BITS; NULL: none */
	struct pyro_map map[];
};

/* The rule that holds at an ELF virtual address of [lo, hi); NULL outside. */
static inline const struct pyro_rule *
pyro_unwind_rule(const struct pyro_unwind_table *table, uint64_t vaddr)
{
	if (vaddr < table->lo || vaddr >= table->hi)
		return NULL;
	uint64_t page = (vaddr >> 16) - table->first_page;
	uint32_t lo = table->page_first[page];
	uint32_t hi = table->page_first[page + 1];
	uint16_t off = (uint16_t)vaddr;

	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (table->rows[mid].lo <= off)
			lo = mid;
		else
			hi = mid;
	}
	return &table->rules[table->rows[lo].rule];
}

/* The map that holds a run-time address, or NULL. */
static inline const struct pyro_map *
pyro_snapshot_find(const struct pyro_snapshot *snapshot, uintptr_t pc)
{
	uint32_t lo = 0, hi = snapshot->count;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;
		if (pc >= snapshot->map[mid].hi)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo == snapshot->count || pc < snapshot->map[lo].lo)
		return NULL;
	return &snapshot->map[lo];
}

#endif
