// SPDX-License-Identifier: Apache-2.0
/* dynamic.h - the dynamic section of an object as the loader has mapped it: the
 * slots that hold addresses of named functions, and what the object defines
 *
 * Read where it lies, while the object cannot be unloaded: from a callback of
 * dl_iterate_phdr. All of it is hostile: what is read lies in the object's
 * PT_LOAD segments, in pages that can be read. */
#ifndef PYRO_IMAGE_DYNAMIC_H
#define PYRO_IMAGE_DYNAMIC_H

#include <elf.h>
#include <stdatomic.h>

#include "base/util.h"

/* Pages that were found readable: their number plus one. */
#define PYRO_DYNAMIC_PAGES 128

struct pyro_dynamic {
	uintptr_t bias;
	const Elf64_Phdr *phdr; /* borrowed */
	size_t phdr_count;
	uintptr_t relro_lo,
		relro_hi; /* whole pages, read-only once relocated */
	/* Addresses; 0: none. */
	uintptr_t symtab, strtab, versym, hash, gnu_hash;
	size_t strtab_len;
	size_t relative; /* so many of DT_RELA, the first, name no symbol */
	struct pyro_relocs {
		uintptr_t at;
		size_t len, entry;
	} relocs[3]; /* DT_RELA, DT_REL, DT_JMPREL */
	uintptr_t page[PYRO_DYNAMIC_PAGES];
};

/* Look at an object. False when it has no dynamic section that makes sense. */
bool pyro_dynamic_open(struct pyro_dynamic *d, uintptr_t bias,
		       const Elf64_Phdr *phdr, size_t phdr_count);

/* Is address in the object; in its code? */
bool pyro_dynamic_contains(const struct pyro_dynamic *d, uintptr_t address);
bool pyro_dynamic_is_code(const struct pyro_dynamic *d, uintptr_t address);

/* The hash of a name that slots and pyro_dynamic_find() go by. */
uint32_t pyro_dynamic_hash(const char *name);

/* Where the loader puts, or has put, the address of a symbol. */
struct pyro_slot {
	const char *name;
	uint32_t hash;
	_Atomic uintptr_t *at; /* aligned; not looked at yet */
	bool call;             /* of a PLT: resolved at first use, perhaps */
	uintptr_t defined;     /* by the object itself, there; 0: not */
};

/* Call fn for each slot of a function whose name has at most 63 bytes. */
typedef void pyro_slot_fn(void *arg, const struct pyro_slot *slot);
void pyro_dynamic_slots(struct pyro_dynamic *d, pyro_slot_fn *fn, void *arg);

/* Does a slot lie where the loader may write, and can it be read? */
bool pyro_dynamic_can_change(struct pyro_dynamic *d,
			     const struct pyro_slot *slot);

/* The function that the object defines by this name, in its default version;
 * 0: none. Sets *several if another version is another function. */
uintptr_t pyro_dynamic_find(struct pyro_dynamic *d, const char *name,
			    uint32_t hash, bool *several);

#endif
