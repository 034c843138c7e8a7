// SPDX-License-Identifier: Apache-2.0
/* fuzz_synth.c - rules from any bytes as code
 *
 * The first byte chooses what is known of it; the rest is code at 0x1000, whose
 * first byte is a function and whose 65th may be one. */
#include "image/synth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(void *arg, uint64_t hi, const struct pyro_rule *rule)
{
	uint64_t *last = arg;

	if (hi <= *last || rule->cfa > PYRO_CFA_BAD)
		__builtin_trap();
	*last = hi;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint64_t start[] = {0x1000}, local[] = {0x1040};
	uint64_t last = 0x1000;

	if (size < 2)
		return 0;

	struct pyro_synth_code code = {
		.bytes = data + 1,
		.lo = 0x1000,
		.len = size - 1,
		.start = start,
		.start_count = 1,
		.local = local,
		.local_count = data[0] >> 3 & 1,
		.entry = data[0] & 1 ? 0x1000 : 0,
		.is_absolute = data[0] & 2,
		.is_code = data[0] & 4,
	};

	struct pyro_synth *synth = pyro_synth_new();

	if (synth && pyro_synth_rows(synth, &code, check, &last) == 0 &&
	    last != 0xfff + size)
		__builtin_trap();
	pyro_synth_free(synth);
	return 0;
}
