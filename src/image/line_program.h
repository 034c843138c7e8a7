// SPDX-License-Identifier: Apache-2.0
/* line_program.h - DWARF's line number programs, versions 2 to 5
 *
 * libdw makes a table of a whole program and sorts it, which takes half the time
 * and most of the memory of finding lines. Here a program is run once, for the
 * addresses that are wanted. */
#ifndef PYRO_IMAGE_LINE_PROGRAM_H
#define PYRO_IMAGE_LINE_PROGRAM_H

#include "image/reader.h"

/* Where a name stands. */
enum pyro_line_text {
	PYRO_LINE_TEXT_NONE,
	PYRO_LINE_TEXT_HERE,     /* text */
	PYRO_LINE_TEXT_LINE_STR, /* offset in .debug_line_str */
	PYRO_LINE_TEXT_STR       /* offset in .debug_str */
};

struct pyro_line_name {
	enum pyro_line_text kind;
	const char *text; /* in the bytes that were opened */
	uint64_t offset;
	uint64_t dir; /* of a file */
};

struct pyro_line_program {
	uint16_t version;
	uint8_t min_length, line_range, opcode_base;
	int8_t line_base;
	const unsigned char *operands; /* of standard opcodes: how many */
	struct pyro_reader code;
	/* Before version 5, directory 0 is the unit's, and file 0 none. */
	struct pyro_line_name *dir, *file;
	size_t dir_count, dir_cap, file_count, file_cap;
};

/* Read the header of the program at data. Zero-initialised before the first
 * time; the arrays are kept for the next. 0, -EBADMSG, -ENOTSUP or -ENOMEM. */
int pyro_line_program_open(struct pyro_line_program *program,
			   const unsigned char *data, size_t len);
void pyro_line_program_free(struct pyro_line_program *program);

struct pyro_line_row {
	uint64_t address; /* where it begins */
	uint64_t file;
	uint32_t line; /* 0: none */
	bool found;
};

/* The rows of count addresses, which rise. Of rows that begin at one address, the
 * last; of sequences that overlap, the row that begins last. */
void pyro_line_program_find(const struct pyro_line_program *program,
			    const uint64_t *addresses, size_t count,
			    struct pyro_line_row *rows);

#endif
