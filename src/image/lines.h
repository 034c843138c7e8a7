// SPDX-License-Identifier: Apache-2.0
/* lines.h - source lines and inlined functions of addresses
 *
 * Addresses are asked for, resolved in batches by libdw, and remembered. Batches
 * spend a share of the time that goes by, and at most so much memory, all of
 * which they give back; what one does not get to waits for the next one, the
 * most wanted first. Collector only. */
#ifndef PYRO_IMAGE_LINES_H
#define PYRO_IMAGE_LINES_H

#include "image/elf.h"

struct pyro_lines;

/* One function of a chain; text is "" where not known. */
struct pyro_source {
	const char *function; /* as in the object file: mangled */
	const char *file;
	uint32_t line;       /* 0: not known */
	uint32_t start_line; /* of the function, if it begins in file; else 0 */
};

/* Inlined functions at one address, the one they are in included. */
#define PYRO_SOURCES_MAX 64

/* Open the file of a module: 0 and *elf (closed with pyro_debug_file_close) if
 * it is what is or was mapped, else -errno. */
typedef int pyro_lines_open_fn(void *arg, uint32_t module,
			       struct pyro_elf *elf);

/* debug_root as in symbols.h, borrowed; memory_max in bytes bounds a batch, and
 * an eighth of it what is remembered; cpu_permille is the share of the time that
 * batches may spend. Returns owned; NULL for out of memory. */
struct pyro_lines *pyro_lines_new(const char *debug_root, size_t memory_max,
				  uint32_t cpu_permille);
void pyro_lines_free(struct pyro_lines *lines);

/* Ask for an ELF virtual address of a module (as in stacks.h: less than 48
 * bits); callers' is the return address - 1. Heavier ones are resolved first. */
void pyro_lines_want(struct pyro_lines *lines, uint32_t module, uint64_t vaddr,
		     uint64_t weight);

/* Time went by: its share may be spent, half a second of CPU time at once if
 * nothing was spent for long. The same half second is there in the beginning. */
void pyro_lines_earn(struct pyro_lines *lines, uint64_t elapsed_ns);

/* Resolve what was asked for and is not known, with what CPU time of this
 * thread there is, at most cpu_max_ns. A unit that was begun is finished, and
 * what that took too much is paid back before there is another batch. Returns
 * how many addresses are left. */
size_t pyro_lines_resolve(struct pyro_lines *lines, pyro_lines_open_fn *open,
			  void *arg, uint64_t cpu_max_ns);

enum pyro_lines_state {
	PYRO_LINES_KNOWN,
	PYRO_LINES_NONE,   /* there is no debug information */
	PYRO_LINES_WAITING /* not yet resolved, or never asked for */
};

/* What is known of an address: *count functions, innermost first, the last is
 * the one whose code it is. The texts are valid until the next batch. */
enum pyro_lines_state pyro_lines_find(const struct pyro_lines *lines,
				      uint32_t module, uint64_t vaddr,
				      struct pyro_source out[PYRO_SOURCES_MAX],
				      size_t *count);

#endif
