// SPDX-License-Identifier: Apache-2.0
/* cfi_hole.c - code that no CFI describes
 *
 * Either a whole object, or what a linker put between objects that have CFI:
 * .init, the PLT of static programs, assembler. Only sections of code are looked
 * at, as far as there are sections. Where functions begin is known from symbols
 * and relocations, which are read for large holes only: small ones begin with
 * code, and reading the symbols of a large library takes longer than all of its
 * CFI. */
#include "image/cfi_hole.h"

#include <errno.h>
#include <string.h>

#include "image/symbols_table.h"

#define CODE_MAX ((size_t)32 << 20)
#define SMALL_MAX 4096

static int add(struct pyro_cfi_starts *list, uint64_t address)
{
	uint64_t *grown = pyro_array_grow(list->at, &list->cap, list->count + 1,
					  sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	list->at = grown;
	grown[list->count++] = address;
	return 0;
}

static int add_symbols(struct pyro_cfi_holes *h, const struct pyro_symtab *t)
{
	int err = 0;

	for (size_t at = 0; t->symbols_len - at >= sizeof(Elf64_Sym) && !err;
	     at += sizeof(Elf64_Sym)) {
		Elf64_Sym symbol;

		memcpy(&symbol, t->symbols + at, sizeof(symbol));
		if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC ||
		    symbol.st_shndx == SHN_UNDEF)
			continue;
		err = add(ELF64_ST_BIND(symbol.st_info) == STB_LOCAL
				  ? &h->local
				  : &h->start,
			  symbol.st_value);
	}
	return err;
}

/* What cannot be read is as good as absent; only memory is an error. */
static int read_symbols(struct pyro_cfi_holes *h)
{
	struct pyro_symtab table = {0};
	int err = pyro_symtab_read(&table, h->elf, SHT_SYMTAB);

	if (err && err != -ENOMEM)
		err = pyro_symtab_read(&table, h->elf, SHT_DYNSYM);
	if (err && err != -ENOMEM)
		err = pyro_symtab_read_dynamic(&table, h->elf);
	if (!err)
		err = add_symbols(h, &table);
	pyro_symtab_free(&table);
	return err == -ENOMEM ? err : 0;
}

static int add_relocations(struct pyro_cfi_holes *h, const unsigned char *data,
			   size_t len)
{
	int err = 0;

	for (size_t at = 0; len - at >= sizeof(Elf64_Rela) && !err;
	     at += sizeof(Elf64_Rela)) {
		Elf64_Rela rela;
		uint64_t type;

		memcpy(&rela, data + at, sizeof(rela));
		type = ELF64_R_TYPE(rela.r_info);
		if (type == R_X86_64_RELATIVE || type == R_X86_64_IRELATIVE)
			err = add(&h->maybe, (uint64_t)rela.r_addend);
	}
	return err;
}

static int read_relocations(struct pyro_cfi_holes *h)
{
	int err = 0;

	for (size_t i = 1; i < h->elf->shnum && !err; i++) {
		const Elf64_Shdr *s = &h->elf->shdr[i];
		unsigned char *data;
		size_t len;

		if (s->sh_type != SHT_RELA || !(s->sh_flags & SHF_ALLOC) ||
		    pyro_elf_read_section(h->elf, s, &data, &len) != 0)
			continue;
		err = add_relocations(h, data, len);
		pyro_pages_free(data, len);
	}
	return err;
}

static int read_starts(struct pyro_cfi_holes *h)
{
	int err = read_symbols(h);

	if (!err)
		err = read_relocations(h);
	h->has_starts = true;
	return err;
}

static int code_rows(struct pyro_cfi_holes *h, uint64_t lo, size_t len,
		     bool is_code, pyro_synth_row_fn *row, void *arg)
{
	struct pyro_rule gap = {.cfa = PYRO_CFA_GAP};
	unsigned char *bytes;
	int err = 0;

	if (len > CODE_MAX - pyro_min(h->bytes, CODE_MAX) ||
	    pyro_elf_read_vaddr(h->elf, lo, len, &bytes) != 0) {
		row(arg, lo + len, &gap);
		return 0;
	}
	h->bytes += len;

	bool is_large = len > SMALL_MAX;

	if (!h->synth)
		h->synth = pyro_synth_new();
	if (!h->synth)
		err = -ENOMEM;
	else if (is_large && !h->has_starts)
		err = read_starts(h);
	if (!err) {
		struct pyro_synth_code code = {
			.bytes = bytes,
			.lo = lo,
			.len = len,
			.start = h->start.at,
			.start_count = is_large ? h->start.count : 0,
			.local = h->local.at,
			.local_count = is_large ? h->local.count : 0,
			.maybe = h->maybe.at,
			.maybe_count = is_large ? h->maybe.count : 0,
			.entry = h->elf->ehdr.e_entry,
			.is_absolute = h->elf->ehdr.e_type == ET_EXEC,
			.is_code = is_code,
		};
		err = pyro_synth_rows(h->synth, &code, row, arg);
	}
	pyro_pages_free(bytes, len);
	return err;
}

/* The code section that holds lo, or is the next behind it. */
static const Elf64_Shdr *next_section(const struct pyro_elf *elf, uint64_t lo,
				      uint64_t hi)
{
	const Elf64_Shdr *best = NULL;

	for (size_t i = 1; i < elf->shnum; i++) {
		const Elf64_Shdr *s = &elf->shdr[i];

		if ((s->sh_flags & SHF_ALLOC) &&
		    (s->sh_flags & SHF_EXECINSTR) &&
		    s->sh_type == SHT_PROGBITS && s->sh_addr < hi &&
		    s->sh_size <= UINT64_MAX - s->sh_addr &&
		    s->sh_addr + s->sh_size > lo &&
		    (!best || s->sh_addr < best->sh_addr))
			best = s;
	}
	return best;
}

int pyro_cfi_hole_rows(struct pyro_cfi_holes *holes, uint64_t lo, uint64_t hi,
		       pyro_synth_row_fn *row, void *arg)
{
	struct pyro_rule gap = {.cfa = PYRO_CFA_GAP};
	const Elf64_Shdr *s;
	int err = 0;

	if (holes->elf->shnum == 0) {
		uint64_t room = pyro_elf_room(holes->elf, lo);
		uint64_t end = lo + pyro_min(hi - lo, room);

		if (end > lo)
			err = code_rows(holes, lo, end - lo, false, row, arg);
		lo = end;
	}
	while (!err && lo < hi && (s = next_section(holes->elf, lo, hi))) {
		uint64_t end = pyro_min(hi, s->sh_addr + s->sh_size);

		if (s->sh_addr > lo) {
			row(arg, s->sh_addr, &gap);
			lo = s->sh_addr;
		}
		err = code_rows(holes, lo, end - lo, true, row, arg);
		lo = end;
	}
	if (!err && lo < hi)
		row(arg, hi, &gap);
	return err;
}

static void free_starts(struct pyro_cfi_starts *list)
{
	pyro_pages_free(list->at, list->cap * sizeof(*list->at));
	*list = (struct pyro_cfi_starts){0};
}

void pyro_cfi_holes_free(struct pyro_cfi_holes *holes)
{
	free_starts(&holes->start);
	free_starts(&holes->local);
	free_starts(&holes->maybe);
	pyro_synth_free(holes->synth);
	*holes = (struct pyro_cfi_holes){.elf = holes->elf};
}
