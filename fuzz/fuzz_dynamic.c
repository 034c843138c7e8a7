// SPDX-License-Identifier: Apache-2.0
/* fuzz_dynamic.c - the dynamic section of a loaded object, and what it leads to
 *
 * The first two bytes are where the dynamic section is; the rest is the memory of
 * the object, which is all readable, writable and code. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "image/dynamic.h"

#define ROOM 0x8000
#define GUARD 0x10000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void see_slot(void *arg, const struct pyro_slot *slot)
{
	struct pyro_dynamic *d = arg;
	bool several = false;

	if (pyro_dynamic_hash(slot->name) != slot->hash)
		abort();
	if (pyro_dynamic_can_change(d, slot))
		atomic_fetch_add(slot->at, 1); /* changes what is read next */
	if (slot->defined)
		pyro_dynamic_find(d, slot->name, slot->hash, &several);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned char *room;
	const Elf64_Phdr phdr[] = {
		{.p_type = PT_LOAD,
		 .p_flags = PF_R | PF_W | PF_X,
		 .p_memsz = ROOM},
		{.p_type = PT_DYNAMIC,
		 .p_vaddr = size < 2 ? 0 : data[0] | (Elf64_Addr)data[1] << 8,
		 .p_memsz = 0x400},
		{.p_type = PT_GNU_RELRO, .p_vaddr = 0x1800, .p_memsz = 0x3000},
	};
	struct pyro_dynamic d;
	bool several = false;

	if (!room)
		room = mmap(NULL, ROOM + GUARD, PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (room == MAP_FAILED || size < 2 || size - 2 > ROOM ||
	    mprotect(room, ROOM, PROT_READ | PROT_WRITE) != 0)
		return 0;
	memset(room, 0, ROOM);
	memcpy(room, data + 2, size - 2);
	if (!pyro_dynamic_open(&d, (uintptr_t)room, phdr, PYRO_COUNT_OF(phdr)))
		return 0;
	pyro_dynamic_find(&d, "target", pyro_dynamic_hash("target"), &several);
	pyro_dynamic_slots(&d, see_slot, &d);
	return 0;
}
