// SPDX-License-Identifier: Apache-2.0
/* modules.h - the objects loaded into this process, and the snapshot of them
 * that handlers read
 *
 * Owned by the collector; only pyro_modules_current() may be called elsewhere.
 * A module keeps its id for the life of the process, also when it is unloaded
 * and loaded again (same path, build ID, device, inode, size and time): what is
 * known of it is kept. */
#ifndef PYRO_IMAGE_MODULES_H
#define PYRO_IMAGE_MODULES_H

#include "image/elf.h"
#include "image/symbols.h"
#include "image/tables.h"

/* Module ids are 16 bits so that (module, address) fits 64 bits. */
#define PYRO_MODULE_MAX 65534

struct pyro_module {
	uint32_t id;      /* 1 .. PYRO_MODULE_MAX */
	const char *path; /* as loaded; "[vdso]" for the vdso */
	const char *name; /* last part of path */
	struct pyro_build_id build_id;
	uint64_t text_lo, text_hi; /* ELF addresses of executable segments */
	uint64_t text_offset;      /* file offset of text_lo */
	uintptr_t bias;            /* of the newest load */
	bool file_matches;         /* the file on disk is the one mapped */
	bool is_file;              /* all but the vdso */
	const struct pyro_unwind_table *table; /* NULL: no CFI */
	struct pyro_symbols *symbols;          /* NULL until asked for */
	bool symbols_tried;
};

struct pyro_modules;

/* Returns owned; NULL for out of memory. */
struct pyro_modules *pyro_modules_new(const char *debug_root);
/* No handler may use a snapshot any more: pyro_modules_unpublish(), then wait. */
void pyro_modules_free(struct pyro_modules *modules);
/* Handlers that come now find no snapshot. */
void pyro_modules_unpublish(struct pyro_modules *modules);

/* Look whether objects were loaded or unloaded (some 15 ns when not), and if so
 * build what is missing and publish a new snapshot. Returns 1 when published,
 * 0 when nothing changed, or -errno. The loader's lock is held only while plain
 * data is copied. Collector only. */
int pyro_modules_refresh(struct pyro_modules *modules);

/* The newest snapshot; NULL before the first refresh. Valid until it is
 * reclaimed. Pairs with the release store of refresh. Signal safe. */
const struct pyro_snapshot *pyro_modules_current(void) PYRO_SIGNAL_SAFE;

/* A snapshot that is still kept, by generation; NULL if it is gone. */
const struct pyro_snapshot *
pyro_modules_snapshot(const struct pyro_modules *modules, uint32_t generation);

/* Whose code was at pc when a record was made that was walked by the snapshot
 * of that generation? pyro_modules_refresh() has been called since, and told
 * what has become of it. *map is NULL where no object is known. False when
 * nobody can tell: another object came to the same addresses, or may have. */
bool pyro_modules_place(const struct pyro_modules *modules, uint32_t generation,
			uintptr_t pc, const struct pyro_map **map);

/* Free snapshots older than generation. The caller has made sure that no
 * handler and no record uses them. Tables of modules are kept. */
void pyro_modules_reclaim(struct pyro_modules *modules, uint32_t generation);

const struct pyro_module *pyro_modules_get(const struct pyro_modules *modules,
					   uint32_t id);
/* Name a function of a module; reads its symbols the first time. False when
 * there is no symbol there. Collector only. */
bool pyro_modules_symbol(struct pyro_modules *modules, uint32_t id,
			 uint64_t vaddr, struct pyro_symbol *out);
/* Open the file of a module, if it is the one that was mapped. Close with
 * pyro_debug_file_close. 0 or -errno. Collector only. */
int pyro_modules_open(const struct pyro_modules *modules, uint32_t id,
		      struct pyro_elf *elf);
/* Bytes of tables and symbols, for the memory budget. */
size_t pyro_modules_bytes(const struct pyro_modules *modules);

#endif
