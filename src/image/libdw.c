// SPDX-License-Identifier: Apache-2.0
/* libdw.c - find libdw and its functions
 *
 * Only programs that have debug information pay for it: 1 MiB of memory, and
 * some milliseconds once. It takes its memory from the program's malloc. */
#include "image/libdw.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/library.h"
#include "base/log.h"
#include "base/sync.h"

#define PAGE ((size_t)4096)
/* Below the smallest that glibc's malloc maps by itself. */
#define BLOCK ((size_t)120 << 10)
/* So many in a row that were not in memory: the rest is not, either. */
#define ABSENT_MAX 16

/* Written once under pyro_loader_lock, then constant. */
static struct pyro_libdw functions;
static bool tried, usable;

static int load_functions(void)
{
	const struct pyro_library_function wanted[] = {
		{"elf_version", &functions.elf_version},
		{"elf_memory", &functions.elf_memory},
		{"elf_end", &functions.elf_end},
		{"dwarf_begin_elf", &functions.begin_elf},
		{"dwarf_end", &functions.end},
		{"dwarf_setalt", &functions.setalt},
		{"dwarf_new_oom_handler", &functions.new_oom_handler},
		{"dwarf_get_units", &functions.get_units},
		{"dwarf_next_unit", &functions.next_unit},
		{"dwarf_cu_info", &functions.cu_info},
		{"dwarf_cu_getdwarf", &functions.cu_getdwarf},
		{"dwarf_offdie", &functions.offdie},
		{"dwarf_dieoffset", &functions.dieoffset},
		{"dwarf_cuoffset", &functions.cuoffset},
		{"dwarf_diecu", &functions.diecu},
		{"dwarf_child", &functions.child},
		{"dwarf_siblingof", &functions.siblingof},
		{"dwarf_tag", &functions.tag},
		{"dwarf_attr", &functions.attr},
		{"dwarf_formudata", &functions.formudata},
		{"dwarf_formstring", &functions.formstring},
		{"dwarf_formref", &functions.formref},
		{"dwarf_formref_die", &functions.formref_die},
		{"dwarf_ranges", &functions.ranges},
		{"dwarf_getsrcfiles", &functions.getsrcfiles},
		{"dwarf_filesrc", &functions.filesrc},
		{"dwarf_getsrc_die", &functions.getsrc_die},
		{"dwarf_linesrc", &functions.linesrc},
		{"dwarf_lineno", &functions.lineno},
	};

	return pyro_library_load("libdw.so.1", wanted, PYRO_COUNT_OF(wanted));
}

static void load_locked(void)
{
	tried = true;

	int err = load_functions();

	if (err == -ENOTSUP)
		PYRO_LOG_ONCE("no line numbers: they need libdw, which a "
			      "static program cannot load");
	else if (err == -ENOENT)
		PYRO_LOG_ONCE("no line numbers: they need libdw.so.1; install "
			      "libdw1 (Debian, Ubuntu) or elfutils-libs "
			      "(Fedora)");
	else if (err || functions.elf_version(EV_CURRENT) == EV_NONE)
		PYRO_LOG_ONCE("no line numbers: the libdw.so.1 here cannot be "
			      "used");
	else
		usable = true;
}

const struct pyro_libdw *pyro_libdw(void)
{
	int saved = errno;

	pyro_mutex_lock(&pyro_loader_lock);
	if (!tried)
		load_locked();
	pyro_mutex_unlock(&pyro_loader_lock);
	errno = saved;
	return usable ? &functions : NULL;
}

/* Drop the whole pages in a block. False when none was in memory. */
static bool drop_pages(void *block)
{
	uintptr_t from = pyro_align_up((uintptr_t)block + sizeof(void *), PAGE);
	uintptr_t to = ((uintptr_t)block + BLOCK) & ~(PAGE - 1);
	unsigned char there[BLOCK / PAGE] = {0};
	bool any = false;

	if (mincore((void *)from, to - from, there) != 0)
		return false;
	for (size_t i = 0; i < (to - from) / PAGE; i++)
		any = any || (there[i] & 1);
	return any && madvise((void *)from, to - from, MADV_DONTNEED) == 0;
}

/* malloc_trim() would take the locks of all of the program's arenas. Blocks that
 * we own for a moment are ours to drop. */
void pyro_libdw_trim(size_t max)
{
	void *all = NULL, *block;
	int saved = errno, absent = usable ? 0 : ABSENT_MAX;

	for (size_t taken = 0; taken < max && absent < ABSENT_MAX;
	     taken += BLOCK) {
		block = malloc(BLOCK);
		if (!block)
			break;
		memcpy(block, &all, sizeof(all));
		all = block;
		absent = drop_pages(block) ? 0 : absent + 1;
	}
	while (all) {
		block = all;
		memcpy(&all, block, sizeof(all));
		free(block);
	}
	errno = saved;
}
