// SPDX-License-Identifier: Apache-2.0
/* debug_lines.h - line programs and files of the units that one unit's functions
 * come from (debug_unit.c only) */
#ifndef PYRO_IMAGE_DEBUG_LINES_H
#define PYRO_IMAGE_DEBUG_LINES_H

#include "image/debug_info.h"
#include "image/line_program.h"

/* Programs whose headers are kept: inlined functions may come from many units,
 * where a linker has optimized. */
#define PYRO_DEBUG_LINES_MAX 8

/* Zero-initialised is ready. */
struct pyro_debug_lines {
	struct pyro_debug_table {
		struct pyro_debug_file *in; /* NULL: unused */
		uint64_t offset;            /* in .debug_line */
		int err;                    /* of opening it */
		struct pyro_line_program program;
		const char *folder; /* of compilation, or NULL */
		const char **path;  /* of files, as far as asked for */
		size_t path_cap;
	} table[PYRO_DEBUG_LINES_MAX];
	unsigned next;           /* to be used again */
	struct pyro_arena paths; /* their texts */
};

/* The rows of addresses in the unit of this DIE. All are not found when there is
 * no program, or a broken one. */
void pyro_debug_lines_rows(struct pyro_debug_lines *lines,
			   struct pyro_debug *debug, Dwarf_Die *cudie,
			   const uint64_t *addresses, size_t count,
			   struct pyro_line_row *rows);

/* The path of a file by its number in the unit of this DIE, as addr2line has it;
 * NULL if unknown. Valid until forgotten. */
const char *pyro_debug_lines_file(struct pyro_debug_lines *lines,
				  struct pyro_debug *debug, Dwarf_Die *cudie,
				  uint64_t number);

/* Forget what was read of a file. Memory is kept until it is freed. */
void pyro_debug_lines_forget(struct pyro_debug_lines *lines);
void pyro_debug_lines_free(struct pyro_debug_lines *lines);

#endif
