// SPDX-License-Identifier: Apache-2.0
/* url.c - take the server's address apart
 *
 * Strict, because a mistyped address must be told at once and not become a
 * connection to somewhere else. Each step returns what is wrong, or NULL. */
#include "transport/url.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define LABEL_MAX 63 /* of a DNS name */

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_label_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

/* A name whose last label is a number is read as an IPv4 address by some
 * resolvers and as a name by others: only the dotted form is let through. */
static bool is_name_or_ipv4(const char *host)
{
	struct in_addr ipv4;
	size_t label_len = 0;
	bool number = true;

	for (const char *c = host; *c; c++) {
		if (*c == '.') {
			if (label_len == 0)
				return false;
			label_len = 0;
			number = true;
			continue;
		}
		if (!is_label_char(*c) || ++label_len > LABEL_MAX)
			return false;
		number = number && is_digit(*c);
	}
	if (label_len == 0)
		return false;
	return !number || inet_pton(AF_INET, host, &ipv4) == 1;
}

static const char *parse_port(const char *at, const char *end, uint16_t *port)
{
	unsigned value = 0;

	if (at == end || end - at > 5)
		return "the port must be 1 to 65535";
	for (; at < end; at++) {
		if (!is_digit(*at))
			return "the port must be 1 to 65535";
		value = value * 10 + (unsigned)(*at - '0');
	}
	if (value < 1 || value > 65535)
		return "the port must be 1 to 65535";
	*port = (uint16_t)value;
	return NULL;
}

static const char *parse_host(const char *at, const char *end,
			      struct pyro_url *url)
{
	size_t len = (size_t)(end - at);
	struct in6_addr ipv6;

	if (len == 0)
		return "there is no host";
	if (len > PYRO_URL_HOST_MAX)
		return "the host is longer than 253 characters";
	memcpy(url->host, at, len);
	url->host[len] = '\0';
	if (url->ipv6)
		return inet_pton(AF_INET6, url->host, &ipv6) == 1
			       ? NULL
			       : "not an IPv6 address in the brackets";
	return is_name_or_ipv4(url->host) ? NULL : "the host is not valid";
}

static int hex_digit(char c)
{
	char lower = (char)(c | 0x20);

	if (is_digit(c))
		return c - '0';
	return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* Undo the percent encoding; false for what is none, for a control character
 * and for what is too long. */
static bool decode(const char *at, const char *end, char *to, size_t max)
{
	for (size_t len = 0; at < end; len++) {
		int c = (unsigned char)*at++;

		if (c == '%') {
			if (end - at < 2 || hex_digit(at[0]) < 0 ||
			    hex_digit(at[1]) < 0)
				return false;
			c = hex_digit(at[0]) << 4 | hex_digit(at[1]);
			at += 2;
		}
		if (len == max || c < ' ' || c == 127)
			return false;
		to[len] = (char)c;
	}
	return true;
}

static const char *parse_user(const char *at, const char *end,
			      struct pyro_url *url)
{
	const char *colon = memchr(at, ':', (size_t)(end - at));
	const char *user_end = colon ? colon : end;

	if (at == end)
		return "there is nothing before the @";
	if (!decode(at, user_end, url->user, PYRO_URL_USER_MAX))
		return "the user name is not valid";
	if (colon &&
	    !decode(colon + 1, end, url->password, PYRO_URL_PASSWORD_MAX))
		return "the password is not valid";
	url->has_user = true;
	return NULL;
}

static const char *parse_authority(const char *at, const char *end,
				   struct pyro_url *url)
{
	const char *user_end = memrchr(at, '@', (size_t)(end - at));
	const char *host_end;
	const char *rest; /* behind the host: "" or ":port" */

	if (user_end) {
		const char *wrong = parse_user(at, user_end, url);

		if (wrong)
			return wrong;
		at = user_end + 1;
	}

	size_t len = (size_t)(end - at);

	url->ipv6 = len > 0 && *at == '[';
	if (url->ipv6) {
		at++;
		host_end = memchr(at, ']', len - 1);
		if (!host_end)
			return "a bracket is not closed";
		rest = host_end + 1;
	} else {
		rest = memchr(at, ':', len);
		if (!rest)
			rest = end;
		host_end = rest;
	}

	const char *wrong = parse_host(at, host_end, url);

	if (wrong || rest == end)
		return wrong;
	if (*rest != ':')
		return "only a port may follow the bracket";
	url->has_port = true;
	return parse_port(rest + 1, end, &url->port);
}

static const char *parse_socket(const char *at, const char *end,
				struct pyro_url *url)
{
	size_t len = (size_t)(end - at);

	if (len == 0 || *at != '/')
		return "the path of a socket must begin with a slash";
	if (len > PYRO_URL_SOCKET_MAX)
		return "the path of a socket is longer than 107 characters";
	memcpy(url->socket, at, len);
	strcpy(url->host, "localhost");
	url->port = 80;
	return NULL;
}

/* [at, end) is trimmed and not empty. */
static const char *parse(const char *at, const char *end, struct pyro_url *url)
{
	for (const char *c = at; c < end; c++)
		if (*c <= ' ' || *c > '~')
			return "there is a character in it that must not be";

	if (end - at >= 7 && strncasecmp(at, "http://", 7) == 0) {
		at += 7;
	} else if (end - at >= 8 && strncasecmp(at, "https://", 8) == 0) {
		at += 8;
		url->https = true;
	} else if (end - at >= 7 && strncasecmp(at, "unix://", 7) == 0) {
		return parse_socket(at + 7, end, url);
	} else {
		return "it must begin with http://, https:// or unix:///";
	}
	url->port = url->https ? 443 : 80;

	const char *path = at;

	while (path < end && !strchr("/?#", *path))
		path++;

	const char *wrong = parse_authority(at, path, url);

	if (wrong)
		return wrong;

	const char *path_end = path;

	while (path_end < end && *path_end != '?' && *path_end != '#')
		path_end++;
	url->dropped = path_end < end;
	while (path_end > path && path_end[-1] == '/')
		path_end--;
	if (path_end - path > PYRO_URL_PATH_MAX)
		return "the path is longer than 1024 characters";
	memcpy(url->path, path, (size_t)(path_end - path));
	return NULL;
}

int pyro_url_parse(const char *text, struct pyro_url *url, const char **why)
{
	const char *at = text ? text : "";
	const char *end = at + strlen(at);

	while (at < end && is_space(*at))
		at++;
	while (end > at && is_space(end[-1]))
		end--;
	if (at == end) {
		at = PYRO_URL_DEFAULT;
		end = at + strlen(at);
	}

	memset(url, 0, sizeof(*url));
	*why = parse(at, end, url);
	return *why ? -EINVAL : 0;
}

void pyro_url_redact(const char *text, char *to, size_t cap)
{
	const char *hidden = strrchr(text, '@');
	const char *scheme = strstr(text, "://");
	size_t shown = 0;

	if (hidden && scheme && scheme < hidden)
		shown = (size_t)(scheme + 3 - text);
	snprintf(to, cap, "%.*s%s%s", (int)shown, text, hidden ? "***" : "",
		 hidden ? hidden : text);
}
