// SPDX-License-Identifier: Apache-2.0
/* test_cfi_expressions.c - DWARF expressions in system files against what readelf
 * writes them out as
 *
 * `readelf -wF` says "exp" for all of them; `readelf -wf` prints each where it
 * takes effect. Those that are understood must be found there with their
 * numbers, and no other must be taken for one of them. */
#include "image/cfi.h"

#include <inttypes.h>

#include "image_util.h"
#include "tests/system_files.h"

struct counts {
	size_t plt, sp_deref, fp_deref, sp_index, fp_at_fp, other;
};

struct place {
	const struct pyro_unwind_table *table;
	const char *path, *line;
	uint64_t at;
	struct counts *counts;
};

static const struct pyro_rule *rule_at(const struct place *p)
{
	const struct pyro_rule *rule = pyro_unwind_rule(p->table, p->at);

	if (!rule)
		fail_msg("%s %" PRIx64 ": no rule", p->path, p->at);
	return rule;
}

static void check(const struct place *p, bool holds)
{
	const struct pyro_rule *r = rule_at(p);

	if (!holds)
		fail_msg("%s %" PRIx64 ": %s cfa %d%+d post %d flags %x fp %d",
			 p->path, p->at, p->line, r->cfa, r->cfa_off, r->post,
			 (unsigned)r->flags, r->fp_off);
}

/* A string that ends, behind its one number, as given. */
static bool is_form(const char *text, const char *before, const char *after,
		    int64_t *number)
{
	size_t len = strlen(before);
	char *end;

	if (strncmp(text, before, len) != 0)
		return false;
	*number = strtoll(text + len, &end, 10);
	return end != text + len && strncmp(end, after, strlen(after)) == 0;
}

static void check_cfa(const struct place *p, const char *text)
{
	const struct pyro_rule *r = rule_at(p);
	int64_t n, post = 0;

	if (is_form(text,
		    "(DW_OP_breg7 (rsp): 8; DW_OP_breg16 (rip): 0; "
		    "DW_OP_lit15; DW_OP_and; DW_OP_lit",
		    "; DW_OP_ge; DW_OP_lit3; DW_OP_shl; DW_OP_plus)", &n)) {
		check(p, r->cfa == PYRO_CFA_PLT && r->cfa_off == n);
		p->counts->plt++;
		return;
	}

	if (is_form(text, "(DW_OP_breg7 (rsp): 8; DW_OP_breg",
		    " (r9): 0; DW_OP_lit8; DW_OP_mul; DW_OP_plus; "
		    "DW_OP_deref; DW_OP_plus_uconst: 8)",
		    &n)) {
		check(p, r->cfa == PYRO_CFA_SP_INDEX && r->reg == n &&
				 r->cfa_off == 8 && r->post == 8);
		p->counts->sp_index++;
		return;
	}

	bool by_sp = is_form(text, "(DW_OP_breg7 (rsp): ", "; DW_OP_deref", &n);
	bool by_fp = is_form(text, "(DW_OP_breg6 (rbp): ", "; DW_OP_deref", &n);
	const char *rest = strstr(text, "; DW_OP_deref");

	if ((by_sp || by_fp) &&
	    (strncmp(rest, "; DW_OP_deref)", 14) == 0 ||
	     is_form(rest, "; DW_OP_deref; DW_OP_plus_uconst: ", ")", &post))) {
		check(p, r->cfa == (by_sp ? PYRO_CFA_SP_DEREF
					  : PYRO_CFA_FP_DEREF) &&
				 r->cfa_off == n && r->post == post);
		p->counts->sp_deref += by_sp;
		p->counts->fp_deref += by_fp;
		return;
	}
	check(p, r->cfa == PYRO_CFA_BAD);
	p->counts->other++;
}

/* "DW_CFA_expression: r6 (rbp) (DW_OP_breg6 (rbp): 0)" */
static void check_register(const struct place *p, const char *text)
{
	const struct pyro_rule *r = rule_at(p);
	int64_t n;

	if (r->cfa == PYRO_CFA_BAD || strncmp(text, "r6 ", 3) != 0)
		return;
	if (is_form(text, "r6 (rbp) (DW_OP_breg6 (rbp): ", ")", &n)) {
		check(p, (r->flags & PYRO_RULE_FP_AT_FP) && r->fp_off == n);
		p->counts->fp_at_fp++;
	} else {
		check(p, r->flags & PYRO_RULE_FP_LOST);
		p->counts->other++;
	}
}

static void read_line(struct place *p, const char *line)
{
	const char *text;
	uint64_t at;

	if (strstr(line, " CIE"))
		p->at = 0;
	text = strstr(line, "DW_CFA_advance_loc");
	if (sscanf(line, "%*x %*x %*x FDE cie=%*x pc=%" SCNx64 "..", &at) ==
		    1 ||
	    (text && sscanf(text, "%*s %*u to %" SCNx64, &at) == 1))
		p->at = at;
	if (p->at < p->table->lo || p->at >= p->table->hi)
		return;
	p->line = line;
	/* Whose registers are in the ucontext. */
	if (rule_at(p)->cfa == PYRO_CFA_SIGNAL)
		return;
	if ((text = strstr(line, "DW_CFA_def_cfa_expression ")))
		check_cfa(p, strchr(text, '('));
	else if ((text = strstr(line, "DW_CFA_expression: ")))
		check_register(p, text + strlen("DW_CFA_expression: "));
}

static void compare_file(const char *path, struct counts *counts)
{
	struct pyro_unwind_table *table;
	struct pyro_elf elf;
	char line[4096], section[64];
	bool in_section = false, seen = false;
	int fd = open_file(path);

	assert_int_equal(pyro_elf_open_file(&elf, fd), 0);
	assert_int_equal(pyro_cfi_build(&elf, &table), 0);

	struct place place = {.table = table, .path = path, .counts = counts};
	FILE *in = output_of("readelf -wfN '%s' 2>/dev/null", path);

	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "Contents of the %63s", section) == 1) {
			in_section = strcmp(section, ".eh_frame") == 0 && !seen;
			seen |= in_section;
		} else if (in_section) {
			read_line(&place, line);
		}
	}
	assert_int_equal(pclose(in), 0);
	assert_true(seen);
	pyro_cfi_free(table);
	pyro_elf_close(&elf);
	close(fd);
}

static void test_system_files(void **state)
{
	struct counts counts = {0};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(system_files); i++)
		compare_file(system_files[i], &counts);
	print_message("%zu of PLTs, %zu by *rsp, %zu by *rbp, %zu of these "
		      "by an index, %zu of rbp by rbp; %zu are none of these\n",
		      counts.plt, counts.sp_deref, counts.fp_deref,
		      counts.sp_index, counts.fp_at_fp, counts.other);
	assert_true(counts.plt > 10 && counts.sp_deref > 10 &&
		    counts.sp_index > 0);
	assert_true(counts.other < 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
