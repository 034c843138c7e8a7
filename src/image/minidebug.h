// SPDX-License-Identifier: Apache-2.0
/* minidebug.h - the symbols that Fedora leaves in stripped files */
#ifndef PYRO_IMAGE_MINIDEBUG_H
#define PYRO_IMAGE_MINIDEBUG_H

#include "base/buf.h"
#include "image/elf.h"

/* Zero-initialised is empty. */
struct pyro_minidebug {
	struct pyro_buf file; /* the bytes of elf */
	struct pyro_elf elf;
};

/* Unpack the .gnu_debugdata of a file: an ELF file with a .symtab of the
 * functions that .dynsym has not, packed by xz. Loads liblzma when there is such
 * a section; one that is broken or too large is told in the log, once.
 * 0, -ENOENT without, -ENOMEM, or another -errno. Close with
 * pyro_minidebug_close. Keeps errno. Collector. */
int pyro_minidebug_open(struct pyro_minidebug *mini,
			const struct pyro_elf *elf);
void pyro_minidebug_close(struct pyro_minidebug *mini);

#endif
