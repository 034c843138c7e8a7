// SPDX-License-Identifier: Apache-2.0
/* say.c - one-line messages of the pyro command */
#include "cli/cli.h"

#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "base/os.h"

/* Bytes of the UTF-8 character at s (its lead byte decides), no more than the
 * string has. */
static size_t char_len(const char *s)
{
	unsigned char lead = (unsigned char)*s;
	size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;

	return strnlen(s, len);
}

static bool is_control(const char *s)
{
	unsigned char c = (unsigned char)s[0];

	if (c == 0xc2) /* U+0080 to U+009F: some terminals obey them */
		return (unsigned char)s[1] < 0xa0;
	return c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xc0);
}

char *pyro_printable(const char *s, char *to, size_t cap)
{
	size_t len = 0;

	while (*s) {
		size_t n = char_len(s);
		bool bad = is_control(s);

		if (len + (bad ? 1 : n) >= cap)
			break;
		if (bad)
			to[len++] = '?';
		else
			for (size_t i = 0; i < n; i++)
				to[len++] = s[i];
		s += n;
	}
	to[len] = '\0';
	return to;
}

void pyro_say(const char *fmt, ...)
{
	char text[4096], line[4096];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	memcpy(line, "pyro: ", 6);
	pyro_printable(text, line + 6, sizeof(line) - 7);

	size_t len = strlen(line);

	line[len] = '\n';
	/* One write: lines of the program's own do not come between. */
	(void)pyro_write_all(2, line, len + 1);
}

int pyro_bad_option(char **argv, int result)
{
	const char *arg = argv[optind - 1];

	if (result == ':')
		pyro_say("%s: %s needs a value; see pyro %s --help", argv[0],
			 arg, argv[0]);
	else
		pyro_say("%s: unknown option %s; see pyro %s --help", argv[0],
			 arg, argv[0]);
	return PYRO_EXIT_USAGE;
}
