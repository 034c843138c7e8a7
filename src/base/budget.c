// SPDX-License-Identifier: Apache-2.0
/* budget.c - decisions of numbers alone */
#include "base/budget.h"

uint64_t pyro_budget_share(const struct pyro_spent *spent)
{
	uint64_t whole = pyro_max(spent->program, spent->wall);

	return whole ? (uint64_t)((double)spent->own * 1e6 / (double)whole) : 0;
}

unsigned pyro_budget_halvings(uint64_t budget_permille, unsigned halvings,
			      uint64_t share, uint64_t steady)
{
	uint64_t budget = budget_permille * 1000;
	bool fits;

	if (share > budget)
		return halvings + (halvings < PYRO_HALVINGS_MAX);
	fits = 2 * (share - steady) <= (budget - steady) / 4 * 3;
	return halvings - (halvings > 0 && fits);
}

uint64_t pyro_budget_time(uint64_t budget_permille, uint64_t cpu_ns)
{
	return cpu_ns * 2000 / budget_permille;
}

uint64_t pyro_budget_cpu(uint64_t budget_permille, uint64_t time_ns)
{
	return time_ns / 2000 * budget_permille;
}
