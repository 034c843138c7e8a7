// SPDX-License-Identifier: Apache-2.0
/* lines_batch.h - what is remembered of addresses, and the batch that finds it
 * (lines.c only) */
#ifndef PYRO_IMAGE_LINES_BATCH_H
#define PYRO_IMAGE_LINES_BATCH_H

#include "base/table.h"
#include "image/lines.h"

#define PYRO_LINES_ADDRESS_BITS 48

struct pyro_lines_result {
	uint64_t address; /* module << 48 | virtual address */
	uint64_t weight;
	uint32_t first; /* frame */
	uint16_t count;
	uint16_t state; /* enum pyro_lines_state */
};

struct pyro_lines_frame {
	uint32_t function, file; /* strings */
	uint32_t line, start_line;
};

struct pyro_lines_range {
	uint64_t lo, hi, unit;
};

struct pyro_lines_module {
	bool is_indexed;
	bool has_none; /* no debug information, or none that can be used */
	struct pyro_lines_range *range;
	size_t count, cap;
};

struct pyro_lines {
	const char *debug_root;
	size_t memory_max;
	struct pyro_strings strings;
	struct pyro_table by_address;
	struct pyro_lines_result *result;
	size_t count, cap;
	struct pyro_lines_frame *frame;
	size_t frame_count, frame_cap;
	struct pyro_lines_module *module; /* by id */
	size_t module_cap;
	bool had_batch;    /* since an address was asked for */
	int64_t credit_ns; /* CPU time that may be spent; below 0: too much was */
	uint32_t cpu_permille;
};

/* A module by its id, made if it is new; NULL for out of memory. */
struct pyro_lines_module *pyro_lines_module(struct pyro_lines *lines,
					    uint32_t id);

/* Resolve what waits, until this thread's CPU clock is at end_ns; one unit at
 * least, so that there is an end. */
void pyro_lines_batch(struct pyro_lines *lines, pyro_lines_open_fn *open,
		      void *arg, uint64_t end_ns);

#endif
