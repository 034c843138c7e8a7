// SPDX-License-Identifier: Apache-2.0
/* test_leaks.c - hand-made profiles of the heap: what is summed over windows, what
 * is old enough to be a leak; and differences as tables and flame graphs */
#include "profile_util.h"

/* The command is no library. */
#include "cli/drops.c"
#include "cli/file.c"
#include "cli/leaks.c"
#include "cli/listing.c"
#include "cli/report.c"
#include "cli/say.c"
#include "cli/tree.c"
#include "cli/types.c"
#include "profile/merge.h"

static uint32_t function_at(struct pyro_profile *p, const char *name,
			    uint64_t address)
{
	struct pyro_mapping mapping = {
		.start = 0x1000,
		.limit = 0x9000,
		.filename = pyro_profile_string(p, "/usr/app")};
	struct pyro_function function = {.name = pyro_profile_string(p, name)};
	struct pyro_line line = {.function =
					 pyro_profile_function(p, &function)};

	return pyro_profile_location(
		p, address, pyro_profile_mapping(p, &mapping), &line, 1);
}

/* leaf <- main; age -1: no label */
static void sample(struct pyro_profile *p, const char *leaf, uint64_t address,
		   int64_t age, int64_t allocated, int64_t objects,
		   int64_t bytes)
{
	uint32_t stack[] = {function_at(p, leaf, address),
			    function_at(p, "main", 0x1000)};
	const struct pyro_label label = {
		.key = pyro_profile_string(p, "age"),
		.num = age,
		.num_unit = pyro_profile_string(p, "seconds")};
	int64_t values[] = {allocated / 10, allocated, objects, bytes};

	pyro_profile_sample(p, stack, 2, &label, age >= 0, values);
	assert_int_equal(pyro_profile_error(p), 0);
}

static struct pyro_profile *heap(void)
{
	struct pyro_profile *p = pyro_profile_new();

	assert_non_null(p);
	pyro_profile_set_heap(p, PYRO_TYPE_HEAP, 4096);
	return p;
}

/* old: 5 objects of 500 bytes 16 s and 2 of 200 bytes 8 s old, at two addresses
 * of one function; young: 4 s; new: 0 s */
static struct pyro_profile *known(void)
{
	struct pyro_profile *p = heap();

	sample(p, "old", 0x1100, -1, 9000, 0, 0);
	sample(p, "old", 0x1100, 16, 0, 5, 500);
	sample(p, "old", 0x1108, 8, 0, 2, 200);
	sample(p, "young", 0x1200, 4, 0, 3, 3000);
	sample(p, "new", 0x1300, 0, 0, 1, 64);
	return p;
}

static void old_enough(void **state)
{
	static const struct {
		int64_t min_age, rounded, bytes, objects;
	} cases[] = {
		{0, 0, 3764, 11},
		{1, 1, 3700, 10},
		{4, 4, 3700, 10},
		{5, 4, 3700, 10},
		{8, 8, 700, 7},
		{15, 8, 700, 7},
		{16, 16, 500, 5},
		{17, 16, 500, 5},
		{32, 32, 0, 0},
		{-7, 0, 3764, 11},
		{INT64_MAX, INT64_C(1) << 62, 0, 0},
	};
	struct pyro_profile *p = known();

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyro_leaks leaks;

		assert_int_equal(pyro_leaks_init(&leaks, p, cases[i].min_age),
				 0);
		assert_int_equal(leaks.min_age, cases[i].rounded);
		assert_int_equal(leaks.bytes, cases[i].bytes);
		assert_int_equal(leaks.objects, cases[i].objects);
		assert_int_equal(leaks.young_bytes, 3764 - cases[i].bytes);
		assert_int_equal(leaks.young_objects, 11 - cases[i].objects);
		assert_int_equal(leaks.ageless_bytes, 0);
		assert_int_equal(leaks.profile->type_count, 2);
		assert_int_equal(total(leaks.profile, 0), cases[i].objects);
		assert_int_equal(total(leaks.profile, 1), cases[i].bytes);
		pyro_leaks_fini(&leaks);
	}
	assert_int_equal(total(p, 3), 3764); /* untouched */
	pyro_profile_free(p);
}

static void of_unknown_age(void **state)
{
	struct pyro_profile *p = heap();
	struct pyro_leaks leaks;

	(void)state;
	sample(p, "old", 0x1100, -1, 100, 1, 10);
	assert_int_equal(pyro_leaks_init(&leaks, p, 8), 0);
	assert_int_equal(leaks.bytes, 10);
	assert_int_equal(leaks.ageless_bytes, 10);
	pyro_leaks_fini(&leaks);
	pyro_profile_free(p);
}

/* Types in another order, as another writer may have them; or not all. */
static void types_in_any_order(void **state)
{
	struct pyro_profile *p = pyro_profile_new();
	int64_t values[] = {700, 7};
	struct pyro_leaks leaks;
	uint32_t at;

	(void)state;
	pyro_profile_add_type(p, "inuse_space", "bytes");
	assert_int_equal(pyro_leaks_init(&leaks, p, 8), -EINVAL);
	pyro_leaks_fini(&leaks);
	pyro_profile_add_type(p, "inuse_objects", "count");
	at = function_at(p, "f", 0x1100);
	pyro_profile_sample(p, &at, 1, NULL, 0, values);
	assert_int_equal(pyro_leaks_init(&leaks, p, 8), 0);
	assert_int_equal(leaks.bytes, 700);
	assert_int_equal(leaks.objects, 7);
	assert_int_equal(total(leaks.profile,
			       pyro_type_find(leaks.profile, "inuse_space")),
			 700);
	pyro_leaks_fini(&leaks);
	pyro_profile_free(p);
}

/* One function's stacks are one leak, with the oldest age. */
static void by_stack(void **state)
{
	struct pyro_profile *p = known();
	struct pyro_leaks leaks;
	struct pyro_report report;
	struct pyro_tree tree;
	struct leak found[16];
	char text[64];

	(void)state;
	assert_int_equal(pyro_leaks_init(&leaks, p, 4), 0);
	assert_int_equal(pyro_report_init(&report, leaks.profile, SPACE), 0);
	assert_int_equal(pyro_tree_init(&tree, leaks.profile, &report, SPACE),
			 0);
	assert_true(tree.count <= PYRO_COUNT_OF(found));
	assert_int_equal(collect(leaks.profile, &report, &tree, found), 2);
	assert_int_equal(found[0].bytes, 3000);
	assert_int_equal(found[0].age, 4);
	assert_int_equal(found[1].bytes, 700);
	assert_int_equal(found[1].objects, 7);
	assert_int_equal(found[1].age, 16);
	pyro_entry_text(&report.entry[tree.node[found[1].node].entry], text,
			sizeof(text));
	assert_string_equal(text, "old (app)");
	pyro_tree_fini(&tree);
	pyro_report_fini(&report);
	pyro_leaks_fini(&leaks);
	pyro_profile_free(p);
}

static void no_memory(void **state)
{
	struct pyro_profile *p = known();
	long mapped = mapped_bytes;
	int err = -ENOMEM;

	(void)state;
	for (long n = 0; err; n++) {
		struct pyro_leaks leaks;

		fail_memory_at(n);
		err = pyro_leaks_init(&leaks, p, 8);
		fail_memory_at(-1);
		assert_true(err == 0 || err == -ENOMEM);
		pyro_leaks_fini(&leaks);
		assert_int_equal(mapped_bytes, mapped);
	}
	pyro_profile_free(p);
}

static char *listing(const struct pyro_profile *base,
		     const struct pyro_profile *p, bool growth)
{
	struct pyro_profile *difference;
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert_int_equal(pyro_profile_diff(base, p, &difference), 0);
	if (growth)
		assert_int_equal(
			pyro_listing_growth(base, difference, 3, 9, false, to),
			0);
	else
		assert_int_equal(pyro_listing_print(p, 3, 9, false, to), 0);
	fclose(to);
	pyro_profile_free(difference);
	return text;
}

static void tables(void **state)
{
	struct pyro_profile *before = heap(), *after = heap();
	char *text;

	(void)state;
	sample(before, "shrank", 0x1100, 4, 10000, 10, 10240);
	sample(before, "same", 0x1200, 2, 2000, 1, 1024);
	sample(after, "shrank", 0x1100, 8, 12000, 1, 1024);
	sample(after, "same", 0x1200, 8, 0, 1, 1024);
	sample(after, "same", 0x1200, -1, 2000, 0, 0);
	sample(after, "grew", 0x1300, 0, 9000, 3, 3 << 20);
	text = listing(before, after, true);
	assert_string_equal(
		text,
		"inuse_space (bytes): 11.00 KiB, then 3.00 MiB\n"
		"        flat  of base          cum  of base  function\n"
		"   +3.00 MiB +27927.3%    +3.00 MiB +27927.3%  grew (app)\n"
		"   -9.00 KiB   -81.8%    -9.00 KiB   -81.8%  shrank (app)\n"
		"         0 B    +0.0%    +2.99 MiB +27845.5%  main (app)\n"
		"   +2.99 MiB +27845.5%                        growth of "
		"all\n");
	free(text);
	text = listing(before, after, false);
	assert_string_equal(
		text,
		"inuse_space (bytes): 3.00 MiB in 4 stacks over 0 s\n"
		"      flat  flat%        cum   cum% alloc_objects   "
		"alloc_space inuse_objects  function\n"
		"  3.00 MiB  99.9%   3.00 MiB  99.9%           900      "
		"8.79 KiB             3  grew (app)\n"
		"  1.00 KiB   0.0%   1.00 KiB   0.0%           200      "
		"1.95 KiB             1  same (app)\n"
		"  1.00 KiB   0.0%   1.00 KiB   0.0%          1200     "
		"11.72 KiB             1  shrank (app)\n"
		"       0 B   0.0%   3.00 MiB 100.0%             0           "
		"0 B             0  main (app)\n"
		"  3.00 MiB 100.0%                            2300     "
		"22.46 KiB             5  total of 4 functions\n");
	free(text);
	pyro_profile_free(before);
	pyro_profile_free(after);
}

/* Up and down below one node do not cancel in its width. */
static void difference_as_tree(void **state)
{
	struct pyro_profile *p = heap();
	struct pyro_report report;
	struct pyro_tree tree;
	const struct pyro_node *all;

	(void)state;
	sample(p, "up", 0x1100, -1, 0, 1, 50);
	sample(p, "down", 0x1200, -1, 0, -1, -30);
	sample(p, "none", 0x1300, -1, 10, 0, 0);
	assert_int_equal(pyro_report_init(&report, p, 3), 0);
	assert_int_equal(pyro_tree_init(&tree, p, &report, 3), 0);
	all = &tree.node[PYRO_TREE_ROOT];
	assert_int_equal(all->total, 80);
	assert_int_equal(all->change, 20);
	assert_int_equal(tree.node[all->first_child].total, 80);
	assert_int_equal(tree.count, 4);
	assert_int_equal(pyro_tree_find(&tree, p, &report, &p->samples[2]),
			 PYRO_TREE_NONE);
	pyro_tree_fini(&tree);
	pyro_report_fini(&report);
	pyro_profile_free(p);
}

/* A window of heap() with one sample in a file. */
static void drop(const char *folder, const char *name, int64_t allocated,
		 int64_t bytes)
{
	struct pyro_profile *p = heap();
	struct pyro_buf out = {0};
	char path[PATH_MAX];
	FILE *file;

	sample(p, "f", 0x1100, -1, allocated, 1, bytes);
	snprintf(path, sizeof(path),
		 "pyroscope: heap samples=3 lost=1 own_ns=%" PRId64, allocated);
	pyro_profile_comment(p, path);
	pyro_profile_comment(p, "in words");
	assert_int_equal(pyro_pprof_write(p, &out), 0);
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(out.data, 1, out.len, file), out.len);
	fclose(file);
	pyro_buf_free(&out);
	pyro_profile_free(p);
}

/* Allocated is summed, in use is the last window's of each process. */
static void windows(void **state)
{
	struct pyro_profile *p = heap();
	struct pyro_profile *profiles[PYRO_DROP_KINDS] = {0};
	struct pyro_drops drops;
	char folder[PATH_MAX];

	(void)state;
	assert_int_equal(pyro_drops_make(folder), 0);
	drop(folder, "7-100-9.heap.pb.gz", 10, 1000);
	drop(folder, "7-100-10.heap.pb.gz", 20, 1); /* the last */
	drop(folder, "7-100-11.pb.gz", 1, 1);       /* of CPU time, they say */
	drop(folder, "8-100-0.heap.pb.gz", 40, 2);
	drop(folder, "9-100-5.heap.pb.gz", 80, 4000); /* and executed another */
	drop(folder, "9-200-0.heap.pb.gz", 160, 4);
	drop(folder, "10-100-0.heap.pb.gz", 320, 8000);
	drop(folder, "10-200-1.pb.gz", 1, 1);
	/* No names of the library's. */
	drop(folder, "7-100-010.heap.pb.gz", 640, 1);
	drop(folder, "7-100-12.heap.pb.gzx", 640, 1);
	drop(folder, "+7-100-12.heap.pb.gz", 640, 1);
	profiles[PYRO_DROP_HEAP] = p;
	assert_int_equal(pyro_drops_collect(folder, profiles, &drops), 0);
	assert_int_equal(total(p, 1), 630);
	assert_int_equal(total(p, 3), 7);
	assert_int_equal(drops.of[PYRO_DROP_HEAP].files, 6);
	assert_int_equal(drops.of[PYRO_DROP_HEAP].samples, 18);
	assert_int_equal(drops.of[PYRO_DROP_HEAP].lost, 6);
	assert_int_equal(drops.of[PYRO_DROP_HEAP].own_ns, 630);
	/* Their texts are not kept, which are as many as there are windows. */
	assert_int_equal(p->comments_count, 1);
	assert_string_equal(pyro_profile_text(p, p->comments[0]), "in words");
	for (uint32_t i = 0; i < p->strings.count; i++)
		assert_null(strstr(pyro_profile_text(p, i), "lost="));
	assert_int_equal(drops.of[PYRO_DROP_CPU].files + drops.unreadable, 0);
	assert_int_equal(drops.processes, 4);
	pyro_drops_remove(folder);
	pyro_profile_free(p);
}

/* The path of name below folder, and a file there if it is to be made. */
static char *below(const char *folder, const char *name, bool make)
{
	static char path[2 * PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	if (make)
		assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)),
				 0);
	return path;
}

/* What the program left there goes, but nothing that it only points to, nor what
 * is in a folder that another user could swap for one that is not his. */
static void removal(void **state)
{
	char folder[PATH_MAX], kept[PATH_MAX];

	(void)state;
	assert_int_equal(pyro_drops_make(kept), 0);
	below(kept, "file", true);
	assert_int_equal(pyro_drops_make(folder), 0);
	below(folder, "log", true);
	assert_int_equal(symlink(kept, below(folder, "link", false)), 0);
	assert_int_equal(mkdir(below(folder, "d", false), 0700), 0);
	assert_int_equal(mkdir(below(folder, "d/d", false), 0700), 0);
	assert_int_equal(symlink(kept, below(folder, "d/d/link", false)), 0);
	below(folder, "d/d/file", true);
	pyro_drops_remove(folder);
	assert_int_equal(access(folder, F_OK), -1);
	assert_int_equal(access(below(kept, "file", false), F_OK), 0);

	if (geteuid() == 0) {
		assert_int_equal(mkdir(below(kept, "d", false), 0700), 0);
		below(kept, "d/file", true);
		assert_int_equal(chown(below(kept, "d", false), 65534, 65534),
				 0);
		pyro_drops_remove(kept);
		assert_int_equal(access(below(kept, "file", false), F_OK), -1);
		assert_int_equal(access(below(kept, "d/file", false), F_OK), 0);
		assert_int_equal(unlink(below(kept, "d/file", false)), 0);
	}
	pyro_drops_remove(kept);
	assert_int_equal(access(kept, F_OK), -1);
}

static void lists_of_types(void **state)
{
	(void)state;
	assert_int_equal(pyro_types_parse("cpu"), PYRO_TYPE_CPU);
	assert_int_equal(pyro_types_parse("cpu,heap"),
			 PYRO_TYPE_CPU | PYRO_TYPE_HEAP);
	assert_int_equal(pyro_types_parse("inuse_space,alloc_objects"),
			 PYRO_TYPE_INUSE_SPACE | PYRO_TYPE_ALLOC_OBJECTS);
	assert_int_equal(pyro_types_parse(""), 0);
	assert_int_equal(pyro_types_parse("cpu,"), 0);
	assert_int_equal(pyro_types_parse(",cpu"), 0);
	assert_int_equal(pyro_types_parse("cpux"), 0);
	assert_int_equal(pyro_types_parse("heap,cp"), 0);
}

static void bytes(void **state)
{
	static const struct {
		int64_t value;
		const char *text;
	} cases[] = {
		{0, "0 B"},
		{1023, "1023 B"},
		{1024, "1.00 KiB"},
		{-1536, "-1.50 KiB"},
		{102400, "100.0 KiB"},
		{1048576, "1.00 MiB"},
		{INT64_MAX, "8.00 EiB"},
		{INT64_MIN, "-8.00 EiB"},
	};
	char text[32];

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++)
		assert_string_equal(pyro_value_text(cases[i].value, "bytes",
						    text, sizeof(text)),
				    cases[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_enough),
		cmocka_unit_test(of_unknown_age),
		cmocka_unit_test(types_in_any_order),
		cmocka_unit_test(by_stack),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(tables),
		cmocka_unit_test(difference_as_tree),
		cmocka_unit_test(windows),
		cmocka_unit_test(removal),
		cmocka_unit_test(lists_of_types),
		cmocka_unit_test(bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
