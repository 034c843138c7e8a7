// SPDX-License-Identifier: Apache-2.0
/* fuzz_lines.c - a line number program from anywhere */
#include "image/line_program.h"

#define ADDRESSES 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		__builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pyro_line_program program;
	struct pyro_line_row rows[ADDRESSES];
	uint64_t address[ADDRESSES];

	for (size_t i = 0; i < ADDRESSES; i++)
		address[i] = 1 + i * 37;
	if (pyro_line_program_open(&program, data, size) != 0)
		return 0;
	for (size_t i = 0; i < program.file_count; i++)
		if (program.file[i].kind == PYRO_LINE_TEXT_HERE)
			check(strlen(program.file[i].text) < size);
	pyro_line_program_find(&program, address, ADDRESSES, rows);
	for (size_t i = 0; i < ADDRESSES; i++)
		check(!rows[i].found || rows[i].address <= address[i]);
	return 0;
}
