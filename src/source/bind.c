// SPDX-License-Identifier: Apache-2.0
/* bind.c - hooks into the slots of objects that do not see our symbols
 *
 * One walk is two turns over the loader's list: what defines the hooked names,
 * then the slots. Both run in callbacks of dl_iterate_phdr, where no object can
 * be unloaded. An object may be listed that is still being relocated, in another
 * thread: its slots are written by the loader, and its RELRO pages will be
 * protected behind our back. The slots are looked at again later, the pages are
 * not touched before they are read-only. */
#include "source/bind.h"

#ifdef PYRO_STATIC

void pyro_bind_refresh(void)
{
}

enum pyro_bind_mode pyro_bind_mode(const char *name)
{
	(void)name;
	return PYRO_BIND_WRAP;
}

struct pyro_bind_counts pyro_bind_counts(const char *name)
{
	(void)name;
	return (struct pyro_bind_counts){0};
}

#else

#include <link.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/os.h"
#include "base/sync.h"
#include "image/dynamic.h"

/* A power of two, at least twice PYRO_BIND_MAX. */
#define INDEX_SIZE 512
/* While something may still be relocated. */
#define AGAIN_FIRST_NS (50 * PYRO_NS_PER_MS)
#define SETTLED_NS PYRO_NS_PER_SEC
#define GIVE_UP_NS (10 * PYRO_NS_PER_SEC)

struct name {
	const struct pyro_hooked *hooked;
	uint32_t hash;
	bool follows; /* forwards to what the loaded objects define */
	_Atomic uint32_t mode;
	_Atomic uint64_t bound, patched, elsewhere;
	/* Of this walk. */
	uintptr_t defined; /* by the first object that is not ours */
	bool several;      /* definitions that differ */
	bool next_defined; /* one of them is what the hook forwards to */
	enum pyro_bind_mode found;
	struct pyro_bind_counts counts;
};

static struct name names[PYRO_BIND_MAX];
static _Atomic size_t name_count;
static uint8_t index_of[INDEX_SIZE]; /* number of a name + 1, by hash */

/* The collector's, between walks. */
static unsigned long long seen_adds, seen_subs;
static uint64_t changed_ns, again_ns, again_pause_ns;

struct walk {
	size_t object; /* number in the list */
	bool unsettled, unprotected;
	/* Of the object. */
	struct pyro_dynamic dynamic;
	bool relocated; /* for certain */
	bool open;      /* RELRO is writable just now, by us */
};

void pyro_bind_add(const struct pyro_hooked *table, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t n = atomic_load(&name_count);

		if (n == PYRO_BIND_MAX)
			return;
		names[n].hooked = &table[i];
		names[n].follows = atomic_load(table[i].next) == 0;
		names[n].hash = pyro_dynamic_hash(table[i].name);

		size_t at = names[n].hash % INDEX_SIZE;

		while (index_of[at])
			at = (at + 1) % INDEX_SIZE;
		index_of[at] = (uint8_t)(n + 1);
		atomic_store(&name_count, n + 1);
	}
}

static struct name *find_name(const char *text, uint32_t hash)
{
	for (size_t at = hash % INDEX_SIZE; index_of[at];
	     at = (at + 1) % INDEX_SIZE) {
		struct name *n = &names[index_of[at] - 1];

		if (n->hash == hash && strcmp(n->hooked->name, text) == 0)
			return n;
	}
	return NULL;
}

static bool is_vdso(const struct dl_phdr_info *info)
{
	uintptr_t header = getauxval(AT_SYSINFO_EHDR);

	return header && header == info->dlpi_addr;
}

static bool is_ours(const struct pyro_dynamic *d)
{
	return pyro_dynamic_contains(d, (uintptr_t)pyro_bind_refresh);
}

/* The first definition is what everybody's calls lead to. */
static void define(struct name *n, struct walk *w, bool ours)
{
	struct pyro_dynamic *d = &w->dynamic;
	bool several = false;
	uintptr_t address =
		pyro_dynamic_find(d, n->hooked->name, n->hash, &several);

	if (!address)
		return;
	if (ours && n->found == PYRO_BIND_NONE)
		n->found = PYRO_BIND_SYMBOLS;
	if (ours)
		return;
	if (n->found == PYRO_BIND_NONE)
		n->found = w->object == 0 ? PYRO_BIND_OWN : PYRO_BIND_GOT;
	if (!n->defined)
		n->defined = address;
	n->several |= several || n->defined != address;
	n->next_defined |= atomic_load(n->hooked->next) == address;
}

static int find_definitions(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct walk *w = arg;

	(void)size;
	seen_adds = info->dlpi_adds;
	seen_subs = info->dlpi_subs;
	if (!is_vdso(info) &&
	    pyro_dynamic_open(&w->dynamic, info->dlpi_addr, info->dlpi_phdr,
			      info->dlpi_phnum)) {
		bool ours = is_ours(&w->dynamic);

		for (size_t i = 0; i < name_count; i++)
			define(&names[i], w, ours);
	}
	w->object++;
	return 0;
}

static bool protect_relro(const struct pyro_dynamic *d, int how)
{
	return mprotect((void *)d->relro_lo, d->relro_hi - d->relro_lo, how) ==
	       0;
}

/* Only while it holds what it held: the loader may be resolving it, or the
 * program changing a variable of its own. */
static bool replace(struct walk *w, const struct pyro_slot *slot,
		    uintptr_t value, uintptr_t hook)
{
	const struct pyro_dynamic *d = &w->dynamic;
	uintptr_t at = (uintptr_t)slot->at;
	bool relro = at >= d->relro_lo && at < d->relro_hi;

	if (!relro && !pyro_is_writable(slot->at))
		return false;
	if (relro && !w->open && !w->relocated) {
		if (pyro_is_writable(slot->at)) {
			w->unsettled = true;
			return false;
		}
		if (!protect_relro(d, PROT_READ | PROT_WRITE))
			return false;
		w->open = true;
	}
	return atomic_compare_exchange_strong(slot->at, &value, hook);
}

/* A slot of a PLT, not resolved yet, leads into the object's own code. It may be
 * resolved ahead of time if it can mean one thing only, whatever the object's
 * scope and version. */
static bool will_be(struct walk *w, const struct name *n,
		    const struct pyro_slot *slot, uintptr_t value,
		    uintptr_t next)
{
	return slot->call && !slot->defined && !n->several &&
	       n->defined == next && pyro_dynamic_is_code(&w->dynamic, value);
}

static void see_slot(void *arg, const struct pyro_slot *slot)
{
	struct walk *w = arg;
	struct name *n = find_name(slot->name, slot->hash);

	if (!n || !pyro_dynamic_can_change(&w->dynamic, slot))
		return;

	uintptr_t value = atomic_load(slot->at);
	uintptr_t hook = (uintptr_t)n->hooked->hook;
	uintptr_t next = atomic_load(n->hooked->next);

	if (value == hook) {
		n->counts.bound++;
	} else if (next && next != hook &&
		   (value == next || will_be(w, n, slot, value, next)) &&
		   replace(w, slot, value, hook)) {
		n->counts.bound++;
		n->counts.patched++;
	} else {
		n->counts.elsewhere++;
		/* The link editor's value: not relocated yet. */
		if (w->dynamic.bias &&
		    pyro_dynamic_is_code(&w->dynamic, w->dynamic.bias + value))
			w->unsettled = true;
	}
}

static int change_slots(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct walk *w = arg;

	(void)size;
	if (is_vdso(info) ||
	    !pyro_dynamic_open(&w->dynamic, info->dlpi_addr, info->dlpi_phdr,
			       info->dlpi_phnum) ||
	    is_ours(&w->dynamic))
		return 0;
	/* musl's loader, which is its libc, leaves its own RELRO writable. */
	w->relocated = info->dlpi_addr == getauxval(AT_BASE);
	w->open = false;
	pyro_dynamic_slots(&w->dynamic, see_slot, w);
	if (w->open && !protect_relro(&w->dynamic, PROT_READ))
		w->unprotected = true;
	return 0;
}

static void begin_walk(void)
{
	for (size_t i = 0; i < name_count; i++) {
		names[i].defined = 0;
		names[i].several = names[i].next_defined = false;
		names[i].found = PYRO_BIND_NONE;
		names[i].counts = (struct pyro_bind_counts){0};
	}
}

/* Who calls a function keeps its object loaded: one that is gone has no callers
 * left that a hook could forward for. */
static void take_definitions(void)
{
	for (size_t i = 0; i < name_count; i++)
		if (names[i].follows && !names[i].next_defined)
			atomic_store(names[i].hooked->next, names[i].defined);
}

static void end_walk(void)
{
	for (size_t i = 0; i < name_count; i++) {
		struct name *n = &names[i];

		atomic_store(&n->mode, n->found);
		atomic_store(&n->bound, n->counts.bound);
		atomic_fetch_add(&n->patched, n->counts.patched);
		atomic_store(&n->elsewhere, n->counts.elsewhere);
	}
}

static int see_counters(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)size;
	*(bool *)arg =
		info->dlpi_adds != seen_adds || info->dlpi_subs != seen_subs;
	return 1;
}

/* After the last change the slots are looked at until all is relocated. */
static bool is_time(uint64_t now)
{
	bool changed = false;

	pyro_mutex_lock(&pyro_loader_lock);
	dl_iterate_phdr(see_counters, &changed);
	pyro_mutex_unlock(&pyro_loader_lock);
	if (changed || !changed_ns) {
		changed_ns = now;
		again_pause_ns = AGAIN_FIRST_NS / 2;
	}
	return changed_ns == now || (again_ns && now >= again_ns);
}

static void plan_next(uint64_t now, bool unsettled)
{
	uint64_t age = now - changed_ns;

	again_pause_ns *= 2;
	again_ns = age < SETTLED_NS || (unsettled && age < GIVE_UP_NS)
			   ? now + again_pause_ns
			   : 0;
}

void pyro_bind_refresh(void)
{
	uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);
	struct walk walk = {.object = 0};

	if (!is_time(now))
		return;
	begin_walk();
	pyro_mutex_lock(&pyro_loader_lock);
	dl_iterate_phdr(find_definitions, &walk);
	take_definitions();
	dl_iterate_phdr(change_slots, &walk);
	pyro_mutex_unlock(&pyro_loader_lock);
	end_walk();
	plan_next(now, walk.unsettled);
	if (walk.unprotected)
		PYRO_LOG_ONCE("an object's relocated pages could not be made "
			      "read-only again");
}

enum pyro_bind_mode pyro_bind_mode(const char *name)
{
	struct name *n = find_name(name, pyro_dynamic_hash(name));

	return n ? (enum pyro_bind_mode)atomic_load(&n->mode) : PYRO_BIND_NONE;
}

struct pyro_bind_counts pyro_bind_counts(const char *name)
{
	struct pyro_bind_counts sum = {0};

	for (size_t i = 0; i < name_count; i++) {
		struct name *n = &names[i];

		if (name && strcmp(n->hooked->name, name) != 0)
			continue;
		sum.bound += atomic_load(&n->bound);
		sum.patched += atomic_load(&n->patched);
		sum.elsewhere += atomic_load(&n->elsewhere);
	}
	return sum;
}

#endif
