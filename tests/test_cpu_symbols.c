// SPDX-License-Identifier: Apache-2.0
/* test_cpu_symbols.c - what is said of a frame, and what is left to the server
 *
 * Libraries are built with and without build ID and debug information. What a
 * profile says of them is compared with nm and readelf. */
#include <dlfcn.h>
#include <inttypes.h>

#include "image_util.h"
#include "profile/cpu_profile.h"

#define PERIOD UINT64_C(10000000)
#define SERVER PYRO_SYMBOLIZE_SERVER
#define LINES PYRO_SYMBOLIZE_LINES

static char *dir;
static struct pyro_modules *modules;

/* A library of a function with its own name, and that function's frame. */
static uint64_t load(const char *name, const char *options)
{
	char path[128];
	void *lib, *code;

	run("cd '%s' && printf 'int %s(int n);\\nint %s(int n) "
	    "{ return n * 3; }\\n' > %s.c && "
	    "cc -shared -fPIC -O1 %s -o lib%s.so %s.c",
	    dir, name, name, name, options, name, name);
	snprintf(path, sizeof(path), "%s/lib%s.so", dir, name);
	lib = dlopen(path, RTLD_NOW);
	assert_non_null(lib);
	code = dlsym(lib, name);
	assert_non_null(code);
	assert_int_equal(pyro_modules_refresh(modules), 1);

	const struct pyro_map *map =
		pyro_snapshot_find(pyro_modules_current(), (uintptr_t)code);

	assert_non_null(map);
	return (uint64_t)map->module << 48 | ((uintptr_t)code - map->bias);
}

static struct pyro_profile *profile_of(enum pyro_symbolize symbolize,
				       const struct pyro_lines *lines,
				       const uint64_t *frames, size_t count)
{
	const struct pyro_stack_frames stack = {
		.frames = frames,
		.depth = (uint16_t)count,
		.stop = PYRO_STOP_END,
	};
	struct pyro_stacks stacks = {0};
	struct pyro_cpu_window window = {.stacks = &stacks,
					 .period_ns = PERIOD,
					 .symbolize = symbolize,
					 .lines = lines};
	struct pyro_profile *p;

	pyro_stacks_add(&stacks, &stack, PERIOD, 1);
	p = pyro_cpu_profile(&window, modules);
	assert_non_null(p);
	assert_int_equal(p->samples_count, 1);
	assert_int_equal(p->samples[0].location_count, count);
	pyro_stacks_free(&stacks);
	return p;
}

static const struct pyro_location *location(const struct pyro_profile *p,
					    size_t i)
{
	return &p->locations[p->location_ids[p->samples[0].first_location + i] -
			     1];
}

static const struct pyro_mapping *mapping(const struct pyro_profile *p,
					  size_t i)
{
	assert_true(location(p, i)->mapping > 0);
	return &p->mappings[location(p, i)->mapping - 1];
}

static const char *name(const struct pyro_profile *p, size_t i)
{
	return pyro_profile_frame(
		p, p->location_ids[p->samples[0].first_location + i]);
}

/* One word that a command prints. */
static const char *word_of(const char *command, const char *file)
{
	static char word[256];
	FILE *out = output_of(command, in_dir(file));

	assert_int_equal(fscanf(out, "%255s", word), 1);
	assert_int_equal(pclose(out), 0);
	return word;
}

static uint64_t number_of(const char *command, const char *file)
{
	return strtoull(word_of(command, file), NULL, 16);
}

#define TEXT(column) \
	"readelf -lW '%s' | awk '/LOAD/ && / E / { print $" column " }'"

/* ELF address and build ID, as nm and readelf have them, and no name. */
static void test_server_has_it(void **state)
{
	uint64_t frame = load("with_id", "-Wl,--build-id");
	uint64_t frames[] = {frame, frame};
	struct pyro_profile *p = profile_of(SERVER, NULL, frames, 2);
	const struct pyro_mapping *m = mapping(p, 0);

	(void)state;
	assert_int_equal(location(p, 0)->line_count, 0);
	assert_int_equal(
		location(p, 0)->address,
		number_of("nm '%s' | grep ' T with_id$'", "libwith_id.so"));
	assert_string_equal(
		pyro_profile_text(p, m->build_id),
		word_of("readelf -n '%s' | awk '/Build ID/ { print $3 }'",
			"libwith_id.so"));
	assert_string_equal(pyro_profile_text(p, m->filename),
			    in_dir("libwith_id.so"));
	assert_int_equal(m->offset, number_of(TEXT("2"), "libwith_id.so"));
	assert_int_equal(m->start, number_of(TEXT("3"), "libwith_id.so"));
	assert_int_equal(m->limit - m->start,
			 number_of(TEXT("6"), "libwith_id.so"));
	assert_false(m->has_functions);
	assert_false(m->has_filenames);
	assert_false(m->has_line_numbers);
	assert_false(m->has_inline_frames);

	/* Without any name in a stack, Pyroscope 1.21 drops the stack. */
	assert_string_equal(name(p, 1), "with_id");
	assert_int_equal(location(p, 1)->address, location(p, 0)->address);
	assert_int_equal(location(p, 1)->mapping, location(p, 0)->mapping);
	pyro_profile_free(p);
}

/* A stripped file with a build ID is the server's, too: it may have the debug
 * file. */
static void test_server_has_debug_file(void **state)
{
	uint64_t frame = load("stripped", "-Wl,--build-id -s");
	uint64_t frames[] = {frame, frame};
	struct pyro_profile *p = profile_of(SERVER, NULL, frames, 2);

	(void)state;
	assert_int_equal(location(p, 0)->line_count, 0);
	assert_false(mapping(p, 0)->has_functions);
	pyro_profile_free(p);
}

/* What no server can find is named here, and its mapping says so. */
static void test_server_cannot_have_it(void **state)
{
	uint64_t plain = load("without_id", "-Wl,--build-id=none");
	uint64_t server = load("another_id", "-Wl,--build-id");
	uint64_t anonymous = UINT64_C(0x7000123456);
	uint64_t hole = plain + 0x100000;
	uint64_t frames[] = {plain, server, anonymous, hole};
	struct pyro_profile *p = profile_of(SERVER, NULL, frames, 4);
	char want[64];

	(void)state;
	assert_string_equal(name(p, 0), "without_id");
	assert_true(mapping(p, 0)->has_functions);
	assert_false(mapping(p, 0)->has_filenames);
	assert_string_equal(pyro_profile_text(p, mapping(p, 0)->build_id), "");

	assert_int_equal(location(p, 1)->line_count, 0);
	assert_false(mapping(p, 1)->has_functions);

	assert_string_equal(name(p, 2), "[anon:0x7000123000]");
	assert_int_equal(location(p, 2)->mapping, 0);

	snprintf(want, sizeof(want), "libwithout_id.so+0x%" PRIx64,
		 PYRO_FRAME_ADDRESS(hole));
	assert_string_equal(name(p, 3), want);
	assert_int_equal(location(p, 3)->mapping, location(p, 0)->mapping);
	pyro_profile_free(p);
}

/* It has a build ID, but is no file. */
static void test_vdso(void **state)
{
	void *vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
	const struct pyro_map *map;
	uint64_t frame;
	void *code;

	(void)state;
	if (!vdso)
		skip();
	code = dlsym(vdso, "__vdso_clock_gettime");
	assert_non_null(code);
	pyro_modules_refresh(modules);
	map = pyro_snapshot_find(pyro_modules_current(), (uintptr_t)code);
	assert_non_null(map);
	frame = (uint64_t)map->module << 48 | ((uintptr_t)code - map->bias);

	struct pyro_profile *p = profile_of(SERVER, NULL, &frame, 1);

	assert_non_null(strstr(name(p, 0), "clock_gettime"));
	assert_true(mapping(p, 0)->has_functions);
	assert_string_equal(pyro_profile_text(p, mapping(p, 0)->filename),
			    "[vdso]");
	pyro_profile_free(p);
	dlclose(vdso);
}

static int open_module(void *arg, uint32_t module, struct pyro_elf *elf)
{
	return pyro_modules_open(arg, module, elf);
}

/* Lines are claimed for a file where each location has one: else who reads the
 * profile may look for the others. */
static void test_claims(void **state)
{
	uint64_t whole = load("with_lines", "-g");
	uint64_t part = load("half_lines", "-g");
	uint64_t frames[] = {whole, part, part + 0x100000};
	struct pyro_lines *lines = pyro_lines_new("", (size_t)64 << 20, 1000);

	(void)state;
	assert_non_null(lines);
	pyro_lines_earn(lines, UINT64_MAX);
	for (size_t i = 0; i < 3; i++)
		pyro_lines_want(lines, PYRO_FRAME_MODULE(frames[i]),
				PYRO_FRAME_ADDRESS(frames[i]), 1);
	assert_int_equal(
		pyro_lines_resolve(lines, open_module, modules, UINT64_MAX), 0);

	struct pyro_profile *p = profile_of(LINES, lines, frames, 3);

	assert_string_equal(name(p, 0), "with_lines");
	assert_int_equal(p->lines[location(p, 0)->first_line].line, 2);
	assert_true(mapping(p, 0)->has_functions);
	assert_true(mapping(p, 0)->has_filenames);
	assert_true(mapping(p, 0)->has_line_numbers);
	assert_true(mapping(p, 0)->has_inline_frames);
	assert_int_equal(p->lines[location(p, 1)->first_line].line, 2);
	assert_ptr_equal(mapping(p, 1), mapping(p, 2));
	assert_true(mapping(p, 1)->has_functions);
	assert_false(mapping(p, 1)->has_filenames);
	assert_false(mapping(p, 1)->has_line_numbers);
	assert_false(mapping(p, 1)->has_inline_frames);
	pyro_profile_free(p);

	p = profile_of(PYRO_SYMBOLIZE_NAMES, NULL, frames, 1);
	assert_true(mapping(p, 0)->has_functions);
	assert_false(mapping(p, 0)->has_filenames);
	assert_false(mapping(p, 0)->has_line_numbers);
	pyro_profile_free(p);
	pyro_lines_free(lines);
}

static int set_up(void **state)
{
	(void)state;
	dir = make_dir();
	modules = pyro_modules_new(NULL);
	return modules && pyro_modules_refresh(modules) == 1 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	pyro_modules_free(modules);
	remove_dir(dir);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_has_it),
		cmocka_unit_test(test_server_has_debug_file),
		cmocka_unit_test(test_server_cannot_have_it),
		cmocka_unit_test(test_vdso),
		cmocka_unit_test(test_claims),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
