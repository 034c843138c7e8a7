// SPDX-License-Identifier: Apache-2.0
/* test_replaced.c - libraries without build IDs, whose files are replaced by such
 * as look alike: the same program headers, other functions */
#include "image/modules.h"

#include <dlfcn.h>

#include "image_util.h"

static char *dir;

/* A library with functions shown_<n>, and hidden_<n> that .dynsym has not. */
static void make_library(const char *name, int n)
{
	run("cd '%s' && printf 'static __attribute__((noinline)) "
	    "int hidden_%d(int n) { int v[64]; for (int i = 0; i < 64; i++) "
	    "v[i] = n * %d; return v[n & 63]; }"
	    "int shown_%d(int n); int shown_%d(int n) { return hidden_%d(n); }"
	    "void *hidden(void); void *hidden(void) { return hidden_%d; }'"
	    " > p.c && cc -shared -fPIC -O1 -Wl,--build-id=none -o new.so p.c "
	    "&& mv new.so '%s'",
	    dir, n, n, n, n, n, n, name);
}

struct library {
	void *handle, *shown, *hidden;
};

static struct library load(const char *name, int n)
{
	struct library l = {dlopen(in_dir(name), RTLD_NOW | RTLD_LOCAL), NULL,
			    NULL};
	char function[32];
	void *(*hidden)(void);
	void *symbol;

	if (!l.handle)
		fail_msg("%s", dlerror());
	snprintf(function, sizeof(function), "shown_%d", n);
	l.shown = dlsym(l.handle, function);
	assert_non_null(l.shown);
	symbol = dlsym(l.handle, "hidden");
	memcpy(&hidden, &symbol, sizeof(hidden));
	l.hidden = hidden();
	return l;
}

static uint32_t id_of(const void *address)
{
	const struct pyro_map *map =
		pyro_snapshot_find(pyro_modules_current(), (uintptr_t)address);

	assert_non_null(map);
	return map->module;
}

/* NULL: it has no name. */
static void check_name(struct pyro_modules *m, const void *address,
		       const char *name)
{
	const struct pyro_map *map =
		pyro_snapshot_find(pyro_modules_current(), (uintptr_t)address);
	struct pyro_symbol s;

	assert_non_null(map);

	bool found = pyro_modules_symbol(m, map->module,
					 (uintptr_t)address - map->bias, &s);

	assert_int_equal(found, name != NULL);
	if (name)
		assert_string_equal(s.name, name);
}

static int make_folder(void **state)
{
	(void)state;
	dir = make_dir();
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	remove_dir(dir);
	return 0;
}

static void test_untouched(void **state)
{
	struct pyro_modules *m = pyro_modules_new(NULL);

	(void)state;
	make_library("a.so", 1);

	struct library l = load("a.so", 1);

	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_true(pyro_modules_get(m, id_of(l.shown))->file_matches);
	assert_int_equal(pyro_modules_get(m, id_of(l.shown))->build_id.len, 0);
	check_name(m, l.shown, "shown_1");
	check_name(m, l.hidden, "hidden_1");
	dlclose(l.handle);
	pyro_modules_free(m);
}

/* Before the first look: memory has the exported names. */
static void check_replaced(bool is_removed)
{
	struct pyro_modules *m = pyro_modules_new(NULL);

	make_library("b.so", 2);

	struct library l = load("b.so", 2);

	if (is_removed)
		assert_int_equal(unlink(in_dir("b.so")), 0);
	else
		make_library("b.so", 3);
	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_false(pyro_modules_get(m, id_of(l.shown))->file_matches);
	assert_non_null(pyro_modules_get(m, id_of(l.shown))->table);
	check_name(m, l.shown, "shown_2");
	check_name(m, l.hidden, NULL);
	dlclose(l.handle);
	pyro_modules_free(m);
}

static void test_replaced(void **state)
{
	(void)state;
	check_replaced(false);
	check_replaced(true);
}

/* Between the first look and the first name, and after that: it stays the module
 * that it is, whatever else is loaded. */
static void test_replaced_later(void **state)
{
	struct pyro_modules *m = pyro_modules_new(NULL);

	(void)state;
	make_library("c.so", 4);
	make_library("d.so", 5);
	make_library("e.so", 7);

	struct library c = load("c.so", 4), d = load("d.so", 5);

	assert_int_equal(pyro_modules_refresh(m), 1);

	uint32_t id_c = id_of(c.shown), id_d = id_of(d.shown);

	check_name(m, d.hidden, "hidden_5");
	make_library("c.so", 6);
	make_library("d.so", 6);
	check_name(m, c.shown, "shown_4");
	check_name(m, c.hidden, NULL);

	struct library e = load("e.so", 7);

	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_int_equal(id_of(c.shown), id_c);
	assert_int_equal(id_of(d.shown), id_d);
	check_name(m, c.shown, "shown_4");
	check_name(m, d.hidden, "hidden_5");
	dlclose(c.handle);
	dlclose(d.handle);
	dlclose(e.handle);
	pyro_modules_free(m);
}

/* Built anew and loaded again, often at the same inode and address. */
static void test_rebuilt(void **state)
{
	struct pyro_modules *m = pyro_modules_new(NULL);

	(void)state;
	for (int n = 1; n < 6; n++) {
		char shown[32], hidden[32];

		make_library("f.so", n);

		struct library l = load("f.so", n);

		snprintf(shown, sizeof(shown), "shown_%d", n);
		snprintf(hidden, sizeof(hidden), "hidden_%d", n);
		assert_int_equal(pyro_modules_refresh(m), 1);
		check_name(m, l.shown, shown);
		check_name(m, l.hidden, hidden);
		dlclose(l.handle);
		assert_int_equal(unlink(in_dir("f.so")), 0);
		/* Sometimes nobody looks in between. */
		if (n % 2)
			assert_int_equal(pyro_modules_refresh(m), 1);
	}
	pyro_modules_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_untouched),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_replaced_later),
		cmocka_unit_test(test_rebuilt),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
