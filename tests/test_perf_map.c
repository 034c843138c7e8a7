// SPDX-License-Identifier: Apache-2.0
/* test_perf_map.c - names of code made at run time, against a slow reader */
#include "image/perf_map.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/arena.h"
#include "image_util.h"

#define BASE UINT64_C(0x7f0000001000)

/* The addresses from, from + step, .. of a map that has been read. */
static void read_text(struct pyro_perf_map *map, const char *text, size_t len,
		      uint64_t from, uint64_t step, size_t count)
{
	int fd = memory_file(text, len);

	*map = (struct pyro_perf_map){0};
	/* Backwards and twice: the order does not matter. */
	for (size_t i = 2 * count; i-- > 0;)
		pyro_perf_map_want(map, from + i / 2 * step);
	assert_int_equal(pyro_perf_map_read_file(map, fd), 0);
	close(fd);
}

static void check(const struct pyro_perf_map *map, uint64_t address,
		  const char *name)
{
	const char *found = pyro_perf_map_find(map, address);

	if (!name)
		assert_null(found);
	else if (!found)
		fail_msg("no %s", name);
	else
		assert_string_equal(found, name);
}

static void test_lines(void **state)
{
	static const char text[] = "1000 10 first\n"
				   "1010 10 LazyCompile:*two words /a.js:1:2\n"
				   "0x1020 0x8 with 0x\n"
				   "1030 0 empty\n"
				   "1040 ffffffffffffffff to the end\n"
				   "1050 8\n1050 8 \n1050  8 two spaces\n"
				   "1050\n\n \nnonsense\n1050 8g no size\n"
				   "-1050 8 negative\n"
				   "10000000000001050 8 more than 64 bits\n"
				   "1050 1 inner\n"
				   "ABCDEF00 fF capitals\n"
				   "1058 8 not ended";
	struct pyro_perf_map map;

	(void)state;
	read_text(&map, text, sizeof(text) - 1, 0xff8, 8, 13);
	check(&map, 0xff8, NULL);
	check(&map, 0x1000, "first");
	check(&map, 0x1008, "first");
	check(&map, 0x1010, "LazyCompile:*two words /a.js:1:2");
	check(&map, 0x1020, "with 0x");
	check(&map, 0x1028, NULL);
	check(&map, 0x1030, NULL);
	check(&map, 0x1040, "to the end");
	check(&map, 0x1050, "inner");
	check(&map, 0x1058, "to the end");
	check(&map, 0x1009, NULL); /* nobody asked */
	pyro_perf_map_free(&map);
	read_text(&map, text, sizeof(text) - 1, 0xabcdeffe, 1, 2);
	check(&map, 0xabcdeffe, "capitals");
	check(&map, 0xabcdefff, "to the end");
	pyro_perf_map_free(&map);
}

/* What the last line that holds an address says, read from the front. */
static void check_slowly(const struct pyro_perf_map *map, char *text,
			 uint64_t address)
{
	uint64_t lo, size;
	char name[64], *found = NULL, *end;
	static char kept[64];

	for (char *line = text; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		if (sscanf(line, "%lx %lx %63s", &lo, &size, name) == 3 &&
		    address >= lo && address - lo < size)
			found = strcpy(kept, name);
		*end = '\n';
	}
	check(map, address, found);
}

/* Generations of code over each other, and lines across blocks. */
static void test_random(void **state)
{
	static char text[300000];
	uint64_t random = 20240229;

	(void)state;
	for (int round = 0; round < 20; round++) {
		struct pyro_perf_map map;
		size_t len = 0, lines = round < 10 ? 40 : 8000;

		for (size_t i = 0; i < lines; i++) {
			uint64_t lo = BASE + next_random(&random) % 4096;
			uint64_t size =
				next_random(&random) % (i % 16 ? 64 : 1500);

			len += (size_t)snprintf(text + len, sizeof(text) - len,
						"%lx %lx f%zu\n", lo, size, i);
		}
		assert_in_range(len, 100, sizeof(text) - 1);
		read_text(&map, text, len, BASE - 8, 7, 600);
		for (size_t i = 0; i < 600; i += round < 10 ? 1 : 40)
			check_slowly(&map, text, BASE - 8 + i * 7);
		pyro_perf_map_free(&map);
	}
}

/* Longer than a block, in the middle and at the ends. */
static void test_long_lines(void **state)
{
	size_t size = 500000;
	char *text = pyro_pages_alloc(size);
	struct pyro_perf_map map;
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 3; i++) {
		len += (size_t)sprintf(text + len, "%x 8 short%d\n",
				       0x1000 + i * 16, i);
		len += (size_t)sprintf(text + len, "%x 8 long%d",
				       0x1008 + i * 16, i);
		memset(text + len, 'x', 100000);
		len += 100000;
		text[len++] = '\n';
	}
	read_text(&map, text, len, 0x1000, 8, 6);
	check(&map, 0x1000, "short0");
	check(&map, 0x1010, "short1");
	check(&map, 0x1020, "short2");
	check(&map, 0x1008, NULL);
	check(&map, 0x1028, NULL);
	pyro_perf_map_free(&map);

	/* A name is cut, not refused. */
	len = (size_t)sprintf(text, "1000 8 ");
	memset(text + len, 'y', 5000);
	text[len + 5000] = '\n';
	read_text(&map, text, len + 5001, 0x1000, 8, 1);
	assert_int_equal(strlen(pyro_perf_map_find(&map, 0x1000)), 1024);
	pyro_perf_map_free(&map);
	pyro_pages_free(text, size);
}

static void test_every_truncation(void **state)
{
	static const char text[] =
		"1000 8 one\n1008 8 two three\n1010 8 four\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		struct pyro_perf_map map;

		read_text(&map, text, len, 0x1000, 8, 3);
		check(&map, 0x1000, len >= 11 ? "one" : NULL);
		check(&map, 0x1008, len >= 28 ? "two three" : NULL);
		check(&map, 0x1010, len >= 40 ? "four" : NULL);
		pyro_perf_map_free(&map);
	}
}

/* Of a file that is too large, the newest part. */
static void test_large(void **state)
{
	size_t size = (size_t)17 << 20, len = 0;
	char *text = pyro_pages_alloc(size + 4096);
	struct pyro_perf_map map;

	(void)state;
	len += (size_t)sprintf(text, "1000 8 too old\n");
	while (len < size)
		len += (size_t)sprintf(text + len,
				       "2000 8 a line like many others\n");
	len += (size_t)sprintf(text + len, "1008 8 new\n");
	read_text(&map, text, len, 0x1000, 8, 2);
	check(&map, 0x1000, NULL);
	check(&map, 0x1008, "new");
	pyro_perf_map_free(&map);
	pyro_pages_free(text, size + 4096);
}

/* What find() tells of this process's own file. */
static bool is_named(void)
{
	struct pyro_perf_map map = {0};

	pyro_perf_map_want(&map, 0x1000);
	errno = EDOM;
	pyro_perf_map_read(&map);
	assert_int_equal(errno, EDOM);

	const char *found = pyro_perf_map_find(&map, 0x1000);
	bool named = found && strcmp(found, "own") == 0;

	pyro_perf_map_free(&map);
	return named;
}

/* A file of this user, and nothing else that /tmp may hold under the name. */
static void test_whose_file(void **state)
{
	char path[64], other[80];

	(void)state;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	snprintf(other, sizeof(other), "%s.other", path);
	remove(path);
	assert_false(is_named());
	write_text(path, "1000 8 own\n");
	assert_true(is_named());
	assert_int_equal(rename(path, other), 0);
	assert_int_equal(symlink(other, path), 0);
	assert_false(is_named());
	remove(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_false(is_named()); /* nor does it wait */
	remove(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(is_named());
	remove(path);
	if (geteuid() == 0) {
		write_text(path, "1000 8 own\n");
		assert_int_equal(chown(path, 65534, 65534), 0);
		assert_false(is_named());
		remove(path);
	}
	remove(other);
}

static void test_empty(void **state)
{
	struct pyro_perf_map map = {0};

	(void)state;
	pyro_perf_map_read(&map);
	check(&map, 0x1000, NULL);
	pyro_perf_map_free(&map);
	read_text(&map, "", 0, 0x1000, 8, 1);
	check(&map, 0x1000, NULL);
	pyro_perf_map_free(&map);
	read_text(&map, "1000 8 one\n", 11, 0x1000, 8, 0);
	check(&map, 0x1000, NULL);
	pyro_perf_map_free(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_every_truncation),
		cmocka_unit_test(test_large),
		cmocka_unit_test(test_whose_file),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
