// SPDX-License-Identifier: Apache-2.0
/* tracee.h - a program that is run one instruction at a time */
#ifndef PYRO_TESTS_ORACLE_TRACEE_H
#define PYRO_TESTS_ORACLE_TRACEE_H

#include <sys/types.h>
#include <sys/user.h>

#include "base/util.h"

#define PAGE_BYTES 4096
#define PAGE_SLOTS 64

/* Pages of the tracee's memory as they were at one moment. */
struct pages {
	unsigned now; /* what was read before this moment is stale */
	unsigned read_at[PAGE_SLOTS];
	uintptr_t page[PAGE_SLOTS];
	bool readable[PAGE_SLOTS];
	unsigned char bytes[PAGE_SLOTS][PAGE_BYTES];
};

enum transfer {
	TRANSFER_NONE,
	TRANSFER_JUMP, /* conditional ones, too */
	TRANSFER_CALL,
	TRANSFER_RETURN,
	TRANSFER_SYSCALL,
	TRANSFER_MARKER /* a breakpoint instruction */
};

struct tracee {
	pid_t pid;
	int signal; /* to be delivered by the next step */
	struct user_regs_struct regs;
	struct pages data;
	struct pages code; /* stale only when mappings change */
};

enum stepped {
	STEPPED,           /* one instruction was executed */
	STEPPED_TO_SIGNAL, /* none: a signal waits */
	STEPPED_TO_END     /* the program is gone */
};

/* Start a program, stopped at its (or ld.so's) first instruction, without
 * address randomization. Exits with a message when that fails. */
void tracee_start(struct tracee *t, char *const argv[]);
/* Run to the program's first breakpoint instruction; false: it ended. */
bool tracee_run_to_marker(struct tracee *t);
enum stepped tracee_step(struct tracee *t);
void tracee_kill(struct tracee *t);

/* A word of its memory; false where it has none. */
bool tracee_word(struct tracee *t, uintptr_t addr, uintptr_t *word);
/* What kind of instruction stands at pc. */
enum transfer tracee_decode(struct tracee *t, uintptr_t pc);
/* Code at addresses known so far may be other code now. */
void tracee_forget_code(struct tracee *t);

#endif
