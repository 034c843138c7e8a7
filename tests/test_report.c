// SPDX-License-Identifier: Apache-2.0
/* test_report.c - tables and flame graphs of small profiles whose sums were
 * worked out by hand, and names that try to leave their place */
#include "profile_util.h"

/* The command is no library. */
#include "cli/drops.c"
#include "cli/file.c"
#include "cli/input.c"
#include "cli/page.c"
#include "cli/report.c"
#include "cli/say.c"
#include "cli/listing.c"
#include "cli/tree.c"
#include "cli/types.c"
#include "cli/view.c"

#define MS INT64_C(1000000)

/* A location of the functions in names, innermost first, of app or lib.so. */
static uint32_t at(struct pyro_profile *p, const char *module, uint64_t address,
		   const char *const *names, size_t count)
{
	struct pyro_mapping mapping = {.start = 0x1000, .limit = 0x9000};
	struct pyro_line lines[4];
	char path[64];

	snprintf(path, sizeof(path), "/usr/%s", module);
	mapping.filename = pyro_profile_string(p, path);
	for (size_t i = 0; i < count; i++) {
		struct pyro_function function = {
			.name = pyro_profile_string(p, names[i])};

		lines[i] = (struct pyro_line){
			.function = pyro_profile_function(p, &function)};
	}
	return pyro_profile_location(
		p, address, pyro_profile_mapping(p, &mapping), lines, count);
}

static uint32_t function_at(struct pyro_profile *p, const char *name,
			    uint64_t address)
{
	return at(p, "app", address, &name, 1);
}

static void sample(struct pyro_profile *p, const uint32_t *stack, size_t depth,
		   int64_t ns)
{
	int64_t values[2] = {1, ns};

	pyro_profile_sample(p, stack, depth, NULL, 0, values);
}

/* main -> a -> b:       30 ms (b at one address), 20 ms (at another)
 * main -> a:            10 ms
 * main -> rec x 3 -> a: 25 ms
 * main -> in2 (in1):     8 ms, in1 inlined into in2 inlined into main
 * main (lib.so):         4 ms, another function of the same name
 * lib.so+0x2345:         2 ms
 * [unsampled]:           1 ms */
static struct pyro_profile *known(void)
{
	struct pyro_profile *p = pyro_profile_new();
	const char *inlined[] = {"in1", "in2", "main"}, *main_name = "main";

	assert_non_null(p);
	pyro_profile_set_cpu(p, 10 * MS);

	uint32_t m = function_at(p, "main", 0x1000);
	uint32_t a = function_at(p, "a", 0x1100);
	uint32_t b = function_at(p, "b", 0x1200);
	uint32_t b2 = function_at(p, "b", 0x1210);
	uint32_t rec = function_at(p, "rec", 0x1300);
	uint32_t rec2 = function_at(p, "rec", 0x1310);

	sample(p, (uint32_t[]){b, a, m}, 3, 30 * MS);
	sample(p, (uint32_t[]){b2, a, m}, 3, 20 * MS);
	sample(p, (uint32_t[]){a, m}, 2, 10 * MS);
	sample(p, (uint32_t[]){a, rec, rec2, rec, m}, 5, 25 * MS);
	sample(p, (uint32_t[]){at(p, "app", 0x1400, inlined, 3)}, 1, 8 * MS);
	sample(p, (uint32_t[]){at(p, "lib.so", 0x2000, &main_name, 1)}, 1,
	       4 * MS);
	sample(p, (uint32_t[]){at(p, "lib.so", 0x2345, NULL, 0)}, 1, 2 * MS);
	sample(p, (uint32_t[]){pyro_profile_pseudo(p, "[unsampled]")}, 1, MS);
	assert_int_equal(pyro_profile_error(p), 0);
	return p;
}

static void check_entry(const struct pyro_report *report, const char *text,
			int64_t flat_ms, int64_t cum_ms)
{
	char shown[256];

	for (size_t i = 0; i < report->count; i++) {
		const struct pyro_entry *e = &report->entry[i];

		pyro_entry_text(e, shown, sizeof(shown));
		if (strcmp(shown, text) != 0)
			continue;
		assert_int_equal(e->flat, flat_ms * MS);
		assert_int_equal(e->cum, cum_ms * MS);
		return;
	}
	fail_msg("no entry %s", text);
}

static void flat_and_cum(void **state)
{
	struct pyro_profile *p = known();
	struct pyro_report report;

	(void)state;
	assert_int_equal(pyro_report_init(&report, p, 1), 0);
	assert_int_equal(report.total, 100 * MS);
	assert_int_equal(report.count, 9);
	check_entry(&report, "b (app)", 50, 50);
	check_entry(&report, "a (app)", 35, 85);
	check_entry(&report, "rec (app)", 0, 25);
	check_entry(&report, "main (app)", 0, 93);
	check_entry(&report, "in1 (app)", 8, 8);
	check_entry(&report, "in2 (app)", 0, 8);
	check_entry(&report, "main (lib.so)", 4, 4);
	check_entry(&report, "lib.so+0x2345", 2, 2);
	check_entry(&report, "[unsampled]", 1, 1);

	const char *const flat[] = {"b", "a",           "in1", "main",
				    "",  "[unsampled]", "main"};
	const char *const cum[] = {"main", "a", "b", "rec", "in1", "in2"};

	pyro_report_sort(&report, false);
	for (size_t i = 0; i < PYRO_COUNT_OF(flat); i++)
		assert_string_equal(report.entry[i].name, flat[i]);
	pyro_report_sort(&report, true);
	for (size_t i = 0; i < PYRO_COUNT_OF(cum); i++)
		assert_string_equal(report.entry[i].name, cum[i]);
	pyro_report_fini(&report);
	pyro_profile_free(p);
}

static char *table(const struct pyro_profile *p, size_t rows, bool cum)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	assert_non_null(to);
	assert_int_equal(pyro_listing_print(p, 1, rows, cum, to), 0);
	fclose(to);
	return text;
}

static void as_table(void **state)
{
	struct pyro_profile *p = known();
	char *text;

	(void)state;
	p->duration_ns = 2000 * MS;
	text = table(p, 2, false);
	assert_string_equal(
		text,
		"cpu (nanoseconds): 100.0 ms in 8 stacks over 2.00 s\n"
		"      flat  flat%        cum   cum%  function\n"
		"   50.0 ms  50.0%    50.0 ms  50.0%  b (app)\n"
		"   35.0 ms  35.0%    85.0 ms  85.0%  a (app)\n"
		"  100.0 ms 100.0%                    total of 9 functions\n");
	free(text);
	text = table(p, 1, true);
	assert_non_null(strstr(text, "\n       0 s   0.0%    93.0 ms  93.0%  "
				     "main (app)\n"));
	free(text);
	pyro_profile_free(p);
}

static void without_samples(void **state)
{
	struct pyro_profile *p = pyro_profile_new();
	struct pyro_buf page = {0};
	char *text;

	(void)state;
	pyro_profile_set_cpu(p, 10 * MS);
	text = table(p, 5, false);
	assert_non_null(strstr(text, "       0 s   0.0%  "));
	free(text);
	assert_int_equal(pyro_view_write(p, 1, "none", &page), 0);
	pyro_buf_put(&page, "", 1);
	assert_non_null(strstr((char *)page.data, "\"nodes\":[]"));
	pyro_buf_free(&page);
	pyro_profile_free(p);
}

static void extreme_values(void **state)
{
	struct pyro_profile *p = pyro_profile_new();
	struct pyro_report report;
	struct pyro_tree tree;

	(void)state;
	pyro_profile_set_cpu(p, 10 * MS);

	uint32_t a = function_at(p, "a", 1), b = function_at(p, "b", 2);

	sample(p, (uint32_t[]){a}, 1, INT64_MAX);
	sample(p, (uint32_t[]){b, a}, 2, INT64_MAX);
	sample(p, (uint32_t[]){b}, 1, INT64_MIN);
	sample(p, NULL, 0, 5);
	assert_int_equal(pyro_report_init(&report, p, 1), 0);
	assert_int_equal(pyro_tree_init(&tree, p, &report, 1), 0);
	assert_int_equal(tree.node[PYRO_TREE_ROOT].total, INT64_MAX);
	free(table(p, 9, false));
	pyro_tree_fini(&tree);
	pyro_report_fini(&report);
	pyro_profile_free(p);
}

/* The tree in preorder, one "depth name total self" a line, in ms. */
static char *outline(const struct pyro_profile *p)
{
	struct pyro_report report;
	struct pyro_tree tree;
	struct pyro_buf out = {0};
	char text[64];

	assert_int_equal(pyro_report_init(&report, p, 1), 0);
	assert_int_equal(pyro_tree_init(&tree, p, &report, 1), 0);
	for (uint32_t n = pyro_tree_next(&tree, PYRO_TREE_ROOT, false);
	     n != PYRO_TREE_NONE; n = pyro_tree_next(&tree, n, false)) {
		const struct pyro_node *node = &tree.node[n];

		pyro_buf_printf(&out, "%u %s %d %d\n", node->depth,
				pyro_entry_text(&report.entry[node->entry],
						text, sizeof(text)),
				(int)(node->total / MS),
				(int)(node->self / MS));
	}
	pyro_tree_fini(&tree);
	pyro_report_fini(&report);
	pyro_buf_put(&out, "", 1);

	char *copy = strdup((char *)out.data);

	pyro_buf_free(&out);
	return copy;
}

static void joined_from_the_root(void **state)
{
	struct pyro_profile *p = known();
	char *text = outline(p);

	(void)state;
	assert_string_equal(text, "1 main (app) 93 0\n"
				  "2 a (app) 60 10\n"
				  "3 b (app) 50 50\n"
				  "2 rec (app) 25 0\n"
				  "3 rec (app) 25 0\n"
				  "4 rec (app) 25 0\n"
				  "5 a (app) 25 25\n"
				  "2 in2 (app) 8 0\n"
				  "3 in1 (app) 8 8\n"
				  "1 main (lib.so) 4 4\n"
				  "1 lib.so+0x2345 2 2\n"
				  "1 [unsampled] 1 1\n");
	free(text);
	pyro_profile_free(p);
}

/* A thousand random profiles: sums of the tree are those of the samples. */
static void sums_agree(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 1000; seed++) {
		struct pyro_profile *p = rnd_profile(seed, 2, 40, false);
		struct pyro_report report;
		struct pyro_tree tree;
		int64_t self = 0, flat = 0;

		assert_int_equal(pyro_report_init(&report, p, 1), 0);
		assert_int_equal(pyro_tree_init(&tree, p, &report, 1), 0);
		for (size_t i = 0; i < tree.count; i++)
			self += tree.node[i].self;
		for (size_t i = 0; i < report.count; i++)
			flat += report.entry[i].flat;
		assert_int_equal(self, total(p, 1));
		assert_int_equal(report.total, total(p, 1));
		assert_int_equal(tree.node[PYRO_TREE_ROOT].total, total(p, 1));
		assert_true(flat <= report.total); /* some have no stack */
		pyro_tree_fini(&tree);
		pyro_report_fini(&report);
		pyro_profile_free(p);
	}
}

static void no_memory(void **state)
{
	struct pyro_profile *p = rnd_profile(7, 2, 200, false);
	bool done = false;

	(void)state;
	for (long n = 0; !done; n++) {
		struct pyro_buf page = {0};
		int err;

		fail_memory_at(n);
		err = pyro_view_write(p, 1, "x", &page);
		fail_memory_at(-1);
		assert_true(err == 0 || err == -ENOMEM);
		done = err == 0;
		pyro_buf_free(&page);
	}
	pyro_profile_free(p);
}

#define PYTHON                                                                \
	"python3 -c 'import json, os, re, html.parser\n"                      \
	"page = open(os.environ[\"IN\"], encoding=\"utf-8\").read()\n"        \
	"class P(html.parser.HTMLParser):\n"                                  \
	"    tags, text = [], \"\"\n"                                         \
	"    def handle_starttag(s, tag, attrs): s.tags.append(tag)\n"        \
	"    def handle_data(s, d): s.text += d\n"                            \
	"p = P(); p.feed(page); p.close()\n"                                  \
	"assert p.tags.count(\"script\") == 1, p.tags\n"                      \
	"assert not set(p.tags) & {\"img\", \"iframe\", \"b\", \"svg\"}\n"    \
	"assert not re.search(\"https?://\", page)\n"                         \
	"data = re.search(\"const data = (.*?);\\n.use strict\", page, 16)\n" \
	"data = json.loads(data.group(1))\n"                                  \
	"for name, module in data[\"entries\"][1:]: print(ascii(name), "      \
	"ascii(module))\n'"

/* Read back by Python's own HTML and JSON parsers. */
static void hostile_names(void **state)
{
	static const char *const names[] = {
		"</script><script>alert(1)</script>",
		"<!--<script>",
		"]]>&lt;\\\"';\\u003c",
		"line\nfeed\ttab\x01\x7f",
		"\xe2\x80\xa8 separators \xe2\x80\xa9",
		"\xc3\xa9\xf0\x9f\x94\xa5 <b>bold</b>",
		"operator<< <char>&&",
	};
	struct pyro_profile *p = pyro_profile_new();
	struct pyro_buf page = {0}, out = {0};

	(void)state;
	pyro_profile_set_cpu(p, 10 * MS);
	for (size_t i = 0; i < PYRO_COUNT_OF(names); i++) {
		uint32_t id = at(p, "<img src=x>", 0x1000 + i, &names[i], 1);

		sample(p, &id, 1, MS);
	}
	assert_int_equal(
		pyro_view_write(p, 1, "</title><b>\"it's\"&amp;.pb.gz", &page),
		0);
	run_on(PYTHON, page.data, page.len, &out);
	pyro_buf_put(&out, "", 1);
	assert_string_equal(
		(char *)out.data,
		"'</script><script>alert(1)</script>' '<img src=x>'\n"
		"'<!--<script>' '<img src=x>'\n"
		"']]>&lt;\\\\\"\\';\\\\u003c' '<img src=x>'\n"
		"'line\\nfeed\\ttab\\x01\\x7f' '<img src=x>'\n"
		"'\\u2028 separators \\u2029' '<img src=x>'\n"
		"'\\xe9\\U0001f525 <b>bold</b>' '<img src=x>'\n"
		"'operator<< <char>&&' '<img src=x>'\n");
	pyro_buf_free(&page);
	pyro_buf_free(&out);
	pyro_profile_free(p);
}

static void printable(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{"plain", "plain"},
		{"a\x1b[31mb\n\r\tc\x7f", "a?[31mb???c?"},
		{"\xc2\x9b"
		 "31m",
		 "?31m"},
		{"\xc3\xa9\xe2\x82\xac", "\xc3\xa9\xe2\x82\xac"},
		{"\x9b\x80", "??"},
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++)
		assert_string_equal(
			pyro_printable(cases[i].in, text, sizeof(text)),
			cases[i].out);
	/* Never half a character, never past the end. */
	assert_string_equal(pyro_printable("ab\xe2\x82\xac", text, 5), "ab");
	assert_string_equal(pyro_printable("ab\xe2\x82\xac", text, 6),
			    "ab\xe2\x82\xac");
	assert_string_equal(pyro_printable("ab", text, 1), "");
}

static void values(void **state)
{
	char text[32];

	(void)state;
	assert_string_equal(
		pyro_value_text(1234567890, "nanoseconds", text, 32), "1.23 s");
	assert_string_equal(pyro_value_text(12345678, "nanoseconds", text, 32),
			    "12.3 ms");
	assert_string_equal(pyro_value_text(1234, "nanoseconds", text, 32),
			    "0.001 ms");
	assert_string_equal(
		pyro_value_text(-2000000000, "nanoseconds", text, 32),
		"-2.00 s");
	assert_string_equal(pyro_value_text(17, "count", text, 32), "17");
	assert_true(pyro_percent(1, 0) == 0);
	assert_true(pyro_percent(1, 4) == 25);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flat_and_cum),
		cmocka_unit_test(as_table),
		cmocka_unit_test(without_samples),
		cmocka_unit_test(extreme_values),
		cmocka_unit_test(joined_from_the_root),
		cmocka_unit_test(sums_agree),
		cmocka_unit_test(no_memory),
		cmocka_unit_test(hostile_names),
		cmocka_unit_test(printable),
		cmocka_unit_test(values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
