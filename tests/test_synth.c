// SPDX-License-Identifier: Apache-2.0
/* test_synth.c - rules made from code, against objdump's lengths, the CFI of
 * libraries that have it, and code written for one case each */
#include "image/synth.h"

#include <errno.h>

#include "image/cfi.h"
#include "image/cfi_hole.h"
#include "image/insn_x86.h"
#include "image_util.h"

#define LIBC "/lib/x86_64-linux-gnu/libc.so.6"
#define LIBM "/lib/x86_64-linux-gnu/libm.so.6"
#define LIBCRYPTO "/usr/lib/x86_64-linux-gnu/libcrypto.so.3"
#define LIBSQLITE "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0"
#define LIBSTDCXX "/usr/lib/x86_64-linux-gnu/libstdc++.so.6"
#define MUSL "/usr/lib/x86_64-linux-musl/libc.so"

#define BASE 0x1000

struct listed {
	uint64_t hi;
	struct pyro_rule rule;
};

struct listing {
	struct listed row[64];
	size_t count;
};

static void list_row(void *arg, uint64_t hi, const struct pyro_rule *rule)
{
	struct listing *l = arg;

	assert_true(l->count < 64);
	l->row[l->count++] = (struct listed){hi, *rule};
}

static const struct pyro_rule *rule_at(const struct listing *l, uint64_t at)
{
	for (size_t i = 0; i < l->count; i++)
		if (at < l->row[i].hi)
			return &l->row[i].rule;
	fail_msg("no row at 0x%lx", (unsigned long)at);
	return NULL;
}

/* The code's function begins with its first byte. */
static struct listing rows_of(const unsigned char *bytes, size_t len,
			      uint64_t entry)
{
	static const uint64_t start[] = {BASE};
	struct pyro_synth_code code = {
		.bytes = guarded(bytes, len),
		.lo = BASE,
		.len = len,
		.start = start,
		.start_count = 1,
		.is_code = true,
		.entry = entry,
	};
	struct listing l = {.count = 0};
	struct pyro_synth *synth = pyro_synth_new();

	assert_non_null(synth);
	assert_int_equal(pyro_synth_rows(synth, &code, list_row, &l), 0);
	assert_int_equal(l.row[l.count - 1].hi, BASE + len);
	pyro_synth_free(synth);
	return l;
}

#define ROWS(...)                                     \
	rows_of((const unsigned char[]){__VA_ARGS__}, \
		sizeof((const unsigned char[]){__VA_ARGS__}), 0)

static void assert_cfa(const struct listing *l, uint64_t off, enum pyro_cfa cfa,
		       int cfa_off)
{
	const struct pyro_rule *rule = rule_at(l, BASE + off);

	if (rule->cfa != cfa || rule->cfa_off != cfa_off)
		fail_msg("at +%d: CFA of kind %d, %+d", (int)off, rule->cfa,
			 rule->cfa_off);
}

static void pushes_and_pops_move_the_cfa(void **state)
{
	struct listing l = ROWS(0x55,                   /* 0 push rbp */
				0x53,                   /* 1 push rbx */
				0x48, 0x83, 0xec, 0x18, /* 2 sub 24, rsp */
				0x48, 0x83, 0xc4, 0x18, /* 6 add 24, rsp */
				0x5b,                   /* 10 pop rbx */
				0x5d,                   /* 11 pop rbp */
				0xc3);                  /* 12 ret */

	(void)state;
	assert_cfa(&l, 0, PYRO_CFA_SP, 8);
	assert_cfa(&l, 1, PYRO_CFA_SP, 16);
	assert_cfa(&l, 2, PYRO_CFA_SP, 24);
	assert_cfa(&l, 6, PYRO_CFA_SP, 48);
	assert_cfa(&l, 10, PYRO_CFA_SP, 24);
	assert_cfa(&l, 12, PYRO_CFA_SP, 8);

	const struct pyro_rule *in = rule_at(&l, BASE + 6);

	assert_int_equal(in->flags, PYRO_RULE_FP_SAVED | PYRO_RULE_RBX_SAVED);
	assert_int_equal(in->fp_off, -16);
	assert_int_equal(in->rbx_off, -24);
	assert_int_equal(in->ra_off, -8);
	assert_int_equal(rule_at(&l, BASE + 12)->flags, 0);
}

static void a_frame_pointer_holds_where_sp_is_lost(void **state)
{
	struct listing l = ROWS(0x55,                   /* 0 push rbp */
				0x48, 0x89, 0xe5,       /* 1 mov rsp, rbp */
				0x48, 0x83, 0xe4, 0xe0, /* 4 and -32, rsp */
				0x48, 0x29, 0xc4,       /* 8 sub rax, rsp */
				0xff, 0xd0,             /* 11 call rax */
				0xc9,                   /* 13 leave */
				0xc3);                  /* 14 ret */

	(void)state;
	assert_cfa(&l, 4, PYRO_CFA_SP, 16);
	assert_cfa(&l, 8, PYRO_CFA_FP, 16);
	assert_cfa(&l, 11, PYRO_CFA_FP, 16);
	assert_cfa(&l, 13, PYRO_CFA_FP, 16);
	assert_cfa(&l, 14, PYRO_CFA_SP, 8);
}

static void what_is_not_known_is_a_gap(void **state)
{
	struct listing l = ROWS(0x48, 0x89, 0xe0,       /* 0 mov rsp, rax */
				0x48, 0x83, 0xe4, 0xc0, /* 3 and -64, rsp */
				0x50,                   /* 7 push rax */
				0x5c,                   /* 8 pop rsp */
				0xc3);                  /* 9 ret */

	(void)state;
	assert_cfa(&l, 3, PYRO_CFA_SP, 8);
	assert_cfa(&l, 7, PYRO_CFA_GAP, 0);
	assert_cfa(&l, 9, PYRO_CFA_GAP, 0);
}

static void branches_carry_the_state(void **state)
{
	struct listing l = ROWS(0x53,        /* 0 push rbx */
				0x85, 0xff,  /* 1 test edi, edi */
				0x74, 0x03,  /* 3 je 8 */
				0x5b,        /* 5 pop rbx */
				0xc3,        /* 6 ret */
				0x90,        /* 7 */
				0x50,        /* 8 push rax */
				0xeb, 0xf9); /* 9 jmp 4: never run */

	(void)state;
	assert_cfa(&l, 5, PYRO_CFA_SP, 16);
	assert_cfa(&l, 6, PYRO_CFA_SP, 8);
	assert_cfa(&l, 8, PYRO_CFA_SP, 16);
	assert_cfa(&l, 9, PYRO_CFA_SP, 24);
}

static void a_table_s_targets_go_on_as_its_jump(void **state)
{
	struct listing l = ROWS(0x53,       /* 0 push rbx */
				0xff, 0xe0, /* 1 jmp rax */
				0x31, 0xc0, /* 3 xor eax, eax */
				0x5b,       /* 5 pop rbx */
				0xc3);      /* 6 ret */

	(void)state;
	assert_cfa(&l, 3, PYRO_CFA_SP, 16);
	assert_cfa(&l, 6, PYRO_CFA_SP, 8);
}

static void aligned_cases_of_a_switch_are_no_functions(void **state)
{
	struct listing l = ROWS(0x53,                         /* 0 push rbx */
				0xff, 0xe0,                   /* 1 jmp rax */
				0x66, 0x0f, 0x1f, 0x44, 0, 0, /* 3 nop */
				0x0f, 0x1f, 0x80, 0, 0, 0, 0, /* 9 nop */
				0x89, 0xf8,                   /* 16 mov */
				0xff, 0xe0,                   /* 18 jmp rax */
				0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0, /* 20 nop */
				0x0f, 0x1f, 0x40, 0,             /* 28 nop */
				0x53,                            /* 32 push */
				0x5b,                            /* 33 pop */
				0xc3);                           /* 34 ret */

	(void)state;
	assert_cfa(&l, 16, PYRO_CFA_SP, 16);
	assert_cfa(&l, 18, PYRO_CFA_SP, 16);
	assert_cfa(&l, 32, PYRO_CFA_SP, 8);
}

static void behind_a_call_that_never_returns_a_function_begins(void **state)
{
	struct listing l = ROWS(0x48, 0x83, 0xec, 0x18,       /* 0 sub 24 */
				0xe8, 0, 0, 1, 0,             /* 4 call */
				0x0f, 0x1f, 0x80, 0, 0, 0, 0, /* 9 nop */
				0x53,                         /* 16 push rbx */
				0x5b,                         /* 17 pop rbx */
				0xc3);                        /* 18 ret */

	(void)state;
	assert_cfa(&l, 4, PYRO_CFA_SP, 32);
	assert_cfa(&l, 9, PYRO_CFA_SP, 32);
	assert_cfa(&l, 16, PYRO_CFA_SP, 8);
	assert_cfa(&l, 17, PYRO_CFA_SP, 16);
}

static void behind_a_call_a_function_goes_on_up_to_the_next(void **state)
{
	struct listing l = ROWS(0xe8, 0x23, 0, 0, 0,    /* 0 call 40 */
				0x48, 0x83, 0xec, 0x18, /* 5 sub 24 */
				0x66, 0x90,             /* 9 nop */
				0xe8, 0x18, 0, 0, 0,    /* 11 call 40 */
				0x89, 0xc7,             /* 16 mov eax, edi */
				0xe8, 0x11, 0, 0, 0,    /* 18 call 40 */
				0x0f, 0x1f, 0x40, 0,    /* 23 nop */
				0x0f, 0x1f, 0x80, 0, 0, 0, 0, /* 27 nop */
				0x66, 0x0f, 0x1f, 0x44, 0, 0, /* 34 nop */
				0xc3);                        /* 40 ret */

	(void)state;
	assert_cfa(&l, 11, PYRO_CFA_SP, 32);
	assert_cfa(&l, 16, PYRO_CFA_SP, 32);
	assert_cfa(&l, 18, PYRO_CFA_SP, 32);
	assert_cfa(&l, 40, PYRO_CFA_SP, 8);
}

static void the_loader_s_entry_is_the_outermost_frame(void **state)
{
	static const unsigned char code[] = {
		0x48, 0x89, 0xe7,          /* 0 mov rsp, rdi */
		0xe8, 0,    1,    0,    0, /* 3 call: outside */
		0x49, 0x89, 0xe5,          /* 8 mov rsp, r13 */
		0x48, 0x83, 0xe4, 0xf0,    /* 11 and -16, rsp */
		0x4c, 0x89, 0xec,          /* 15 mov r13, rsp */
		0x41, 0xff, 0xe4,          /* 18 jmp r12 */
	};
	struct listing l = rows_of(code, sizeof(code), BASE);

	(void)state;
	for (unsigned at = 0; at < sizeof(code); at++)
		assert_cfa(&l, at, PYRO_CFA_END, 0);
	/* Elsewhere it begins a function like others. */
	l = rows_of(code, sizeof(code), 0);
	assert_cfa(&l, 0, PYRO_CFA_SP, 8);
}

static void musl_s_thread_start_and_restorer_are_known(void **state)
{
	struct listing l = ROWS(0x0f, 0x05,             /* 0 syscall */
				0x85, 0xc0,             /* 2 test eax, eax */
				0x75, 0x08,             /* 4 jne 14 */
				0x31, 0xed,             /* 6 xor ebp, ebp */
				0x5f,                   /* 8 pop rdi */
				0x41, 0xff, 0xd1,       /* 9 call r9 */
				0xf4,                   /* 12 hlt */
				0x90,                   /* 13 */
				0xc3,                   /* 14 ret */
				0x90,                   /* 15 */
				0x48, 0xc7, 0xc0, 0x0f, /* 16 mov 15, rax */
				0, 0, 0, 0x0f, 0x05);   /* 23 syscall */

	(void)state;
	assert_cfa(&l, 4, PYRO_CFA_SP, 8);
	assert_cfa(&l, 8, PYRO_CFA_END, 0);
	assert_cfa(&l, 12, PYRO_CFA_END, 0);
	assert_cfa(&l, 14, PYRO_CFA_SP, 8);
	assert_cfa(&l, 15, PYRO_CFA_SIGNAL, 0);
	assert_cfa(&l, 16, PYRO_CFA_SIGNAL, 0);
	assert_cfa(&l, 23, PYRO_CFA_SIGNAL, 0);
}

/* A line of objdump -d -w: address, bytes, text, parted by tabs. */
static size_t read_bytes(const char *line, unsigned char *bytes,
			 const char **text)
{
	const char *at = strchr(line, '\t');
	const char *end = at ? strchr(at + 1, '\t') : NULL;
	size_t len = 0;

	*text = end ? end + 1 : "";
	for (; end && at < end && len < 15; at++) {
		unsigned byte;

		if (*at != ' ' && *at != '\t' &&
		    sscanf(at, "%2x", &byte) == 1) {
			bytes[len++] = (unsigned char)byte;
			at++;
		}
	}
	return len;
}

/* Not compared: what objdump cannot read, prefixes that it finds before data,
 * and the wait that it takes for a part of the next instruction. */
static bool is_comparable(const char *text)
{
	return !strstr(text, "(bad)") && text[0] != '.' &&
	       !strstr(text, "rex") && strncmp(text, "fst", 3) != 0 &&
	       strncmp(text, "fclex", 5) != 0 &&
	       strncmp(text, "finit", 5) != 0 && strncmp(text, "fsave", 5) != 0;
}

/* most: differences, where data stand between functions. */
static void compare_lengths(const char *path, size_t least, size_t most)
{
	FILE *f = output_of("objdump -d -w %s", path);
	char line[4096];
	size_t count = 0, other = 0;

	while (fgets(line, sizeof(line), f)) {
		unsigned char bytes[32] = {0};
		struct pyro_insn insn;
		const char *text;
		size_t len = read_bytes(line, bytes, &text);

		if (len == 0 || !is_comparable(text))
			continue;
		count++;
		/* A byte less is no instruction. */
		if (pyro_insn_decode(bytes, sizeof(bytes), BASE, &insn) &&
		    insn.len == len &&
		    !pyro_insn_decode(bytes, len - 1, BASE, &insn))
			continue;
		if (++other > most)
			fail_msg("%s: %d bytes: %s", path, insn.len, line);
	}
	assert_int_equal(pclose(f), 0);
	printf("%s: %zu instructions, %zu other\n", path, count, other);
	assert_true(count >= least);
}

static void lengths_are_objdump_s(void **state)
{
	(void)state;
	compare_lengths(LIBC, 300000, 0);
	compare_lengths(LIBM, 100000, 0);
	compare_lengths(LIBSTDCXX, 200000, 0);
	compare_lengths(LIBCRYPTO, 600000, 100);
	compare_lengths(MUSL, 90000, 0);
}

struct comparison {
	size_t same, other, gap;
};

static void compare_section(const struct pyro_elf *elf, const Elf64_Shdr *s,
			    const struct pyro_unwind_table *cfi,
			    const struct pyro_unwind_table *synth,
			    struct comparison *c)
{
	unsigned char *code;
	size_t len;
	struct pyro_insn insn;

	assert_int_equal(pyro_elf_read_section(elf, s, &code, &len), 0);
	for (size_t at = 0; at < len; at += insn.len) {
		if (!pyro_insn_decode(code + at, len - at, s->sh_addr + at,
				      &insn)) {
			insn.len = 1;
			continue;
		}

		const struct pyro_rule *a =
			pyro_unwind_rule(cfi, s->sh_addr + at);
		const struct pyro_rule *b =
			pyro_unwind_rule(synth, s->sh_addr + at);

		/* CFI goes on by rbp where rsp is known as well. */
		if (a->cfa != PYRO_CFA_SP)
			continue;
		if (b->cfa == PYRO_CFA_GAP)
			c->gap++;
		else if (b->cfa == a->cfa && b->cfa_off == a->cfa_off)
			c->same++;
		else
			c->other++;
	}
	pyro_pages_free(code, len);
}

/* As if the file had no CFI. */
static void compare_with_cfi(const char *path, double bound)
{
	struct pyro_unwind_table *cfi, *synth;
	struct comparison c = {0};
	struct pyro_elf elf;
	uint64_t offset;
	int fd = open_file(path);

	assert_int_equal(pyro_elf_open_file(&elf, fd), 0);

	struct pyro_cfi_holes holes = {.elf = &elf};
	struct pyro_cfi_input in = {
		.frame = (const unsigned char *)"",
		.machine = EM_X86_64,
		.holes = &holes,
	};

	assert_true(pyro_elf_text_range(elf.phdr, elf.ehdr.e_phnum, &in.lo,
					&in.hi, &offset));
	assert_int_equal(pyro_cfi_build_from(&in, &synth), 0);
	assert_int_equal(pyro_cfi_build(&elf, &cfi), 0);
	for (size_t i = 1; i < elf.shnum; i++)
		if (elf.shdr[i].sh_flags & SHF_EXECINSTR)
			compare_section(&elf, &elf.shdr[i], cfi, synth, &c);

	double part = (double)c.other / (double)(c.same + c.other);

	printf("%s: %zu as CFI has it, %zu other (%.3f %%), %zu not known\n",
	       path, c.same, c.other, 100 * part, c.gap);
	assert_true(c.same > 50000);
	assert_true(part <= bound);
	assert_true(c.gap <= c.same / 50);
	pyro_cfi_free(cfi);
	pyro_cfi_free(synth);
	pyro_cfi_holes_free(&holes);
	pyro_elf_close(&elf);
	close(fd);
}

/* Stripped, so that most functions are found by who calls them. What differs is
 * behind calls that never return, and assembler that keeps rsp elsewhere. */
static void rules_are_those_of_cfi(void **state)
{
	(void)state;
	compare_with_cfi(LIBM, 0.0003);
	compare_with_cfi(LIBSQLITE, 0.001);
	compare_with_cfi(LIBC, 0.004);
	compare_with_cfi(LIBCRYPTO, 0.003);
}

static void check_row(void *arg, uint64_t hi, const struct pyro_rule *rule)
{
	uint64_t *last = arg;

	assert_true(hi > *last);
	assert_true(rule->cfa <= PYRO_CFA_BAD);
	*last = hi;
}

static void any_bytes_give_rows_for_all(void **state)
{
	unsigned char bytes[512];
	uint64_t seed = 88172645463325252u;
	struct pyro_synth *synth = pyro_synth_new();

	(void)state;
	assert_non_null(synth);
	for (int round = 0; round < 20000; round++) {
		size_t len = 1 + next_random(&seed) % sizeof(bytes);
		struct pyro_synth_code code = {
			.lo = BASE,
			.len = len,
			.is_code = round & 1,
			.is_absolute = round & 2,
			.entry = BASE,
		};

		for (size_t i = 0; i < len; i++)
			bytes[i] = (unsigned char)next_random(&seed);
		code.bytes = guarded(bytes, len);

		uint64_t last = BASE;

		assert_int_equal(
			pyro_synth_rows(synth, &code, check_row, &last), 0);
		assert_int_equal(last, BASE + len);
	}
	pyro_synth_free(synth);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pushes_and_pops_move_the_cfa),
		cmocka_unit_test(a_frame_pointer_holds_where_sp_is_lost),
		cmocka_unit_test(what_is_not_known_is_a_gap),
		cmocka_unit_test(branches_carry_the_state),
		cmocka_unit_test(a_table_s_targets_go_on_as_its_jump),
		cmocka_unit_test(aligned_cases_of_a_switch_are_no_functions),
		cmocka_unit_test(
			behind_a_call_that_never_returns_a_function_begins),
		cmocka_unit_test(
			behind_a_call_a_function_goes_on_up_to_the_next),
		cmocka_unit_test(the_loader_s_entry_is_the_outermost_frame),
		cmocka_unit_test(musl_s_thread_start_and_restorer_are_known),
		cmocka_unit_test(lengths_are_objdump_s),
		cmocka_unit_test(rules_are_those_of_cfi),
		cmocka_unit_test(any_bytes_give_rows_for_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
