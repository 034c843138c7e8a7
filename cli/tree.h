// SPDX-License-Identifier: Apache-2.0
/* tree.h - a profile's stacks, joined from the root: a flame graph's boxes */
#ifndef PYRO_CLI_TREE_H
#define PYRO_CLI_TREE_H

#include "cli/report.h"

#define PYRO_TREE_ROOT 0
#define PYRO_TREE_NONE UINT32_MAX

struct pyro_node {
	uint32_t entry; /* of the report; the root has none */
	uint32_t depth; /* of the root: 0 */
	uint32_t parent, first_child, next_sibling;
	int64_t self;   /* of stacks that end here */
	int64_t change; /* self of this and all below */
	int64_t total;  /* the same without signs: a box's width */
};

struct pyro_tree {
	struct pyro_node *node; /* number 0 is the root */
	size_t count, cap;
	struct pyro_table index;
};

/* Join the stacks by value number `type`; values are negative where the profile
 * is a difference. report is of the same profile, not sorted. Children are in
 * order, heaviest first, equal ones by name. 0 or -ENOMEM; free in any case. */
int pyro_tree_init(struct pyro_tree *tree, const struct pyro_profile *profile,
		   const struct pyro_report *report, size_t type);
void pyro_tree_fini(struct pyro_tree *tree);

/* The node where this sample's stack ends, PYRO_TREE_NONE if it is not joined:
 * its value is 0. */
uint32_t pyro_tree_find(const struct pyro_tree *tree,
			const struct pyro_profile *profile,
			const struct pyro_report *report,
			const struct pyro_sample *sample);

/* The next node in preorder, or PYRO_TREE_NONE. With skip, what is below node
 * is left out. */
uint32_t pyro_tree_next(const struct pyro_tree *tree, uint32_t node, bool skip);

#endif
