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

static uint64_t hash_edge(const struct edge *edge)
{
	return pyro_hash(edge, sizeof(*edge), 0);
}

static uint32_t find_child(const struct pyro_tree *tree, struct edge edge)
{
	uint32_t found = pyro_table_find(&tree->index, hash_edge(&edge),
					 same_edge, tree, &edge);

	return found == PYRO_TABLE_NONE ? PYRO_TREE_NONE : found;
}

static uint32_t add_child(struct pyro_tree *tree, struct edge edge)
{
	uint32_t parent = edge.parent;
	uint32_t fresh = add_node(
		tree,
		(struct pyro_node){.entry = edge.entry,
				   .parent = parent,
				   .depth = tree->node[parent].depth + 1});

	if (fresh == PYRO_TREE_NONE ||
	    pyro_table_add(&tree->index, hash_edge(&edge), fresh) < 0)
		return PYRO_TREE_NONE;
	tree->node[fresh].next_sibling = tree->node[parent].first_child;
	tree->node[parent].first_child = fresh;
	return fresh;
}

/* Where a stack ends, from the root. What is not there is added to `grow`,
 * unless that is NULL. A frame is several functions if some were inlined. */
static uint32_t walk(const struct pyro_tree *tree, struct pyro_tree *grow,
		     const struct pyro_profile *profile,
		     const struct pyro_report *report,
		     const struct pyro_sample *sample)
{
	const uint32_t *ids = profile->location_ids + sample->first_location;
	uint32_t at = PYRO_TREE_ROOT;

	for (uint32_t i = sample->location_count; i-- > 0;) {
		const struct pyro_location *location =
			&profile->locations[ids[i] - 1];
		/* The innermost stands first. */
		const uint32_t *entry =
			location->line_count
				? &report->line_entry[location->first_line]
				: &report->location_entry[ids[i] - 1];

		for (size_t l = pyro_max(location->line_count, 1); l-- > 0;) {
			struct edge edge = {at, entry[l]};

			at = find_child(tree, edge);
			if (at == PYRO_TREE_NONE && grow)
				at = add_child(grow, edge);
			if (at == PYRO_TREE_NONE)
				return at;
		}
	}
	return at;
}

uint32_t pyro_tree_find(const struct pyro_tree *tree,
			const struct pyro_profile *profile,
			const struct pyro_report *report,
			const struct pyro_sample *sample)
{
	return walk(tree, NULL, profile, report, sample);
}

static int add_sample(struct pyro_tree *tree,
		      const struct pyro_profile *profile,
		      const struct pyro_report *report,
		      const struct pyro_sample *sample, int64_t value)
{
	if (value == 0)
		return 0;

	uint32_t at = walk(tree, tree, profile, report, sample);

	if (at == PYRO_TREE_NONE)
		return -ENOMEM;
	tree->node[at].self = pyro_saturate(tree->node[at].self, value);
	return 0;
}

/* Children stand behind their parents. */
static void sum_up(struct pyro_tree *tree)
{
	for (size_t i = tree->count; i-- > 0;) {
		struct pyro_node *node = &tree->node[i];
		struct pyro_node *parent = &tree->node[node->parent];
		int64_t size = node->self == INT64_MIN ? INT64_MAX
			       : node->self < 0        ? -node->self
						       : node->self;

		node->total = pyro_saturate(node->total, size);
		node->change = pyro_saturate(node->change, node->self);
		if (i == PYRO_TREE_ROOT)
			break;
		parent->total = pyro_saturate(parent->total, node->total);
		parent->change = pyro_saturate(parent->change, node->change);
	}
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
	sum_up(tree);
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
