// SPDX-License-Identifier: Apache-2.0
/* labels.c - sets of labels, each once
 *
 * A set is its last label by key and the set of those before: the same labels
 * give the same chain, whatever the order in which they came. A set is found by
 * hash in slots that are filled once; who loses the race for one leaves a set
 * unused. */
#include "capture/labels.h"

#include <string.h>

#include "base/arena.h"
#include "base/table.h"

#define SLOTS (2 * PYRO_LABEL_SETS_MAX)
#define TEXT_MAX ((uint32_t)1 << 20)
#define PLACE_BITS 3

struct set {
	uint32_t before;     /* the set without this label */
	uint32_t key, value; /* in text */
};

struct sets {
	_Atomic uint32_t count; /* given out; number 0 is no set */
	_Atomic uint32_t used;  /* bytes of text */
	_Atomic uint32_t slot[SLOTS];
	struct set set[PYRO_LABEL_SETS_MAX];
	char text[TEXT_MAX];
};

_Thread_local uint32_t pyro_labels;
_Atomic uint64_t pyro_labels_refused[PYRO_LABELS_REFUSALS];

/* Mapped by the first label. */
static struct sets *_Atomic all;

static struct sets *sets(void)
{
	struct sets *have = atomic_load_explicit(&all, memory_order_acquire);
	struct sets *fresh;

	if (have)
		return have;
	fresh = pyro_pages_alloc(sizeof(*fresh));
	if (fresh && !atomic_compare_exchange_strong(&all, &have, fresh)) {
		pyro_pages_free(fresh, sizeof(*fresh));
		fresh = have;
	}
	return fresh;
}

/* More of what is limited: where it begins; limit: there is no more. */
static uint32_t take(_Atomic uint32_t *used, uint32_t more, uint32_t limit)
{
	uint32_t at = atomic_load_explicit(used, memory_order_relaxed);

	do {
		if (more > limit - at)
			return limit;
	} while (!atomic_compare_exchange_weak(used, &at, at + more));
	return at;
}

static uint32_t new_set(struct sets *s, uint32_t before, const char *key,
			const char *value)
{
	uint32_t key_size = (uint32_t)strlen(key) + 1;
	uint32_t value_size = (uint32_t)strlen(value) + 1;
	uint32_t at = take(&s->used, key_size + value_size, TEXT_MAX);
	uint32_t number = at < TEXT_MAX
				  ? take(&s->count, 1, PYRO_LABEL_SETS_MAX - 1)
				  : PYRO_LABEL_SETS_MAX - 1;

	if (number == PYRO_LABEL_SETS_MAX - 1)
		return 0;
	memcpy(s->text + at, key, key_size);
	memcpy(s->text + at + key_size, value, value_size);
	s->set[++number] = (struct set){before, at, at + key_size};
	return number;
}

static bool is(const struct sets *s, uint32_t number, uint32_t before,
	       const char *key, const char *value)
{
	const struct set *set = &s->set[number];

	return set->before == before && !strcmp(s->text + set->key, key) &&
	       !strcmp(s->text + set->value, value);
}

/* before and a label that comes after all of its own; 0: there is no place. */
static uint32_t find_or_add(struct sets *s, uint32_t before, const char *key,
			    const char *value)
{
	uint64_t hash = pyro_hash(key, strlen(key), before);
	uint32_t fresh = 0;

	hash = pyro_hash(value, strlen(value), hash);
	for (size_t i = 0; i < SLOTS; i++) {
		_Atomic uint32_t *slot = &s->slot[(hash + i) % SLOTS];
		uint32_t number =
			atomic_load_explicit(slot, memory_order_acquire);

		if (number == 0) {
			if (!fresh)
				fresh = new_set(s, before, key, value);
			if (!fresh || atomic_compare_exchange_strong(
					      slot, &number, fresh))
				return fresh;
		}
		if (is(s, number, before, key, value))
			return number;
	}
	return 0;
}

static _Atomic uint32_t labels_max = PYRO_LABELS_MAX;

uint32_t pyro_labels_max(void)
{
	return atomic_load_explicit(&labels_max, memory_order_relaxed);
}

void pyro_labels_leave(uint32_t others)
{
	atomic_store(&labels_max,
		     (uint32_t)pyro_min(PYRO_LABELS_MAX,
					PYRO_SERIES_LABELS_MAX - others));
}

size_t pyro_labels_of(uint32_t set,
		      struct pyro_label_pair pair[PYRO_LABELS_MAX])
{
	const struct sets *s = atomic_load_explicit(&all, memory_order_acquire);
	size_t count = 0;

	if (!s || set > atomic_load(&s->count))
		return 0;
	for (uint32_t i = set; i && count < pyro_labels_max();
	     i = s->set[i].before)
		count++;
	for (size_t i = count; i > 0; set = s->set[set].before)
		pair[--i] = (struct pyro_label_pair){
			s->text + s->set[set].key, s->text + s->set[set].value};
	return count;
}

/* As of Prometheus, and not those that are the server's own. */
bool pyro_label_is_key(const char *key)
{
	size_t len = key ? strnlen(key, PYRO_LABEL_KEY_MAX + 1) : 0;

	if (len == 0 || len > PYRO_LABEL_KEY_MAX || !strncmp(key, "__", 2) ||
	    (*key >= '0' && *key <= '9'))
		return false;
	for (size_t i = 0; i < len; i++)
		if (key[i] != '_' && !(key[i] >= '0' && key[i] <= '9') &&
		    !((key[i] | 32) >= 'a' && (key[i] | 32) <= 'z'))
			return false;
	return true;
}

/* Changes the list, sorted by key, of count labels. Returns how many there are
 * then; -1: one too many. */
static int put(struct pyro_label_pair *pair, size_t count, const char *key,
	       const char *value)
{
	size_t at = 0, had, has = *value != '\0';

	while (at < count && strcmp(pair[at].key, key) < 0)
		at++;
	had = at < count && !strcmp(pair[at].key, key);
	if (count - had + has > pyro_labels_max())
		return -1;
	memmove(&pair[at + has], &pair[at + had],
		(count - at - had) * sizeof(*pair));
	if (has)
		pair[at] = (struct pyro_label_pair){key, value};
	return (int)(count - had + has);
}

/* What the thread has asked for last: the set and the most labels that it then had,
 * the answer, and the set in the answer's chain that has the label itself. It is
 * kept, with one other, by where the label's texts lie, which a place in a program
 * seldom changes; whether it is the answer, they tell themselves. */
struct asked {
	uint16_t base, max, answer, label;
};

static _Thread_local struct asked last_asked[1 << PLACE_BITS][2];

_Static_assert(PYRO_LABEL_SETS_MAX <= UINT16_MAX, "the number of a set");

static struct asked *asked(uint32_t base, const char *key, const char *value)
{
	uint64_t place =
		(uint64_t)(uintptr_t)key + (uintptr_t)value * 3 + base * 5;

	/* Twice, for texts that are equally far from each other. */
	place *= UINT64_C(0x9e3779b97f4a7c15);
	place = (place ^ place >> 32) * UINT64_C(0x9e3779b97f4a7c15);
	return last_asked[place >> (64 - PLACE_BITS)];
}

static bool same(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static bool is_known(const struct asked *known, uint32_t base, const char *key,
		     const char *value)
{
	const struct sets *s = atomic_load_explicit(&all, memory_order_acquire);
	const struct set *set;

	if (!known->answer || known->base != base ||
	    known->max != pyro_labels_max() || !key || !value)
		return false;
	set = &s->set[known->label];
	return same(s->text + set->key, key) &&
	       same(s->text + set->value, value);
}

static void keep(struct asked *known, uint32_t base, uint32_t answer,
		 const struct sets *s, const char *key)
{
	uint32_t label = answer;

	while (strcmp(s->text + s->set[label].key, key) != 0)
		label = s->set[label].before;
	known[1] = known[0];
	known[0] = (struct asked){(uint16_t)base, (uint16_t)pyro_labels_max(),
				  (uint16_t)answer, (uint16_t)label};
}

static uint32_t refuse(enum pyro_labels_refusal why, uint32_t base)
{
	atomic_fetch_add_explicit(&pyro_labels_refused[why], 1,
				  memory_order_relaxed);
	return base;
}

static uint32_t look_up(uint32_t base, const char *key, const char *value,
			struct asked *known)
{
	struct pyro_label_pair pair[PYRO_LABELS_MAX + 1];
	struct sets *s = sets();
	uint32_t set = 0;
	int count;

	if (!s)
		return refuse(PYRO_LABELS_FULL, base);
	if (!pyro_label_is_key(key) || !value ||
	    strnlen(value, PYRO_LABEL_VALUE_MAX + 1) > PYRO_LABEL_VALUE_MAX)
		return refuse(PYRO_LABELS_BAD, base);
	count = put(pair, pyro_labels_of(base, pair), key, value);
	if (count < 0)
		return refuse(PYRO_LABELS_MANY, base);
	for (int i = 0; i < count; i++) {
		set = find_or_add(s, set, pair[i].key, pair[i].value);
		if (!set)
			return refuse(PYRO_LABELS_FULL, base);
	}
	/* Not of a base that is none: it may become one. */
	if (*value && base <= atomic_load(&s->count))
		keep(known, base, set, s, key);
	return set;
}

uint32_t pyro_labels_with(uint32_t base, const char *key, const char *value)
{
	struct asked *known = asked(base, key, value);

	if (is_known(&known[0], base, key, value))
		return known[0].answer;
	if (is_known(&known[1], base, key, value))
		return known[1].answer;
	return look_up(base, key, value, known);
}
