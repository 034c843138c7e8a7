// SPDX-License-Identifier: Apache-2.0
/* debug_unit.h - functions, inlined ones and lines of one compilation unit
 * (lines.c only) */
#ifndef PYRO_IMAGE_DEBUG_UNIT_H
#define PYRO_IMAGE_DEBUG_UNIT_H

#include "image/debug_info.h"
#include "image/sort.h"

/* Inlined functions at one address, the one they are in included. */
#define PYRO_CHAIN_MAX 64

struct pyro_debug_frame {
	/* Valid until the unit is closed; "" where not known. */
	const char *function; /* linkage name, else name */
	const char *file;
	uint32_t line;
	uint32_t start_line; /* of the function, if it begins in file */
};

struct pyro_debug_interval;
struct pyro_debug_function;

/* Zero-initialised is ready to be opened, again and again: its arrays are kept
 * until pyro_debug_unit_free(). */
struct pyro_debug_unit {
	struct pyro_debug *debug;
	Dwarf_Die lines; /* whose line table it is: the skeleton's DIE */
	Dwarf_Die die;   /* whose functions: the split unit's if there is one */
	/* By rising start, outer before inner; each knows the one around it. */
	struct pyro_debug_interval *interval;
	size_t interval_count, interval_cap;
	struct pyro_debug_function *function;
	size_t function_count, function_cap;
	struct pyro_sort_item *order; /* room for sorting intervals */
	struct pyro_debug_interval *sorted;
	size_t order_cap, sorted_cap;
	struct pyro_arena paths; /* of files */
};

/* Index the unit at this offset for addresses (rising) that will be asked
 * for: one walk over its DIEs, which does not go into functions that hold none
 * of them. 0 or -errno. */
int pyro_debug_unit_open(struct pyro_debug_unit *unit, struct pyro_debug *debug,
			 uint64_t offset, const uint64_t *addresses,
			 size_t count);
void pyro_debug_unit_close(struct pyro_debug_unit *unit);
void pyro_debug_unit_free(struct pyro_debug_unit *unit);

/* What is at one of these addresses, innermost first; the last is the function
 * whose code it is, where that is known. Returns how many, 0 for nothing. */
size_t pyro_debug_unit_find(struct pyro_debug_unit *unit, uint64_t address,
			    struct pyro_debug_frame frames[PYRO_CHAIN_MAX]);

#endif
