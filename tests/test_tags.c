// SPDX-License-Identifier: Apache-2.0
/* test_tags.c - lists of labels as people write them */
#include "tests/unit.h"

#include <stdio.h>
#include <string.h>

#include "settings/tags.h"

static struct pyro_tags tags;

/* "a=1;b=2;" */
static const char *all(void)
{
	static char text[65536];
	size_t len = 0;

	*text = '\0';
	for (size_t i = 0; i < tags.count; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"%s=%s;", tags.tag[i].name,
					tags.tag[i].value);
	return text;
}

static void test_lists(void **state)
{
	static const struct {
		const char *list, *want;
		const char *why; /* a word of it; NULL: nothing is wrong */
	} cases[] = {
		{"a=1", "a=1;", NULL},
		{"a=1,b=2", "a=1;b=2;", NULL},
		{"a:1,b:2", "a=1;b=2;", NULL},
		{" a = 1 , b :2\t", "a=1;b=2;", NULL},
		{"a=x:y=z", "a=x:y=z;", NULL},
		{"a:x=y", "a=x=y;", NULL},
		{"url=https://host:1/p?q=1#f", "url=https://host:1/p?q=1#f;",
		 NULL},
		{"a=1,a=2", "a=1;", NULL},
		{"a=,b=2", "b=2;", NULL},
		{"k8s.pod=x", "k8s_pod=x;", NULL},
		{"a=\xc3\xa4 b", "a=\xc3\xa4 b;", NULL},
		{"_a1=x", "_a1=x;", NULL},
		{"", "", "\"=\""},
		{"a", "", "\"=\""},
		{"a=1,", "a=1;", "\"=\""},
		{",a=1", "a=1;", "\"=\""},
		{"1a=x,b=1", "b=1;", "a-zA-Z_"},
		{"a-b=x,b=1", "b=1;", "a-zA-Z_"},
		{"=x", "", "a-zA-Z_"},
		{"a b=x", "", "a-zA-Z_"},
		{"\xc3\xa4=x", "", "a-zA-Z_"},
		{"__name__=x", "", "__"},
		{"..x=x", "", "__"},
		{"service_name=x,b=1", "b=1;", "own"},
		{"service.name=x", "", "own"},
		{"pyroscope_spy=x", "", "own"},
		{"span_id=x", "", "own"},
		{"a=x\ny", "", "control"},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		const char *list = cases[i].list, *why;
		bool good;

		memset(&tags, 0, sizeof(tags));
		why = pyro_tags_parse(&tags, list, strlen(list), &good);
		assert_string_equal(all(), cases[i].want);
		if (!why != !cases[i].why ||
		    (why && !strstr(why, cases[i].why)))
			fail_msg("%s: %s", list, why ? why : "nothing");
		assert_ptr_equal(
			pyro_tags_parse(NULL, list, strlen(list), &good), why);
		assert_int_equal(good, tags.count > 0);
	}
}

static void test_lengths(void **state)
{
	static char text[2000];
	bool good;

	(void)state;
	for (size_t name = 254; name <= 256; name++) {
		memset(&tags, 0, sizeof(tags));
		memset(text, 'n', name);
		strcpy(text + name, "=v");
		assert_int_equal(
			pyro_tags_parse(&tags, text, name + 2, &good) == NULL,
			name <= 255);
		assert_int_equal(tags.count, name <= 255);
	}
	for (size_t value = 1022; value <= 1024; value++) {
		memset(&tags, 0, sizeof(tags));
		memset(text, 'v', sizeof(text));
		memcpy(text, "n=", 2);
		assert_int_equal(
			pyro_tags_parse(&tags, text, value + 2, &good) == NULL,
			value <= 1023);
		assert_int_equal(tags.count, value <= 1023);
	}
}

/* With all that the library and its threads add, a series is one that the server
 * takes. */
static void test_too_many(void **state)
{
	char text[500] = "";
	bool good;

	(void)state;
	memset(&tags, 0, sizeof(tags));
	for (int i = 0; i < PYRO_TAGS_MAX + 2; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%st%d=%d", i ? "," : "", i, i);
	assert_null(pyro_tags_parse(&tags, text, strlen(text), &good));
	assert_int_equal(tags.count, PYRO_TAGS_MAX);
	assert_true(tags.full);
	assert_true(PYRO_OWN_LABELS + PYRO_TAGS_MAX + 1 <=
		    PYRO_SERIES_LABELS_MAX);
}

static void test_names(void **state)
{
	static const struct {
		const char *text, *name, *list;
		bool good;
	} cases[] = {
		{"app", "app", "", true},
		{"app{a=1,b=2}", "app", "a=1,b=2", true},
		{" app {a=1} ", "app", "a=1", true},
		{"app{}", "app", "", true},
		{"{a=1}", "", "a=1", true},
		{"", "", "", true},
		{"app{", "app", "", false},
		{"app{a=1", "app", "", false},
		{"app{a=1}x", "app", "", false},
		{"my-app.v2/x", "my-app.v2/x", "", true},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyro_tagged_name parts;

		assert_int_equal(pyro_tags_split(cases[i].text, &parts),
				 cases[i].good);
		assert_int_equal(parts.name_len, strlen(cases[i].name));
		assert_memory_equal(parts.name, cases[i].name, parts.name_len);
		assert_int_equal(parts.list_len, strlen(cases[i].list));
		if (parts.list_len)
			assert_memory_equal(parts.list, cases[i].list,
					    parts.list_len);
	}
}

static void test_take(void **state)
{
	char value[PYRO_LABEL_VALUE_MAX + 1] = "";
	const char list[] = "a=1,b=2,c=3";
	bool good;

	(void)state;
	memset(&tags, 0, sizeof(tags));
	assert_null(pyro_tags_parse(&tags, list, strlen(list), &good));
	assert_true(pyro_tags_take(&tags, "b", value));
	assert_string_equal(value, "2");
	assert_string_equal(all(), "a=1;c=3;");
	assert_false(pyro_tags_take(&tags, "b", value));
	assert_true(pyro_tags_take(&tags, "c", NULL));
	assert_true(pyro_tags_take(&tags, "a", NULL));
	assert_int_equal(tags.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),    cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_too_many), cmocka_unit_test(test_names),
		cmocka_unit_test(test_take),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
