// SPDX-License-Identifier: Apache-2.0
/* test_modules.c - objects come, go, and are replaced under their names */
#include "image/modules.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/auxv.h>
#include <sys/wait.h>

#include "image_util.h"

static char *dir;

/* A library with function plugin_<n>, as a file of its own. */
static void make_plugin(const char *name, int n)
{
	run("cd '%s' && printf 'int plugin_%d(int n); int plugin_%d(int n) "
	    "{ int v[64]; for (int i = 0; i < 64; i++) v[i] = n * %d; "
	    "return v[n & 63]; }' > p.c && "
	    "cc -shared -fPIC -O1 -Wl,--build-id -s -o new.so p.c && "
	    "mv new.so '%s'",
	    dir, n, n, n, name);
}

static const struct pyro_map *map_of(const void *address)
{
	const struct pyro_snapshot *s = pyro_modules_current();

	assert_non_null(s);
	return pyro_snapshot_find(s, (uintptr_t)address);
}

static const struct pyro_module *module_of(const struct pyro_modules *m,
					   const void *address)
{
	const struct pyro_map *map = map_of(address);

	return map ? pyro_modules_get(m, map->module) : NULL;
}

static bool is_called(struct pyro_modules *m, const void *address,
		      const char *name)
{
	const struct pyro_map *map = map_of(address);
	struct pyro_symbol s;

	assert_non_null(map);
	return pyro_modules_symbol(m, map->module,
				   (uintptr_t)address - map->bias, &s) &&
	       strcmp(s.name, name) == 0;
}

static void *open_plugin(const char *name, const char *function, void **address)
{
	void *handle = dlopen(in_dir(name), RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		fail_msg("%s", dlerror());
	*address = dlsym(handle, function);
	assert_non_null(*address);
	return handle;
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

/* An executable mapping in /proc/self/maps holds [lo, hi). */
static bool is_mapped(uintptr_t lo, uintptr_t hi, const char *path)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[4096], mode[8], file[2048];
	uintptr_t from, to;
	bool found = false;

	assert_non_null(maps);
	while (!found && fgets(line, sizeof(line), maps)) {
		file[0] = '\0';
		if (sscanf(line,
			   "%" SCNxPTR "-%" SCNxPTR
			   " %7s %*s %*s %*s %2047[^\n]",
			   &from, &to, mode, file) < 3)
			continue;
		found = mode[2] == 'x' && from <= lo && to >= hi;
		if (found) {
			char real[4096];

			/* Loaded by way of symbolic links. */
			if (path[0] == '/' && realpath(path, real))
				path = real;
			assert_string_equal(file, path);
		}
	}
	fclose(maps);
	return found;
}

static void test_own_process(void **state)
{
	struct pyro_modules *m = pyro_modules_new("/usr/lib/debug");
	bool has_vdso = false;

	(void)state;
	assert_non_null(m);
	assert_null(pyro_modules_current());
	assert_null(pyro_modules_get(m, 1));
	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_int_equal(pyro_modules_refresh(m), 0);

	const struct pyro_snapshot *s = pyro_modules_current();

	assert_non_null(s);
	assert_int_equal(s->generation, 1);
	for (uint32_t i = 0; i < s->count; i++) {
		const struct pyro_map *map = &s->map[i];
		const struct pyro_module *p = pyro_modules_get(m, map->module);

		assert_non_null(p);
		assert_true(i == 0 || map->lo >= s->map[i - 1].hi);
		assert_true(is_mapped(map->lo, map->hi, p->path));
		assert_true(map->lo >= p->text_lo + map->bias);
		assert_true(map->hi <= p->text_hi + map->bias);
		assert_ptr_equal(map->table, p->table);
		assert_non_null(p->table);
		if (strcmp(p->path, "[vdso]") == 0)
			has_vdso = true;
		else
			assert_true(p->file_matches);
		assert_ptr_equal(pyro_snapshot_find(s, map->lo), map);
		assert_ptr_equal(pyro_snapshot_find(s, map->hi - 1), map);
		assert_true(pyro_snapshot_find(s, map->hi) != map);
	}
	assert_int_equal(has_vdso, getauxval(AT_SYSINFO_EHDR) != 0);

	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	assert_true(n > 0);
	exe[n] = '\0';

	const struct pyro_module *self =
		module_of(m, (const void *)(uintptr_t)test_own_process);

	assert_non_null(self);
	assert_string_equal(self->path, exe);
	assert_string_equal(self->name, strrchr(exe, '/') + 1);
	assert_true(self->build_id.len > 0);
	assert_true(is_called(m, (const void *)(uintptr_t)test_own_process,
			      "test_own_process"));
	assert_non_null(self->table);
	assert_true(pyro_modules_bytes(m) > self->table->bytes);
	assert_null(module_of(m, &self));
	assert_null(pyro_modules_get(m, 0));
	assert_null(pyro_modules_get(m, 65536));
	pyro_modules_free(m);
	assert_null(pyro_modules_current());
}

static void test_load_and_unload(void **state)
{
	struct pyro_modules *m = pyro_modules_new(NULL);
	void *address;

	(void)state;
	make_plugin("a.so", 1);
	assert_int_equal(pyro_modules_refresh(m), 1);

	uint32_t generation = pyro_modules_current()->generation;
	void *handle = open_plugin("a.so", "plugin_1", &address);

	assert_null(map_of(address));
	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_int_equal(pyro_modules_current()->generation, generation + 1);

	const struct pyro_module *a = module_of(m, address);
	uint32_t libc = map_of(dlsym(RTLD_NEXT, "strtoull"))->module;

	assert_non_null(a);
	assert_string_equal(a->name, "a.so");
	assert_string_equal(a->path, in_dir("a.so"));
	assert_true(a->file_matches);
	assert_non_null(a->table);
	assert_non_null(
		pyro_unwind_rule(a->table, (uintptr_t)address - a->bias));
	assert_true(is_called(m, address, "plugin_1"));

	/* Unloaded: not mapped, but known. */
	dlclose(handle);
	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_null(map_of(address));
	assert_string_equal(pyro_modules_get(m, a->id)->name, "a.so");
	assert_int_equal(map_of(dlsym(RTLD_NEXT, "strtoull"))->module, libc);

	/* Back again: the same. */
	handle = open_plugin("a.so", "plugin_1", &address);
	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_ptr_equal(module_of(m, address), a);
	assert_ptr_equal(map_of(address)->table, a->table);
	dlclose(handle);

	/* Another file of that name: another module. */
	make_plugin("a.so", 2);
	handle = open_plugin("a.so", "plugin_2", &address);
	assert_int_equal(pyro_modules_refresh(m), 1);

	const struct pyro_module *b = module_of(m, address);

	assert_non_null(b);
	assert_int_not_equal(b->id, a->id);
	assert_true(b->file_matches);
	assert_true(is_called(m, address, "plugin_2"));
	dlclose(handle);
	pyro_modules_free(m);
}

/* Between the load and our look at it, its file is replaced or removed. */
static void check_stale_file(bool is_removed)
{
	struct pyro_modules *m = pyro_modules_new(NULL);
	void *address;

	make_plugin("stale.so", 3);

	void *handle = open_plugin("stale.so", "plugin_3", &address);

	if (is_removed)
		assert_int_equal(unlink(in_dir("stale.so")), 0);
	else
		make_plugin("stale.so", 4);
	assert_int_equal(pyro_modules_refresh(m), 1);

	const struct pyro_module *p = module_of(m, address);

	assert_non_null(p);
	assert_false(p->file_matches);
	assert_non_null(p->table);

	const struct pyro_rule *rule =
		pyro_unwind_rule(p->table, (uintptr_t)address - p->bias);

	assert_int_equal(rule->cfa, PYRO_CFA_SP);
	assert_true(is_called(m, address, "plugin_3"));
	dlclose(handle);
	pyro_modules_free(m);
}

static void test_stale_file(void **state)
{
	(void)state;
	check_stale_file(false);
	check_stale_file(true);
}

/* Replaced after we looked, but before somebody asked for names. */
static void test_replaced_later(void **state)
{
	struct pyro_modules *m = pyro_modules_new(NULL);
	void *address, *again;

	(void)state;
	make_plugin("later.so", 5);

	void *handle = open_plugin("later.so", "plugin_5", &address);

	assert_int_equal(pyro_modules_refresh(m), 1);

	uint32_t id = module_of(m, address)->id;
	uintptr_t vaddr = (uintptr_t)address - map_of(address)->bias;

	make_plugin("later.so", 6);
	assert_true(is_called(m, address, "plugin_5"));

	/* Something else is loaded: it keeps its id while it stays mapped. */
	make_plugin("other.so", 7);

	void *other = open_plugin("other.so", "plugin_7", &again);

	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_int_equal(module_of(m, address)->id, id);
	assert_int_not_equal(module_of(m, again)->id, id);
	dlclose(other);
	dlclose(handle);

	/* Neither file nor memory: no names, and no harm. */
	pyro_modules_free(m);
	m = pyro_modules_new(NULL);
	make_plugin("gone.so", 7);
	handle = open_plugin("gone.so", "plugin_7", &address);
	assert_int_equal(pyro_modules_refresh(m), 1);
	id = module_of(m, address)->id;
	dlclose(handle);
	assert_int_equal(unlink(in_dir("gone.so")), 0);
	assert_int_equal(pyro_modules_refresh(m), 1);

	struct pyro_symbol s;

	assert_false(pyro_modules_symbol(m, id, vaddr, &s));
	pyro_modules_free(m);
}

static void test_snapshots(void **state)
{
	struct pyro_modules *m = pyro_modules_new(NULL);
	void *address;

	(void)state;
	make_plugin("a.so", 1);
	assert_int_equal(pyro_modules_refresh(m), 1);

	/* They go on counting where the last session ended. */
	uint32_t first = pyro_modules_current()->generation;

	for (int i = 0; i < 3; i++) {
		void *handle = open_plugin("a.so", "plugin_1", &address);

		assert_int_equal(pyro_modules_refresh(m), 1);
		dlclose(handle);
		assert_int_equal(pyro_modules_refresh(m), 1);
	}

	const struct pyro_snapshot *newest = pyro_modules_current();

	assert_int_equal(newest->generation, first + 6);
	/* With the plugin in every second one. */
	for (uint32_t g = 1; g <= 7; g++) {
		const struct pyro_snapshot *s =
			pyro_modules_snapshot(m, first + g - 1);

		assert_non_null(s);
		assert_int_equal(s->generation, first + g - 1);
		assert_int_equal(s->count, newest->count + (g % 2 == 0));
	}
	assert_null(pyro_modules_snapshot(m, 0));
	assert_null(pyro_modules_snapshot(m, first + 7));
	pyro_modules_reclaim(m, first + 3);
	for (uint32_t g = 1; g <= 7; g++)
		assert_true((pyro_modules_snapshot(m, first + g - 1) != NULL) ==
			    (g >= 4));
	/* Never the one that handlers use. */
	pyro_modules_reclaim(m, first + 100);
	assert_ptr_equal(pyro_modules_snapshot(m, first + 6), newest);
	assert_ptr_equal(pyro_modules_current(), newest);
	pyro_modules_free(m);
}

/* What the addresses of a record belong to: seen by its walk, and now. */
static void test_place(void **state)
{
	const uintptr_t own = (uintptr_t)test_place;
	const struct pyro_map *map;
	void *address, *handle, *again;

	(void)state;
	/* It gives no library the address that another one had. */
	if (UNDER_EMULATOR)
		skip();

	struct pyro_modules *m = pyro_modules_new(NULL);

	make_plugin("a.so", 1);
	make_plugin("b.so", 2);
	assert_int_equal(pyro_modules_refresh(m), 1);

	uint32_t empty = pyro_modules_current()->generation;

	handle = open_plugin("a.so", "plugin_1", &address);

	uintptr_t pc = (uintptr_t)address;

	/* Loaded since the walk, and nothing else was. */
	assert_int_equal(pyro_modules_refresh(m), 1);

	uint32_t with_a = pyro_modules_current()->generation;
	uint32_t a = map_of(address)->module;

	assert_true(pyro_modules_place(m, empty, pc, &map));
	assert_int_equal(map->module, a);
	assert_true(pyro_modules_place(m, with_a, pc, &map));
	assert_int_equal(map->module, a);

	/* The same again, unseen: no other can have been there between. */
	dlclose(handle);
	handle = open_plugin("a.so", "plugin_1", &again);
	assert_ptr_equal(again, address);
	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_true(pyro_modules_place(m, with_a, pc, &map));
	assert_int_equal(map->module, a);

	/* The other, and the first again: nobody can tell. */
	uint32_t before = pyro_modules_current()->generation;

	dlclose(handle);
	handle = open_plugin("b.so", "plugin_2", &again);
	assert_ptr_equal(again, address);
	dlclose(handle);
	handle = open_plugin("a.so", "plugin_1", &again);
	assert_ptr_equal(again, address);
	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_false(pyro_modules_place(m, before, pc, &map));
	assert_null(map);
	/* But what cannot go is where it was. */
	assert_true(pyro_modules_place(m, before, own, &map));
	assert_int_equal(map->module, map_of((void *)own)->module);

	/* The other, seen. */
	before = pyro_modules_current()->generation;
	dlclose(handle);
	handle = open_plugin("b.so", "plugin_2", &again);
	assert_ptr_equal(again, address);
	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_false(pyro_modules_place(m, before, pc, &map));

	/* Gone: nothing else was there. */
	uint32_t b = map_of(address)->module;

	before = pyro_modules_current()->generation;
	dlclose(handle);
	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_true(pyro_modules_place(m, before, pc, &map));
	assert_int_equal(map->module, b);

	/* Nothing there, but something had come and gone. */
	before = pyro_modules_current()->generation;
	handle = open_plugin("b.so", "plugin_2", &again);
	dlclose(handle);
	handle = open_plugin("a.so", "plugin_1", &again);
	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_false(pyro_modules_place(m, before, pc, &map));
	assert_true(pyro_modules_place(m, before, 16, &map));
	assert_null(map);
	dlclose(handle);
	pyro_modules_free(m);
}

/* A copy under another name is another module with the same table. */
static void test_copies(void **state)
{
	struct pyro_modules *m = pyro_modules_new(NULL);
	void *address[2], *handle[2];

	(void)state;
	make_plugin("a.so", 1);
	run("cd '%s' && cp a.so copy.so", dir);
	handle[0] = open_plugin("a.so", "plugin_1", &address[0]);
	assert_int_equal(pyro_modules_refresh(m), 1);

	size_t bytes = pyro_modules_bytes(m);

	handle[1] = open_plugin("copy.so", "plugin_1", &address[1]);
	assert_int_equal(pyro_modules_refresh(m), 1);
	assert_int_not_equal(module_of(m, address[0])->id,
			     module_of(m, address[1])->id);
	assert_non_null(module_of(m, address[1])->table);
	assert_ptr_equal(module_of(m, address[0])->table,
			 module_of(m, address[1])->table);
	assert_int_equal(pyro_modules_bytes(m), bytes);
	assert_true(is_called(m, address[1], "plugin_1"));
	dlclose(handle[1]);
	dlclose(handle[0]);
	pyro_modules_free(m);
}

/* More than the first room holds. */
static void test_many(void **state)
{
	enum {
		COUNT = 150
	};
	struct pyro_modules *m = pyro_modules_new(NULL);
	void *handle[COUNT], *address[COUNT];
	char name[32];

	(void)state;
	make_plugin("a.so", 1);
	run("cd '%s' && for i in $(seq 0 %d); do cp a.so copy$i.so; done", dir,
	    COUNT - 1);
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "copy%d.so", i);
		handle[i] = open_plugin(name, "plugin_1", &address[i]);
	}
	assert_int_equal(pyro_modules_refresh(m), 1);
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "copy%d.so", i);
		assert_string_equal(module_of(m, address[i])->name, name);
		assert_true(is_called(m, address[i], "plugin_1"));
		dlclose(handle[i]);
	}
	assert_int_equal(pyro_modules_refresh(m), 1);
	for (int i = 0; i < COUNT; i++)
		assert_null(map_of(address[i]));
	pyro_modules_free(m);
}

static atomic_bool is_over;

static void *load_and_unload(void *path)
{
	while (!atomic_load(&is_over)) {
		void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);

		if (handle)
			dlclose(handle);
	}
	return NULL;
}

static void test_races(void **state)
{
	struct pyro_modules *m = pyro_modules_new(NULL);
	pthread_t thread[2];
	char path[2][128];

	(void)state;
	make_plugin("race0.so", 8);
	make_plugin("race1.so", 9);
	for (int i = 0; i < 2; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/race%d.so", dir, i);
		assert_int_equal(pthread_create(&thread[i], NULL,
						load_and_unload, path[i]),
				 0);
	}
	for (int i = 0; i < 300; i++) {
		struct pyro_symbol s;

		assert_true(pyro_modules_refresh(m) >= 0);
		for (uint32_t id = 1; pyro_modules_get(m, id); id++)
			pyro_modules_symbol(m, id, 0x1100, &s);
		pyro_modules_reclaim(m, pyro_modules_current()->generation);
	}
	atomic_store(&is_over, true);
	for (int i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	/* The same few, however often they came. */
	assert_null(pyro_modules_get(m, 40));
	pyro_modules_free(m);
}

/* Run as a copy that removes itself. */
static int be_deleted(const char *path)
{
	if (unlink(path) != 0)
		return 2;

	struct pyro_modules *m = pyro_modules_new(NULL);

	if (pyro_modules_refresh(m) != 1)
		return 3;

	const void *address = (const void *)(uintptr_t)be_deleted;
	const struct pyro_module *p = module_of(m, address);

	if (!p || strcmp(p->path, path) != 0)
		return 4;
	if (!p->table || !p->file_matches ||
	    !is_called(m, address, "be_deleted"))
		return 5;
	pyro_modules_free(m);
	return 0;
}

static void test_deleted_executable(void **state)
{
	(void)state;
	if (UNDER_EMULATOR)
		skip();
	run("cp /proc/%d/exe '%s' && '%s' --delete '%s'", getpid(),
	    in_dir("copy"), in_dir("copy"), in_dir("copy"));
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own_process),
		cmocka_unit_test(test_load_and_unload),
		cmocka_unit_test(test_stale_file),
		cmocka_unit_test(test_replaced_later),
		cmocka_unit_test(test_snapshots),
		cmocka_unit_test(test_place),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_races),
		cmocka_unit_test(test_deleted_executable),
	};

	if (argc == 3 && strcmp(argv[1], "--delete") == 0)
		return be_deleted(argv[2]);
	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
