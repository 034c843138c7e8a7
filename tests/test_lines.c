// SPDX-License-Identifier: Apache-2.0
/* test_lines.c - lines and inlined functions are those of addr2line
 *
 * Programs are built here in the ways that lay out DWARF differently, and asked
 * about thousands of random addresses. addr2line (binutils 2.40) is wrong in
 * places that are known: it does not read .dwo files nor what dwz has moved, so
 * there it is asked about the same program without; it prints the unit's file
 * for lines of headers, and the outer function's name for an inlined one that
 * has no linkage name; and it misses inlined functions of clang's DWARF 5. So a
 * difference counts only if llvm-addr2line contradicts us too. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <cmocka.h>

#include "base/os.h"
#include "image/debug_file.h"
#include "image/lines.h"
#include "image/symbols.h"

#define ADDRESSES 1500
#define MEMORY ((size_t)64 << 20)
#define NO_LIMIT UINT64_MAX
/* Of all addresses of a program: what nobody else confirms. */
#define UNEXPLAINED_MAX 0.005

static char folder[] = "/tmp/pyro-lines-XXXXXX";
static uint64_t seed;

static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* In the folder; $S is where the sources are. */
static void run(const char *command)
{
	char text[4096];

	snprintf(text, sizeof(text), "cd %s && S=%s/tests/lines && %s", folder,
		 getenv("SOURCE_DIR"), command);
	if (system(text) != 0)
		fail_msg("failed: %s", command);
}

static int make_folder(void **state)
{
	const char *given = getenv("PYRO_TEST_SEED");

	(void)state;
	seed = given ? strtoull(given, NULL, 0) : UINT64_C(20260817);
	print_message("PYRO_TEST_SEED=%llu\n", (unsigned long long)seed);
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	run("rm -rf \"$PWD\"");
	return 0;
}

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), *name == '/' ? "%s%s" : "%s/%s",
		 *name == '/' ? "" : folder, name);
	return path;
}

static int open_program(void *arg, uint32_t module, struct pyro_elf *elf)
{
	int fd = open(path_of(arg), O_RDONLY | O_CLOEXEC);

	(void)module;
	assert_true(fd >= 0);
	return pyro_elf_open_file(elf, fd);
}

static struct pyro_symbols *open_symbols(const char *program)
{
	struct pyro_build_id id;
	struct pyro_symbols *symbols;
	struct pyro_elf elf;

	assert_int_equal(open_program((void *)(uintptr_t)program, 1, &elf), 0);
	pyro_elf_build_id(&elf, &id);
	assert_int_equal(pyro_symbols_open(&elf, &id, "", &symbols), 0);
	pyro_debug_file_close(&elf);
	return symbols;
}

/* Within functions: what may be sampled. */
static void pick_addresses(const char *program,
			   const struct pyro_symbols *symbols,
			   uint64_t *address, size_t count)
{
	struct pyro_symbol symbol;
	struct pyro_elf elf;
	const Elf64_Shdr *text;

	assert_int_equal(open_program((void *)(uintptr_t)program, 1, &elf), 0);
	text = pyro_elf_section(&elf, ".text");
	assert_non_null(text);
	for (size_t i = 0; i < count; i++)
		do
			address[i] = text->sh_addr + rnd() % text->sh_size;
		while (!pyro_symbols_find(symbols, address[i], &symbol));
	pyro_debug_file_close(&elf);
}

/* What an oracle says of an address. */
struct answer {
	char function[PYRO_SOURCES_MAX][2048];
	char file[PYRO_SOURCES_MAX][1024];
	unsigned line[PYRO_SOURCES_MAX];
	size_t count;
};

struct oracle {
	FILE *file;
	char text[4096]; /* the line that was read last */
};

static bool read_text(struct oracle *o)
{
	if (!fgets(o->text, sizeof(o->text), o->file))
		return false;
	o->text[strcspn(o->text, "\n")] = '\0';
	return true;
}

static void oracle_open(struct oracle *o, const char *tool, const char *program,
			const uint64_t *address, size_t count)
{
	char command[1024], path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/list", folder);
	file = fopen(path, "w");
	assert_non_null(file);
	for (size_t i = 0; i < count; i++)
		fprintf(file, "%#llx\n", (unsigned long long)address[i]);
	assert_int_equal(fclose(file), 0);
	snprintf(command, sizeof(command),
		 "%s -fiae %s < list > answers-%c 2> errors", tool,
		 path_of(program), *tool);
	run(command);
	snprintf(path, sizeof(path), "%s/answers-%c", folder, *tool);
	o->file = fopen(path, "r");
	assert_non_null(o->file);
	assert_true(read_text(o)); /* the first address */
}

static bool is_address(const char *text)
{
	return strncmp(text, "0x", 2) == 0;
}

static void oracle_next(struct oracle *o, struct answer *a)
{
	a->count = 0;
	if (!is_address(o->text))
		fail_msg("not an address: %s", o->text);
	while (read_text(o) && !is_address(o->text)) {
		size_t i = a->count;
		char *colon;

		if (!*o->text) /* llvm's */
			continue;
		assert_true(i < PYRO_SOURCES_MAX);
		snprintf(a->function[i], sizeof(a->function[i]), "%.2047s",
			 strcmp(o->text, "??") == 0 ? "" : o->text);
		assert_true(read_text(o));
		o->text[strcspn(o->text, " ")] = '\0'; /* (discriminator 1) */
		colon = strrchr(o->text, ':');
		assert_non_null(colon);
		*colon = '\0';
		a->line[i] = (unsigned)strtoul(colon + 1, NULL, 10);
		/* A file without a line is the symbol's, not the code's. */
		snprintf(a->file[i], sizeof(a->file[i]), "%.1023s",
			 strcmp(o->text, "??") == 0 || a->line[i] == 0
				 ? ""
				 : o->text);
		a->count++;
	}
}

static void oracle_close(struct oracle *o)
{
	fclose(o->file);
}

/* The function whose code it is has its name from the symbol table, which tells
 * clones apart; oracles that take it from DWARF do not. */
static bool same_name(const char *ours, const char *symbol, const char *theirs)
{
	return strcmp(ours, theirs) == 0 ||
	       (symbol && strcmp(symbol, theirs) == 0);
}

static bool same(const struct pyro_source *s, size_t count, const char *symbol,
		 const struct answer *a)
{
	static const struct pyro_source nothing = {"", "", 0, 0};

	if (count == 0) {
		s = &nothing;
		count = 1;
	}
	if (count != a->count)
		return false;
	for (size_t i = 0; i < count; i++) {
		const char *file = s[i].line ? s[i].file : "";

		if (strcmp(file, a->file[i]) != 0 || s[i].line != a->line[i] ||
		    !same_name(s[i].function, i + 1 == count ? symbol : NULL,
			       a->function[i]))
			return false;
	}
	return true;
}

struct counts {
	size_t all, equal, by_llvm, unexplained;
	size_t inlined, with_line;
};

static void print_difference(uint64_t address, const struct pyro_source *s,
			     size_t count, const struct answer *a)
{
	print_message("%#llx\n", (unsigned long long)address);
	for (size_t i = 0; i < count; i++)
		print_message("  ours   %.60s %s:%u\n", s[i].function,
			      s[i].file, s[i].line);
	for (size_t i = 0; i < a->count; i++)
		print_message("  theirs %.60s %s:%u\n", a->function[i],
			      a->file[i], a->line[i]);
}

static void compare(struct pyro_lines *lines,
		    const struct pyro_symbols *symbols, const char *reference,
		    const uint64_t *address, size_t count,
		    struct counts *counts)
{
	static struct answer a, b;
	struct oracle gnu, llvm;

	oracle_open(&gnu, "addr2line", reference, address, count);
	oracle_open(&llvm, "llvm-addr2line --no-demangle", reference, address,
		    count);
	for (size_t i = 0; i < count; i++) {
		struct pyro_source s[PYRO_SOURCES_MAX];
		struct pyro_symbol symbol = {.name = NULL};
		size_t n;

		assert_int_not_equal(
			pyro_lines_find(lines, 1, address[i], s, &n),
			PYRO_LINES_WAITING);
		pyro_symbols_find(symbols, address[i], &symbol);
		oracle_next(&gnu, &a);
		oracle_next(&llvm, &b);
		counts->all++;
		counts->inlined += n > 1;
		counts->with_line += n && s[0].line > 0;
		if (same(s, n, symbol.name, &a)) {
			counts->equal++;
		} else if (same(s, n, symbol.name, &b)) {
			counts->by_llvm++;
		} else {
			counts->unexplained++;
			if (counts->unexplained <= 3)
				print_difference(address[i], s, n, &a);
		}
	}
	oracle_close(&gnu);
	oracle_close(&llvm);
}

static struct pyro_lines *resolve(const char *program, const uint64_t *address,
				  size_t count)
{
	struct pyro_lines *lines = pyro_lines_new("", MEMORY, 1000);

	assert_non_null(lines);
	pyro_lines_earn(lines, NO_LIMIT);
	for (size_t i = 0; i < count; i++)
		pyro_lines_want(lines, 1, address[i], 1);
	assert_int_equal(pyro_lines_resolve(lines, open_program,
					    (void *)(uintptr_t)program,
					    NO_LIMIT),
			 0);
	return lines;
}

/* Build a program (and perhaps others), and compare program with what the
 * oracles say of reference, which has the same code. by_llvm_max is the share
 * of addresses at which addr2line may be wrong in the ways told above. */
static void check(const char *command, const char *program,
		  const char *reference, double by_llvm_max)
{
	static uint64_t address[ADDRESSES];
	struct counts c = {0};
	struct pyro_symbols *symbols;
	struct pyro_lines *lines;

	run(command);
	symbols = open_symbols(program);
	pick_addresses(program, symbols, address, ADDRESSES);
	lines = resolve(program, address, ADDRESSES);
	compare(lines, symbols, reference, address, ADDRESSES, &c);
	pyro_lines_free(lines);
	pyro_symbols_free(symbols);
	print_message("%s: %zu addresses, %zu with a line, %zu inlined; %zu "
		      "as addr2line, %zu as llvm alone, %zu unexplained\n",
		      program, c.all, c.with_line, c.inlined, c.equal,
		      c.by_llvm, c.unexplained);
	assert_true((double)c.unexplained <= UNEXPLAINED_MAX * (double)c.all);
	assert_true((double)c.by_llvm <= by_llvm_max * (double)c.all);
	assert_true(c.with_line > c.all / 2);
}

/* Unless it was built before. */
#define BUILD(program, command) "[ -e " program " ] || " command
#define CXX_SOURCES " $S/words.cpp $S/shapes.cpp -o "
#define CXX5 BUILD("cxx5", "g++ -O2 -gdwarf-5" CXX_SOURCES "cxx5")
#define CXX4 BUILD("cxx4", "g++ -O2 -gdwarf-4" CXX_SOURCES "cxx4")
#define CLANG4 BUILD("clang4", "clang++ -O2 -gdwarf-4" CXX_SOURCES "clang4")

static void test_cxx(void **state)
{
	(void)state;
	check(CXX5, "cxx5", "cxx5", 0.05);
	check(CXX4, "cxx4", "cxx4", 0.05);
}

static void test_clang(void **state)
{
	(void)state;
	check(CLANG4, "clang4", "clang4", 0.05);
	check("clang++ -O2 -gdwarf-5" CXX_SOURCES "clang5", "clang5", "clang5",
	      0.5);
}

static void test_c(void **state)
{
	(void)state;
	check("gcc -O2 -g $S/sums.c -o c5", "c5", "c5", 0.05);
	check("gcc -O1 -gdwarf-4 -no-pie -fno-pie $S/sums.c -o c4", "c4", "c4",
	      0.05);
}

static void test_sections(void **state)
{
	(void)state;
	check("g++ -O2 -g -gz=zlib -ffunction-sections "
	      "-Wl,--gc-sections" CXX_SOURCES "packed",
	      "packed", "packed", 0.05);
	check("g++ -O1 -g -flto" CXX_SOURCES "lto", "lto", "lto", 0.05);
}

static void test_split(void **state)
{
	(void)state;
	run(CXX5);
	check("g++ -O2 -gdwarf-5 -gsplit-dwarf" CXX_SOURCES "split5", "split5",
	      "cxx5", 0.05);
	run(CXX4);
	check("g++ -O2 -gdwarf-4 -gsplit-dwarf" CXX_SOURCES "split4", "split4",
	      "cxx4", 0.05);
}

static void test_dwz(void **state)
{
	(void)state;
	run(CXX4);
	check("cp cxx4 one && dwz one", "one", "cxx4", 0.05);
	run(CLANG4);
	check("cp cxx4 two && cp clang4 three && dwz -m common -r two three",
	      "two", "cxx4", 0.05);
}

static void test_large(void **state)
{
	(void)state;
	check("true", "/usr/bin/python3.11-dbg", "/usr/bin/python3.11-dbg",
	      0.05);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cxx),   cmocka_unit_test(test_split),
		cmocka_unit_test(test_dwz),   cmocka_unit_test(test_clang),
		cmocka_unit_test(test_c),     cmocka_unit_test(test_sections),
		cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
