// SPDX-License-Identifier: Apache-2.0
/* cfi_program.h - entries of .eh_frame and .debug_frame, and the programs in
 * them (used by cfi_table.c only) */
#ifndef PYRO_IMAGE_CFI_PROGRAM_H
#define PYRO_IMAGE_CFI_PROGRAM_H

#include "image/cfi.h"
#include "image/reader.h"

enum pyro_cfi_how {
	PYRO_CFI_SAME,
	PYRO_CFI_UNDEFINED,
	PYRO_CFI_AT_CFA, /* saved at CFA + off */
	PYRO_CFI_AT_FP,  /* saved at frame pointer + off */
	PYRO_CFI_IN_REG, /* in register off */
	PYRO_CFI_OTHER   /* by an expression that is not understood */
};

/* The registers that are followed; all others are skipped. */
enum pyro_cfi_reg {
	PYRO_CFI_FP,
	PYRO_CFI_RBX,
	PYRO_CFI_SP,
	PYRO_CFI_RA,
	PYRO_CFI_COUNT
};

struct pyro_cfi_state {
	int64_t cfa_off;
	uint64_t cfa_reg; /* DWARF number, if cfa is PYRO_CFA_REG */
	int16_t cfa_post;
	uint8_t cfa; /* enum pyro_cfa: REG, or the form of an expression */
	uint8_t how[PYRO_CFI_COUNT];
	int64_t off[PYRO_CFI_COUNT];
};

struct pyro_cfi_cie {
	uint64_t offset; /* of the entry in the section */
	uint64_t code_align;
	int64_t data_align;
	uint64_t ra_reg;
	uint8_t pointer_encoding;
	uint8_t selector_size;
	bool augmented; /* its FDEs have augmentation data */
	bool is_signal;
	struct pyro_cfi_state initial;
};

/* One entry of a section, its length and CIE pointer read. */
struct pyro_cfi_entry {
	uint64_t offset;
	bool is_cie;
	uint64_t cie_offset; /* FDE only */
	struct pyro_reader body;
};

/* Read the entry at *at and move *at behind it. False at the section's end or
 * when the rest cannot be read. */
bool pyro_cfi_next_entry(const struct pyro_cfi_input *in, size_t *at,
			 struct pyro_cfi_entry *entry);

/* A pointer in one of the DW_EH_PE encodings, at the reader. */
uint64_t pyro_cfi_read_pointer(const struct pyro_cfi_input *in,
			       struct pyro_reader *r, uint8_t encoding);

/* False when the CIE is not of a known kind. */
bool pyro_cfi_read_cie(const struct pyro_cfi_input *in,
		       const struct pyro_cfi_entry *entry,
		       struct pyro_cfi_cie *cie);

struct pyro_cfi_fde {
	uint64_t lo, hi;
	struct pyro_reader program;
};

bool pyro_cfi_read_fde(const struct pyro_cfi_input *in,
		       const struct pyro_cfi_cie *cie,
		       const struct pyro_cfi_entry *entry,
		       struct pyro_cfi_fde *fde);

#define PYRO_CFI_REMEMBER_MAX 16

/* A program that is being run, row by row. */
struct pyro_cfi_run {
	const struct pyro_cfi_input *in;
	const struct pyro_cfi_cie *cie;
	struct pyro_reader program;
	uint64_t at, end;
	struct pyro_cfi_state state;
	unsigned depth;
	struct pyro_cfi_state remembered[PYRO_CFI_REMEMBER_MAX];
};

void pyro_cfi_run_start(struct pyro_cfi_run *run,
			const struct pyro_cfi_input *in,
			const struct pyro_cfi_cie *cie,
			const struct pyro_cfi_fde *fde);
/* The next range [*lo, *hi) and its rule; false behind the last. What comes
 * after an instruction that cannot be run is one BAD range. */
bool pyro_cfi_run_next(struct pyro_cfi_run *run, uint64_t *lo, uint64_t *hi,
		       struct pyro_rule *rule);

#endif
