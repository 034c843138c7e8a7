// SPDX-License-Identifier: Apache-2.0
/* symbols.c - function names of one image
 *
 * All tables are read into candidates, which are sorted by address; of each
 * address the best is kept with a copy of its name, and the rest is let go. An
 * entry takes 16 bytes and its name. */
#include "image/symbols.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "image/debug_file.h"
#include "image/minidebug.h"
#include "image/sort.h"
#include "image/symbols_table.h"

/* Many symbols may point into one long string: bound what is copied. */
#define NAME_MAX_LEN ((size_t)8 << 10)
#define NAMES_MAX ((size_t)256 << 20)
/* Functions of assembler have no size. In a stripped image they may be followed by
 * others of which no name is left: musl's clone stood under memset. */
#define STRIPPED_OPEN_MAX 256

/* How far to look back for one that holds an address in spite of the nearer
 * ones that have ended. */
#define NESTED_MAX 16

struct symbol {
	uint64_t lo;
	uint32_t len;
	uint32_t name; /* offset in names */
};

struct pyro_symbols {
	struct symbol *item; /* by rising lo, all different */
	size_t count, cap;
	struct pyro_buf names;
};

struct candidate {
	uint64_t lo;
	uint64_t len; /* to the end of its section, if open */
	const char *name;
	uint32_t name_len;
	uint8_t rank; /* smaller is better */
	bool is_open; /* no size is given */
};

struct candidates {
	struct candidate *item;
	size_t count, cap;
	uint64_t open_max; /* length of those that have none, at the most */
};

/* How many bytes of code follow addr in the symbol's section; 0: not code. */
static uint64_t code_behind(const struct pyro_elf *elf, const Elf64_Sym *symbol)
{
	uint64_t addr = symbol->st_value;

	if (symbol->st_shndx == SHN_UNDEF ||
	    (symbol->st_shndx >= SHN_LORESERVE &&
	     symbol->st_shndx != SHN_XINDEX))
		return 0;
	if (symbol->st_shndx < elf->shnum) {
		const Elf64_Shdr *s = &elf->shdr[symbol->st_shndx];

		if (!(s->sh_flags & SHF_EXECINSTR) || addr < s->sh_addr ||
		    addr - s->sh_addr >= s->sh_size)
			return 0;
		return s->sh_size - (addr - s->sh_addr);
	}
	for (size_t i = 0; i < elf->ehdr.e_phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];

		if (p->p_type == PT_LOAD && (p->p_flags & PF_X) &&
		    addr >= p->p_vaddr && addr - p->p_vaddr < p->p_memsz)
			return p->p_memsz - (addr - p->p_vaddr);
	}
	return 0;
}

static uint8_t rank_of(const Elf64_Sym *symbol)
{
	uint8_t rank = ELF64_ST_TYPE(symbol->st_info) == STT_NOTYPE ? 3 : 0;

	switch (ELF64_ST_BIND(symbol->st_info)) {
	case STB_GLOBAL:
	case STB_GNU_UNIQUE:
		return rank;
	case STB_WEAK:
		return rank + 1;
	default:
		return rank + 2;
	}
}

/* Functions, and labels of assembler code that somebody meant to be seen. */
static bool is_function(const Elf64_Sym *symbol)
{
	switch (ELF64_ST_TYPE(symbol->st_info)) {
	case STT_FUNC:
	case STT_GNU_IFUNC:
		return true;
	case STT_NOTYPE:
		return symbol->st_size > 0 ||
		       ELF64_ST_BIND(symbol->st_info) != STB_LOCAL;
	default:
		return false;
	}
}

static int add_candidate(struct candidates *c, const struct pyro_symtab *t,
			 const Elf64_Sym *symbol)
{
	uint64_t behind = is_function(symbol) ? code_behind(t->elf, symbol) : 0;

	if (behind == 0 || symbol->st_name == 0 ||
	    symbol->st_name >= t->strings_len)
		return 0;

	const char *name = (const char *)t->strings + symbol->st_name;
	size_t room = pyro_min(t->strings_len - symbol->st_name, NAME_MAX_LEN);
	size_t name_len = strnlen(name, room);
	const char *version = memchr(name, '@', name_len);

	if (version)
		name_len = (size_t)(version - name);
	if (name_len == 0)
		return 0;

	struct candidate *grown =
		pyro_array_grow(c->item, &c->cap, c->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	c->item = grown;
	c->item[c->count++] = (struct candidate){
		.lo = symbol->st_value,
		.len = symbol->st_size ? symbol->st_size
				       : pyro_min(behind, c->open_max),
		.name = name,
		.name_len = (uint32_t)name_len,
		.rank = rank_of(symbol),
		.is_open = symbol->st_size == 0,
	};
	return 0;
}

static int add_table(struct candidates *c, const struct pyro_symtab *t)
{
	int err = 0;

	for (size_t at = 0; t->symbols_len - at >= sizeof(Elf64_Sym) && !err;
	     at += sizeof(Elf64_Sym)) {
		Elf64_Sym symbol;

		memcpy(&symbol, t->symbols + at, sizeof(symbol));
		err = add_candidate(c, t, &symbol);
	}
	return err;
}

static size_t underscores(const struct candidate *c)
{
	size_t n = 0;

	while (n < c->name_len && c->name[n] == '_')
		n++;
	return n;
}

static bool is_better(const struct candidate *a, const struct candidate *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank;
	/* malloc rather than __libc_malloc. */
	if (underscores(a) != underscores(b))
		return underscores(a) < underscores(b);
	if (a->name_len != b->name_len)
		return a->name_len > b->name_len;
	return memcmp(a->name, b->name, a->name_len) < 0;
}

static int keep(struct pyro_symbols *s, const struct candidate *c, uint64_t len)
{
	struct symbol *grown =
		pyro_array_grow(s->item, &s->cap, s->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	s->item = grown;
	if (s->names.len > NAMES_MAX - NAME_MAX_LEN - 1)
		return 0;
	s->item[s->count++] = (struct symbol){
		.lo = c->lo,
		.len = (uint32_t)pyro_min(len, UINT32_MAX),
		.name = (uint32_t)s->names.len,
	};
	pyro_buf_put(&s->names, c->name, c->name_len);
	pyro_buf_put(&s->names, "", 1);
	return s->names.failed ? -ENOMEM : 0;
}

/* Keep the best of each address, in the order of the sorted items. */
static int keep_best(struct pyro_symbols *s, const struct candidates *c,
		     const struct pyro_sort_item *order)
{
	int err = 0;

	for (size_t i = 0; i < c->count && !err;) {
		const struct candidate *best = &c->item[order[i].value];
		uint64_t lo = best->lo, len;

		for (i++; i < c->count && order[i].key == lo; i++)
			if (is_better(&c->item[order[i].value], best))
				best = &c->item[order[i].value];
		len = best->len;
		if (best->is_open && i < c->count)
			len = pyro_min(len, order[i].key - lo);
		err = keep(s, best, len);
	}
	return err;
}

static int make_symbols(struct pyro_symbols *s, const struct candidates *c)
{
	size_t bytes = (c->count + 1) * sizeof(struct pyro_sort_item);
	struct pyro_sort_item *order = pyro_pages_alloc(bytes);

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < c->count; i++)
		order[i] = (struct pyro_sort_item){c->item[i].lo, i};

	int err = pyro_sort(order, c->count);

	if (!err)
		err = keep_best(s, c, order);
	pyro_pages_free(order, bytes);
	return err;
}

struct sources {
	struct pyro_elf debug;
	bool has_debug;
	struct pyro_minidebug mini;
	struct pyro_symtab full, dynamic;
};

/* The first .symtab there is. */
static int read_full(struct sources *from, const struct pyro_elf *elf,
		     const struct pyro_build_id *id, const char *debug_root)
{
	int err = pyro_symtab_read(&from->full, elf, SHT_SYMTAB);

	if (err && err != -ENOMEM && debug_root &&
	    pyro_debug_file_open(elf, id, debug_root, &from->debug) == 0) {
		from->has_debug = true;
		err = pyro_symtab_read(&from->full, &from->debug, SHT_SYMTAB);
	}
	if (err && err != -ENOMEM && pyro_minidebug_open(&from->mini, elf) == 0)
		err = pyro_symtab_read(&from->full, &from->mini.elf,
				       SHT_SYMTAB);
	return err;
}

/* What cannot be read is as good as absent; only memory is an error. */
static int read_sources(struct sources *from, const struct pyro_elf *elf,
			const struct pyro_build_id *id, const char *debug_root)
{
	int err = read_full(from, elf, id, debug_root);

	if (err == -ENOMEM)
		return err;
	err = pyro_symtab_read(&from->dynamic, elf, SHT_DYNSYM);
	if (err && err != -ENOMEM)
		err = pyro_symtab_read_dynamic(&from->dynamic, elf);
	return err == -ENOMEM ? err : 0;
}

static void close_sources(struct sources *from)
{
	pyro_symtab_free(&from->full);
	pyro_symtab_free(&from->dynamic);
	pyro_minidebug_close(&from->mini);
	if (from->has_debug)
		pyro_debug_file_close(&from->debug);
}

int pyro_symbols_open(const struct pyro_elf *elf,
		      const struct pyro_build_id *id, const char *debug_root,
		      struct pyro_symbols **out)
{
	struct pyro_symbols *s = pyro_pages_alloc(sizeof(*s));
	struct candidates c = {0};
	struct sources from = {0};
	int saved = errno;

	*out = NULL;
	if (!s)
		return -ENOMEM;

	int err = read_sources(&from, elf, id, debug_root);

	c.open_max = from.full.symbols_len ? UINT64_MAX : STRIPPED_OPEN_MAX;
	if (!err)
		err = add_table(&c, &from.full);
	if (!err)
		err = add_table(&c, &from.dynamic);
	if (!err)
		err = make_symbols(s, &c);
	pyro_pages_free(c.item, c.cap * sizeof(*c.item));
	close_sources(&from);
	errno = saved;
	if (err)
		pyro_symbols_free(s);
	else
		*out = s;
	return err;
}

void pyro_symbols_free(struct pyro_symbols *symbols)
{
	if (!symbols)
		return;
	pyro_pages_free(symbols->item, symbols->cap * sizeof(*symbols->item));
	pyro_buf_free(&symbols->names);
	pyro_pages_free(symbols, sizeof(*symbols));
}

bool pyro_symbols_find(const struct pyro_symbols *symbols, uint64_t vaddr,
		       struct pyro_symbol *out)
{
	size_t lo = 0, hi = symbols->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (symbols->item[mid].lo <= vaddr)
			lo = mid + 1;
		else
			hi = mid;
	}
	for (size_t n = 0; n < NESTED_MAX && lo > 0; n++) {
		const struct symbol *s = &symbols->item[--lo];

		if (vaddr - s->lo < s->len) {
			out->name = (const char *)symbols->names.data + s->name;
			out->lo = s->lo;
			out->hi = s->lo + s->len;
			return true;
		}
	}
	return false;
}

size_t pyro_symbols_bytes(const struct pyro_symbols *symbols)
{
	return symbols->cap * sizeof(*symbols->item) + symbols->names.cap;
}
