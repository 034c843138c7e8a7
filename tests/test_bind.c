// SPDX-License-Identifier: Apache-2.0
/* test_bind.c - which slots of loaded objects a hook is put into
 *
 * The libraries are made here. Each has caller(), which calls a function of
 * another library, and through(), which calls it through a variable that holds
 * its address; the hook counts. */
#include "source/bind.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>

#include <pthread.h>
#include <time.h>

#include "image_util.h"

/* AddressSanitizer's: it allows no RTLD_DEEPBIND. */
extern void __asan_init(void) PYRO_WEAK;

static char *dir;

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* XX(function): each case has its own, for a walk goes over all of them. */
#define FUNCTIONS(XX) XX(plain) XX(versioned) XX(shared) XX(weak) XX(own)

#define HOOK(name)                                                   \
	static unsigned name##_hits;                                 \
	static _Atomic uintptr_t name##_next;                        \
	static int name##_hook(int n)                                \
	{                                                            \
		name##_hits++;                                       \
		return ((int (*)(int))atomic_load(&name##_next))(n); \
	}
FUNCTIONS(HOOK)

#define HOOKED(name) {#name, (void (*)(void))name##_hook, &name##_next},
static const struct pyro_hooked table[] = {FUNCTIONS(HOOKED)};

struct caller {
	void *handle;
	int (*call)(int), (*through)(int);
};

/* A library out of this text, linked with these options. */
static void make_library(const char *name, const char *text,
			 const char *options)
{
	write_text(in_dir("source.c"), "%s\n", text);
	run("cd '%s' && cc -shared -fPIC -O1 -o %s source.c -L. "
	    "-Wl,-rpath,'$ORIGIN' %s",
	    dir, name, options);
}

static void make_caller(const char *name, const char *function,
			const char *options)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "int %s(int); int (*variable)(int) = %s;"
		 "int caller(int n) { return %s(n) + 0; }"
		 "int through(int n) { return variable(n) + 0; }",
		 function, function, function);
	make_library(name, text, options);
}

static struct caller open_path(const char *path, int flags)
{
	struct caller c = {.handle = dlopen(path, flags)};

	if (!c.handle)
		fail_msg("%s", dlerror());
	*(void **)&c.call = dlsym(c.handle, "caller");
	*(void **)&c.through = dlsym(c.handle, "through");
	assert_non_null(c.call);
	assert_non_null(c.through);
	return c;
}

static struct caller open_caller(const char *name, int flags)
{
	return open_path(in_dir(name), flags);
}

/* How many of a call and a call through the variable the hook sees. */
static unsigned seen(const struct caller *c, const unsigned *hits, int result)
{
	unsigned before = *hits;

	assert_int_equal(c->call(1), result);
	assert_int_equal(c->through(1), result);
	return *hits - before;
}

static int make_libraries(void **state)
{
	(void)state;
	dir = make_dir();
	make_library("libtarget.so", "int plain(int n) { return n + 10; }", "");
	make_caller("lazy.so", "plain", "-Wl,-z,lazy -ltarget");
	make_caller("norelro.so", "plain", "-Wl,-z,norelro,-z,lazy -ltarget");
	make_caller("now.so", "plain", "-Wl,-z,now,-z,relro -ltarget");
	make_caller("noplt.so", "plain", "-fno-plt -ltarget");
	pyro_bind_add(table, PYRO_COUNT_OF(table), NULL);
	pyro_bind_refresh();
	return 0;
}

static int remove_libraries(void **state)
{
	(void)state;
	remove_dir(dir);
	return 0;
}

/* Linked in any way, opened in any way. */
static void test_ways(void **state)
{
	static const char *const library[] = {"lazy.so", "norelro.so", "now.so",
					      "noplt.so"};
	static const int flags[] = {RTLD_LAZY, RTLD_NOW,
				    RTLD_LAZY | RTLD_DEEPBIND};

	(void)state;
	assert_int_equal(pyro_bind_mode("plain"), PYRO_BIND_NONE);
	for (size_t i = 0; i < PYRO_COUNT_OF(library); i++) {
		for (size_t j = 0; j < PYRO_COUNT_OF(flags); j++) {
			if (__asan_init && flags[j] & RTLD_DEEPBIND)
				continue;

			uint64_t patched = pyro_bind_counts("plain").patched;
			struct caller c = open_caller(library[i], flags[j]);

			pyro_bind_refresh();
			assert_int_equal(seen(&c, &plain_hits, 11), 2);
			assert_int_equal(pyro_bind_mode("plain"),
					 PYRO_BIND_GOT);
			assert_true(pyro_bind_counts("plain").patched >=
				    patched + 2);
			assert_int_equal(pyro_bind_counts("plain").elsewhere,
					 0);
			dlclose(c.handle);
			pyro_bind_refresh();
			assert_int_equal(pyro_bind_counts("plain").bound, 0);
		}
	}
}

/* As of the next refresh: before it, calls go where they went. */
static void test_before(void **state)
{
	struct caller c = open_caller("lazy.so", RTLD_LAZY);

	(void)state;
	assert_int_equal(seen(&c, &plain_hits, 11), 0);
	pyro_bind_refresh();
	assert_int_equal(seen(&c, &plain_hits, 11), 2);
	dlclose(c.handle);
}

struct relro {
	uintptr_t function; /* of the object */
	uintptr_t lo, hi;
};

static int find_relro(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct relro *relro = arg;
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	bool here = false;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t lo = info->dlpi_addr + p->p_vaddr;

		if (p->p_type == PT_LOAD && relro->function - lo < p->p_memsz)
			here = true;
		if (p->p_type == PT_GNU_RELRO) {
			relro->lo = lo & ~(page - 1);
			relro->hi = (lo + p->p_memsz) & ~(page - 1);
		}
	}
	return here;
}

/* How many of its pages have these rights. */
static size_t pages_with(const struct relro *relro, const char *rights)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long lo, hi;
	char line[8192], found[8];
	size_t bytes = 0;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", &lo, &hi, found) == 3 &&
		    strncmp(found, rights, 2) == 0 && lo < relro->hi &&
		    hi > relro->lo)
			bytes += pyro_min(hi, relro->hi) -
				 pyro_max(lo, relro->lo);
	fclose(maps);
	return bytes / (size_t)sysconf(_SC_PAGESIZE);
}

static void test_read_only(void **state)
{
	struct caller c = open_caller("now.so", RTLD_NOW);
	struct relro relro = {.function = (uintptr_t)c.call};
	size_t pages;

	(void)state;
	assert_int_equal(dl_iterate_phdr(find_relro, &relro), 1);
	pages = (relro.hi - relro.lo) / (size_t)sysconf(_SC_PAGESIZE);
	assert_true(pages > 0);
	assert_int_equal(pages_with(&relro, "r-"), pages);
	pyro_bind_refresh();
	assert_int_equal(seen(&c, &plain_hits, 11), 2);
	assert_int_equal(pages_with(&relro, "r-"), pages);
	dlclose(c.handle);
}

/* While the loader has not protected them, it writes to the pages. */
static void test_not_relocated(void **state)
{
	struct caller c = open_caller("now.so", RTLD_NOW);
	struct relro relro = {.function = (uintptr_t)c.call};
	double end = now_s() + 20;

	(void)state;
	assert_int_equal(dl_iterate_phdr(find_relro, &relro), 1);
	assert_int_equal(mprotect((void *)relro.lo, relro.hi - relro.lo,
				  PROT_READ | PROT_WRITE),
			 0);
	pyro_bind_refresh();
	/* The variable is not of them. */
	assert_int_equal(seen(&c, &plain_hits, 11), 1);
	assert_int_equal(pages_with(&relro, "r-"), 0);
	assert_int_equal(
		mprotect((void *)relro.lo, relro.hi - relro.lo, PROT_READ), 0);
	while (seen(&c, &plain_hits, 11) < 2 && now_s() < end) {
		usleep(20000);
		pyro_bind_refresh();
	}
	assert_int_equal(seen(&c, &plain_hits, 11), 2);
	assert_true(pages_with(&relro, "r-") > 0);
	dlclose(c.handle);
}

/* An older version is another function. */
static void test_versions(void **state)
{
	static const char *const how[] = {"-Wl,-z,lazy", "-Wl,-z,now"};

	(void)state;
	write_text(in_dir("map"), "V1 { versioned; }; V2 { versioned; } V1;\n");
	make_library("libversions.so",
		     "__asm__(\".symver old,versioned@V1\");"
		     "__asm__(\".symver new,versioned@@V2\");"
		     "int old(int n) { return n + 1; }"
		     "int new(int n) { return n + 2; }",
		     "-Wl,--version-script=map");
	for (size_t i = 0; i < PYRO_COUNT_OF(how); i++) {
		char options[64], text[512];

		snprintf(options, sizeof(options), "%s -lversions", how[i]);
		make_caller("newer.so", "versioned", options);
		snprintf(text, sizeof(text),
			 "__asm__(\".symver versioned,versioned@V1\");"
			 "int versioned(int); int (*variable)(int) = versioned;"
			 "int caller(int n) { return versioned(n) + 0; }"
			 "int through(int n) { return variable(n) + 0; }");
		make_library("older.so", text, options);

		struct caller older = open_caller("older.so", RTLD_LAZY);
		struct caller newer = open_caller("newer.so", RTLD_LAZY);

		pyro_bind_refresh();
		assert_int_equal(seen(&older, &versioned_hits, 2), 0);
		seen(&newer, &versioned_hits,
		     3); /* the lazy slot is resolved */
		dlclose(open_caller("now.so", RTLD_NOW).handle);
		pyro_bind_refresh();
		assert_int_equal(seen(&older, &versioned_hits, 2), 0);
		assert_int_equal(seen(&newer, &versioned_hits, 3), 2);
		assert_true(pyro_bind_counts("versioned").elsewhere >= 2);
		dlclose(older.handle);
		dlclose(newer.handle);
		pyro_bind_refresh();
	}
}

/* Two libraries define the function: who sees the second's is left alone, also
 * if its slots are not resolved yet. */
static void test_two_providers(void **state)
{
	static const int flags[] = {RTLD_NOW, RTLD_LAZY};
	struct caller first, second;

	(void)state;
	make_library("libfirst.so", "int shared(int n) { return n + 1; }",
		     "-Wl,--hash-style=sysv");
	make_library("libsecond.so", "int shared(int n) { return n + 2; }",
		     "-Wl,--hash-style=gnu");
	make_caller("first.so", "shared", "-Wl,-z,lazy -lfirst");
	make_caller("second.so", "shared", "-Wl,-z,lazy -lsecond");
	for (size_t i = 0; i < PYRO_COUNT_OF(flags); i++) {
		first = open_caller("first.so", flags[i]);
		pyro_bind_refresh();
		second = open_caller("second.so", flags[i]);
		pyro_bind_refresh();
		assert_int_equal(seen(&first, &shared_hits, 2), 2);
		assert_int_equal(seen(&second, &shared_hits, 3), 0);
		dlclose(second.handle);
		dlclose(first.handle);
		pyro_bind_refresh();
	}
}

static void *open_and_close(void *arg)
{
	double end = now_s() + 2;

	while (now_s() < end) {
		struct caller c = open_path(arg, RTLD_NOW);

		if (c.call(1) != 11 || c.through(1) != 11)
			abort();
		dlclose(c.handle);
	}
	return NULL;
}

/* Objects come and go in other threads while slots are changed. */
static void test_churn(void **state)
{
	static char library[4][128];
	static const char *const name[] = {"lazy.so", "now.so", "noplt.so",
					   "norelro.so"};
	pthread_t thread[4];

	(void)state;
	plain_hits = 0;
	for (size_t i = 0; i < 4; i++) {
		snprintf(library[i], sizeof(library[i]), "%s", in_dir(name[i]));
		assert_int_equal(pthread_create(&thread[i], NULL,
						open_and_close, library[i]),
				 0);
	}
	for (double end = now_s() + 2; now_s() < end;)
		pyro_bind_refresh();
	assert_true(plain_hits > 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(thread[i], NULL);
}

/* What an object defines and calls itself is left alone, unless the library exports
 * a function of that name: then the linker would have put it there. */
static void test_own(void **state)
{
	static _Atomic uintptr_t exported_next;
	static const struct pyro_hooked exported = {
		"exported", (void (*)(void))own_hook, &exported_next};
	struct caller c;

	(void)state;
	make_library("own.so",
		     "int own(int n) { return n + 1; }"
		     "int exported(int n) { return n + 1; }"
		     "int (*variable)(int) = own;"
		     "int caller(int n) { return own(n) + exported(n); }"
		     "int through(int n) { return variable(n) + 2; }",
		     "-Wl,-z,now");
	c = open_caller("own.so", RTLD_NOW);
	pyro_bind_refresh();
	assert_int_equal(seen(&c, &own_hits, 4), 0);
	exported_next = (uintptr_t)dlsym(c.handle, "exported");
	pyro_bind_add(&exported, 1, NULL);
	dlclose(open_caller("now.so", RTLD_NOW).handle);
	pyro_bind_refresh();
	assert_int_equal(seen(&c, &own_hits, 4), 1);
	dlclose(c.handle);
}

/* A weak function that nobody defines stays one. */
static void test_undefined(void **state)
{
	struct caller c;

	(void)state;
	make_library("weak.so",
		     "int weak(int) __attribute__((weak));"
		     "int caller(int n) { return weak ? weak(n) : n; }"
		     "int through(int n) { return caller(n); }",
		     "-Wl,-z,now");
	c = open_caller("weak.so", RTLD_NOW);
	pyro_bind_refresh();
	assert_int_equal(seen(&c, &weak_hits, 1), 0);
	assert_int_equal(pyro_bind_mode("weak"), PYRO_BIND_NONE);
	assert_int_equal(pyro_bind_mode("no such hook"), PYRO_BIND_NONE);
	dlclose(c.handle);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_before),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_not_relocated),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_two_providers),
		cmocka_unit_test(test_churn),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_undefined),
	};

	return cmocka_run_group_tests(tests, make_libraries, remove_libraries);
}
