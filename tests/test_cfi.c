// SPDX-License-Identifier: Apache-2.0
/* test_cfi.c - tables of real images against readelf, and hostile sections
 *
 * `readelf -wF` runs the same programs and prints a line for each row: it has to
 * hold at every address up to the next. What an expression is: see
 * test_cfi_expressions.c. */
#include "image/cfi.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/auxv.h>

#include "image_util.h"
#if defined(__x86_64__)
#include "tests/system_files.h"
#endif

/* What readelf calls the registers that are followed. */
struct names {
	const char *sp, *fp, *rbx;
};
static const struct names x86_64 = {"rsp", "rbp", "rbx"};
static const struct names aarch64 = {"sp", "x29", "none"};
static const struct names *names = &x86_64;

/* A row as readelf prints it. */
struct expected {
	uint64_t lo, hi;
	char cfa[24], rbx[24], rbp[24], ra[24];
	char rsp[24];
	bool is_signal;
};

struct listing {
	struct expected *row;
	size_t count, cap;
	uint64_t *fde; /* pairs of lo, hi */
	size_t fde_count, fde_cap;
};

static void *room(void *array, size_t *cap, size_t count, size_t item)
{
	array = pyro_array_grow(array, cap, count + 1, item);
	assert_non_null(array);
	return array;
}

static void free_listing(struct listing *l)
{
	pyro_pages_free(l->row, l->cap * sizeof(*l->row));
	pyro_pages_free(l->fde, l->fde_cap * sizeof(*l->fde));
}

/* Columns of the entry that is being read. */
struct columns {
	char name[48][8];
	size_t count;
};

static void read_columns(const char *line, struct columns *c)
{
	char name[8];
	int used;

	for (c->count = 0; sscanf(line, "%7s%n", name, &used) == 1;
	     line += used) {
		assert_true(c->count < PYRO_COUNT_OF(c->name));
		strcpy(c->name[c->count++], name);
	}
}

static void read_row(const char *line, const struct columns *c,
		     struct expected *row)
{
	char value[24];
	int used;

	for (size_t i = 0; i < c->count; i++, line += used) {
		if (sscanf(line, "%23s%n", value, &used) != 1)
			fail_msg("short row");
		/* Registers are printed twice: "r9 (r9)". */
		if (line[used] == ' ' && line[used + 1] == '(')
			used += (int)strcspn(line + used, ")") + 1;
		if (strcmp(c->name[i], "LOC") == 0)
			row->lo = strtoull(value, NULL, 16);
		else if (strcmp(c->name[i], "CFA") == 0)
			strcpy(row->cfa, value);
		else if (strcmp(c->name[i], names->rbx) == 0)
			strcpy(row->rbx, value);
		else if (strcmp(c->name[i], names->fp) == 0)
			strcpy(row->rbp, value);
		else if (strcmp(c->name[i], names->sp) == 0)
			strcpy(row->rsp, value);
		else if (strcmp(c->name[i], "ra") == 0)
			strcpy(row->ra, value);
	}
}

/* The CIEs of a section, to find the one that an FDE names. */
struct cies {
	struct {
		unsigned long offset;
		bool is_signal;
		struct expected row;
	} item[4096];
	size_t count;
};

/* An FDE may have no row of its own: its CIE's holds. */
static void add_row(struct listing *l, struct expected row, uint64_t hi,
		    size_t first)
{
	l->row = room(l->row, &l->cap, l->count, sizeof(*l->row));
	if (l->count > first)
		l->row[l->count - 1].hi = row.lo;
	row.hi = hi;
	l->row[l->count++] = row;
}

static size_t find_cie(const struct cies *cies, unsigned long offset)
{
	for (size_t i = cies->count; i-- > 0;)
		if (cies->item[i].offset == offset)
			return i;
	fail_msg("no CIE at %lx", offset);
	return 0;
}

static void parse_listing(FILE *in, const char *section, struct listing *l)
{
	static struct cies cies;
	struct columns columns = {.count = 0};
	struct expected row;
	char line[4096], augmentation[32], name[64];
	unsigned long offset, cie = 0;
	uint64_t lo, hi = 0;
	size_t first = 0;
	bool in_section = false, in_fde = false;

	cies.count = 0;
	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "Contents of the %63s", name) == 1) {
			/* Not those of a debug file that it found. */
			in_section = strcmp(name, section) == 0 && !l->count;
		} else if (!in_section) {
			continue;
		} else if (sscanf(line, "%lx %*x %*x CIE \"%31[^\"]\"", &offset,
				  augmentation) == 2 ||
			   (strstr(line, "CIE \"\"") &&
			    sscanf(line, "%lx", &offset) == 1)) {
			assert_true(cies.count < 4096);
			cies.item[cies.count].offset = offset;
			cies.item[cies.count].is_signal =
				!strstr(line, "\"\"") &&
				strchr(augmentation, 'S');
			cies.count++;
			in_fde = false;
		} else if (sscanf(line,
				  "%*x %*x %*x FDE cie=%lx "
				  "pc=%" SCNx64 "..%" SCNx64,
				  &cie, &lo, &hi) == 3) {
			cie = find_cie(&cies, cie);
			in_fde = true;
			first = l->count;
			l->fde = room(l->fde, &l->fde_cap, l->fde_count + 1,
				      sizeof(*l->fde));
			l->fde[l->fde_count++] = lo;
			l->fde[l->fde_count++] = hi;
			if (lo == hi)
				continue;
			row = cies.item[cie].row;
			row.lo = lo;
			add_row(l, row, hi, first);
		} else if (strstr(line, "LOC ")) {
			read_columns(line, &columns);
			/* Its own first row takes that place. */
			if (in_fde && l->count > first)
				l->count = first;
		} else if (line[0] != '\n' && columns.count &&
			   strspn(line, "0123456789abcdef") == 16) {
			memset(&row, 0, sizeof(row));
			strcpy(row.rbx, "u");
			strcpy(row.rbp, "u");
			strcpy(row.rsp, "u");
			read_row(line, &columns, &row);
			if (!in_fde) {
				cies.item[cies.count - 1].row = row;
				continue;
			}
			row.is_signal = cies.item[cie].is_signal;
			add_row(l, row, hi, first);
		}
	}
}

static bool same_register(const char *want, const char *reg, int64_t off)
{
	char got[32];

	snprintf(got, sizeof(got), "%s%+" PRId64, reg, off);
	return strcmp(got, want) == 0;
}

static bool is_register(const char *want, const char *reg)
{
	size_t len = strlen(reg);

	return strncmp(want, reg, len) == 0 && want[len] == '+';
}

static bool same_cfa(const char *want, const struct pyro_rule *r)
{
	if (strcmp(want, "exp") == 0)
		return r->cfa == PYRO_CFA_PLT || r->cfa == PYRO_CFA_SP_DEREF ||
		       r->cfa == PYRO_CFA_FP_DEREF ||
		       r->cfa == PYRO_CFA_SP_INDEX || r->cfa == PYRO_CFA_BAD;
	switch (r->cfa) {
	case PYRO_CFA_SP:
		return same_register(want, names->sp, r->cfa_off);
	case PYRO_CFA_FP:
		return same_register(want, names->fp, r->cfa_off);
	case PYRO_CFA_RBX:
		return same_register(want, names->rbx, r->cfa_off);
	case PYRO_CFA_REG:
		return !is_register(want, names->sp) &&
		       !is_register(want, names->fp) &&
		       !is_register(want, names->rbx);
	default:
		return false;
	}
}

/* "u" is printed for what was never mentioned, too. */
static bool same_saved(const char *want, bool at_cfa, bool at_fp, bool lost,
		       int16_t off)
{
	if (strcmp(want, "u") == 0)
		return !at_cfa && !at_fp;
	if (strcmp(want, "s") == 0)
		return !at_cfa && !at_fp && !lost;
	if (strcmp(want, "exp") == 0)
		return at_fp || lost;
	if (want[0] == 'c')
		return at_cfa && same_register(want, "c", off);
	return lost;
}

static bool same_rule(const struct expected *want, const struct pyro_rule *r)
{
	if (!r || r->cfa == PYRO_CFA_GAP)
		return false;
	if (want->is_signal)
		return r->cfa == PYRO_CFA_SIGNAL;
	/* aarch64 prints "u" also for what was never mentioned. */
	if (strcmp(want->ra, "u") == 0 &&
	    (names == &x86_64 || r->cfa == PYRO_CFA_END))
		return r->cfa == PYRO_CFA_END;
	/* A caller's sp that is not the CFA is not followed. */
	if (strcmp(want->rsp, "u") != 0)
		return r->cfa == PYRO_CFA_BAD;
	if (!same_cfa(want->cfa, r))
		return false;
	if (r->cfa == PYRO_CFA_BAD)
		return true;
	return (want->ra[0] == 'c' ? same_register(want->ra, "c", r->ra_off)
				   : (r->flags & PYRO_RULE_RA_REG) != 0) &&
	       same_saved(want->rbp, r->flags & PYRO_RULE_FP_SAVED,
			  r->flags & PYRO_RULE_FP_AT_FP,
			  r->flags & PYRO_RULE_FP_LOST, r->fp_off) &&
	       same_saved(want->rbx, r->flags & PYRO_RULE_RBX_SAVED,
			  r->flags & PYRO_RULE_RBX_AT_FP,
			  r->flags & PYRO_RULE_RBX_LOST, r->rbx_off);
}

static void check_table(const struct pyro_unwind_table *t)
{
	assert_true(t->lo < t->hi);
	assert_true(t->rule_count <= 65535);
	assert_int_equal(t->page_first[0], 0);
	assert_int_equal(t->page_first[t->page_count], t->row_count);
	for (uint32_t p = 0; p < t->page_count; p++) {
		uint32_t first = t->page_first[p], end = t->page_first[p + 1];

		assert_true(first < end);
		assert_int_equal(t->rows[first].lo, 0);
		for (uint32_t i = first; i < end; i++) {
			assert_true(t->rows[i].rule < t->rule_count);
			assert_true(i == first ||
				    t->rows[i].lo > t->rows[i - 1].lo);
		}
	}
}

static void compare_row(const struct pyro_unwind_table *t, const char *path,
			const struct expected *row, uint64_t at)
{
	const struct pyro_rule *r = pyro_unwind_rule(t, at);

	if (same_rule(row, r))
		return;
	fail_msg("%s %" PRIx64 ": readelf %s rbx %s rbp %s ra %s, table "
		 "cfa %d%+d flags %x fp %d rbx %d ra %d",
		 path, at, row->cfa, row->rbx, row->rbp, row->ra,
		 r ? r->cfa : -1, r ? r->cfa_off : 0, r ? r->flags : 0u,
		 r ? r->fp_off : 0, r ? r->rbx_off : 0, r ? r->ra_off : 0);
}

/* Of what no CFI tells, code tells some (test_synth.c). */
static bool is_from_code(const struct pyro_rule *r)
{
	return r->cfa == PYRO_CFA_GAP || r->cfa == PYRO_CFA_SP ||
	       r->cfa == PYRO_CFA_FP || r->cfa == PYRO_CFA_END ||
	       r->cfa == PYRO_CFA_SIGNAL;
}

static void compare_range(const struct pyro_unwind_table *t, const char *path,
			  const struct expected *row)
{
	const struct pyro_rule *checked = NULL;

	for (uint64_t at = row->lo; at < row->hi; at++) {
		const struct pyro_rule *r = pyro_unwind_rule(t, at);

		if (r != checked || at == row->lo)
			compare_row(t, path, row, at);
		checked = r;
	}
}

/* Holes between FDEs, which are no padding, have none of the FDEs' rules. */
static size_t compare_holes(const struct pyro_unwind_table *t,
			    const struct listing *l)
{
	size_t holes = 0;

	for (size_t i = 0; i < l->fde_count; i += 2) {
		uint64_t end = l->fde[i + 1], next = t->hi;

		if (end <= t->lo || end >= t->hi)
			continue;
		for (size_t j = 0; j < l->fde_count; j += 2)
			if (l->fde[j + 1] > end && l->fde[j] < next)
				next = l->fde[j];
		if (next <= end + 15)
			continue;
		holes++;
		assert_true(is_from_code(pyro_unwind_rule(t, end)));
		assert_true(is_from_code(pyro_unwind_rule(t, next - 1)));
	}
	return holes;
}

static void compare(const struct pyro_unwind_table *t, const char *path,
		    const char *section)
{
	struct listing l = {0};
	size_t bad = 0, holes = 0;

	FILE *in = output_of("readelf -wFN '%s' 2>/dev/null", path);

	parse_listing(in, section, &l);
	assert_int_equal(pclose(in), 0);
	assert_true(l.count > 0);
	check_table(t);
	for (size_t i = 0; i < l.count; i++) {
		const struct expected *row = &l.row[i];

		if (row->hi <= t->lo || row->lo >= t->hi || row->lo == row->hi)
			continue;
		compare_range(t, path, row);
		bad += pyro_unwind_rule(t, row->lo)->cfa == PYRO_CFA_BAD;
	}
	if (l.fde_count < 20000)
		holes = compare_holes(t, &l);
	print_message("%s: %zu rows of %zu FDEs agree, %zu not understood, "
		      "%zu holes\n",
		      path, l.count, l.fde_count / 2, bad, holes);
	/* Expressions that are not known are rare in compiled code. */
	assert_true(bad * 50 <= l.count);
	free_listing(&l);
}

static void compare_file(const char *path, const char *section)
{
	struct pyro_unwind_table *table;
	struct pyro_elf elf;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: not here", path);
	assert_int_equal(pyro_elf_open_file(&elf, fd), 0);
	assert_int_equal(pyro_cfi_build(&elf, &table), 0);
	names = elf.ehdr.e_machine == EM_AARCH64 ? &aarch64 : &x86_64;
	compare(table, path, section);
	names = &x86_64;
	pyro_cfi_free(table);
	pyro_elf_close(&elf);
	close(fd);
}

static void test_system_libraries(void **state)
{
	/* Of another machine: where its tests are run. */
	static const char *const aarch64_files[] = {
		"/lib/aarch64-linux-gnu/libc.so.6",
		"/lib/aarch64-linux-gnu/libm.so.6",
		"/lib/aarch64-linux-gnu/libgcc_s.so.1",
		"/lib/ld-linux-aarch64.so.1",
	};

	(void)state;
#if defined(__x86_64__)
	for (size_t i = 0; i < PYRO_COUNT_OF(system_files); i++)
		compare_file(system_files[i], ".eh_frame");
#endif
	for (size_t i = 0; i < PYRO_COUNT_OF(aarch64_files); i++)
		if (access(aarch64_files[i], R_OK) == 0)
			compare_file(aarch64_files[i], ".eh_frame");
}

static const char source[] =
	"#include <alloca.h>\n"
	"#include <string.h>\n"
	"void use(void *);\n"
	"void use(void *p) { __asm__ volatile(\"\" : : \"r\"(p)); }\n"
	"int f(int n) { char *p = alloca(n); memset(p, 1, n); use(p);"
	" return p[0]; }\n"
	"int g(int n) { int v[8] __attribute__((aligned(64))); use(v);"
	" return n < 2 ? v[0] : g(n - 1) + g(n - 2) + f(n); }\n";

#if defined(__x86_64__)
/* Compiled in ways that lead to other sections and forms. */
static void test_compiled(void **state)
{
	static const char *const flags[] = {
		"-O0",
		"-O2",
		"-Os -fcf-protection",
		"-O2 -Wl,-z,lazy -fplt",
		"-O2 -Wl,--no-eh-frame-hdr",
		("-O2 -g -nostdlib -fno-asynchronous-unwind-tables "
		 "-fno-unwind-tables"),
	};
	char path[128];
	char *dir = make_dir();

	(void)state;
	snprintf(path, sizeof(path), "%s/a.c", dir);
	write_text(path, "%s", source);
	for (size_t i = 0; i < PYRO_COUNT_OF(flags); i++) {
		snprintf(path, sizeof(path), "%s/a.so", dir);
		run("cc -w -shared -fPIC %s -o '%s' '%s/a.c'", flags[i], path,
		    dir);
		compare_file(path, strstr(flags[i], "-nostdlib")
					   ? ".debug_frame"
					   : ".eh_frame");
	}
	/* No PT_GNU_EH_FRAME, as in static programs of gcc. */
	snprintf(path, sizeof(path), "%s/static", dir);
	write_text(path, "%s", "");
	run("printf '%%s' 'int main(void){return 0;}' > '%s/m.c' && "
	    "cc -static -o '%s' '%s/m.c'",
	    dir, path, dir);
	compare_file(path, ".eh_frame");
	remove_dir(dir);
}

static void test_vdso(void **state)
{
	uintptr_t header = getauxval(AT_SYSINFO_EHDR);
	struct pyro_unwind_table *table;
	struct pyro_elf elf;
	char path[128];
	char *dir = make_dir();

	(void)state;
	if (!header)
		skip();
	assert_int_equal(pyro_elf_open_memory(&elf, header), 0);
	assert_int_equal(pyro_cfi_build(&elf, &table), 0);
	snprintf(path, sizeof(path), "%s/vdso", dir);

	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	/* Its section headers lie behind its only segment. */
	assert_true(write(fd, (const void *)header, 8192) > 4096);
	close(fd);
	compare(table, path, ".eh_frame");
	pyro_cfi_free(table);
	pyro_elf_close(&elf);
	remove_dir(dir);
}
#endif

/* The .eh_frame of the code above. */
static void read_frame(struct pyro_cfi_input *in)
{
	char path[128];
	char *dir = make_dir();
	struct pyro_elf elf;
	unsigned char *data;
	uint64_t offset;

	snprintf(path, sizeof(path), "%s/a.c", dir);
	write_text(path, "%s", source);
	snprintf(path, sizeof(path), "%s/a.so", dir);
	run("cc -w -shared -fPIC -O2 -o '%s' '%s/a.c'", path, dir);

	int fd = open_file(path);

	assert_int_equal(pyro_elf_open_file(&elf, fd), 0);

	const Elf64_Shdr *s = pyro_elf_section(&elf, ".eh_frame");

	assert_non_null(s);
	*in = (struct pyro_cfi_input){
		.frame_vaddr = s->sh_addr,
		.machine = elf.ehdr.e_machine,
	};
	assert_int_equal(pyro_elf_read_section(&elf, s, &data, &in->frame_len),
			 0);
	in->frame = data;
	assert_true(pyro_elf_text_range(elf.phdr, elf.ehdr.e_phnum, &in->lo,
					&in->hi, &offset));
	pyro_elf_close(&elf);
	close(fd);
	remove_dir(dir);
}

static void build_any(const struct pyro_cfi_input *in)
{
	struct pyro_unwind_table *table;
	int err = pyro_cfi_build_from(in, &table);

	if (err == 0)
		check_table(table);
	else
		assert_int_equal(err, -EBADMSG);
	pyro_cfi_free(table);
}

static void test_truncated(void **state)
{
	struct pyro_cfi_input whole, in;

	(void)state;
	read_frame(&whole);
	assert_in_range(whole.frame_len, 100, 4096);
	in = whole;
	for (size_t n = 0; n <= whole.frame_len; n++) {
		in.frame = guarded(whole.frame, n);
		in.frame_len = n;
		build_any(&in);
		in.is_debug_frame = !in.is_debug_frame;
	}
	pyro_pages_free((void *)(uintptr_t)whole.frame, whole.frame_len);
}

static void test_mutated(void **state)
{
	struct pyro_cfi_input whole, in;
	uint64_t random = 88172645463325252u;

	(void)state;
	read_frame(&whole);
	in = whole;
	for (unsigned i = 0; i < 100000; i++) {
		unsigned char *bytes = guarded(whole.frame, whole.frame_len);

		in.frame = bytes;
		for (unsigned n = i % 4; n < 4; n++)
			bytes[next_random(&random) % whole.frame_len] =
				(unsigned char)next_random(&random);
		in.is_debug_frame = i % 8 == 7;
		in.machine = i % 16 == 8 ? EM_AARCH64 : EM_X86_64;
		build_any(&in);
	}
	pyro_pages_free((void *)(uintptr_t)whole.frame, whole.frame_len);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system_libraries),
#if defined(__x86_64__)
		cmocka_unit_test(test_compiled),
		cmocka_unit_test(test_vdso),
#endif
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_mutated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
