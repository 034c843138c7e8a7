// SPDX-License-Identifier: Apache-2.0
/* test_symbols.c - names of functions against readelf's symbol tables */
#include "image/symbols.h"

#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/auxv.h>

#include "image_util.h"

static char *dir;

/* All that a symbol table can hold, at addresses that meet. */
static const char source[] =
	"int used(int n); int used(int n) { return n + 1; }\n"
	"static __attribute__((noinline)) int hidden(int n)"
	" { return used(n) * 3; }\n"
	"int shown(int n) { return hidden(n); }\n"
	"extern __typeof(shown) weak_name __attribute__((weak,"
	" alias(\"shown\")));\n"
	"extern __typeof(used) __libc_used_with_a_long_name"
	" __attribute__((alias(\"used\")));\n"
	"extern __typeof(used) used_by_all __attribute__((alias(\"used\")));\n"
	"int data_symbol = 5;\n"
	"static int choice(int n) { return n; }\n"
	"static void *resolver(void) { return choice; }\n"
	"int indirect(int n) __attribute__((ifunc(\"resolver\")));\n"
	"__asm__(\".text\\n\"\n"
	"	\".type outer,@function\\nouter: .skip 64\\n\"\n"
	"	\".size outer,64\\n\"\n"
	"	\".type inner,@function\\n.set inner,outer+16\\n\"\n"
	"	\".size inner,8\\n\"\n"
	"	\".type open_function,@function\\nopen_function: .skip "
	"32\\n\"\n"
	"	\".globl label\\nlabel: .skip 16\\n\"\n"
	"	\"local_label: .skip 16\\n\"\n"
	"	\".globl other_label\\n.type typed,@function\\n\"\n"
	"	\"other_label:\\ntyped: .skip 16\\n.size typed,16\\n\"\n"
	"	\".skip 32\\n\"\n"
	"	\".section .text.last,\\\"ax\\\"\\n\"\n"
	"	\".type last,@function\\nlast: .skip 8\\n\");\n";

struct opened {
	struct pyro_elf elf;
	struct pyro_build_id id;
	struct pyro_symbols *symbols;
};

static void open_image(struct opened *o, const char *path, const char *root)
{
	assert_int_equal(pyro_elf_open_file(&o->elf, open_file(path)), 0);
	pyro_elf_build_id(&o->elf, &o->id);
	assert_int_equal(pyro_symbols_open(&o->elf, &o->id, root, &o->symbols),
			 0);
}

static void close_image(struct opened *o)
{
	int fd = o->elf.fd;

	pyro_symbols_free(o->symbols);
	pyro_elf_close(&o->elf);
	close(fd);
}

/* The value and size that readelf gives for a name. */
static bool lookup(const char *path, const char *name, uint64_t *value,
		   uint64_t *size)
{
	FILE *in = output_of("readelf -sW '%s' | awk '$8 == \"%s\" "
			     "{ print $2, $3; exit }'",
			     path, name);
	bool found = fscanf(in, "%" SCNx64 " %" SCNu64, value, size) == 2;

	pclose(in);
	return found;
}

static void check_at(const struct pyro_symbols *symbols, uint64_t at,
		     const char *name, uint64_t lo, uint64_t hi)
{
	struct pyro_symbol s;

	if (!pyro_symbols_find(symbols, at, &s))
		fail_msg("nothing at %" PRIx64 ", not %s", at, name);
	assert_string_equal(s.name, name);
	assert_int_equal(s.lo, lo);
	assert_int_equal(s.hi, hi);
}

static void check_name(const struct opened *o, const char *table,
		       const char *name, const char *want)
{
	uint64_t lo, size;

	assert_true(lookup(table, name, &lo, &size));
	assert_int_not_equal(size, 0);
	check_at(o->symbols, lo, want, lo, lo + size);
	check_at(o->symbols, lo + size - 1, want, lo, lo + size);
}

static int make_files(void **state)
{
	char path[128];

	(void)state;
	dir = make_dir();
	snprintf(path, sizeof(path), "%s/a.c", dir);
	write_text(path, "%s", source);
	run("cd '%s' && cc -w -shared -fPIC -O1 -Wl,--build-id -o full.so a.c "
	    "&& objcopy --only-keep-debug full.so a.debug "
	    "&& strip -o stripped.so full.so "
	    "&& id=$(readelf -nW full.so | sed -n 's/.*Build ID: *//p') "
	    "&& mkdir -p root/.build-id/$(echo $id | cut -c1-2) "
	    "&& cp a.debug root/.build-id/$(echo $id | cut -c1-2)/"
	    "$(echo $id | cut -c3-).debug "
	    "&& cp -r root wrong "
	    "&& cc -w -shared -fPIC -O2 -Wl,--build-id=0x1234 -o other.so a.c "
	    "&& find wrong -type f -exec cp other.so '{}' ';'",
	    dir);
	/* By name and checksum: beside, hidden, below a root, and spoilt. */
	run("cd '%s' && objcopy --add-gnu-debuglink=a.debug stripped.so l.so "
	    "&& mkdir -p by hid/.debug low spoilt 'below%s/low' "
	    "&& for d in by hid low spoilt; do cp l.so $d/linked.so; done "
	    "&& cp a.debug by && cp a.debug hid/.debug "
	    "&& cp a.debug 'below%s/low' && cp a.debug spoilt "
	    "&& echo >> spoilt/a.debug",
	    dir, dir, dir);
	return 0;
}

/* As find-debuginfo.sh of rpm does it. */
static void make_minidebug(const char *from, const char *xz, const char *to)
{
	run("cd '%s' && nm -D %s --format=posix --defined-only "
	    "| awk '{ print $1 }' | sort > dynamic && "
	    "nm %s --format=posix --defined-only | awk '$2 ~ /[TtD]/ "
	    "{ print $1 }' | sort > all && comm -13 dynamic all > keep && "
	    "objcopy --only-keep-debug %s mini.debug && "
	    "objcopy -S --remove-section .gdb_index --remove-section .comment "
	    "--keep-symbols=keep mini.debug mini && %s < mini > mini.xz && "
	    "strip -o %s %s && "
	    "objcopy --add-section .gnu_debugdata=mini.xz %s",
	    dir, from, from, from, xz, to, from, to);
}

static int remove_files(void **state)
{
	(void)state;
	remove_dir(dir);
	return 0;
}

static void check_full(const struct opened *o)
{
	const char *table = in_dir("full.so");
	uint64_t lo, at, size;
	struct pyro_symbol s;

	check_name(o, table, "hidden", "hidden");
	check_name(o, table, "shown", "shown");
	/* Global before weak; fewer underscores; then the longest. */
	check_name(o, table, "weak_name", "shown");
	check_name(o, table, "used", "used_by_all");
	check_name(o, table, "__libc_used_with_a_long_name", "used_by_all");
	check_name(o, table, "choice", "choice");
	check_name(o, table, "resolver", "indirect");
	/* Inside, behind the inner one, and behind the outer one. */
	assert_true(lookup(table, "outer", &lo, &size));
	check_at(o->symbols, lo + 15, "outer", lo, lo + 64);
	check_at(o->symbols, lo + 16, "inner", lo + 16, lo + 24);
	check_at(o->symbols, lo + 23, "inner", lo + 16, lo + 24);
	check_at(o->symbols, lo + 24, "outer", lo, lo + 64);
	check_at(o->symbols, lo + 63, "outer", lo, lo + 64);
	/* Without a size: to the next one that counts. */
	assert_true(lookup(table, "open_function", &lo, &size));
	check_at(o->symbols, lo, "open_function", lo, lo + 32);
	check_at(o->symbols, lo + 31, "open_function", lo, lo + 32);
	check_at(o->symbols, lo + 32, "label", lo + 32, lo + 64);
	check_at(o->symbols, lo + 63, "label", lo + 32, lo + 64);
	check_at(o->symbols, lo + 64, "typed", lo + 64, lo + 80);
	assert_false(pyro_symbols_find(o->symbols, lo + 80, &s));
	/* No data. */
	assert_true(lookup(table, "data_symbol", &at, &size));
	assert_false(pyro_symbols_find(o->symbols, at, &s));
	assert_false(pyro_symbols_find(o->symbols, 0, &s));
	assert_false(pyro_symbols_find(o->symbols, UINT64_MAX, &s));
	assert_true(pyro_symbols_bytes(o->symbols) > 0);
}

static void test_full(void **state)
{
	struct opened o;

	(void)state;
	open_image(&o, in_dir("full.so"), NULL);
	check_full(&o);
	close_image(&o);
}

static void test_separate_debug_file(void **state)
{
	struct opened o;
	char root[128];

	(void)state;
	snprintf(root, sizeof(root), "%s", in_dir("root"));
	open_image(&o, in_dir("stripped.so"), root);
	check_full(&o);
	close_image(&o);
}

static void test_debuglink(void **state)
{
	static const char *const good[] = {"by", "hid", "low"};
	struct opened o;
	char root[128], path[32];
	struct pyro_symbol s;
	uint64_t lo, size;

	(void)state;
	snprintf(root, sizeof(root), "%s", in_dir("below"));
	for (size_t i = 0; i < PYRO_COUNT_OF(good); i++) {
		snprintf(path, sizeof(path), "%s/linked.so", good[i]);
		open_image(&o, in_dir(path), root);
		check_full(&o);
		close_image(&o);
	}
	/* Another file of that name is not believed. */
	open_image(&o, in_dir("spoilt/linked.so"), root);
	assert_true(lookup(in_dir("full.so"), "hidden", &lo, &size));
	assert_false(pyro_symbols_find(o.symbols, lo, &s));
	close_image(&o);
}

/* Is hidden(), which .dynsym has not, known, and shown(), which it has? */
static void check_minidebug(const char *name, bool known)
{
	struct pyro_symbol s;
	uint64_t lo, size;
	struct opened o;

	open_image(&o, in_dir(name), "");
	assert_true(lookup(in_dir("full.so"), "hidden", &lo, &size));
	if (pyro_symbols_find(o.symbols, lo, &s) != known)
		fail_msg("%s: hidden %s", name, known ? "unknown" : "known");
	check_name(&o, in_dir("full.so"), "shown", "shown");
	if (known)
		check_full(&o);
	close_image(&o);
}

/* The emulated machine may have none. */
static void skip_without_liblzma(void)
{
	if (UNDER_EMULATOR && !dlopen("liblzma.so.5", RTLD_NOW))
		skip();
}

static void test_minidebug(void **state)
{
	(void)state;
	skip_without_liblzma();
	make_minidebug("full.so", "xz", "mini.so");
	check_minidebug("mini.so", true);
	make_minidebug("full.so", "xz -9", "mini9.so");
	check_minidebug("mini9.so", true);
	/* What is not there is not looked for in it. */
	run("cd '%s' && echo broken > b && cp full.so both.so && "
	    "objcopy --add-section .gnu_debugdata=b both.so",
	    dir);
	check_minidebug("both.so", true);
}

/* Fills the section with what a command prints. */
static void check_refused(const char *command)
{
	run("cd '%s' && { %s; } > section && cp stripped.so refused.so && "
	    "objcopy --add-section .gnu_debugdata=section refused.so",
	    dir, command);
	check_minidebug("refused.so", false);
}

static void test_minidebug_refused(void **state)
{
	(void)state;
	skip_without_liblzma();
	make_minidebug("full.so", "xz", "mini.so");
	check_refused("echo no xz file");
	check_refused("echo no ELF file | xz");
	check_refused("xz < /dev/null");
	check_refused("head -c 40 full.so | xz");
	check_refused("xz < stripped.so"); /* nothing new in it */
	check_refused("xz --format=lzma < mini");
	check_refused("head -c -1 mini.xz");
	check_refused("head -c 100 mini.xz");
	check_refused("head -c 6 mini.xz");
	check_refused("head -c 200 mini.xz; printf XXXX; tail -c +205 mini.xz");
	/* What it unpacks to, what that takes, and how long it is itself. */
	check_refused("{ cat mini; head -c 80M /dev/zero; } | xz -0");
	check_refused("xz --lzma2=dict=1GiB < mini");
	check_refused("cat mini.xz; head -c 17M /dev/zero");
}

/* Only what is exported can be known. */
static void test_stripped(void **state)
{
	static const char *const roots[] = {"wrong", "absent", ""};
	uint64_t lo, size;

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(roots); i++) {
		struct opened o;
		struct pyro_symbol s;
		char root[128] = "";

		if (roots[i][0])
			snprintf(root, sizeof(root), "%s", in_dir(roots[i]));
		open_image(&o, in_dir("stripped.so"), root);
		check_name(&o, in_dir("full.so"), "shown", "shown");
		check_name(&o, in_dir("full.so"), "used", "used_by_all");
		assert_true(lookup(in_dir("full.so"), "hidden", &lo, &size));
		assert_false(pyro_symbols_find(o.symbols, lo, &s));
		close_image(&o);
	}
}

/* Each function that readelf lists is found from its first byte to its last,
 * by one of the names that start there. */
static void compare_table(const char *path, const char *which)
{
	FILE *in = output_of(
		"readelf --%s -W '%s' | awk '($4 == \"FUNC\" || $4 == "
		"\"IFUNC\") && $7 ~ /^[0-9]/ && $3 > 0 "
		"{ sub(/@.*/, \"\", $8); print $2, $3, $8 }' | sort",
		which, path);
	char name[512], kept[512] = "";
	uint64_t lo, size, last = 0;
	size_t count = 0, groups = 0, named = 0;
	struct opened o;

	open_image(&o, path, NULL);
	while (fscanf(in, "%" SCNx64 " %" SCNu64 " %511s", &lo, &size, name) ==
	       3) {
		struct pyro_symbol s;

		if (lo != last || count == 0) {
			groups++;
			if (!pyro_symbols_find(o.symbols, lo, &s))
				fail_msg("%s: nothing at %s", path, name);
			assert_int_equal(s.lo, lo);
			snprintf(kept, sizeof(kept), "%s", s.name);
			assert_true(pyro_symbols_find(o.symbols, s.hi - 1, &s));
			assert_true(s.lo >= lo);
		}
		named += strcmp(name, kept) == 0;
		last = lo;
		count++;
	}
	assert_int_equal(pclose(in), 0);
	assert_true(count > 0);
	/* Versions of one name at one address are listed more than once. */
	assert_true(named >= groups);
	print_message("%s: %zu symbols at %zu addresses\n", path, count,
		      groups);
	close_image(&o);
}

static void test_system_libraries(void **state)
{
	static const char *const paths[] = {
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/lib/x86_64-linux-gnu/libm.so.6",
		"/lib/x86_64-linux-gnu/libstdc++.so.6",
		"/lib/aarch64-linux-gnu/libc.so.6",
	};
	char self[PATH_MAX];

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(paths); i++)
		if (access(paths[i], R_OK) == 0)
			compare_table(paths[i], "dyn-syms");
	compare_table(in_dir("full.so"), "syms");
	assert_non_null(realpath("/proc/self/exe", self));
	compare_table(self, "syms");
}

static void check_function(const struct opened *o, void *library,
			   const char *name)
{
	void *address = dlsym(library, name);
	struct pyro_symbol s;

	assert_non_null(address);
	assert_true(pyro_symbols_find(o->symbols,
				      (uintptr_t)address - o->elf.bias, &s));
	assert_string_equal(s.name, name);
}

/* Without section headers the dynamic section must do. */
static void test_memory(void **state)
{
	uintptr_t vdso = getauxval(AT_SYSINFO_EHDR);
	struct opened o;
	struct pyro_symbol s;
	/* By handle: a sanitizer may have its own of some. */
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	Dl_info info;

	(void)state;
	assert_non_null(libc);
	assert_int_not_equal(dladdr(dlsym(libc, "qsort"), &info), 0);
	assert_int_equal(
		pyro_elf_open_memory(&o.elf, (uintptr_t)info.dli_fbase), 0);
	o.id.len = 0;
	assert_int_equal(pyro_symbols_open(&o.elf, &o.id, NULL, &o.symbols), 0);
	check_function(&o, libc, "qsort");
	check_function(&o, libc, "getopt_long");
	dlclose(libc);
	pyro_symbols_free(o.symbols);
	pyro_elf_close(&o.elf);
	if (!vdso)
		return;
	assert_int_equal(pyro_elf_open_memory(&o.elf, vdso), 0);
	assert_int_equal(pyro_symbols_open(&o.elf, &o.id, NULL, &o.symbols), 0);

	bool has_clock = false;

	for (uint64_t at = 0; at < 0x4000; at += 4)
		has_clock |= pyro_symbols_find(o.symbols, at, &s) &&
			     strstr(s.name, "clock_gettime");
	assert_true(has_clock);
	pyro_symbols_free(o.symbols);
	pyro_elf_close(&o.elf);
}

static void test_none(void **state)
{
	struct pyro_symbol s;
	struct opened o;

	(void)state;
	run("cd '%s' && cp full.so none.so && strip none.so && "
	    "cc -w -static -nostdlib -o none -x c - <<'END' && strip none\n"
	    "void _start(void) { for (;;) ; }\nEND",
	    dir);
	open_image(&o, in_dir("none"), "");
	for (uint64_t at = 0x400000; at < 0x402000; at++)
		assert_false(pyro_symbols_find(o.symbols, at, &s));
	close_image(&o);
	pyro_symbols_free(NULL);
}

/* What follows a function without a size may be another whose name is gone. */
static void test_open(void **state)
{
	static const char *const names[] = {"open.so", "open-stripped.so"};
	struct pyro_symbol s;
	struct opened o;
	uint64_t lo, size;

	(void)state;
	run("cd '%s' && cc -shared -nostdlib -o open.so -x c - <<'END' && "
	    "strip -o open-stripped.so open.so\n"
	    "__asm__(\".globl begin\\n.type begin,@function\\n\"\n"
	    "	\"begin: .skip 300, 0x90\\n\"\n"
	    "	\".globl hidden\\n.hidden hidden\\n\"\n"
	    "	\".type hidden,@function\\nhidden: .skip 100, 0x90\\n\");\n"
	    "END",
	    dir);
	assert_true(lookup(in_dir(names[0]), "begin", &lo, &size));
	assert_int_equal(size, 0);
	open_image(&o, in_dir(names[0]), "");
	check_at(o.symbols, lo + 299, "begin", lo, lo + 300);
	check_at(o.symbols, lo + 300, "hidden", lo + 300, lo + 400);
	close_image(&o);
	open_image(&o, in_dir(names[1]), "");
	check_at(o.symbols, lo + 255, "begin", lo, lo + 256);
	assert_false(pyro_symbols_find(o.symbols, lo + 256, &s));
	assert_false(pyro_symbols_find(o.symbols, lo + 300, &s));
	close_image(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_separate_debug_file),
		cmocka_unit_test(test_debuglink),
		cmocka_unit_test(test_minidebug),
		cmocka_unit_test(test_minidebug_refused),
		cmocka_unit_test(test_stripped),
		cmocka_unit_test(test_system_libraries),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_none),
		cmocka_unit_test(test_open),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
