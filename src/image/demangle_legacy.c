// SPDX-License-Identifier: Apache-2.0
/* demangle_legacy.c - Rust's older names
 *
 * They look like C++ ones; the last part is a hash, and characters that are no
 * letters are written as $LT$ or $u7b$. */
#include "image/demangle.h"
#include "image/demangle_text.h"

#define HASH_LEN 17

/* Behind the "$" of an escape; returns its length, 0 if it is none. */
static size_t escape(struct pyro_text *t, const char *s, size_t len)
{
	static const struct {
		char code[3];
		char c;
	} known[] = {{"SP", '@'}, {"BP", '*'}, {"RF", '&'}, {"LT", '<'},
		     {"GT", '>'}, {"LP", '('}, {"RP", ')'}, {"C", ','}};
	const char *end = memchr(s, '$', len);
	size_t n = end ? (size_t)(end - s) : 0;
	uint32_t c = 0;

	for (size_t i = 0; i < PYRO_COUNT_OF(known); i++) {
		if (n == strlen(known[i].code) &&
		    memcmp(s, known[i].code, n) == 0) {
			pyro_text_put(t, &known[i].c, 1);
			return n + 1;
		}
	}
	if (n < 2 || n > 7 || s[0] != 'u')
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (s[i] >= '0' && s[i] <= '9')
			c = c << 4 | (uint32_t)(s[i] - '0');
		else if (s[i] >= 'a' && s[i] <= 'f')
			c = c << 4 | (uint32_t)(s[i] - 'a' + 10);
		else
			return 0;
	}
	pyro_text_char(t, c);
	return n + 1;
}

static bool put_part(struct pyro_text *t, const char *s, size_t len)
{
	/* What begins with no letter has one put before. */
	size_t i = len > 1 && s[0] == '_' && s[1] == '$';

	while (i < len && !t->failed) {
		if (s[i] == '$') {
			size_t n = escape(t, s + i + 1, len - i - 1);

			if (n == 0)
				return false;
			i += n + 1;
		} else if (s[i] == '.' && i + 1 < len && s[i + 1] == '.') {
			pyro_text_puts(t, "::");
			i += 2;
		} else if (pyro_is_word(s[i]) || s[i] == '.' || s[i] == '-') {
			pyro_text_put(t, s + i++, 1);
		} else {
			return false;
		}
	}
	return !t->failed;
}

/* "h" and 16 digits, not few different ones: C++ could have such a name. */
static bool is_hash(const char *s, size_t len)
{
	unsigned seen = 0;

	if (len != HASH_LEN || s[0] != 'h')
		return false;
	for (size_t i = 1; i < len; i++) {
		if (s[i] >= '0' && s[i] <= '9')
			seen |= 1U << (s[i] - '0');
		else if (s[i] >= 'a' && s[i] <= 'f')
			seen |= 1U << (s[i] - 'a' + 10);
		else
			return false;
	}
	return __builtin_popcount(seen) >= 5;
}

/* The length in front of a part; 0 when there is none. */
static size_t length(const char **at, const char *end)
{
	size_t n = 0;

	while (*at < end && **at >= '0' && **at <= '9' && n <= PYRO_MANGLED_MAX)
		n = n * 10 + (size_t)(*(*at)++ - '0');
	return n;
}

bool pyro_demangle_legacy(const char *name, struct pyro_text *text)
{
	const char *at = name, *end = name + strlen(name);

	for (;;) {
		size_t len = length(&at, end);
		const char *part = at;

		if (len == 0 || len >= (size_t)(end - at))
			return false;
		at += len;
		if (*at == 'E' && is_hash(part, len))
			break;
		if (text->len > 0)
			pyro_text_puts(text, "::");
		if (!put_part(text, part, len))
			return false;
	}
	/* LLVM appends to a name it had to make another of. */
	return text->len > 0 && (at[1] == '\0' || at[1] == '.');
}
