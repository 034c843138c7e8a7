// SPDX-License-Identifier: Apache-2.0
/* modules.c - modules by identity, and snapshots of what is mapped
 *
 * A refresh copies the loader's list, finds for each load the module that it is
 * (making its table when it is a new one), and publishes where modules are
 * mapped. Old snapshots are kept until the collector says that no handler and
 * no record uses them.
 *
 * Between two looks at the list, objects may come and go unseen. The loader counts
 * what it loads: what that counter rose by, less what is new in the list, were
 * loads that no list shows. One is enough to have been where an object is in one
 * of the two lists only; where the same object is in both, it takes two, the other
 * and then the same again. Objects that the program began with never go. */
#include "image/modules.h"

#include <errno.h>
#include <string.h>
#include <sys/auxv.h>

#include "base/cost.h"
#include "base/os.h"
#include "image/cfi.h"
#include "image/loads.h"
#include "image/snapshot.h"
#include "image/sort.h"

struct entry {
	struct pyro_module pub;
	struct pyro_identity identity;
	uintptr_t header; /* of its ELF header in memory; 0: unloaded */
	uint32_t listed;  /* by which refresh last */
	struct pyro_unwind_table *table; /* owned; pub.table for readers */
};

struct pyro_modules {
	const char *debug_root;
	struct pyro_arena arena; /* entries and paths */
	struct entry **entry;    /* entry[id - 1] */
	size_t entry_count, entry_cap;
	struct pyro_loads loads; /* as of the newest refresh */
	bool is_fresh;           /* that refresh succeeded */
	uint32_t refreshes;
	unsigned long long adds,
		subs; /* the loader's, as of the last published */
	struct pyro_snapshot **kept; /* by rising generation */
	size_t kept_count, kept_cap;
	size_t bytes; /* of tables and symbols */
};

/* Of the process, not of a session: a record that was left over must not find a
 * snapshot of its number. Only the one collector there is writes it. */
static uint32_t last_generation;

struct pyro_modules *pyro_modules_new(const char *debug_root)
{
	struct pyro_modules *m = pyro_pages_alloc(sizeof(*m));
	const char *root = debug_root ? debug_root : "";

	if (!m)
		return NULL;
	m->debug_root = pyro_arena_strndup(&m->arena, root, strlen(root));
	if (!m->debug_root) {
		pyro_modules_free(m);
		return NULL;
	}
	return m;
}

void pyro_modules_unpublish(struct pyro_modules *modules)
{
	const struct pyro_snapshot *newest = pyro_modules_current();

	for (size_t i = 0; i < modules->kept_count; i++)
		if (modules->kept[i] == newest)
			atomic_store(&pyro_snapshot_current, NULL);
}

void pyro_modules_free(struct pyro_modules *modules)
{
	if (!modules)
		return;
	pyro_modules_unpublish(modules);
	for (size_t i = 0; i < modules->kept_count; i++) {
		pyro_pages_free(modules->kept[i], modules->kept[i]->bytes);
	}
	for (size_t i = 0; i < modules->entry_count; i++) {
		pyro_cfi_free(modules->entry[i]->table);
		pyro_symbols_free(modules->entry[i]->pub.symbols);
	}
	pyro_pages_free(modules->kept,
			modules->kept_cap * sizeof(struct pyro_snapshot *));
	pyro_pages_free(modules->entry,
			modules->entry_cap * sizeof(struct entry *));
	pyro_loads_free(&modules->loads);
	pyro_arena_free(&modules->arena);
	pyro_pages_free(modules, sizeof(*modules));
}

/* Still loaded where it was, as far as memory tells. */
static bool is_unmoved(const struct entry *e, const struct pyro_object *o)
{
	return e->header == o->header && e->pub.bias == o->bias &&
	       e->identity.mapped_inode == o->identity.mapped_inode &&
	       e->identity.phdr_hash == o->identity.phdr_hash &&
	       pyro_build_id_equal(&e->identity.build_id,
				   &o->identity.build_id) &&
	       strcmp(e->identity.path, o->path) == 0;
}

static bool is_same(const struct entry *e, const struct pyro_object *o)
{
	const struct pyro_identity *a = &e->identity, *b = &o->identity;

	return a->phdr_hash == b->phdr_hash && a->inode == b->inode &&
	       a->dev == b->dev && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns &&
	       a->mapped_inode == b->mapped_inode &&
	       pyro_build_id_equal(&a->build_id, &b->build_id) &&
	       strcmp(a->path, b->path) == 0;
}

static struct entry *
find_entry(const struct pyro_modules *m, const struct pyro_object *o,
	   bool (*matches)(const struct entry *, const struct pyro_object *))
{
	for (size_t i = 0; i < m->entry_count; i++)
		if (matches(m->entry[i], o))
			return m->entry[i];
	return NULL;
}

/* A copy under another name, as plugins are made to be loaded anew, uses the
 * first one's table. */
static void make_table(struct pyro_modules *m, struct entry *e,
		       const struct pyro_elf *elf)
{
	for (size_t i = 0; i < m->entry_count && !e->pub.table; i++)
		if (m->entry[i]->table && e->identity.build_id.len > 0 &&
		    m->entry[i]->identity.phdr_hash == e->identity.phdr_hash &&
		    pyro_build_id_equal(&m->entry[i]->identity.build_id,
					&e->identity.build_id))
			e->pub.table = m->entry[i]->table;
	if (!e->pub.table && elf && pyro_cfi_build(elf, &e->table) == 0) {
		e->pub.table = e->table;
		m->bytes += e->table->bytes;
	}
}

/* NULL: out of memory, or of ids. */
static struct entry *add_entry(struct pyro_modules *m,
			       const struct pyro_object *o,
			       const struct pyro_elf *elf, bool file_matches)
{
	if (m->entry_count >= PYRO_MODULE_MAX)
		return NULL;

	struct entry **grown =
		pyro_array_grow(m->entry, &m->entry_cap, m->entry_count + 1,
				sizeof(struct entry *));
	struct entry *e = pyro_arena_alloc(&m->arena, sizeof(*e));
	char *path = pyro_arena_strndup(&m->arena, o->path, strlen(o->path));

	if (grown)
		m->entry = grown;
	if (!grown || !e || !path)
		return NULL;

	const char *slash = strrchr(path, '/');
	struct pyro_module *pub = &e->pub;

	e->identity = o->identity;
	e->identity.path = path;
	pub->id = (uint32_t)m->entry_count + 1;
	pub->path = path;
	pub->name = slash ? slash + 1 : path;
	pub->build_id = o->identity.build_id;
	pub->file_matches = file_matches;
	pub->is_file = o->identity.kind != PYRO_OBJECT_VDSO;
	if (!pyro_elf_text_range(o->phdr, o->phdr_count, &pub->text_lo,
				 &pub->text_hi, &pub->text_offset))
		pub->text_lo = pub->text_hi = pub->text_offset = 0;
	make_table(m, e, elf);
	m->entry[m->entry_count++] = e;
	return e;
}

/* A file need not be opened again while its build ID stays where it was. Without
 * one it has to be: another build may have taken its place, and its inode. Once
 * that file is gone, memory tells. */
static struct entry *find_or_add(struct pyro_modules *m, struct pyro_object *o)
{
	bool has_id = o->identity.build_id.len > 0;
	struct entry *e = has_id ? find_entry(m, o, is_unmoved) : NULL;
	struct pyro_elf elf;
	bool file_matches;

	if (e)
		return e;

	int err =
		pyro_object_open(&o->identity, o->header, &elf, &file_matches);

	e = find_entry(m, o, is_same);
	if (!e && !has_id && !file_matches)
		e = find_entry(m, o, is_unmoved);
	if (!e)
		e = add_entry(m, o, err ? NULL : &elf, file_matches);
	if (!err)
		pyro_object_close(&elf);
	return e;
}

/* Maps in the order in which they are found. */
struct maps {
	struct pyro_map *item;
	size_t count, cap;
	size_t fresh; /* objects that the list before has not */
};

static int add_maps(struct maps *maps, const struct pyro_object *o,
		    const struct entry *e, bool fixed)
{
	for (size_t i = 0; i < o->phdr_count; i++) {
		const Elf64_Phdr *p = &o->phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X))
			continue;

		struct pyro_map *grown =
			pyro_array_grow(maps->item, &maps->cap, maps->count + 1,
					sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		maps->item = grown;
		maps->item[maps->count++] = (struct pyro_map){
			.lo = o->bias + p->p_vaddr,
			.hi = o->bias + p->p_vaddr + p->p_memsz,
			.bias = o->bias,
			.table = e->pub.table,
			.module = e->pub.id,
			.fixed = fixed,
		};
	}
	return 0;
}

/* How many loads, from the first on, are those that the program began with. What
 * dlopen loads comes behind: the loader itself is about the last of them. */
static size_t count_fixed(const struct pyro_loads *loads)
{
	uintptr_t loader = getauxval(AT_BASE);

	for (size_t i = 0; loader && i < loads->count; i++)
		if (loads->item[i].bias == loader)
			return i + 1;
	return 1;
}

/* Identify everything that is loaded. */
static int find_maps(struct pyro_modules *m, struct maps *maps)
{
	/* Too large for a stack that may be small. */
	struct pyro_object *o = pyro_pages_alloc(sizeof(*o));
	size_t fixed = count_fixed(&m->loads);
	int err = o ? 0 : -ENOMEM;

	m->refreshes++;
	for (size_t i = 0; i < m->loads.count && !err; i++) {
		pyro_object_look(o, &m->loads, i);

		struct entry *e = find_or_add(m, o);

		/* No room for it: its frames stay nameless. */
		if (!e)
			continue;
		if (e->listed != m->refreshes - 1 || e->pub.bias != o->bias)
			maps->fresh++;
		e->listed = m->refreshes;
		e->pub.bias = o->bias;
		e->header = o->header;
		err = add_maps(maps, o, e, i < fixed);
	}
	pyro_buf_free(&m->loads.maps);
	pyro_pages_free(o, sizeof(*o));
	return err;
}

/* Entries that are not loaded must not be read from memory. */
static int forget_unloaded(struct pyro_modules *m, const struct maps *maps)
{
	bool *seen = pyro_pages_alloc(m->entry_count + 1);

	if (!seen)
		return -ENOMEM;
	for (size_t i = 0; i < maps->count; i++)
		seen[maps->item[i].module] = true;
	for (size_t i = 0; i < m->entry_count; i++)
		if (!seen[i + 1])
			m->entry[i]->header = 0;
	pyro_pages_free(seen, m->entry_count + 1);
	return 0;
}

/* By rising address; what overlaps the one before is dropped. */
static int fill_snapshot(struct pyro_snapshot *s, const struct maps *maps)
{
	size_t bytes = (maps->count + 1) * sizeof(struct pyro_sort_item);
	struct pyro_sort_item *order = pyro_pages_alloc(bytes);

	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < maps->count; i++)
		order[i] = (struct pyro_sort_item){maps->item[i].lo, i};

	int err = pyro_sort(order, maps->count);

	for (size_t i = 0; i < maps->count && !err; i++) {
		const struct pyro_map *map = &maps->item[order[i].value];

		if (map->lo < map->hi &&
		    (s->count == 0 || map->lo >= s->map[s->count - 1].hi))
			s->map[s->count++] = *map;
	}
	pyro_pages_free(order, bytes);
	return err;
}

static int publish(struct pyro_modules *m, const struct maps *maps)
{
	size_t memos = sizeof(struct pyro_memo) << PYRO_MEMO_BITS;
	size_t bytes = memos + sizeof(struct pyro_snapshot) +
		       maps->count * sizeof(struct pyro_map);
	struct pyro_snapshot **kept =
		pyro_array_grow(m->kept, &m->kept_cap, m->kept_count + 1,
				sizeof(struct pyro_snapshot *));

	if (!kept)
		return -ENOMEM;
	m->kept = kept;

	/* The memos come last, in cache lines of their own. */
	struct pyro_snapshot *s = pyro_pages_alloc(bytes + 64);

	if (!s)
		return -ENOMEM;
	s->bytes = bytes + 64;
	s->memo = (struct pyro_memo *)(((uintptr_t)s + bytes - memos + 63) &
				       ~(uintptr_t)63);

	int err = fill_snapshot(s, maps);

	if (err) {
		pyro_pages_free(s, s->bytes);
		return err;
	}
	s->generation = ++last_generation;
	/* musl unloads nothing, and counts calls of dlopen, not objects. */
	if (m->loads.subs != m->subs)
		s->hidden = (uint32_t)pyro_min(
			m->loads.adds - m->adds - maps->fresh, UINT32_MAX);
	m->adds = m->loads.adds;
	m->subs = m->loads.subs;
	m->kept[m->kept_count++] = s;
	/* Release: pairs with the acquire in pyro_modules_current(). */
	atomic_store_explicit(&pyro_snapshot_current, s, memory_order_release);
	return 0;
}

static int read_loaded(struct pyro_modules *modules)
{
	struct maps maps = {0};

	modules->is_fresh = false;

	int err = pyro_loads_copy(&modules->loads);

	if (!err)
		err = find_maps(modules, &maps);
	if (!err)
		err = forget_unloaded(modules, &maps);
	if (!err)
		err = publish(modules, &maps);
	pyro_pages_free(maps.item, maps.cap * sizeof(*maps.item));
	if (err) {
		modules->adds = 0; /* whatever was loaded since may be hidden */
		return err;
	}
	modules->is_fresh = true;
	return 1;
}

static void count_reading(uint64_t began)
{
	pyro_cost_add(PYRO_COST_READING,
		      pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID) - began);
}

int pyro_modules_refresh(struct pyro_modules *modules)
{
	uint64_t began;
	int result;

	if (modules->is_fresh && !pyro_loads_changed(&modules->loads))
		return 0;
	began = pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID);
	result = read_loaded(modules);
	count_reading(began);
	return result;
}

const struct pyro_snapshot *
pyro_modules_snapshot(const struct pyro_modules *modules, uint32_t generation)
{
	for (size_t i = modules->kept_count; i-- > 0;)
		if (modules->kept[i]->generation == generation)
			return modules->kept[i];
	return NULL;
}

static bool is_same_map(const struct pyro_map *a, const struct pyro_map *b)
{
	return a->module == b->module && a->bias == b->bias;
}

bool pyro_modules_place(const struct pyro_modules *modules, uint32_t generation,
			uintptr_t pc, const struct pyro_map **map)
{
	const struct pyro_snapshot *s, *before = NULL;
	const struct pyro_map *found, *last = NULL;
	bool doubtful = false;

	*map = NULL;
	for (size_t i = 0; i < modules->kept_count; i++) {
		s = modules->kept[i];
		if (s->generation < generation)
			continue;
		found = pyro_snapshot_find(s, pc);
		if (before && s->hidden > (found && last ? 1 : 0))
			doubtful = true;
		if (found && *map && !is_same_map(found, *map)) {
			*map = NULL;
			return false;
		}
		if (found)
			*map = found;
		before = s;
		last = found;
	}
	if (!doubtful || !*map || (*map)->fixed)
		return true;
	*map = NULL;
	return false;
}

void pyro_modules_reclaim(struct pyro_modules *modules, uint32_t generation)
{
	const struct pyro_snapshot *newest = pyro_modules_current();
	size_t left = 0;

	for (size_t i = 0; i < modules->kept_count; i++) {
		struct pyro_snapshot *s = modules->kept[i];

		if (s->generation < generation && s != newest)
			pyro_pages_free(s, s->bytes);
		else
			modules->kept[left++] = s;
	}
	modules->kept_count = left;
}

static struct entry *entry_of(const struct pyro_modules *m, uint32_t id)
{
	return id > 0 && id <= m->entry_count ? m->entry[id - 1] : NULL;
}

const struct pyro_module *pyro_modules_get(const struct pyro_modules *modules,
					   uint32_t id)
{
	struct entry *e = entry_of(modules, id);

	return e ? &e->pub : NULL;
}

static void read_symbols(struct pyro_modules *m, struct entry *e)
{
	struct pyro_identity identity = e->identity;
	struct pyro_elf elf;
	bool file_matches;

	if (pyro_object_open(&identity, e->header, &elf, &file_matches) != 0)
		return;
	if (pyro_symbols_open(&elf, &e->identity.build_id, m->debug_root,
			      &e->pub.symbols) == 0)
		m->bytes += pyro_symbols_bytes(e->pub.symbols);
	pyro_object_close(&elf);
}

bool pyro_modules_symbol(struct pyro_modules *modules, uint32_t id,
			 uint64_t vaddr, struct pyro_symbol *out)
{
	struct entry *e = entry_of(modules, id);

	if (!e)
		return false;
	if (!e->pub.symbols_tried) {
		uint64_t began = pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID);

		e->pub.symbols_tried = true;
		read_symbols(modules, e);
		count_reading(began);
	}
	return e->pub.symbols && pyro_symbols_find(e->pub.symbols, vaddr, out);
}

int pyro_modules_open(const struct pyro_modules *modules, uint32_t id,
		      struct pyro_elf *elf)
{
	struct entry *e = entry_of(modules, id);
	bool file_matches;

	if (!e)
		return -ENOENT;

	struct pyro_identity identity = e->identity;

	return pyro_object_open(&identity, 0, elf, &file_matches);
}

size_t pyro_modules_bytes(const struct pyro_modules *modules)
{
	return modules->bytes;
}
