// SPDX-License-Identifier: Apache-2.0
/* buf.h - growable bytes with sticky failure: append without checking, look at
 * `failed` once at the end. Zero-initialised is empty and ready. */
#ifndef PYRO_BASE_BUF_H
#define PYRO_BASE_BUF_H

#include "base/util.h"

struct pyro_buf {
	unsigned char *data; /* pages, not NUL-terminated */
	size_t len;
	size_t cap;
	bool failed; /* out of memory once: contents are not to be used */
};

/* Room for more bytes behind len; NULL (and failed set) for out of memory.
 * The caller may write up to more bytes there and add to len. */
unsigned char *pyro_buf_reserve(struct pyro_buf *buf, size_t more);
void pyro_buf_put(struct pyro_buf *buf, const void *data, size_t len);
void pyro_buf_puts(struct pyro_buf *buf, const char *s);
void pyro_buf_printf(struct pyro_buf *buf, const char *fmt, ...)
	PYRO_PRINTF(2, 3);
/* Free the bytes; the buffer is empty and ready again. */
void pyro_buf_free(struct pyro_buf *buf);

#endif
