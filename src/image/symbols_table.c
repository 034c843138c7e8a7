// SPDX-License-Identifier: Apache-2.0
/* symbols_table.c - symbol tables as they are in images
 *
 * Files tell where by their section headers. In memory there are none, only the
 * dynamic section, which says where the symbols begin but not how many there
 * are: that follows from the hash tables. */
#include "image/symbols_table.h"

#include <errno.h>
#include <string.h>

#define CHAIN_MAX ((size_t)64 << 10)
#define DYNAMIC_MAX ((size_t)64 << 10)

int pyro_symtab_read(struct pyro_symtab *table, const struct pyro_elf *elf,
		     uint32_t type)
{
	const Elf64_Shdr *s = NULL;

	for (size_t i = 1; i < elf->shnum && !s; i++)
		if (elf->shdr[i].sh_type == type)
			s = &elf->shdr[i];
	if (!s)
		return -ENOENT;
	if (s->sh_entsize != sizeof(Elf64_Sym) || s->sh_link == 0 ||
	    s->sh_link >= elf->shnum ||
	    elf->shdr[s->sh_link].sh_type != SHT_STRTAB)
		return -EBADMSG;

	int err = pyro_elf_read_section(elf, s, &table->symbols,
					&table->symbols_len);

	if (!err)
		err = pyro_elf_read_section(elf, &elf->shdr[s->sh_link],
					    &table->strings,
					    &table->strings_len);
	table->elf = elf;
	if (err)
		pyro_symtab_free(table);
	return err;
}

void pyro_symtab_free(struct pyro_symtab *table)
{
	pyro_pages_free(table->symbols, table->symbols_len);
	pyro_pages_free(table->strings, table->strings_len);
	*table = (struct pyro_symtab){0};
}

struct dynamic {
	uint64_t symbols, strings, strings_len, hash, gnu_hash;
};

/* The loader has made addresses absolute, in most objects. */
static uint64_t to_vaddr(const struct pyro_elf *elf, uint64_t address)
{
	if (elf->memory && address >= elf->bias &&
	    pyro_elf_room(elf, address - elf->bias) > 0)
		return address - elf->bias;
	return address;
}

static void read_entry(const struct pyro_elf *elf, const Elf64_Dyn *entry,
		       struct dynamic *d)
{
	switch (entry->d_tag) {
	case DT_SYMTAB:
		d->symbols = to_vaddr(elf, entry->d_un.d_ptr);
		break;
	case DT_STRTAB:
		d->strings = to_vaddr(elf, entry->d_un.d_ptr);
		break;
	case DT_STRSZ:
		d->strings_len = entry->d_un.d_val;
		break;
	case DT_HASH:
		d->hash = to_vaddr(elf, entry->d_un.d_ptr);
		break;
	case DT_GNU_HASH:
		d->gnu_hash = to_vaddr(elf, entry->d_un.d_ptr);
		break;
	default:
		break;
	}
}

static int read_dynamic(const struct pyro_elf *elf, struct dynamic *d)
{
	const Elf64_Phdr *phdr = NULL;
	unsigned char *data;

	for (size_t i = 0; i < elf->ehdr.e_phnum && !phdr; i++)
		if (elf->phdr[i].p_type == PT_DYNAMIC)
			phdr = &elf->phdr[i];
	if (!phdr)
		return -ENOENT;

	size_t len = pyro_min(phdr->p_memsz, DYNAMIC_MAX);

	len = pyro_min(len, pyro_elf_room(elf, phdr->p_vaddr));

	int err = pyro_elf_read_vaddr(elf, phdr->p_vaddr, len, &data);

	if (err)
		return err;
	for (size_t at = 0; len - at >= sizeof(Elf64_Dyn);
	     at += sizeof(Elf64_Dyn)) {
		Elf64_Dyn entry;

		memcpy(&entry, data + at, sizeof(entry));
		if (entry.d_tag == DT_NULL)
			break;
		read_entry(elf, &entry, d);
	}
	pyro_pages_free(data, len);
	return d->symbols && d->strings ? 0 : -ENOENT;
}

/* Words at an ELF address; NULL when they are not there. */
static uint32_t *read_words(const struct pyro_elf *elf, uint64_t vaddr,
			    size_t count)
{
	unsigned char *data;

	if (count == 0 ||
	    pyro_elf_read_vaddr(elf, vaddr, count * 4, &data) != 0)
		return NULL;
	return (uint32_t *)(void *)data;
}

static void free_words(uint32_t *words, size_t count)
{
	pyro_pages_free(words, count * 4);
}

/* The last symbol is the last one of the chain with the highest start. */
static uint64_t end_of_chain(const struct pyro_elf *elf, uint64_t chains,
			     uint32_t index, uint32_t first)
{
	uint64_t vaddr = chains + (uint64_t)(index - first) * 4;
	size_t count = pyro_min(pyro_elf_room(elf, vaddr), CHAIN_MAX) / 4;
	uint32_t *chain = read_words(elf, vaddr, count);
	uint64_t end = index;

	if (!chain)
		return 0;
	for (size_t i = 0; i < count; i++) {
		end++;
		if (chain[i] & 1)
			break;
	}
	free_words(chain, count);
	return end;
}

static uint64_t count_by_gnu_hash(const struct pyro_elf *elf, uint64_t vaddr)
{
	uint32_t *head = read_words(elf, vaddr, 4);

	if (!head)
		return 0;

	size_t bucket_count = head[0];
	uint32_t first = head[1];
	uint64_t buckets = vaddr + 16 + (uint64_t)head[2] * 8;
	uint32_t last = 0;

	free_words(head, 4);

	uint32_t *bucket = read_words(elf, buckets, bucket_count);

	if (!bucket)
		return 0;
	for (size_t i = 0; i < bucket_count; i++)
		if (bucket[i] > last)
			last = bucket[i];
	free_words(bucket, bucket_count);
	if (last < first)
		return first;
	return end_of_chain(elf, buckets + bucket_count * 4, last, first);
}

static uint64_t count_symbols(const struct pyro_elf *elf,
			      const struct dynamic *d)
{
	if (d->gnu_hash)
		return count_by_gnu_hash(elf, d->gnu_hash);

	uint32_t *head = d->hash ? read_words(elf, d->hash, 2) : NULL;

	if (!head)
		return 0;

	uint64_t count = head[1];

	free_words(head, 2);
	return count;
}

int pyro_symtab_read_dynamic(struct pyro_symtab *table,
			     const struct pyro_elf *elf)
{
	struct dynamic d = {0};
	int err = read_dynamic(elf, &d);

	if (err)
		return err;

	uint64_t room = pyro_elf_room(elf, d.symbols);
	uint64_t len = count_symbols(elf, &d) * sizeof(Elf64_Sym);

	table->elf = elf;
	table->symbols_len = pyro_min(len, room);
	err = pyro_elf_read_vaddr(elf, d.symbols, table->symbols_len,
				  &table->symbols);
	if (!err) {
		room = pyro_elf_room(elf, d.strings);
		table->strings_len = pyro_min(d.strings_len, room);
		err = pyro_elf_read_vaddr(elf, d.strings, table->strings_len,
					  &table->strings);
	}
	if (err)
		pyro_symtab_free(table);
	return err;
}
