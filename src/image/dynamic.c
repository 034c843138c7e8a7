// SPDX-License-Identifier: Apache-2.0
/* dynamic.c - relocations and definitions of a loaded object */
#include "image/dynamic.h"

#include <string.h>
#include <unistd.h>

#include "base/os.h"

#define PAGE ((uintptr_t)4096) /* or a part of one: no page is smaller */
#define NAME_MAX_LEN 63
#define BATCH 64
#define CHAIN_MAX 65536
#define VERSION_HIDDEN 0x8000

#if defined(__x86_64__)
#define RELOC_CALL R_X86_64_JUMP_SLOT
#define RELOC_DATA R_X86_64_GLOB_DAT
#define RELOC_ABSOLUTE R_X86_64_64
#elif defined(__aarch64__)
#define RELOC_CALL R_AARCH64_JUMP_SLOT
#define RELOC_DATA R_AARCH64_GLOB_DAT
#define RELOC_ABSOLUTE R_AARCH64_ABS64
#endif

/* Do len bytes at address lie in one segment with all these flags? */
static bool is_in(const struct pyro_dynamic *d, uintptr_t address, size_t len,
		  Elf64_Word flags)
{
	for (size_t i = 0; i < d->phdr_count; i++) {
		const Elf64_Phdr *p = &d->phdr[i];
		uintptr_t offset = address - d->bias - p->p_vaddr;

		if (p->p_type == PT_LOAD && (p->p_flags & flags) == flags &&
		    offset < p->p_memsz && len <= p->p_memsz - offset)
			return true;
	}
	return false;
}

bool pyro_dynamic_contains(const struct pyro_dynamic *d, uintptr_t address)
{
	return is_in(d, address, 1, 0);
}

bool pyro_dynamic_is_code(const struct pyro_dynamic *d, uintptr_t address)
{
	return is_in(d, address, 1, PF_X);
}

/* A program may have unmapped what it does not need any more, and a file may
 * have been cut short. */
static bool can_read(struct pyro_dynamic *d, uintptr_t address, size_t len)
{
	if (len == 0 || !is_in(d, address, len, PF_R))
		return false;
	for (uintptr_t page = address / PAGE;
	     page <= (address + len - 1) / PAGE; page++) {
		uintptr_t *known = &d->page[page % PYRO_DYNAMIC_PAGES];

		if (*known == page + 1)
			continue;
		if (!pyro_is_readable((const void *)(page * PAGE)))
			return false;
		*known = page + 1;
	}
	return true;
}

static bool get(struct pyro_dynamic *d, uintptr_t address, void *to, size_t len)
{
	if (!can_read(d, address, len))
		return false;
	memcpy(to, (const void *)address, len);
	return true;
}

/* glibc has made most of the addresses absolute; musl has not, nor has anybody
 * in the vdso. */
static uintptr_t absolute(const struct pyro_dynamic *d, uint64_t value)
{
	return pyro_dynamic_contains(d, value) ? value : d->bias + value;
}

static void set_table(struct pyro_relocs *table, size_t entry)
{
	table->entry = entry;
	if (table->at == 0)
		table->len = 0;
}

static void take_entry(struct pyro_dynamic *d, const Elf64_Dyn *entry,
		       bool *rela_calls)
{
	uintptr_t at = absolute(d, entry->d_un.d_ptr);
	uint64_t value = entry->d_un.d_val;

	switch (entry->d_tag) {
	case DT_SYMTAB:
		d->symtab = at;
		break;
	case DT_STRTAB:
		d->strtab = at;
		break;
	case DT_STRSZ:
		d->strtab_len = value;
		break;
	case DT_VERSYM:
		d->versym = at;
		break;
	case DT_HASH:
		d->hash = at;
		break;
	case DT_GNU_HASH:
		d->gnu_hash = at;
		break;
	case DT_RELA:
		d->relocs[0].at = at;
		break;
	case DT_RELASZ:
		d->relocs[0].len = value;
		break;
	case DT_RELACOUNT:
		d->relative = value;
		break;
	case DT_REL:
		d->relocs[1].at = at;
		break;
	case DT_RELSZ:
		d->relocs[1].len = value;
		break;
	case DT_JMPREL:
		d->relocs[2].at = at;
		break;
	case DT_PLTRELSZ:
		d->relocs[2].len = value;
		break;
	case DT_PLTREL:
		*rela_calls = value == DT_RELA;
		break;
	default:
		break;
	}
}

static void set_relro(struct pyro_dynamic *d, const Elf64_Phdr *p)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t lo = d->bias + p->p_vaddr;

	/* As the loaders round it. */
	d->relro_lo = lo & ~(page - 1);
	d->relro_hi = (lo + p->p_memsz) & ~(page - 1);
	if (d->relro_hi < d->relro_lo ||
	    !is_in(d, lo, d->relro_hi > lo ? d->relro_hi - lo : 1, PF_W))
		d->relro_lo = d->relro_hi = 0;
}

bool pyro_dynamic_open(struct pyro_dynamic *d, uintptr_t bias,
		       const Elf64_Phdr *phdr, size_t phdr_count)
{
	const Elf64_Phdr *dynamic = NULL;
	bool rela_calls = true;
	Elf64_Dyn entry;

	memset(d, 0, sizeof(*d));
	d->bias = bias;
	d->phdr = phdr;
	d->phdr_count = phdr_count;
	for (size_t i = 0; i < phdr_count; i++) {
		if (phdr[i].p_type == PT_DYNAMIC)
			dynamic = &phdr[i];
		if (phdr[i].p_type == PT_GNU_RELRO)
			set_relro(d, &phdr[i]);
	}
	if (!dynamic)
		return false;
	for (uint64_t at = 0; at < dynamic->p_memsz; at += sizeof(entry)) {
		if (!get(d, bias + dynamic->p_vaddr + at, &entry,
			 sizeof(entry)) ||
		    entry.d_tag == DT_NULL)
			break;
		take_entry(d, &entry, &rela_calls);
	}
	set_table(&d->relocs[0], sizeof(Elf64_Rela));
	set_table(&d->relocs[1], sizeof(Elf64_Rel));
	set_table(&d->relocs[2],
		  rela_calls ? sizeof(Elf64_Rela) : sizeof(Elf64_Rel));
	return d->symtab && d->strtab;
}

/* One step of the hash that DT_GNU_HASH goes by. */
static uint32_t hash_step(uint32_t hash, char c)
{
	return hash * 33 + (unsigned char)c;
}

uint32_t pyro_dynamic_hash(const char *name)
{
	uint32_t hash = 5381;

	while (*name)
		hash = hash_step(hash, *name++);
	return hash;
}

/* And its hash. NULL: it is too long, or not there. */
static const char *name_of(struct pyro_dynamic *d, const Elf64_Sym *symbol,
			   uint32_t *hash)
{
	const char *name = (const char *)(d->strtab + symbol->st_name);
	size_t room;

	if (symbol->st_name == 0 || symbol->st_name >= d->strtab_len)
		return NULL;
	room = pyro_min(d->strtab_len - symbol->st_name, NAME_MAX_LEN + 1);
	if (!can_read(d, (uintptr_t)name, room))
		return NULL;
	*hash = 5381;
	for (size_t i = 0; i < room; i++) {
		if (!name[i])
			return name;
		*hash = hash_step(*hash, name[i]);
	}
	return NULL;
}

static bool get_symbol(struct pyro_dynamic *d, size_t index, Elf64_Sym *symbol)
{
	return get(d, d->symtab + index * sizeof(*symbol), symbol,
		   sizeof(*symbol));
}

static bool is_function(const Elf64_Sym *symbol)
{
	unsigned type = ELF64_ST_TYPE(symbol->st_info);

	return type == STT_FUNC || type == STT_NOTYPE;
}

static void take_reloc(struct pyro_dynamic *d, const Elf64_Rel *reloc,
		       pyro_slot_fn *fn, void *arg)
{
	uint32_t type = ELF64_R_TYPE(reloc->r_info);
	uintptr_t at = d->bias + reloc->r_offset;
	struct pyro_slot slot;
	Elf64_Sym symbol;

	if ((type != RELOC_CALL && type != RELOC_DATA &&
	     type != RELOC_ABSOLUTE) ||
	    !get_symbol(d, ELF64_R_SYM(reloc->r_info), &symbol) ||
	    !is_function(&symbol))
		return;
	slot.name = name_of(d, &symbol, &slot.hash);
	slot.at = (_Atomic uintptr_t *)at;
	slot.call = type == RELOC_CALL;
	slot.defined =
		symbol.st_shndx == SHN_UNDEF ? 0 : d->bias + symbol.st_value;
	if (slot.name && at % sizeof(*slot.at) == 0)
		fn(arg, &slot);
}

bool pyro_dynamic_can_change(struct pyro_dynamic *d,
			     const struct pyro_slot *slot)
{
	uintptr_t at = (uintptr_t)slot->at;

	return is_in(d, at, sizeof(*slot->at), PF_W) &&
	       can_read(d, at, sizeof(*slot->at));
}

static void read_relocs(struct pyro_dynamic *d, const struct pyro_relocs *r,
			size_t at, pyro_slot_fn *fn, void *arg)
{
	unsigned char batch[BATCH * sizeof(Elf64_Rela)];
	Elf64_Rel reloc; /* Elf64_Rela begins with it */
	size_t len;

	for (; at < r->len; at += len) {
		len = pyro_min(r->len - at, BATCH * r->entry);
		if (!get(d, r->at + at, batch, len))
			return;
		for (size_t i = 0; i + r->entry <= len; i += r->entry) {
			memcpy(&reloc, batch + i, sizeof(reloc));
			take_reloc(d, &reloc, fn, arg);
		}
	}
}

void pyro_dynamic_slots(struct pyro_dynamic *d, pyro_slot_fn *fn, void *arg)
{
	size_t relative = d->relative < SIZE_MAX / sizeof(Elf64_Rela)
				  ? d->relative * sizeof(Elf64_Rela)
				  : 0;

	read_relocs(d, &d->relocs[0], relative, fn, arg);
	read_relocs(d, &d->relocs[1], 0, fn, arg);
	read_relocs(d, &d->relocs[2], 0, fn, arg);
}

struct search {
	const char *name;
	uintptr_t found; /* of the default version, or of the first */
	bool is_default, several;
};

static void take_symbol(struct pyro_dynamic *d, size_t index,
			struct search *search)
{
	Elf64_Sym symbol;
	uint16_t version = 0;
	uint32_t hash;

	if (!get_symbol(d, index, &symbol) || symbol.st_shndx == SHN_UNDEF ||
	    symbol.st_value == 0 ||
	    ELF64_ST_BIND(symbol.st_info) == STB_LOCAL || !is_function(&symbol))
		return;

	const char *name = name_of(d, &symbol, &hash);
	uintptr_t address = d->bias + symbol.st_value;

	if (!name || strcmp(name, search->name) != 0)
		return;
	if (d->versym)
		get(d, d->versym + index * sizeof(version), &version,
		    sizeof(version));
	if (search->found && search->found != address)
		search->several = true;
	if (!search->found ||
	    (!search->is_default && !(version & VERSION_HIDDEN)))
		search->found = address;
	search->is_default |= !(version & VERSION_HIDDEN);
}

static void search_gnu(struct pyro_dynamic *d, uint32_t hash,
		       struct search *search)
{
	struct {
		uint32_t buckets, first, bloom_words, bloom_shift;
	} head;
	uint32_t index, chained;
	uint64_t word;

	if (!get(d, d->gnu_hash, &head, sizeof(head)) || head.buckets == 0 ||
	    head.bloom_words == 0)
		return;

	uintptr_t bloom = d->gnu_hash + sizeof(head);
	uintptr_t buckets = bloom + head.bloom_words * sizeof(word);
	uintptr_t chain = buckets + head.buckets * sizeof(index);

	if (!get(d, bloom + hash / 64 % head.bloom_words * sizeof(word), &word,
		 sizeof(word)) ||
	    !(word >> hash % 64 & word >> (hash >> head.bloom_shift % 32) % 64 &
	      1) ||
	    !get(d, buckets + hash % head.buckets * sizeof(index), &index,
		 sizeof(index)) ||
	    index < head.first)
		return;
	for (size_t i = 0; i < CHAIN_MAX; i++, index++) {
		if (!get(d, chain + (index - head.first) * sizeof(chained),
			 &chained, sizeof(chained)))
			return;
		if ((chained | 1) == (hash | 1))
			take_symbol(d, index, search);
		if (chained & 1)
			return;
	}
}

static uint32_t sysv_hash(const char *name)
{
	uint32_t hash = 0;

	for (; *name; name++) {
		hash = (hash << 4) + (unsigned char)*name;
		hash ^= hash >> 24 & 0xf0;
	}
	return hash & 0xfffffff;
}

static void search_sysv(struct pyro_dynamic *d, struct search *search)
{
	uint32_t head[2], index; /* buckets, symbols */

	if (!get(d, d->hash, head, sizeof(head)) || head[0] == 0)
		return;

	uintptr_t buckets = d->hash + sizeof(head);
	uintptr_t chain = buckets + head[0] * sizeof(index);
	uintptr_t at =
		buckets + sysv_hash(search->name) % head[0] * sizeof(index);

	for (size_t i = 0; i < CHAIN_MAX; i++) {
		if (!get(d, at, &index, sizeof(index)) || index == 0)
			return;
		take_symbol(d, index, search);
		at = chain + index * sizeof(index);
	}
}

uintptr_t pyro_dynamic_find(struct pyro_dynamic *d, const char *name,
			    uint32_t hash, bool *several)
{
	struct search search = {.name = name};

	if (d->gnu_hash)
		search_gnu(d, hash, &search);
	else if (d->hash)
		search_sysv(d, &search);
	*several |= search.several;
	return search.found;
}
