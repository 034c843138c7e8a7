// SPDX-License-Identifier: Apache-2.0
/* debug_info.h - the DWARF of one file, by libdw (lines.c only)
 *
 * Open for one batch of addresses; all that libdw took is given back at the
 * end. Collector only. */
#ifndef PYRO_IMAGE_DEBUG_INFO_H
#define PYRO_IMAGE_DEBUG_INFO_H

#include "image/debug_image.h"
#include "image/libdw.h"

struct pyro_debug_file {
	struct pyro_debug_image image;
	struct pyro_elf own; /* the alternate file is opened here */
	Elf *elf;
	Dwarf *dwarf;
};

struct pyro_debug {
	const struct pyro_libdw *dw;
	struct pyro_debug_file main;
	struct pyro_debug_file alt; /* what dwz moved elsewhere; or empty */
	Dwarf_OOM oom;
};

/* The DWARF of elf, a file, which stays open as long. oom is called by libdw
 * when it is out of memory, and must not return. debug_root as in symbols.h.
 * 0, -ENOENT when there is none, -EFBIG above limit bytes, or -errno. */
int pyro_debug_open(struct pyro_debug *debug, const struct pyro_libdw *dw,
		    const struct pyro_elf *elf, const char *debug_root,
		    size_t limit, Dwarf_OOM oom);
void pyro_debug_close(struct pyro_debug *debug);
/* Close it after oom was called: what libdw has taken is lost. */
void pyro_debug_abandon(struct pyro_debug *debug);
/* Give back what libdw has taken since, and the parts that were read for it. As
 * if opened anew and pyro_debug_each_range() called; to be closed on error,
 * too. */
int pyro_debug_renew(struct pyro_debug *debug);

/* Tell of every unit where its code is; fn may be NULL. Once after opening:
 * libdw has to know all units before it is asked for one. */
typedef void pyro_debug_range_fn(void *arg, uint64_t unit, uint64_t lo,
				 uint64_t hi);
void pyro_debug_each_range(struct pyro_debug *debug, pyro_debug_range_fn *fn,
			   void *arg);

/* How many bytes of .debug_info a unit takes, and of .debug_line. */
void pyro_debug_unit_size(struct pyro_debug *debug, uint64_t unit,
			  size_t *info_len, size_t *line_len);

/* The image of a DIE's unit; NULL for one that libdw has opened. */
struct pyro_debug_file *pyro_debug_file_of(struct pyro_debug *debug,
					   Dwarf_CU *cu);
/* The DIE of a unit with what libdw reads beside it; false if it is broken. */
bool pyro_debug_unit_die(struct pyro_debug *debug, uint64_t unit,
			 Dwarf_Die *die);
/* Read what dwarf_getsrcfiles and dwarf_getsrc_die need of the die's unit. */
void pyro_debug_fill_lines(struct pyro_debug *debug, Dwarf_Die *cudie);
/* An attribute as text; NULL when it is absent. */
const char *pyro_debug_text(struct pyro_debug *debug, Dwarf_Die *die,
			    unsigned name);
/* An attribute as number. */
bool pyro_debug_number(struct pyro_debug *debug, Dwarf_Die *die, unsigned name,
		       uint64_t *value);
/* The DIE that an attribute refers to, in whichever unit or file. */
bool pyro_debug_follow(struct pyro_debug *debug, Dwarf_Die *die, unsigned name,
		       Dwarf_Die *to);

#endif
