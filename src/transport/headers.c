// SPDX-License-Identifier: Apache-2.0
/* headers.c - headers that the user wants in each request
 *
 * One block of text that is copied into the request as it stands. What comes in
 * is checked here and nowhere else: a line end in a value would be a header, or
 * a request, of somebody else's making. */
#include "transport/headers.h"

#include <string.h>
#include <strings.h>

#include "transport/url.h"

#define NAME_CAP 256   /* with its NUL, of a header in JSON */
#define TENANT_MAX 150 /* the server's limit */
#define USER_MAX PYRO_URL_USER_MAX
#define PASSWORD_MAX PYRO_URL_PASSWORD_MAX

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z');
}

/* The client's own, on which the framing of the request hangs. */
static bool is_ours(const char *name)
{
	static const char *const ours[] = {
		"Connection",       "Content-Encoding",
		"Content-Length",   "Content-Type",
		"Expect",           "Host",
		"Proxy-Connection", "TE",
		"Trailer",          "Upgrade",
		"User-Agent",       "Transfer-Encoding",
	};

	for (size_t i = 0; i < PYRO_COUNT_OF(ours); i++)
		if (strcasecmp(name, ours[i]) == 0)
			return true;
	return false;
}

static bool has(const struct pyro_headers *headers, const char *name)
{
	size_t len = strlen(name);
	const char *line = headers->text;

	while (*line) {
		if (strncasecmp(line, name, len) == 0 && line[len] == ':')
			return true;
		line = strchr(line, '\n') + 1;
	}
	return false;
}

const char pyro_headers_twice[] = "there is a header of that name already";

static const char *check_name(const char *name)
{
	if (!*name)
		return "a header without a name";
	for (const char *c = name; *c; c++)
		if (!is_alnum(*c) && !strchr("!#$%&'*+-.^_`|~", *c))
			return "a character in the name of a header that must "
			       "not be";
	if (is_ours(name))
		return "a header that the library writes itself";
	return NULL;
}

static const char *check_value(const char *value)
{
	if (!value[strspn(value, " \t")])
		return "a header without a value";
	for (const char *c = value; *c; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 127)
			return "a line end or control character in the value "
			       "of a header";
	return NULL;
}

const char *pyro_headers_add(struct pyro_headers *headers, const char *name,
			     const char *value)
{
	size_t name_len = strlen(name), value_len = strlen(value);
	const char *wrong = check_name(name);
	char *to = headers->text + headers->len;

	if (!wrong)
		wrong = check_value(value);
	if (wrong)
		return wrong;
	if (has(headers, name))
		return pyro_headers_twice;
	if (name_len >= PYRO_HEADERS_MAX || value_len >= PYRO_HEADERS_MAX ||
	    headers->len + name_len + value_len + 5 > PYRO_HEADERS_MAX)
		return "more than 8 KiB of headers";
	memcpy(to, name, name_len);
	to += name_len;
	memcpy(to, ": ", 2);
	memcpy(to + 2, value, value_len);
	memcpy(to + 2 + value_len, "\r\n", 3);
	headers->len += name_len + value_len + 4;
	return NULL;
}

static void base64(const char *from, size_t len, char *to)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3) {
		uint32_t bits = 0;

		for (size_t j = 0; j < 3; j++)
			bits = bits << 8 |
			       (i + j < len ? (unsigned char)from[i + j] : 0);
		for (size_t j = 0; j < 4; j++)
			*to++ = i + j > len ? '='
					    : digits[bits >> (18 - 6 * j) & 63];
	}
	*to = '\0';
}

const char *pyro_headers_basic(struct pyro_headers *headers, const char *user,
			       const char *password)
{
	char pair[USER_MAX + 1 + PASSWORD_MAX];
	char value[6 + (sizeof(pair) + 2) / 3 * 4 + 1] = "Basic ";
	size_t user_len = strlen(user), password_len = strlen(password);

	if (strchr(user, ':'))
		return "a colon in the user name";
	if (user_len > USER_MAX || password_len > PASSWORD_MAX)
		return "a user name of more than 255 or a password of more "
		       "than 1023 bytes";
	memcpy(pair, user, user_len);
	pair[user_len] = ':';
	memcpy(pair + user_len + 1, password, password_len);
	base64(pair, user_len + 1 + password_len, value + 6);
	return pyro_headers_add(headers, "Authorization", value);
}

const char *pyro_headers_bearer(struct pyro_headers *headers, const char *token)
{
	char value[7 + PYRO_SECRET_MAX + 1] = "Bearer ";
	size_t len = strlen(token);

	if (len == 0)
		return "an empty token";
	if (len > PYRO_SECRET_MAX)
		return "a token of more than 4 KiB";
	memcpy(value + 7, token, len + 1);
	return pyro_headers_add(headers, "Authorization", value);
}

/* The server reads it as a name of files: it accepts no others. */
const char *pyro_headers_tenant(struct pyro_headers *headers,
				const char *tenant)
{
	size_t len = strlen(tenant);

	if (len == 0 || len > TENANT_MAX)
		return "a tenant that is not 1 to 150 characters long";
	if (strcmp(tenant, ".") == 0 || strcmp(tenant, "..") == 0)
		return "a tenant that is a dot or two";
	for (const char *c = tenant; *c; c++)
		if (!is_alnum(*c) && !strchr("!-_.*'()", *c))
			return "a character in the tenant that must not be";
	return pyro_headers_add(headers, "X-Scope-OrgID", tenant);
}

static const char *skip_space(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

static int hex_value(const char *at, size_t digits)
{
	int value = 0;

	for (size_t i = 0; i < digits; i++) {
		char c = (char)(at[i] | 0x20);

		if (at[i] >= '0' && at[i] <= '9')
			value = value * 16 + (at[i] - '0');
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + (c - 'a' + 10);
		else
			return -1;
	}
	return value;
}

/* What stands behind a backslash, which is moved over; 0 if it is nothing that
 * could stand in a header. */
static char read_escape(const char **at)
{
	static const char plain[] = "\"\\/t", means[] = "\"\\/\t";
	const char *found = **at ? strchr(plain, **at) : NULL;
	int value;

	if (found) {
		++*at;
		return means[found - plain];
	}
	if (**at != 'u')
		return 0;
	value = hex_value(*at + 1, 4);
	if (value <= 0 || value > 127)
		return 0;
	*at += 5;
	return (char)value;
}

/* *at is a quote; false for what is no string, or too long a one. */
static bool read_string(const char **at, char *to, size_t cap)
{
	size_t len = 0;

	if (*(*at)++ != '"')
		return false;
	while (**at != '"') {
		char c = *(*at)++;

		if (c == '\\')
			c = read_escape(at);
		if (c == '\0' || len + 1 == cap)
			return false;
		to[len++] = c;
	}
	to[len] = '\0';
	++*at;
	return true;
}

/* "name": "value", which is moved over; false for what is not like it. */
static bool read_pair(const char **at, char name[NAME_CAP],
		      char value[PYRO_SECRET_MAX + 1])
{
	if (!read_string(at, name, NAME_CAP))
		return false;
	*at = skip_space(*at);
	if (*(*at)++ != ':')
		return false;
	*at = skip_space(*at);
	if (!read_string(at, value, PYRO_SECRET_MAX + 1))
		return false;
	*at = skip_space(*at);
	return true;
}

const char *pyro_headers_json(struct pyro_headers *headers, const char *json)
{
	static const char no[] = "it is not like {\"name\": \"value\"}";
	const char *at = skip_space(json), *first = NULL;
	char name[NAME_CAP], value[PYRO_SECRET_MAX + 1];

	if (*at++ != '{')
		return no;
	at = skip_space(at);
	if (*at == '}')
		return *skip_space(at + 1) ? no : NULL;
	for (;;) {
		if (!read_pair(&at, name, value))
			return no;

		const char *wrong = pyro_headers_add(headers, name, value);

		/* That one is there already is the least of what is wrong. */
		if (wrong && (!first || first == pyro_headers_twice))
			first = wrong;
		if (*at == '}')
			return *skip_space(at + 1) ? no : first;
		if (*at++ != ',')
			return no;
		at = skip_space(at);
	}
}
