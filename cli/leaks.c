// SPDX-License-Identifier: Apache-2.0
/* leaks.c - what of a heap profile was never freed
 *
 * Memory that is in use when a program ends is no leak if it is young: then it
 * only was not freed yet. The library gives samples an age in powers of two
 * seconds, so that a stack has few samples. */
#include "cli/leaks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/tree.h"
#include "cli/types.h"
#include "profile/merge.h"

#define AGE_NONE (-1)
/* Shown of a stack: those next to the leak. */
#define FRAMES_MAX 24

/* Of the leaks' own profile. */
enum {
	OBJECTS,
	SPACE
};

/* One stack of functions. */
struct leak {
	int64_t bytes, objects, age; /* the oldest's; or AGE_NONE */
	uint32_t node;
};

/* What label "age" can tell: powers of two, and 0. */
static int64_t round_age(int64_t seconds)
{
	return seconds > 0
		       ? INT64_C(1) << (63 - __builtin_clzll((uint64_t)seconds))
		       : 0;
}

static int64_t age_of(const struct pyro_profile *profile,
		      const struct pyro_sample *sample)
{
	for (size_t i = 0; i < sample->label_count; i++) {
		const struct pyro_label *label =
			&profile->labels[sample->first_label + i];

		if (strcmp(pyro_profile_text(profile, label->key), "age") == 0)
			return label->num < 0 ? 0 : label->num;
	}
	return AGE_NONE;
}

static void add_value(int64_t *sum, int64_t value)
{
	*sum = pyro_saturate(*sum, value);
}

/* Values of what is too young become 0, in a copy. */
static void leave_out_young(struct pyro_leaks *leaks, struct pyro_profile *all,
			    size_t objects, size_t space)
{
	struct pyro_value_type type[] = {all->type[objects], all->type[space]};

	for (size_t i = 0; i < all->samples_count; i++) {
		struct pyro_sample *sample = &all->samples[i];
		int64_t count = sample->value[objects];
		int64_t bytes = sample->value[space];
		int64_t age = age_of(all, sample);
		bool young = age != AGE_NONE && age < leaks->min_age;

		add_value(young ? &leaks->young_bytes : &leaks->bytes, bytes);
		add_value(young ? &leaks->young_objects : &leaks->objects,
			  count);
		if (age == AGE_NONE)
			add_value(&leaks->ageless_bytes, bytes);
		sample->value[OBJECTS] = young ? 0 : count;
		sample->value[SPACE] = young ? 0 : bytes;
	}
	memcpy(all->type, type, sizeof(type));
	all->type_count = PYRO_COUNT_OF(type);
}

int pyro_leaks_init(struct pyro_leaks *leaks,
		    const struct pyro_profile *profile, int64_t min_age)
{
	static const int64_t one[PYRO_PROFILE_TYPES_MAX] = {1, 1};
	size_t objects = pyro_type_find(profile, "inuse_objects");
	size_t space = pyro_type_find(profile, "inuse_space");
	struct pyro_profile *all = NULL;
	int err;

	*leaks = (struct pyro_leaks){.min_age = round_age(min_age)};
	if (objects == PYRO_TYPE_NONE || space == PYRO_TYPE_NONE)
		return -EINVAL;
	all = pyro_profile_new();
	leaks->profile = pyro_profile_new();
	err = all && leaks->profile ? pyro_profile_merge(all, profile)
				    : -ENOMEM;
	if (!err) {
		leave_out_young(leaks, all, objects, space);
		err = pyro_profile_merge_scaled(leaks->profile, all, one);
	}
	pyro_profile_free(all);
	return err;
}

void pyro_leaks_fini(struct pyro_leaks *leaks)
{
	pyro_profile_free(leaks->profile);
	leaks->profile = NULL;
}

static int greatest_first(const void *x, const void *y)
{
	const struct leak *a = x, *b = y;

	if (a->bytes != b->bytes)
		return a->bytes < b->bytes ? 1 : -1;
	if (a->objects != b->objects)
		return a->objects < b->objects ? 1 : -1;
	return (a->node > b->node) - (a->node < b->node);
}

/* One leak for each node at which a stack ends; leak has room for as many as
 * the tree has nodes. Returns their count, the greatest first. */
static size_t collect(const struct pyro_profile *profile,
		      const struct pyro_report *report,
		      const struct pyro_tree *tree, struct leak *leak)
{
	size_t count = 0;

	for (size_t i = 0; i < tree->count; i++)
		leak[i] = (struct leak){.node = (uint32_t)i, .age = AGE_NONE};
	for (size_t i = 0; i < profile->samples_count; i++) {
		const struct pyro_sample *sample = &profile->samples[i];
		uint32_t node = pyro_tree_find(tree, profile, report, sample);
		int64_t age = age_of(profile, sample);

		if (node == PYRO_TREE_NONE)
			continue;
		add_value(&leak[node].bytes, sample->value[SPACE]);
		add_value(&leak[node].objects, sample->value[OBJECTS]);
		if (age > leak[node].age)
			leak[node].age = age;
	}
	for (size_t i = 0; i < tree->count; i++)
		if (leak[i].bytes > 0)
			leak[count++] = leak[i];
	qsort(leak, count, sizeof(*leak), greatest_first);
	return count;
}

static const char *age_text(int64_t age, char *to, size_t cap)
{
	if (age == AGE_NONE)
		return "age unknown";
	if (age == 0)
		return "oldest under 1 s";
	snprintf(to, cap, "oldest %" PRId64 " s or more", age);
	return to;
}

static void say_leak(const struct pyro_report *report,
		     const struct pyro_tree *tree, const struct leak *leak)
{
	char bytes[32], age[48], text[512];
	int frames = 0;

	pyro_say("%s in %" PRId64 " object%s, %s:",
		 pyro_value_text(leak->bytes, "bytes", bytes, sizeof(bytes)),
		 leak->objects, leak->objects == 1 ? "" : "s",
		 age_text(leak->age, age, sizeof(age)));
	for (uint32_t n = leak->node; n != PYRO_TREE_ROOT;
	     n = tree->node[n].parent) {
		const struct pyro_node *node = &tree->node[n];

		if (frames++ == FRAMES_MAX) {
			pyro_say("    ... %" PRIu32 " more", node->depth);
			break;
		}
		pyro_say("    %s", pyro_entry_text(&report->entry[node->entry],
						   text, sizeof(text)));
	}
}

int pyro_leaks_say(const struct pyro_leaks *leaks, size_t rows)
{
	struct pyro_report report;
	struct pyro_tree tree = {0};
	struct leak *leak = NULL;
	size_t cap = 0;
	int err = pyro_report_init(&report, leaks->profile, SPACE);

	if (!err)
		err = pyro_tree_init(&tree, leaks->profile, &report, SPACE);
	if (!err)
		leak = pyro_array_grow(NULL, &cap, tree.count, sizeof(*leak));
	if (leak) {
		size_t count = collect(leaks->profile, &report, &tree, leak);

		for (size_t i = 0; i < pyro_min(count, rows); i++)
			say_leak(&report, &tree, &leak[i]);
		if (count > rows)
			pyro_say("and %zu smaller ones", count - rows);
	}
	pyro_pages_free(leak, cap * sizeof(*leak));
	pyro_tree_fini(&tree);
	pyro_report_fini(&report);
	return err ? err : leak ? 0 : -ENOMEM;
}
