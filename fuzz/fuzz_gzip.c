// SPDX-License-Identifier: Apache-2.0
/* fuzz_gzip.c - hostile gzip; and whatever the bytes are, they come back */
#include <stdlib.h>
#include <string.h>

#include "encode/gzip.h"

#define LIMIT ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len)
{
	struct pyro_buf packed = {0}, out = {0};

	if (pyro_gunzip(data, len, LIMIT, &out) == 0 && out.len > LIMIT)
		abort();
	out.len = 0;
	if (pyro_gzip(data, len, &packed) ||
	    pyro_gunzip(packed.data, packed.len, len, &out) || out.len != len ||
	    (len && memcmp(out.data, data, len) != 0))
		abort();
	pyro_buf_free(&packed);
	pyro_buf_free(&out);
	return 0;
}
