// SPDX-License-Identifier: Apache-2.0
/* buf.c - growable bytes with sticky failure */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"

unsigned char *pyro_buf_reserve(struct pyro_buf *buf, size_t more)
{
	if (buf->failed || more > SIZE_MAX / 2 - buf->len) {
		buf->failed = true;
		return NULL;
	}

	unsigned char *data = pyro_array_grow(buf->data, &buf->cap,
					      pyro_max(buf->len + more, 1), 1);

	if (!data) {
		buf->failed = true;
		return NULL;
	}
	buf->data = data;
	return data + buf->len;
}

void pyro_buf_put(struct pyro_buf *buf, const void *data, size_t len)
{
	unsigned char *to = pyro_buf_reserve(buf, len);

	if (to && len) {
		memcpy(to, data, len);
		buf->len += len;
	}
}

void pyro_buf_puts(struct pyro_buf *buf, const char *s)
{
	pyro_buf_put(buf, s, strlen(s));
}

void pyro_buf_printf(struct pyro_buf *buf, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	int len = vsnprintf(NULL, 0, fmt, args);
	va_end(args);

	unsigned char *to =
		len < 0 ? NULL : pyro_buf_reserve(buf, (size_t)len + 1);

	if (!to) {
		buf->failed = true;
		return;
	}
	va_start(args, fmt);
	vsnprintf((char *)to, (size_t)len + 1, fmt, args);
	va_end(args);
	buf->len += (size_t)len;
}

void pyro_buf_free(struct pyro_buf *buf)
{
	pyro_pages_free(buf->data, buf->cap);
	*buf = (struct pyro_buf){0};
}
