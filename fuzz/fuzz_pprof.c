// SPDX-License-Identifier: Apache-2.0
/* fuzz_pprof.c - hostile profiles: what can be read can be written and read
 * again as the same, merged and trimmed, with its totals */
#include <stdlib.h>

#include "encode/pprof.h"
#include "profile/merge.h"

#define CHECK(condition)          \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static uint64_t total(const struct pyro_profile *p, size_t type)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->samples_count; i++)
		sum += (uint64_t)p->samples[i].value[type];
	return sum;
}

static void check_totals(const struct pyro_profile *a,
			 const struct pyro_profile *b)
{
	CHECK(a->type_count == b->type_count);
	for (size_t i = 0; i < a->type_count; i++)
		CHECK(total(a, i) == total(b, i));
}

static void check_again(const struct pyro_profile *p)
{
	struct pyro_profile *again = NULL;
	struct pyro_buf out = {0};

	CHECK(pyro_pprof_write(p, &out) == 0);
	CHECK(pyro_pprof_read(out.data, out.len, &again) == 0);
	CHECK(again->samples_count == p->samples_count);
	CHECK(again->locations_count == p->locations_count);
	check_totals(p, again);
	pyro_profile_free(again);
	pyro_buf_free(&out);
}

static void check_merge_and_trim(const struct pyro_profile *p)
{
	struct pyro_profile *merged = pyro_profile_new();
	struct pyro_profile *less = pyro_profile_trim(p, p->samples_count / 2);

	CHECK(merged && less);
	CHECK(pyro_profile_merge(merged, p) == 0);
	check_totals(p, merged);
	check_totals(p, less);
	check_again(less);
	pyro_profile_free(merged);
	pyro_profile_free(less);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
	struct pyro_profile *p = NULL;

	if (pyro_pprof_read(data, len, &p) == 0) {
		check_again(p);
		check_merge_and_trim(p);
		pyro_profile_free(p);
	}
	return 0;
}
