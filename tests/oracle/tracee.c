// SPDX-License-Identifier: Apache-2.0
/* tracee.c - ptrace's single steps, and a cache of the tracee's memory
 *
 * Tracer and tracee share one processor: a step is two context switches, and
 * between processors each of them would wait for an interrupt. */
#include "tests/oracle/tracee.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "oracle: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void share_processor(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	CPU_ZERO(&set);
	if (cpu >= 0) {
		CPU_SET(cpu, &set);
		sched_setaffinity(0, sizeof(set), &set);
	}
}

static void read_regs(struct tracee *t)
{
	if (ptrace(PTRACE_GETREGS, t->pid, NULL, &t->regs) != 0)
		die("registers");
	t->data.now++;
}

void tracee_start(struct tracee *t, char *const argv[])
{
	int status;

	memset(t, 0, sizeof(*t));
	tracee_forget_code(t);
	share_processor();
	t->pid = fork();
	if (t->pid < 0)
		die("fork");
	if (t->pid == 0) {
		personality(ADDR_NO_RANDOMIZE);
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		execv(argv[0], argv);
		_exit(127);
	}
	if (waitpid(t->pid, &status, 0) != t->pid || !WIFSTOPPED(status))
		die(argv[0]);
	if (ptrace(PTRACE_SETOPTIONS, t->pid, NULL, PTRACE_O_EXITKILL) != 0)
		die("ptrace");
	read_regs(t);
}

bool tracee_run_to_marker(struct tracee *t)
{
	int status, sig = 0;

	do {
		if (ptrace(PTRACE_CONT, t->pid, NULL, (long)sig) != 0 ||
		    waitpid(t->pid, &status, 0) != t->pid)
			die("continue");
		if (!WIFSTOPPED(status))
			return false;
		sig = WSTOPSIG(status);
	} while (sig != SIGTRAP);
	read_regs(t);
	return true;
}

enum stepped tracee_step(struct tracee *t)
{
	int status;

	if (ptrace(PTRACE_SINGLESTEP, t->pid, NULL, (long)t->signal) != 0)
		die("step");
	if (waitpid(t->pid, &status, 0) != t->pid)
		die("wait");
	if (!WIFSTOPPED(status)) {
		if (WIFSIGNALED(status))
			fprintf(stderr, "oracle: the program died of %s\n",
				strsignal(WTERMSIG(status)));
		t->pid = 0;
		return STEPPED_TO_END;
	}
	t->signal = WSTOPSIG(status) == SIGTRAP ? 0 : WSTOPSIG(status);
	read_regs(t);
	return t->signal ? STEPPED_TO_SIGNAL : STEPPED;
}

void tracee_kill(struct tracee *t)
{
	if (t->pid > 0) {
		kill(t->pid, SIGKILL);
		waitpid(t->pid, NULL, 0);
	}
}

static const unsigned char *find_page(struct tracee *t, struct pages *p,
				      uintptr_t addr)
{
	uintptr_t page = addr / PAGE_BYTES;
	size_t slot = page % PAGE_SLOTS;

	if (p->page[slot] != page || p->read_at[slot] != p->now) {
		struct iovec to = {p->bytes[slot], PAGE_BYTES};
		struct iovec from = {(void *)(page * PAGE_BYTES), PAGE_BYTES};

		p->page[slot] = page;
		p->read_at[slot] = p->now;
		p->readable[slot] = process_vm_readv(t->pid, &to, 1, &from, 1,
						     0) == PAGE_BYTES;
	}
	return p->readable[slot] ? p->bytes[slot] : NULL;
}

bool tracee_word(struct tracee *t, uintptr_t addr, uintptr_t *word)
{
	const unsigned char *page = find_page(t, &t->data, addr);

	if (!page || addr % sizeof(*word) != 0)
		return false;
	memcpy(word, page + addr % PAGE_BYTES, sizeof(*word));
	return true;
}

static int code_byte(struct tracee *t, uintptr_t pc)
{
	const unsigned char *page = find_page(t, &t->code, pc);

	return page ? page[pc % PAGE_BYTES] : -1;
}

static bool is_prefix(int byte)
{
	return byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e ||
	       (byte >= 0x40 && byte <= 0x4f) || byte == 0x64 || byte == 0x65 ||
	       byte == 0x66 || byte == 0x67 || byte == 0xf2 || byte == 0xf3;
}

enum transfer tracee_decode(struct tracee *t, uintptr_t pc)
{
	int byte = code_byte(t, pc);
	int modrm;

	while (is_prefix(byte))
		byte = code_byte(t, ++pc);
	switch (byte) {
	case 0xcc:
		return TRANSFER_MARKER;
	case 0xe8:
		return TRANSFER_CALL;
	case 0xe9:
	case 0xeb:
		return TRANSFER_JUMP;
	case 0xc2:
	case 0xc3:
		return TRANSFER_RETURN;
	case 0xff:
		modrm = code_byte(t, pc + 1) >> 3 & 7;
		return modrm == 2   ? TRANSFER_CALL
		       : modrm == 4 ? TRANSFER_JUMP
				    : TRANSFER_NONE;
	case 0x0f:
		modrm = code_byte(t, pc + 1);
		return modrm == 0x05            ? TRANSFER_SYSCALL
		       : (modrm & 0xf0) == 0x80 ? TRANSFER_JUMP
						: TRANSFER_NONE;
	default:
		return (byte & 0xf0) == 0x70 || (byte & 0xfc) == 0xe0
			       ? TRANSFER_JUMP
			       : TRANSFER_NONE;
	}
}

void tracee_forget_code(struct tracee *t)
{
	t->code.now++;
}
