// SPDX-License-Identifier: Apache-2.0
/* synth.h - unwind rules for x86_64 code that has no CFI (collector only) */
#ifndef PYRO_IMAGE_SYNTH_H
#define PYRO_IMAGE_SYNTH_H

#include "image/tables.h"

/* Code, and where functions begin in it as far as that is known. */
struct pyro_synth_code {
	const unsigned char *bytes;
	uint64_t lo; /* address of the first byte */
	size_t len;
	const uint64_t *start; /* functions that others may call */
	size_t start_count;
	const uint64_t *local; /* functions, or parts of functions */
	size_t local_count;
	const uint64_t *maybe; /* addresses of code, perhaps of functions */
	size_t maybe_count;
	uint64_t entry;   /* where the program begins, or 0 */
	bool is_absolute; /* constants in the code may be addresses of it */
	bool is_code;     /* all of it is: none is tables, headers or strings */
};

typedef void pyro_synth_row_fn(void *arg, uint64_t hi,
			       const struct pyro_rule *rule);

/* What is needed for it. One thread at a time. */
struct pyro_synth;

/* Returns owned; NULL for out of memory. */
struct pyro_synth *pyro_synth_new(void);
void pyro_synth_free(struct pyro_synth *synth);

/* Follow the stack pointer through all code that can be found from the starts,
 * and call row for adjacent ranges by rising address, each from the end of the
 * one before up to hi. What was not reached has a GAP rule. Takes time linear in
 * len and 4 bytes of memory a byte of code. 0 or -ENOMEM (before any row). */
int pyro_synth_rows(struct pyro_synth *synth,
		    const struct pyro_synth_code *code, pyro_synth_row_fn *row,
		    void *arg);

#endif
