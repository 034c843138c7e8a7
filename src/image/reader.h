// SPDX-License-Identifier: Apache-2.0
/* reader.h - bounds-checked cursor over little-endian bytes
 *
 * Failure is sticky: after the first read past the end all values are 0 and
 * `failed` stays set, so callers look once. */
#ifndef PYRO_IMAGE_READER_H
#define PYRO_IMAGE_READER_H

#include <string.h>

#include "base/util.h"

struct pyro_reader {
	const unsigned char *at;
	const unsigned char *end;
	bool failed;
};

static inline size_t pyro_reader_left(const struct pyro_reader *r)
{
	return (size_t)(r->end - r->at);
}

static inline void pyro_reader_fail(struct pyro_reader *r)
{
	r->failed = true;
	r->at = r->end;
}

/* The next len bytes, or NULL. */
static inline const unsigned char *pyro_reader_bytes(struct pyro_reader *r,
						     uint64_t len)
{
	const unsigned char *at = r->at;

	if (len > pyro_reader_left(r)) {
		pyro_reader_fail(r);
		return NULL;
	}
	r->at += len;
	return at;
}

static inline uint8_t pyro_reader_u8(struct pyro_reader *r)
{
	if (r->at == r->end) {
		pyro_reader_fail(r);
		return 0;
	}
	return *r->at++;
}

static inline uint16_t pyro_reader_u16(struct pyro_reader *r)
{
	const unsigned char *p = pyro_reader_bytes(r, 2);
	uint16_t value = 0;

	if (p)
		memcpy(&value, p, sizeof(value));
	return value;
}

static inline uint32_t pyro_reader_u32(struct pyro_reader *r)
{
	const unsigned char *p = pyro_reader_bytes(r, 4);
	uint32_t value = 0;

	if (p)
		memcpy(&value, p, sizeof(value));
	return value;
}

static inline uint64_t pyro_reader_u64(struct pyro_reader *r)
{
	const unsigned char *p = pyro_reader_bytes(r, 8);
	uint64_t value = 0;

	if (p)
		memcpy(&value, p, sizeof(value));
	return value;
}

/* LEB128; more than ten bytes, which 64 bits never need, is a failure. */
static inline uint64_t pyro_reader_leb(struct pyro_reader *r, bool is_signed)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t byte = pyro_reader_u8(r);

		value |= (uint64_t)(byte & 127) << shift;
		if (byte & 128)
			continue;
		if (is_signed && (byte & 64) && shift + 7 < 64)
			value |= ~UINT64_C(0) << (shift + 7);
		return value;
	}
	pyro_reader_fail(r);
	return 0;
}

static inline uint64_t pyro_reader_uleb(struct pyro_reader *r)
{
	return pyro_reader_leb(r, false);
}

static inline int64_t pyro_reader_sleb(struct pyro_reader *r)
{
	return (int64_t)pyro_reader_leb(r, true);
}

#endif
