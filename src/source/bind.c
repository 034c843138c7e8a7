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
#define INDEX_SIZE 1024
/* While something may still be relocated. */
#define AGAIN_FIRST_NS (50 * PYRO_NS_PER_MS)
#define SETTLED_NS PYRO_NS_PER_SEC
#define GIVE_UP_NS (10 * PYRO_NS_PER_SEC)
/* While some slots are still to be resolved by a first call. */
#define LAZY_NS (10 * PYRO_NS_PER_SEC)

struct hook {
	const struct pyro_hooked *hooked;
	struct hook *also; /* another one of that name, or NULL */
	bool exported;     /* the library exports the name, too */
	bool follows;      /* forwards to what the loaded objects define */
	bool next_defined; /* in this walk, what it forwards to */
};

struct name {
	struct hook *hook;
	uint32_t hash;
	_Atomic uint32_t mode;
	_Atomic uint64_t bound, patched, elsewhere;
	/* Of this walk. */
	struct pyro_bind_definition first;
	bool versions; /* that definition has older ones beside it */
	bool several;  /* any definitions that differ */
	struct pyro_bind_counts counts;
};

static struct hook hooks[PYRO_BIND_MAX];
static struct name names[PYRO_BIND_MAX];
static _Atomic size_t hook_count, name_count;
static uint16_t index_of[INDEX_SIZE]; /* number of a name + 1, by hash */
static pyro_bind_rule_fn *rules[PYRO_BIND_RULES_MAX];
static size_t rule_count;

/* The collector's, between walks. */
static unsigned long long seen_adds, seen_subs;
static uint64_t changed_ns, again_ns, again_pause_ns;

struct walk {
	size_t object;   /* number in the list */
	bool began_with; /* the program began with the object */
	bool unsettled, lazy, unprotected;
	/* Of the object. */
	struct pyro_dynamic dynamic;
	bool relocated; /* for certain */
	bool open;      /* RELRO is writable just now, by us */
};

static struct name *find_name(const char *text, uint32_t hash)
{
	for (size_t at = hash % INDEX_SIZE; index_of[at];
	     at = (at + 1) % INDEX_SIZE) {
		struct name *n = &names[index_of[at] - 1];

		if (n->hash == hash && strcmp(n->hook->hooked->name, text) == 0)
			return n;
	}
	return NULL;
}

static void add_name(struct hook *hook)
{
	uint32_t hash = pyro_dynamic_hash(hook->hooked->name);
	struct name *n = find_name(hook->hooked->name, hash);
	size_t at = hash % INDEX_SIZE;

	if (n) {
		hook->also = n->hook;
		n->hook = hook;
		return;
	}
	names[name_count].hook = hook;
	names[name_count].hash = hash;
	while (index_of[at])
		at = (at + 1) % INDEX_SIZE;
	index_of[at] = (uint16_t)++name_count;
}

void pyro_bind_add(const struct pyro_hooked *table, size_t count,
		   pyro_bind_rule_fn *rule)
{
	if (rule && rule_count < PYRO_BIND_RULES_MAX)
		rules[rule_count++] = rule;
	for (size_t i = 0; i < count && hook_count < PYRO_BIND_MAX; i++) {
		struct hook *hook = &hooks[hook_count++];

		hook->hooked = &table[i];
		hook->exported = atomic_load(table[i].next) != 0;
		hook->follows = !rule && !hook->exported;
		add_name(hook);
	}
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
	struct pyro_bind_definition *first = &n->first;
	bool several = false;
	uintptr_t function =
		pyro_dynamic_find(d, n->hook->hooked->name, n->hash, &several);

	if (!function)
		return;
	if (first->mode == PYRO_BIND_NONE)
		first->mode = ours             ? PYRO_BIND_SYMBOLS
			      : w->object == 0 ? PYRO_BIND_OWN
					       : PYRO_BIND_GOT;
	if (ours)
		return;
	if (!first->function) {
		first->function = function;
		first->object = w->object;
		n->versions = several;
	}
	n->several |= several || first->function != function;
	for (struct hook *hook = n->hook; hook; hook = hook->also)
		hook->next_defined |=
			atomic_load(hook->hooked->next) == function;
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

/* Slots behind which the loader may still be at work are left for later. */
static bool can_write(struct walk *w, const struct pyro_slot *slot)
{
	const struct pyro_dynamic *d = &w->dynamic;
	uintptr_t at = (uintptr_t)slot->at;
	bool relro = at >= d->relro_lo && at < d->relro_hi;

	if (pyro_is_writable(slot->at)) {
		if (!relro || w->open || w->relocated)
			return true;
		w->unsettled = true;
		return false;
	}
	if (relro)
		w->open = protect_relro(d, PROT_READ | PROT_WRITE);
	return relro && w->open;
}

/* Only while it holds what it held: the loader may be resolving it, or the
 * program changing a variable of its own. */
static bool replace(struct walk *w, const struct pyro_slot *slot,
		    uintptr_t value, uintptr_t hook)
{
	return can_write(w, slot) &&
	       atomic_compare_exchange_strong(slot->at, &value, hook);
}

/* A slot of a PLT that is not resolved yet leads into the object's own code. */
static bool is_lazy(const struct walk *w, const struct pyro_slot *slot,
		    uintptr_t value)
{
	return slot->call && slot->defined != value &&
	       pyro_dynamic_is_code(&w->dynamic, value);
}

/* A first call will lead to us without more ado. */
static bool leads_to_us(const struct walk *w, const struct name *n)
{
	return w->began_with && n->first.mode == PYRO_BIND_SYMBOLS;
}

/* A lazy slot may be resolved ahead of time if it can mean one thing only: what
 * the program began with sees the first definition, of whatever version if there
 * is but one; objects that were opened have scopes of their own. */
static bool will_be(const struct walk *w, const struct name *n, bool lazy,
		    uintptr_t next)
{
	return lazy && n->first.function == next && !leads_to_us(w, n) &&
	       !(w->began_with ? n->versions : n->several);
}

/* An allocator's call of what it defines itself. */
static bool is_inside(const struct walk *w, const struct pyro_slot *slot,
		      uintptr_t next)
{
	return slot->defined && pyro_dynamic_contains(&w->dynamic, next);
}

static bool holds_hook(const struct name *n, uintptr_t value)
{
	for (const struct hook *hook = n->hook; hook; hook = hook->also)
		if (value == (uintptr_t)hook->hooked->hook)
			return true;
	return false;
}

/* Put the hook in that forwards to what the slot holds. Sets *used if there is one
 * that forwards at all. */
static bool put_hook(struct walk *w, const struct name *n,
		     const struct pyro_slot *slot, uintptr_t value, bool lazy,
		     bool *used)
{
	for (const struct hook *hook = n->hook; hook; hook = hook->also) {
		uintptr_t next = atomic_load(hook->hooked->next);

		*used |= next != 0;
		if (next && (hook->exported || !is_inside(w, slot, next)) &&
		    (value == next || will_be(w, n, lazy, next)) &&
		    replace(w, slot, value, (uintptr_t)hook->hooked->hook))
			return true;
	}
	return false;
}

static void see_slot(void *arg, const struct pyro_slot *slot)
{
	struct walk *w = arg;
	struct name *n = find_name(slot->name, slot->hash);
	bool used = false;

	if (!n || !pyro_dynamic_can_change(&w->dynamic, slot))
		return;

	uintptr_t value = atomic_load(slot->at);
	bool lazy = is_lazy(w, slot, value);

	if (holds_hook(n, value)) {
		n->counts.bound++;
	} else if (put_hook(w, n, slot, value, lazy, &used)) {
		n->counts.bound++;
		n->counts.patched++;
	} else if (lazy) {
		w->lazy |= used && !leads_to_us(w, n);
	} else if (used) {
		n->counts.elsewhere++;
		/* The link editor's value: not relocated yet. */
		w->unsettled |= w->dynamic.bias &&
				pyro_dynamic_is_code(&w->dynamic,
						     w->dynamic.bias + value);
	}
}

static int change_slots(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct walk *w = arg;
	uintptr_t base = getauxval(AT_BASE);
	bool loader = base && info->dlpi_addr == base;

	(void)size;
	if (!is_vdso(info) &&
	    pyro_dynamic_open(&w->dynamic, info->dlpi_addr, info->dlpi_phdr,
			      info->dlpi_phnum) &&
	    !is_ours(&w->dynamic)) {
		/* musl's loader, its libc, leaves its own RELRO writable. */
		w->relocated = loader;
		w->open = false;
		pyro_dynamic_slots(&w->dynamic, see_slot, w);
		if (w->open && !protect_relro(&w->dynamic, PROT_READ))
			w->unprotected = true;
	}
	/* The loader is the last of those that the program began with. */
	w->began_with &= !loader;
	return 0;
}

static void begin_walk(void)
{
	for (size_t i = 0; i < name_count; i++) {
		names[i].first = (struct pyro_bind_definition){0};
		names[i].several = names[i].versions = false;
		names[i].counts = (struct pyro_bind_counts){0};
	}
	for (size_t i = 0; i < hook_count; i++)
		hooks[i].next_defined = false;
}

/* Who calls a function keeps its object loaded: one that is gone has no callers
 * left that a hook could forward for. */
static void use_definitions(void)
{
	for (size_t i = 0; i < name_count; i++)
		for (struct hook *hook = names[i].hook; hook; hook = hook->also)
			if (hook->follows && !hook->next_defined)
				atomic_store(hook->hooked->next,
					     names[i].first.function);
	for (size_t i = 0; i < rule_count; i++)
		rules[i]();
}

static void end_walk(void)
{
	for (size_t i = 0; i < name_count; i++) {
		struct name *n = &names[i];

		atomic_store(&n->mode, n->first.mode);
		atomic_store(&n->bound, n->counts.bound);
		atomic_fetch_add(&n->patched, n->counts.patched);
		atomic_store(&n->elsewhere, n->counts.elsewhere);
	}
}

static void each_object(int (*fn)(struct dl_phdr_info *, size_t, void *),
			void *arg)
{
	pyro_mutex_lock(&pyro_loader_lock);
	dl_iterate_phdr(fn, arg);
	pyro_mutex_unlock(&pyro_loader_lock);
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

	each_object(see_counters, &changed);
	if (changed || !changed_ns) {
		changed_ns = now;
		again_pause_ns = AGAIN_FIRST_NS / 2;
	}
	return changed_ns == now || (again_ns && now >= again_ns);
}

static void plan_next(uint64_t now, const struct walk *w)
{
	uint64_t age = now - changed_ns;

	again_pause_ns *= 2;
	if (age < SETTLED_NS || (w->unsettled && age < GIVE_UP_NS))
		again_ns = now + again_pause_ns;
	else
		again_ns = w->lazy ? now + LAZY_NS : 0;
}

void pyro_bind_refresh(void)
{
	uint64_t now = pyro_clock_ns(CLOCK_MONOTONIC);
	struct walk walk = {.began_with = getauxval(AT_BASE) != 0};

	if (!is_time(now))
		return;
	begin_walk();
	each_object(find_definitions, &walk);
	use_definitions();
	each_object(change_slots, &walk);
	end_walk();
	plan_next(now, &walk);
	if (walk.unprotected)
		PYRO_LOG_ONCE("an object's relocated pages could not be made "
			      "read-only again");
}

struct pyro_bind_definition pyro_bind_definition(const char *name)
{
	struct name *n = find_name(name, pyro_dynamic_hash(name));

	return n ? n->first : (struct pyro_bind_definition){0};
}

enum pyro_bind_mode pyro_bind_mode(const char *name)
{
	struct name *n = find_name(name, pyro_dynamic_hash(name));

	return n ? (enum pyro_bind_mode)atomic_load(&n->mode) : PYRO_BIND_NONE;
}

struct pyro_bind_counts pyro_bind_counts(const char *name)
{
	struct name *only =
		name ? find_name(name, pyro_dynamic_hash(name)) : NULL;
	struct pyro_bind_counts sum = {0};

	for (size_t i = 0; i < name_count; i++) {
		struct name *n = &names[i];

		if (name && n != only)
			continue;
		sum.bound += atomic_load(&n->bound);
		sum.patched += atomic_load(&n->patched);
		sum.elsewhere += atomic_load(&n->elsewhere);
	}
	return sum;
}

#endif
