// SPDX-License-Identifier: Apache-2.0
/* debug_file.h - separate files with debug information, checked */
#ifndef PYRO_IMAGE_DEBUG_FILE_H
#define PYRO_IMAGE_DEBUG_FILE_H

#include "image/elf.h"

/* Open the debug file of an image: by its build ID, below root (usually
 * "/usr/lib/debug"; "" for none), else by the name and checksum of its
 * .gnu_debuglink, in its own folder, in .debug there, and in that folder below
 * root. Close with pyro_debug_file_close. 0 or -ENOENT; keeps errno. */
int pyro_debug_file_open(const struct pyro_elf *elf,
			 const struct pyro_build_id *id, const char *root,
			 struct pyro_elf *debug);

/* Open the file that dwz has moved common parts of elf's DWARF to: by its name,
 * which may be relative to elf's folder, else by build ID. */
int pyro_debug_file_alt(const struct pyro_elf *elf, const char *name,
			const struct pyro_build_id *id, const char *root,
			struct pyro_elf *alt);

void pyro_debug_file_close(struct pyro_elf *elf);

#endif
