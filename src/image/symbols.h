// SPDX-License-Identifier: Apache-2.0
/* symbols.h - function names of one image (collector only) */
#ifndef PYRO_IMAGE_SYMBOLS_H
#define PYRO_IMAGE_SYMBOLS_H

#include "image/elf.h"

struct pyro_symbols;

struct pyro_symbol {
	const char *name; /* valid while the symbols are open */
	uint64_t lo, hi;  /* ELF virtual addresses [lo, hi) */
};

/* Function symbols of an image: .symtab, else the .symtab of a separate debug
 * file (debug_file.h; debug_root is usually "/usr/lib/debug"), else that of
 * .gnu_debugdata (minidebug.h); and .dynsym, which adds what those lack. An image without symbols gives an empty table, not an error.
 * Returns owned (pyro_symbols_free) in *out; 0 or -errno. */
int pyro_symbols_open(const struct pyro_elf *elf,
		      const struct pyro_build_id *id, const char *debug_root,
		      struct pyro_symbols **out);
void pyro_symbols_free(struct pyro_symbols *symbols);

/* The function that holds vaddr. False when there is none: a symbol of size 0
 * reaches to the next symbol or the end of its section, one with a size ends
 * there. Among several at one address: functions before untyped labels, global
 * before weak before local, fewer leading underscores, then the longest name,
 * then the first in byte order - the same in every run. Of nested ones the
 * innermost. Names are without a version ("@@GLIBC_2.34"). */
bool pyro_symbols_find(const struct pyro_symbols *symbols, uint64_t vaddr,
		       struct pyro_symbol *out);
size_t pyro_symbols_bytes(const struct pyro_symbols *symbols);

#endif
