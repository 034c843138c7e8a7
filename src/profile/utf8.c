// SPDX-License-Identifier: Apache-2.0
/* utf8.c - any bytes to valid UTF-8
 *
 * Symbol names, file names and labels may hold anything, and one byte that is
 * not UTF-8 makes the server refuse the whole profile. Ill-formed sequences are
 * replaced the way the Unicode standard recommends (chapter 3.9, "maximal
 * subpart"), so that other programs show the same text. */
#include "profile/utf8.h"

#include <string.h>

/* How long the character that s begins with is, with *valid; or how many bytes
 * one U+FFFD stands for, without. */
static size_t character(const unsigned char *s, size_t len, bool *valid)
{
	/* The second byte's range shuts out overlong forms, surrogates and what
	 * lies above U+10FFFF. */
	unsigned char lo = 0x80, hi = 0xbf;
	size_t need;

	*valid = false;
	if (s[0] < 0x80) {
		*valid = s[0] != 0;
		return 1;
	}
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 1;
	need = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (s[0] == 0xe0)
		lo = 0xa0;
	else if (s[0] == 0xed)
		hi = 0x9f;
	else if (s[0] == 0xf0)
		lo = 0x90;
	else if (s[0] == 0xf4)
		hi = 0x8f;

	for (size_t i = 1; i < need; i++) {
		if (i == len || s[i] < lo || s[i] > hi)
			return i;
		lo = 0x80;
		hi = 0xbf;
	}
	*valid = true;
	return need;
}

size_t pyro_utf8_clean(const char *s, size_t len, char *to, size_t room)
{
	size_t used = 0;

	while (len) {
		bool valid;
		size_t n = character((const unsigned char *)s, len, &valid);
		const char *from = valid ? s : "\xef\xbf\xbd";
		size_t width = valid ? n : 3;

		if (width > room - used)
			break;
		memcpy(to + used, from, width);
		used += width;
		s += n;
		len -= n;
	}
	return used;
}
