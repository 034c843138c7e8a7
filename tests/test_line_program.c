// SPDX-License-Identifier: Apache-2.0
/* test_line_program.c - line number programs made by hand, and broken ones
 *
 * That compilers' programs are read as addr2line reads them is shown by
 * test_lines.c. */
#include <errno.h>

#include "image/line_program.h"
#include "image_util.h"

#define FOREVER UINT64_MAX

/* Opcodes: 13 and up advance the address by n / 4, the line by n % 4 - 1. */
#define SPECIAL(address, line) (unsigned char)(13 + (address)*4 + (line) + 1)
#define SET_ADDRESS(low) 0, 9, 2, (low), 0x10, 0, 0, 0, 0, 0, 0
#define END_SEQUENCE 0, 1, 1
#define COPY 1
#define ADVANCE_PC 2
#define ADVANCE_LINE 3
#define SET_FILE 4
#define CONST_ADD_PC 8
#define FIXED_ADVANCE_PC 9

static const unsigned char old_names[] = "dir\0\0"
					 "a.c\0\1\0\0"
					 "b.c\0\0\0\0";
/* Paths as texts; for files, folders by a number of two bytes, and MD5 sums. */
static const unsigned char new_names[] = "\1\1\x08\2/\0dir\0"
					 "\3\1\x08\2\5\5\x1e\2"
					 "a.c\0\1\0AAAAAAAAAAAAAAAA"
					 "b.c\0\0\0BBBBBBBBBBBBBBBB";

static size_t make(unsigned char *to, unsigned version,
		   const unsigned char *code, size_t code_len)
{
	static const unsigned char operands[12] = {0, 1, 1, 1, 1, 0,
						   0, 0, 1, 0, 0, 1};
	const unsigned char *names = version < 5 ? old_names : new_names;
	size_t names_len =
		(version < 5 ? sizeof(old_names) : sizeof(new_names) - 1);
	size_t at = 4;
	uint32_t len;

	to[at++] = (unsigned char)version;
	to[at++] = 0;
	if (version == 5) {
		to[at++] = 8;
		to[at++] = 0;
	}

	size_t header = at;

	at += 4;
	to[at++] = 1;
	if (version >= 4)
		to[at++] = 1;
	to[at++] = 1;
	to[at++] = (unsigned char)-1; /* line base */
	to[at++] = 4;                 /* line range */
	to[at++] = 13;
	memcpy(to + at, operands, sizeof(operands));
	at += sizeof(operands);
	memcpy(to + at, names, names_len);
	at += names_len;
	len = (uint32_t)(at - header - 4);
	memcpy(to + header, &len, 4);
	memcpy(to + at, code, code_len);
	at += code_len;
	len = (uint32_t)(at - 4);
	memcpy(to, &len, 4);
	return at;
}

static const unsigned char code[] = {
	/* What the linker has left out, and would cover all the others. */
	0, 9, 2, 0, 0, 0, 0, 0, 0, 0, 0, COPY, ADVANCE_PC, 0xff, 0xff, 1,
	END_SEQUENCE,
	/* 0x1020 is above what follows. */
	SET_ADDRESS(0x20), ADVANCE_LINE, 49, COPY, SPECIAL(4, 2),
	SPECIAL(0, 1), /* the last row of 0x1024 */
	ADVANCE_PC, 4, END_SEQUENCE, SET_ADDRESS(0x10), SET_FILE, 2, COPY,
	CONST_ADD_PC,                       /* (255 - 13) / 4 = 60 */
	FIXED_ADVANCE_PC, 0xc8, 0xff, COPY, /* and 0xffc8 more: far above */
	END_SEQUENCE};

static void test_rows(void **state)
{
	static const struct {
		uint64_t address;
		uint32_t line; /* 0: none */
		uint64_t file, begin;
	} wanted[] = {
		{0x5, 0, 0, 0},          {0x100f, 0, 0, 0},
		{0x1010, 1, 2, 0x1010},  {0x101f, 1, 2, 0x1010},
		{0x1020, 50, 1, 0x1020}, {0x1023, 50, 1, 0x1020},
		{0x1024, 53, 1, 0x1024}, {0x1027, 53, 1, 0x1024},
		{0x1028, 1, 2, 0x1010},  {0x11013, 1, 2, 0x1010},
		{0x11014, 0, 0, 0},      {FOREVER, 0, 0, 0},
	};
	struct pyro_line_program program = {.version = 0};
	uint64_t address[sizeof(wanted) / sizeof(wanted[0])];
	struct pyro_line_row row[sizeof(wanted) / sizeof(wanted[0])];
	size_t count = sizeof(wanted) / sizeof(wanted[0]);
	unsigned char bytes[1024];

	(void)state;
	for (size_t i = 0; i < count; i++)
		address[i] = wanted[i].address;
	for (unsigned version = 2; version <= 5; version++) {
		size_t len = make(bytes, version, code, sizeof(code));

		assert_int_equal(pyro_line_program_open(
					 &program, guarded(bytes, len), len),
				 0);
		pyro_line_program_find(&program, address, count, row);
		for (size_t i = 0; i < count; i++) {
			if (row[i].found != (wanted[i].line > 0))
				fail_msg("%#llx",
					 (unsigned long long)wanted[i].address);
			if (!row[i].found)
				continue;
			assert_int_equal(row[i].line, wanted[i].line);
			assert_int_equal(row[i].file, wanted[i].file);
			assert_int_equal(row[i].address, wanted[i].begin);
		}
	}
	pyro_line_program_free(&program);
}

static void test_names(void **state)
{
	struct pyro_line_program program = {.version = 0};
	unsigned char bytes[1024];

	(void)state;
	for (unsigned version = 2; version <= 5; version++) {
		size_t len = make(bytes, version, code, sizeof(code));
		size_t first = version < 5 ? 1 : 0;

		assert_int_equal(pyro_line_program_open(&program, bytes, len),
				 0);
		assert_int_equal(program.dir_count, 2);
		assert_int_equal(program.file_count, first + 2);
		assert_string_equal(program.dir[1].text, "dir");
		assert_string_equal(program.file[first].text, "a.c");
		assert_int_equal(program.file[first].dir, 1);
		assert_string_equal(program.file[first + 1].text, "b.c");
		assert_int_equal(program.file[first + 1].dir, 0);
		if (version < 5) {
			assert_int_equal(program.dir[0].kind,
					 PYRO_LINE_TEXT_NONE);
			assert_int_equal(program.file[0].kind,
					 PYRO_LINE_TEXT_NONE);
		}
	}
	pyro_line_program_free(&program);
}

static int run_all(struct pyro_line_program *program,
		   const unsigned char *bytes, size_t len)
{
	static const uint64_t address[] = {1, 0x1010, 0x1024, 0x5000};
	struct pyro_line_row row[4];
	int err = pyro_line_program_open(program, bytes, len);

	if (err)
		assert_true(err == -EBADMSG || err == -ENOTSUP);
	else
		pyro_line_program_find(program, address, 4, row);
	return err;
}

/* Cut anywhere, with the length as it was and with one that fits. */
static void test_truncations(void **state)
{
	struct pyro_line_program program = {.version = 0};
	unsigned char bytes[1024];

	(void)state;
	for (unsigned version = 2; version <= 5; version++) {
		size_t len = make(bytes, version, code, sizeof(code));

		for (size_t cut = 0; cut < len; cut++) {
			unsigned char *at = guarded(bytes, cut);
			uint32_t size = (uint32_t)(cut - 4);

			assert_int_equal(run_all(&program, at, cut), -EBADMSG);
			if (cut < 4)
				continue;
			memcpy(at, &size, 4);
			run_all(&program, at, cut);
		}
	}
	pyro_line_program_free(&program);
}

static void test_broken(void **state)
{
	struct pyro_line_program program = {.version = 0};
	uint64_t random = 20260817;
	unsigned char bytes[1024];
	size_t len;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		len = make(bytes, 2 + i % 4, code, sizeof(code));
		for (int n = 0; n < 1 + i % 3; n++)
			bytes[4 + next_random(&random) % (len - 4)] =
				(unsigned char)next_random(&random);
		run_all(&program, guarded(bytes, len), len);
	}
	/* Several operations in an instruction; a range of 0. */
	len = make(bytes, 4, code, sizeof(code));
	bytes[11] = 2;
	assert_int_equal(run_all(&program, bytes, len), -ENOTSUP);
	bytes[11] = 1;
	bytes[14] = 0;
	assert_int_equal(run_all(&program, bytes, len), -EBADMSG);
	pyro_line_program_free(&program);
}

/* A byte each, which would take forty in memory. */
static void test_many_names(void **state)
{
	static unsigned char bytes[100000];
	struct pyro_line_program program = {.version = 0};
	const unsigned char *names;
	size_t len = make(bytes, 5, code, sizeof(code));
	uint32_t size = sizeof(bytes) - 4, header = sizeof(bytes) - 12;

	(void)state;
	names = memmem(bytes, len, new_names, 8);
	assert_non_null(names);
	memcpy(bytes, &size, 4);
	memcpy(bytes + 8, &header, 4);
	/* 90000 folders, all "". */
	memcpy(bytes + (names - bytes), "\1\1\x08\x90\xbf\5", 6);
	memset(bytes + (names - bytes) + 6, 0,
	       sizeof(bytes) - (size_t)(names - bytes) - 6);
	assert_int_equal(pyro_line_program_open(&program, bytes, sizeof(bytes)),
			 -ENOTSUP);
	assert_true(program.dir_count <= 40000);
	pyro_line_program_free(&program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_truncations),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_many_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
