// SPDX-License-Identifier: Apache-2.0
/* cfi.h - .eh_frame / .debug_frame to compact tables (collector only) */
#ifndef PYRO_IMAGE_CFI_H
#define PYRO_IMAGE_CFI_H

#include "image/elf.h"
#include "image/tables.h"

struct pyro_cfi_holes;

/* Build the table of an image. CFI is taken from the .eh_frame section, else
 * from PT_GNU_EH_FRAME's pointer; from .debug_frame if that describes more of
 * the code. What no CFI describes gets rules from the code itself (x86_64), else
 * GAP rows. Returns owned (pyro_cfi_free) in *table; 0, -ENOENT when nothing is
 * known of the image's code, -EBADMSG when no CFI could be read, -ENOMEM. What
 * cannot be read in a single FDE becomes GAP or BAD rows, not an error. */
int pyro_cfi_build(const struct pyro_elf *elf,
		   struct pyro_unwind_table **table);
void pyro_cfi_free(struct pyro_unwind_table *table);

/* The part that knows nothing of ELF, for tests and fuzzing: frame holds a
 * whole .eh_frame (or .debug_frame) section that is linked at address
 * frame_vaddr; [lo, hi) are the executable addresses to cover. data_base is the
 * base of DW_EH_PE_datarel pointers (0 if none). */
struct pyro_cfi_input {
	const unsigned char *frame;
	size_t frame_len;
	uint64_t frame_vaddr;
	uint64_t data_base;
	bool is_debug_frame;
	uint16_t machine; /* EM_X86_64, EM_AARCH64 */
	uint64_t lo, hi;
	/* For what no FDE describes; NULL: a GAP. With it there need not be any
	 * FDE. */
	struct pyro_cfi_holes *holes;
};
int pyro_cfi_build_from(const struct pyro_cfi_input *in,
			struct pyro_unwind_table **table);

#endif
