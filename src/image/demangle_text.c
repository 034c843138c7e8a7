// SPDX-License-Identifier: Apache-2.0
/* demangle_text.c - numbers and characters in names */
#include "image/demangle_text.h"

#define PUNYCODE_MAX 256 /* characters of one name */

void pyro_text_number(struct pyro_text *t, uint64_t n)
{
	char digit[20];
	size_t at = sizeof(digit);

	do
		digit[--at] = (char)('0' + n % 10);
	while (n /= 10);
	pyro_text_put(t, digit + at, sizeof(digit) - at);
}

void pyro_text_quote(struct pyro_text *t, uint32_t c)
{
	static const char digit[] = "0123456789abcdef";
	char hex[8], one = (char)c;
	size_t at = sizeof(hex);

	pyro_text_puts(t, "'");
	if (c >= ' ' && c < 0x7f && c != '\'' && c != '\\') {
		pyro_text_put(t, &one, 1);
	} else {
		pyro_text_puts(t, "\\u{");
		do
			hex[--at] = digit[c & 15];
		while (c >>= 4);
		pyro_text_put(t, hex + at, sizeof(hex) - at);
		pyro_text_puts(t, "}");
	}
	pyro_text_puts(t, "'");
}

void pyro_text_char(struct pyro_text *t, uint32_t c)
{
	unsigned char b[4];
	size_t len = 0;

	if (c >= 0x110000 || (c >= 0xd800 && c < 0xe000)) {
		t->failed = true;
		return;
	}
	if (c < 0x80) {
		b[len++] = (unsigned char)c;
	} else if (c < 0x800) {
		b[len++] = (unsigned char)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		b[len++] = (unsigned char)(0xe0 | c >> 12);
		b[len++] = (unsigned char)(0x80 | (c >> 6 & 63));
	} else {
		b[len++] = (unsigned char)(0xf0 | c >> 18);
		b[len++] = (unsigned char)(0x80 | (c >> 12 & 63));
		b[len++] = (unsigned char)(0x80 | (c >> 6 & 63));
	}
	if (c >= 0x80)
		b[len++] = (unsigned char)(0x80 | (c & 63));
	pyro_text_put(t, (const char *)b, len);
}

/* The ASCII characters, the delimiter, then for each other one how far to go
 * through all (character, place) until it is put in. */
struct punycode {
	uint32_t out[PUNYCODE_MAX];
	size_t count;
	const char *at, *end;
};

/* One distance, added to *i. */
static bool add_delta(struct punycode *p, size_t bias, size_t *i)
{
	size_t weight = 1;

	for (size_t k = 36;; k += 36) {
		char c = p->at < p->end ? *p->at++ : '\0';
		size_t digit, t = k <= bias ? 1 : k - bias;

		if (c >= 'a' && c <= 'z')
			digit = (size_t)(c - 'a');
		else if (c >= '0' && c <= '9')
			digit = (size_t)(c - '0') + 26;
		else
			return false;
		t = t > 26 ? 26 : t;
		*i += digit * weight;
		if (digit < t)
			return true;
		weight *= 36 - t;
		if (weight > UINT32_MAX || *i > UINT32_MAX)
			return false;
	}
}

static size_t adapt(size_t delta, size_t count, bool is_first)
{
	size_t bias = 0;

	delta = is_first ? delta / 700 : delta / 2;
	delta += delta / count;
	for (; delta > 455; bias += 36)
		delta /= 35;
	return bias + 36 * delta / (delta + 38);
}

static bool decode(struct punycode *p)
{
	size_t bias = 72, i = 0;
	uint32_t c = 128;
	bool is_first = true;

	while (p->at < p->end) {
		size_t before = i;

		if (p->count >= PUNYCODE_MAX || !add_delta(p, bias, &i))
			return false;
		p->count++;
		bias = adapt(i - before, p->count, is_first);
		is_first = false;
		if (i / p->count >= 0x110000 - c)
			return false;
		c += (uint32_t)(i / p->count);
		i %= p->count;
		memmove(p->out + i + 1, p->out + i,
			(p->count - 1 - i) * sizeof(p->out[0]));
		p->out[i++] = c;
	}
	return true;
}

void pyro_text_punycode(struct pyro_text *t, const char *s, size_t len)
{
	struct punycode p = {.at = s, .end = s + len};
	const char *last = len ? memrchr(s, '_', len) : NULL;

	if (t->skips || t->failed)
		return;
	if (last && last - s <= PUNYCODE_MAX) {
		for (; p.at < last; p.at++)
			p.out[p.count++] = (unsigned char)*p.at;
		p.at++;
	}
	if (p.at == p.end || !decode(&p)) {
		t->failed = true;
		return;
	}
	for (size_t i = 0; i < p.count; i++)
		pyro_text_char(t, p.out[i]);
}
