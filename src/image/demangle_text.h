// SPDX-License-Identifier: Apache-2.0
/* demangle_text.h - what the demanglers write (demangle_*.c only) */
#ifndef PYRO_IMAGE_DEMANGLE_TEXT_H
#define PYRO_IMAGE_DEMANGLE_TEXT_H

#include <string.h>

#include "base/util.h"

/* Bounded, with sticky failure: look at it once. */
struct pyro_text {
	char *data;
	size_t len, cap; /* one byte stays for a NUL */
	bool skips;      /* nothing is written */
	bool failed;
};

static inline void pyro_text_put(struct pyro_text *t, const char *s, size_t len)
{
	if (t->skips || t->failed)
		return;
	if (len >= t->cap - t->len) {
		t->failed = true;
		return;
	}
	memcpy(t->data + t->len, s, len);
	t->len += len;
}

static inline void pyro_text_puts(struct pyro_text *t, const char *s)
{
	pyro_text_put(t, s, strlen(s));
}

static inline bool pyro_is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
	       (c >= 'a' && c <= 'z') || c == '_';
}

void pyro_text_number(struct pyro_text *t, uint64_t n);
/* A character constant, what is not ASCII or printable as '\u{e9}'. */
void pyro_text_quote(struct pyro_text *t, uint32_t c);
/* One character as UTF-8; fails if it is none. */
void pyro_text_char(struct pyro_text *t, uint32_t c);
/* An identifier of Punycode, with "_" as its delimiter (RFC 3492, RFC 2603). */
void pyro_text_punycode(struct pyro_text *t, const char *s, size_t len);
/* demangle_legacy.c: name is what follows _ZN. False: it is none of Rust's. */
bool pyro_demangle_legacy(const char *name, struct pyro_text *text);

#endif
