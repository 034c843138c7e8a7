// SPDX-License-Identifier: Apache-2.0
/* tree.c - a profile's stacks, joined from the root
 *
 * No recursion: a stack may be as deep as its writer liked. */
#include "cli/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct edge {
	uint32_t parent, entry;
};

static bool same_edge(const void *owner, uint32_t item, const void *key)
{
	const struct pyro_tree *tree = owner;
	const struct edge *edge = key;

	return tree->node[item].parent == edge->parent &&
	       tree->node[item].entry == edge->entry;
}

static uint32_t add_node(struct pyro_tree *tree, struct pyro_node node)
{
	struct pyro_node *grown = pyro_array_grow(
		tree->node, &tree->cap, tree->count + 1, sizeof(*grown));

	if (!grown || tree->count >= PYRO_TREE_NONE)
		return PYRO_TREE_NONE;
	tree->node = grown;
	node.first_child = node.next_sibling = PYRO_TREE_NONE;
	grown[tree->count] = node;
	return (uint32_t)tree->count++;
}

static uint32_t child_of(struct pyro_tree *tree, uint32_t parent,
			 uint32_t entry)
{
	struct edge edge = {parent, entry};
	uint64_t hash = pyro_hash(&edge, sizeof(edge), 0);
	uint32_t found =
		pyro_table_find(&tree->index, hash, same_edge, tree, &edge);

	if (found != PYRO_TABLE_NONE)
		return found;
	found = add_node(tree, (struct pyro_node){
				       .entry = entry,
				       .parent = parent,
				       .depth = tree->node[parent].depth + 1});
	if (found == PYRO_TREE_NONE ||
	    pyro_table_add(&tree->index, hash, found) < 0)
		return PYRO_TREE_NONE;
	tree->node[found].next_sibling = tree->node[parent].first_child;
	tree->node[parent].first_child = found;
	return found;
}

/* Go down one frame, which is several functions if some were inlined. */
static uint32_t enter(struct pyro_tree *tree,
		      const struct pyro_profile *profile,
		      const struct pyro_report *report, uint32_t id,
		      uint32_t at, int64_t value)
{
	const struct pyro_location *location = &profile->locations[id - 1];
	uint32_t lines = location->line_count;

	for (uint32_t i = 0; i < (lines ? lines : 1); i++) {
		/* The innermost stands first. */
		uint32_t entry =
			lines ? report->line_entry[location->first_line +
						   lines - 1 - i]
			      : report->location_entry[id - 1];

		at = child_of(tree, at, entry);
		if (at == PYRO_TREE_NONE)
			break;
		tree->node[at].total =
			pyro_saturate(tree->node[at].total, value);
	}
	return at;
}

static int add_sample(struct pyro_tree *tree,
		      const struct pyro_profile *profile,
		      const struct pyro_report *report,
		      const struct pyro_sample *sample, int64_t value)
{
	const uint32_t *ids = profile->location_ids + sample->first_location;
	uint32_t at = PYRO_TREE_ROOT;

	if (value <= 0)
		return 0;
	tree->node[at].total = pyro_saturate(tree->node[at].total, value);
	for (uint32_t i = sample->location_count; i-- > 0;) {
		at = enter(tree, profile, report, ids[i], at, value);
		if (at == PYRO_TREE_NONE)
			return -ENOMEM;
	}
	tree->node[at].self = pyro_saturate(tree->node[at].self, value);
	return 0;
}

/* qsort has no argument for its function. */
struct sortable {
	const struct pyro_entry *entry;
	int64_t total;
	uint32_t node;
};

static int heaviest_first(const void *x, const void *y)
{
	const struct sortable *a = x, *b = y;
	int order;

	if (a->total != b->total)
		return a->total < b->total ? 1 : -1;
	order = strcmp(a->entry->name, b->entry->name);
	if (!order)
		order = strcmp(a->entry->module, b->entry->module);
	return order ? order : (a->node > b->node) - (a->node < b->node);
}

static int sort_children(struct pyro_tree *tree,
			 const struct pyro_report *report, uint32_t parent,
			 struct sortable **room, size_t *cap)
{
	size_t count = 0;
	uint32_t *link = &tree->node[parent].first_child;

	for (uint32_t n = *link; n != PYRO_TREE_NONE;
	     n = tree->node[n].next_sibling) {
		struct sortable *grown =
			pyro_array_grow(*room, cap, count + 1, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		*room = grown;
		grown[count++] = (struct sortable){
			.entry = &report->entry[tree->node[n].entry],
			.total = tree->node[n].total,
			.node = n};
	}
	if (count < 2)
		return 0;
	qsort(*room, count, sizeof(**room), heaviest_first);
	for (size_t i = 0; i < count; i++) {
		*link = (*room)[i].node;
		link = &tree->node[*link].next_sibling;
	}
	*link = PYRO_TREE_NONE;
	return 0;
}

int pyro_tree_init(struct pyro_tree *tree, const struct pyro_profile *profile,
		   const struct pyro_report *report, size_t type)
{
	struct sortable *room = NULL;
	size_t cap = 0;
	int err = 0;

	*tree = (struct pyro_tree){0};
	if (add_node(tree, (struct pyro_node){.parent = PYRO_TREE_NONE}) ==
	    PYRO_TREE_NONE)
		return -ENOMEM;
	for (size_t i = 0; !err && i < profile->samples_count; i++)
		err = add_sample(tree, profile, report, &profile->samples[i],
				 profile->samples[i].value[type]);
	for (size_t i = 0; !err && i < tree->count; i++)
		err = sort_children(tree, report, (uint32_t)i, &room, &cap);
	pyro_pages_free(room, cap * sizeof(*room));
	return err;
}

void pyro_tree_fini(struct pyro_tree *tree)
{
	pyro_pages_free(tree->node, tree->cap * sizeof(*tree->node));
	pyro_table_free(&tree->index);
	*tree = (struct pyro_tree){0};
}

uint32_t pyro_tree_next(const struct pyro_tree *tree, uint32_t node, bool skip)
{
	if (!skip && tree->node[node].first_child != PYRO_TREE_NONE)
		return tree->node[node].first_child;
	while (node != PYRO_TREE_NONE &&
	       tree->node[node].next_sibling == PYRO_TREE_NONE)
		node = tree->node[node].parent;
	return node == PYRO_TREE_NONE ? node : tree->node[node].next_sibling;
}
