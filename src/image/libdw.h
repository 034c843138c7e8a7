// SPDX-License-Identifier: Apache-2.0
/* libdw.h - elfutils' libdw, loaded when it is first needed */
#ifndef PYRO_IMAGE_LIBDW_H
#define PYRO_IMAGE_LIBDW_H

#include <elfutils/libdw.h>
#include <libelf.h>

#include "base/util.h"

/* The functions that are used, under their names without "dwarf_". */
struct pyro_libdw {
	unsigned (*elf_version)(unsigned version);
	Elf *(*elf_memory)(char *image, size_t size);
	int (*elf_end)(Elf *elf);
	Dwarf *(*begin_elf)(Elf *elf, Dwarf_Cmd cmd, Elf_Scn *group);
	int (*end)(Dwarf *dwarf);
	void (*setalt)(Dwarf *main, Dwarf *alt);
	Dwarf_OOM (*new_oom_handler)(Dwarf *dwarf, Dwarf_OOM handler);
	int (*get_units)(Dwarf *dwarf, Dwarf_CU *cu, Dwarf_CU **next,
			 Dwarf_Half *version, uint8_t *type, Dwarf_Die *cudie,
			 Dwarf_Die *subdie);
	int (*next_unit)(Dwarf *dwarf, Dwarf_Off off, Dwarf_Off *next,
			 size_t *header_len, Dwarf_Half *version,
			 Dwarf_Off *abbrev_offset, uint8_t *address_size,
			 uint8_t *offset_size, uint64_t *type_signature,
			 Dwarf_Off *type_offset);
	int (*cu_info)(Dwarf_CU *cu, Dwarf_Half *version, uint8_t *type,
		       Dwarf_Die *cudie, Dwarf_Die *subdie, uint64_t *id,
		       uint8_t *address_size, uint8_t *offset_size);
	Dwarf *(*cu_getdwarf)(Dwarf_CU *cu);
	Dwarf_Die *(*offdie)(Dwarf *dwarf, Dwarf_Off offset, Dwarf_Die *result);
	Dwarf_Off (*dieoffset)(Dwarf_Die *die);
	Dwarf_Off (*cuoffset)(Dwarf_Die *die);
	Dwarf_Die *(*diecu)(Dwarf_Die *die, Dwarf_Die *result,
			    uint8_t *address_size, uint8_t *offset_size);
	int (*child)(Dwarf_Die *die, Dwarf_Die *result);
	int (*siblingof)(Dwarf_Die *die, Dwarf_Die *result);
	int (*tag)(Dwarf_Die *die);
	Dwarf_Attribute *(*attr)(Dwarf_Die *die, unsigned name,
				 Dwarf_Attribute *result);
	int (*formudata)(Dwarf_Attribute *attr, Dwarf_Word *value);
	const char *(*formstring)(Dwarf_Attribute *attr);
	int (*formref)(Dwarf_Attribute *attr, Dwarf_Off *offset);
	Dwarf_Die *(*formref_die)(Dwarf_Attribute *attr, Dwarf_Die *result);
	ptrdiff_t (*ranges)(Dwarf_Die *die, ptrdiff_t offset, Dwarf_Addr *base,
			    Dwarf_Addr *lo, Dwarf_Addr *hi);
	int (*getsrcfiles)(Dwarf_Die *cudie, Dwarf_Files **files,
			   size_t *count);
	const char *(*filesrc)(Dwarf_Files *files, size_t i, Dwarf_Word *mtime,
			       Dwarf_Word *len);
	Dwarf_Line *(*getsrc_die)(Dwarf_Die *cudie, Dwarf_Addr address);
	const char *(*linesrc)(Dwarf_Line *line, Dwarf_Word *mtime,
			       Dwarf_Word *len);
	int (*lineno)(Dwarf_Line *line, int *number);
};

/* NULL when it is not there or not usable. Loads at the first call and never
 * unloads. Takes the loader lock: not in handlers. */
const struct pyro_libdw *pyro_libdw(void);

/* Give back pages of what libdw has taken from malloc and freed, at most max
 * bytes: glibc keeps them if it was asked for large blocks before. */
void pyro_libdw_trim(size_t max);

#endif
