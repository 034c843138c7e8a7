// SPDX-License-Identifier: Apache-2.0
/* cfi_hole.h - code that no CFI describes (used by cfi.c and cfi_table.c only) */
#ifndef PYRO_IMAGE_CFI_HOLE_H
#define PYRO_IMAGE_CFI_HOLE_H

#include "image/elf.h"
#include "image/synth.h"

/* Zero but for elf. */
struct pyro_cfi_holes {
	const struct pyro_elf *elf; /* x86_64 */
	struct pyro_synth *synth;   /* from the first hole on */
	size_t bytes;               /* of code looked at so far */
	bool has_starts;            /* the following were read */
	/* As in struct pyro_synth_code. */
	struct pyro_cfi_starts {
		uint64_t *at;
		size_t count, cap;
	} start, local, maybe;
};

/* Rules for addresses [lo, hi), as pyro_synth_rows; what is no code, or cannot
 * be read, or is too much, has a GAP rule. 0 or -ENOMEM. */
int pyro_cfi_hole_rows(struct pyro_cfi_holes *holes, uint64_t lo, uint64_t hi,
		       pyro_synth_row_fn *row, void *arg);
void pyro_cfi_holes_free(struct pyro_cfi_holes *holes);

#endif
