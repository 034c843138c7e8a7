// SPDX-License-Identifier: Apache-2.0
/* libdw.c - find libdw and its functions
 *
 * Only programs that have debug information pay for it: 1 MiB of memory, and
 * some milliseconds once. It takes its memory from the program's malloc. */
#include "image/libdw.h"

#include <errno.h>

#include "base/library.h"
#include "base/log.h"
#include "base/sync.h"

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

	if (err == -ENOENT)
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
