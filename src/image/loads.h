// SPDX-License-Identifier: Apache-2.0
/* loads.h - the loader's list of objects, and what each of them is
 * (used by modules.c only) */
#ifndef PYRO_IMAGE_LOADS_H
#define PYRO_IMAGE_LOADS_H

#include "base/buf.h"
#include "image/elf.h"

/* One object as dl_iterate_phdr told it: plain copies. */
struct pyro_load {
	uintptr_t bias;
	size_t name; /* in names */
	size_t phdr; /* in phdrs */
	size_t phdr_count;
};

/* Zero-initialised is empty and ready. */
struct pyro_loads {
	unsigned long long adds, subs; /* the loader's counters */
	struct pyro_load *item;
	size_t count, cap;
	char *names;
	size_t names_len, names_cap;
	Elf64_Phdr *phdrs;
	size_t phdr_count, phdr_cap;
	struct pyro_buf maps; /* /proc/self/maps, once an object needed it */
};

/* Copy the list again. 0 or -ENOMEM. */
int pyro_loads_copy(struct pyro_loads *loads);
/* Has the loader's list changed since the copy? */
bool pyro_loads_changed(const struct pyro_loads *loads);
void pyro_loads_free(struct pyro_loads *loads);

enum pyro_object_kind {
	PYRO_OBJECT_FILE,
	PYRO_OBJECT_EXECUTABLE, /* opens through /proc, also when deleted */
	PYRO_OBJECT_VDSO        /* has no file */
};

/* What makes a module the same as one seen before. */
struct pyro_identity {
	const char *path;
	enum pyro_object_kind kind;
	struct pyro_build_id build_id;
	/* There are files without a build ID. */
	uint64_t phdr_hash;
	uint64_t mapped_inode; /* of those alone; 0: nobody can tell */
	/* Of the file, if it is the one mapped; else 0. */
	uint64_t dev, inode, size, mtime_ns;
};

struct pyro_object {
	const Elf64_Phdr *phdr; /* borrowed from the loads */
	size_t phdr_count;
	uintptr_t bias;
	uintptr_t header; /* run-time address of its ELF header, or 0 */
	struct pyro_identity identity;
	char path[4096];
};

/* What the list and memory tell of the i-th load; dev, inode, size and time stay
 * 0. */
void pyro_object_look(struct pyro_object *object, struct pyro_loads *loads,
		      size_t i);

/* Open the image of this identity: its file if that is the one mapped, with
 * *file_matches set and dev, inode, size, time filled in; else memory at header, if
 * that is not 0. Close with pyro_object_close. 0 or -ENOENT; keeps errno. */
int pyro_object_open(struct pyro_identity *identity, uintptr_t header,
		     struct pyro_elf *elf, bool *file_matches);
void pyro_object_close(struct pyro_elf *elf);

bool pyro_build_id_equal(const struct pyro_build_id *a,
			 const struct pyro_build_id *b);

#endif
