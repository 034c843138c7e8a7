// SPDX-License-Identifier: Apache-2.0
/* test_step_aarch64.c - walks of an aarch64 program at every instruction
 *
 * qemu-user runs the program and its gdb stub steps it. From each bl, blr and
 * ret a shadow stack of return addresses is kept, and at every instruction the
 * unwinder, compiled here for aarch64, has to find the same chain: from the
 * first instruction of ld.so to the end. The program's stack is copied to the
 * same addresses of this process, so that the unwinder just reads it. */
#define PYRO_WALK_AARCH64
#include "base/util.h"

static bool copy_guest_memory(uint64_t *to, uintptr_t addr, size_t len);
#define PYRO_WALK_LOAD(addr) (*(const volatile uintptr_t *)(addr))
#define PYRO_WALK_COPY(to, addr, len) copy_guest_memory(to, addr, len)
#include "capture/unwind.c"

#include <inttypes.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "image/cfi.h"
#include "image_util.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN 1
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN 0
#endif

#define DEPTH 128
#define STACK_BYTES ((uintptr_t)1 << 20)
#define MAPS_MAX 16
#define REGISTERS 33 /* x0-x30, sp, pc */
#define SP 31
#define PC 32

/* --- the program, stopped --- */

struct call {
	uint64_t ra, sp;
};

static struct {
	pid_t pid;
	int fd;
	FILE *from;
	uint64_t reg[REGISTERS];
	uintptr_t stack_lo, stack_hi; /* what is copied of the stack */
	struct call call[4096];
	size_t depth;
	uint64_t end; /* where main returns to */
	struct pyro_snapshot *snapshot;
	const char *name[MAPS_MAX];
} guest;

static bool copy_guest_memory(uint64_t *to, uintptr_t addr, size_t len)
{
	struct iovec local = {to, len}, remote = {(void *)addr, len};

	return process_vm_readv(guest.pid, &local, 1, &remote, 1, 0) ==
	       (ssize_t)len;
}

static void send_packet(const char *text)
{
	unsigned char sum = 0;
	char packet[64];

	for (const char *p = text; *p; p++)
		sum = (unsigned char)(sum + (unsigned char)*p);

	int len = snprintf(packet, sizeof(packet), "+$%s#%02x", text, sum);

	assert_int_equal(write(guest.fd, packet, (size_t)len), len);
}

static void read_packet(char *text, size_t size)
{
	size_t len = 0;
	int c;

	while ((c = getc(guest.from)) != '$')
		assert_int_not_equal(c, EOF);
	while ((c = getc(guest.from)) != '#') {
		assert_int_not_equal(c, EOF);
		assert_true(len + 1 < size);
		text[len++] = (char)c;
	}
	text[len] = '\0';
	getc(guest.from);
	getc(guest.from);
}

static void read_registers(void)
{
	char text[16384];

	read_packet(text, sizeof(text));
	assert_true(strlen(text) >= REGISTERS * 16);
	for (size_t i = 0; i < REGISTERS; i++) {
		char word[17];

		memcpy(word, text + i * 16, 16);
		word[16] = '\0';
		guest.reg[i] = __builtin_bswap64(strtoull(word, NULL, 16));
	}
}

/* False when the program is over. */
static bool step_guest(void)
{
	char text[256];

	send_packet("s");
	read_packet(text, sizeof(text));
	if (text[0] == 'W') {
		assert_string_equal(text, "W00");
		return false;
	}
	if (text[0] != 'T')
		fail_msg("the program was stopped: %s", text);
	send_packet("g");
	read_registers();
	return true;
}

/* Run to main's first instruction. */
static void run_to(uint64_t address)
{
	char text[256];

	snprintf(text, sizeof(text), "Z0,%" PRIx64 ",4", address);
	send_packet(text);
	read_packet(text, sizeof(text));
	assert_string_equal(text, "OK");
	send_packet("c");
	read_packet(text, sizeof(text));
	assert_int_equal(text[0], 'T');
	snprintf(text, sizeof(text), "z0,%" PRIx64 ",4", address);
	send_packet(text);
	read_packet(text, sizeof(text));
	assert_string_equal(text, "OK");
	send_packet("g");
	read_registers();
	assert_int_equal(guest.reg[PC], address);
}

static void start_guest(const char *dir, const char *program)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/gdb", dir);
	unlink(addr.sun_path);
	guest.pid = fork();
	if (guest.pid == 0) {
		dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
		execlp("qemu-aarch64", "qemu-aarch64", "-cpu", "max", "-g",
		       addr.sun_path, program, (char *)NULL);
		_exit(127);
	}
	guest.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	for (int i = 0;
	     connect(guest.fd, (struct sockaddr *)&addr, sizeof(addr)) != 0;
	     i++) {
		assert_true(i < 3000);
		usleep(10000);
	}
	guest.from = fdopen(guest.fd, "r");
	guest.depth = 0;
	guest.end = 0;
	send_packet("g");
	read_registers();
}

static void stop_guest(void)
{
	kill(guest.pid, SIGKILL);
	waitpid(guest.pid, NULL, 0);
	fclose(guest.from);
	munmap((void *)guest.stack_lo, guest.stack_hi - guest.stack_lo);
}

static void map_stack(void)
{
	guest.stack_hi = (guest.reg[SP] & PAGE_MASK) + 4096;
	guest.stack_lo = guest.stack_hi - STACK_BYTES;
	assert_ptr_equal(mmap((void *)guest.stack_lo, STACK_BYTES,
			      PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
			      -1, 0),
			 (void *)guest.stack_lo);
}

/* The stack as it is now, and the instruction that comes next. */
static uint32_t copy_guest(void)
{
	uint32_t code = 0;
	uint64_t sp = guest.reg[SP];
	struct iovec here[2] = {{&code, sizeof(code)}, {(void *)sp, 0}};
	struct iovec there[2] = {{(void *)guest.reg[PC], sizeof(code)},
				 {(void *)sp, 0}};

	if (sp >= guest.stack_lo && sp < guest.stack_hi)
		here[1].iov_len = there[1].iov_len = guest.stack_hi - sp;
	assert_int_equal(process_vm_readv(guest.pid, here, 2, there, 2, 0),
			 here[0].iov_len + here[1].iov_len);
	return code;
}

/* --- its objects --- */

static int by_lo(const void *a, const void *b)
{
	const struct pyro_map *x = a, *y = b;

	return (x->lo > y->lo) - (x->lo < y->lo);
}

static void add_object(const char *path, uint64_t base)
{
	struct pyro_snapshot *s = guest.snapshot;
	struct pyro_unwind_table *table;
	struct pyro_elf elf;
	uint64_t lo, hi, offset, first = 0;
	int fd = open_file(path);

	if (pyro_elf_open_file(&elf, fd) != 0 ||
	    elf.ehdr.e_machine != EM_AARCH64) {
		close(fd);
		return;
	}
	for (size_t i = elf.ehdr.e_phnum; i-- > 0;)
		if (elf.phdr[i].p_type == PT_LOAD)
			first = elf.phdr[i].p_vaddr - elf.phdr[i].p_offset;
	assert_true(pyro_elf_text_range(elf.phdr, elf.ehdr.e_phnum, &lo, &hi,
					&offset));
	if (!pyro_snapshot_find(s, lo + base - first)) {
		assert_true(s->count < MAPS_MAX);
		assert_int_equal(pyro_cfi_build(&elf, &table), 0);
		s->map[s->count++] = (struct pyro_map){
			.lo = lo + base - first,
			.hi = hi + base - first,
			.bias = base - first,
			.table = table,
			.module = 1,
		};
		qsort(s->map, s->count, sizeof(*s->map), by_lo);
	}
	pyro_elf_close(&elf);
	close(fd);
}

/* qemu maps a program's files at the program's own addresses. */
static void look_for_objects(void)
{
	char path[64], line[4400], file[4200];
	uint64_t lo, offset;

	snprintf(path, sizeof(path), "/proc/%d/maps", guest.pid);

	FILE *maps = fopen(path, "r");

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line,
			   "%" SCNx64 "-%*x %*s %" SCNx64 " %*s %*s %4199[^\n]",
			   &lo, &offset, file) == 3 &&
		    file[0] == '/' && offset == 0)
			add_object(file, lo);
	fclose(maps);
}

/* --- every instruction --- */

struct tally {
	uint64_t steps, excused, top, outer, incomplete;
};

static bool is_call(uint32_t code)
{
	return (code & 0xfc000000) == 0x94000000 || /* bl */
	       (code & 0xfefff000) == 0xd63f0000;   /* blr, blraa.. */
}

#define BR_X16 0xd61f0200
#define BR_X30 0xd61f03c0
#define NOP 0xd503201f

static bool is_return(uint32_t code)
{
	return (code & 0xfffff000) == 0xd65f0000; /* ret, retaa.. */
}

static void follow(uint32_t code, uint64_t pc, uint64_t sp)
{
	if (is_call(code)) {
		assert_true(guest.depth < PYRO_COUNT_OF(guest.call));
		guest.call[guest.depth++] = (struct call){pc + 4, sp};
	} else if (is_return(code)) {
		for (size_t i = guest.depth; i-- > 0;)
			if (guest.call[i].ra == guest.reg[PC] &&
			    guest.call[i].sp == guest.reg[SP]) {
				guest.depth = i;
				break;
			}
	}
	/* A longjmp leaves them, and those of the frame where it arrives. */
	while (guest.depth && guest.call[guest.depth - 1].sp <
				      guest.reg[SP] + (code == BR_X30))
		guest.depth--;
}

static size_t walk_guest(uint64_t pc[DEPTH], struct pyro_walk *walk)
{
	static uint64_t context[(PYRO_UCONTEXT_GREGS / 8) + REGISTERS];
	struct pyro_stack stack = {guest.stack_lo, guest.stack_hi};

	memcpy(context + PYRO_UCONTEXT_GREGS / 8, guest.reg, sizeof(guest.reg));
	return pyro_unwind_signal(guest.snapshot, (const ucontext_t *)context,
				  stack, pc, DEPTH, walk);
}

static bool is_above(const struct pyro_rule *rule)
{
	return rule->cfa == PYRO_CFA_SP && rule->ra_off >= 0 &&
	       !(rule->flags & PYRO_RULE_RA_REG);
}

/* What no CFI of glibc's tells: longjmp's frame is in a register that changes,
 * and in the first and last instruction of ld.so's resolver the PLT's two words
 * are on the stack, or no more. */
static bool is_excused(uint32_t code)
{
	uint64_t pc = guest.reg[PC];
	const struct pyro_map *map = pyro_snapshot_find(guest.snapshot, pc);
	const struct pyro_rule *rule =
		map ? pyro_unwind_rule(map->table, pc - map->bias) : NULL;
	const struct pyro_rule *next =
		map ? pyro_unwind_rule(map->table, pc + 4 - map->bias) : NULL;

	if (!rule || !next)
		return false;
	return rule->cfa == PYRO_CFA_REG || (code == NOP && is_above(next)) ||
	       (code == BR_X16 && is_above(rule));
}

/* The first wrong walks are told. */
static void keep(const struct tally *tally, enum pyro_stop stop, size_t frame)
{
	if (tally->top + tally->outer + tally->incomplete < 20)
		print_error("at %" PRIx64 ": wrong in frame %zu, ended by %s\n",
			    guest.reg[PC], frame, pyro_stop_name(stop));
}

static void compare(struct tally *tally, uint32_t code)
{
	struct pyro_walk walk;
	uint64_t pc[DEPTH];
	size_t n = walk_guest(pc, &walk), want = guest.depth + 1;

	tally->steps++;
	if (is_excused(code)) {
		tally->excused++;
		return;
	}
	for (size_t i = 1; i < want && i < DEPTH; i++) {
		uint64_t ra = guest.call[guest.depth - i].ra - 1;

		if (i < n && pc[i] == ra)
			continue;
		if (i == 1)
			tally->top++;
		else
			tally->outer++;
		keep(tally, walk.stop, i);
		return;
	}
	if (n != want || walk.stop != PYRO_STOP_END) {
		tally->incomplete++;
		keep(tally, walk.stop, n);
	}
}

/* The calls that led to main, as the walk has them: what comes after is checked
 * against more than that. */
static void start_at_main(const char *program)
{
	const struct pyro_map *own;
	uint64_t address, pc[DEPTH];
	struct pyro_walk walk;
	FILE *in = output_of("nm '%s' | sed -n 's/ T main$//p'", program);

	assert_int_equal(fscanf(in, "%" SCNx64, &address), 1);
	assert_int_equal(pclose(in), 0);
	look_for_objects();
	own = &guest.snapshot->map[0];
	run_to(address + own->bias);
	look_for_objects();
	copy_guest();

	size_t n = walk_guest(pc, &walk);

	assert_int_equal(walk.stop, PYRO_STOP_END);
	assert_true(n >= 3);
	for (guest.depth = 0; guest.depth < n - 1; guest.depth++)
		guest.call[guest.depth] = (struct call){
			pc[n - 1 - guest.depth] + 1, guest.stack_hi};
	guest.end = pc[1] + 1;
}

static void step_through(const char *dir, const char *program, bool from_main,
			 uint64_t limit, struct tally *tally)
{
	static char room[sizeof(struct pyro_snapshot) +
			 MAPS_MAX * sizeof(struct pyro_map)];

	memset(tally, 0, sizeof(*tally));
	memset(room, 0, sizeof(room));
	guest.snapshot = (struct pyro_snapshot *)(void *)room;
	start_guest(dir, program);
	map_stack();
	if (from_main)
		start_at_main(program);
	do {
		uint64_t pc = guest.reg[PC], sp = guest.reg[SP];

		if (!pyro_snapshot_find(guest.snapshot, pc))
			look_for_objects();

		uint32_t code = copy_guest();

		compare(tally, code);
		if (!step_guest())
			break;
		follow(code, pc, sp);
	} while (tally->steps < limit && guest.reg[PC] != guest.end);
	stop_guest();
	for (uint32_t i = 0; i < guest.snapshot->count; i++)
		pyro_cfi_free((void *)(uintptr_t)guest.snapshot->map[i].table);
}

/* --- what is stepped --- */

#define GCC "aarch64-linux-gnu-gcc "
#define CLANG "clang --target=aarch64-linux-gnu "

static void check(const char *flags, bool from_main, uint64_t steps)
{
	char *dir = make_dir(), program[128];
	struct tally t;

	snprintf(program, sizeof(program), "%s/shapes", dir);
	run("%s -w -o '%s' aarch64/shapes.c -lm", flags, program);
	step_through(dir, program, from_main,
		     getenv("STEP_COUNT")
			     ? strtoull(getenv("STEP_COUNT"), NULL, 10)
			     : steps,
		     &t);
	remove_dir(dir);
	print_message("%s: %" PRIu64 " steps, %" PRIu64 " excused, wrong at "
		      "the top %" PRIu64 ", further out %" PRIu64
		      ", not to the end %" PRIu64 "\n",
		      flags, t.steps, t.excused, t.top, t.outer, t.incomplete);
	assert_true(t.steps > 5000);
	assert_true(t.excused * 100 < t.steps);
	assert_true(t.top * 10000 <= t.steps * 2);
	assert_true((t.outer + t.incomplete) * 10000 <= t.steps * 5);
}

static void test_from_the_first_instruction(void **state)
{
	(void)state;
	check(GCC "-O2", false, 6000);
}

static void test_optimized(void **state)
{
	(void)state;
	check(GCC "-O2", true, 15000);
	check(GCC "-Os", true, 10000);
}

static void test_not_optimized(void **state)
{
	(void)state;
	check(GCC "-O0", true, 10000);
}

/* Return addresses are signed. */
static void test_pointer_authentication(void **state)
{
	(void)state;
	check(GCC "-O2 -mbranch-protection=standard", true, 10000);
}

static void test_without_frame_pointers(void **state)
{
	(void)state;
	check(GCC "-O2 -fomit-frame-pointer", true, 10000);
}

/* It describes no epilogue, and a prologue by one row at its end. */
static void test_clang(void **state)
{
	(void)state;
	check(CLANG "-O2", true, 15000);
	check(CLANG "-O2 -fomit-frame-pointer", true, 10000);
	check(CLANG "-Os -mbranch-protection=standard", true, 10000);
	check(CLANG "-O0", true, 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_the_first_instruction),
		cmocka_unit_test(test_optimized),
		cmocka_unit_test(test_not_optimized),
		cmocka_unit_test(test_pointer_authentication),
		cmocka_unit_test(test_without_frame_pointers),
		cmocka_unit_test(test_clang),
	};

	if (UNDER_ASAN) {
		puts("skipped: the sanitizer's own memory is where the "
		     "program's stack would be copied to");
		return 0;
	}
	alarm(170);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
