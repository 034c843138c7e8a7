// SPDX-License-Identifier: Apache-2.0
/* http_parse.c - HTTP/1 responses, byte by byte
 *
 * Lines are kept up to 255 bytes: no header that we look at is longer, and of
 * others only the end matters. Interim (1xx) responses are skipped. */
#include "transport/http_parse.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "HTTP/1.1 200 Reason" -> 200; 0 for anything else. */
static int parse_status_line(const char *line)
{
	if (strncmp(line, "HTTP/1.", 7) != 0 || !is_digit(line[7]) ||
	    line[8] != ' ')
		return 0;

	const char *code = line + 9;

	if (!is_digit(code[0]) || !is_digit(code[1]) || !is_digit(code[2]) ||
	    (code[3] != ' ' && code[3] != '\0'))
		return 0;

	int status =
		(code[0] - '0') * 100 + (code[1] - '0') * 10 + (code[2] - '0');

	return status >= 100 && status <= 599 ? status : 0;
}

/* A decimal number and nothing else; too large is UINT64_MAX. */
static bool parse_number(const char *s, uint64_t *value)
{
	if (!is_digit(*s))
		return false;
	for (*value = 0; is_digit(*s); s++)
		*value = *value > UINT64_MAX / 10 - 1
				 ? UINT64_MAX
				 : *value * 10 + (uint64_t)(*s - '0');
	return *s == '\0';
}

/* Two or four digits at *at, or -1. */
static int read_digits(const char *at, int count)
{
	int value = 0;

	for (int i = 0; i < count; i++) {
		if (!is_digit(at[i]))
			return -1;
		value = value * 10 + (at[i] - '0');
	}
	return value;
}

/* Days from 1970-01-01 to a date from then on; month counts from 0. */
static int64_t days_until(int year, int month, int day)
{
	static const int before[] = {0,   31,  59,  90,  120, 151,
				     181, 212, 243, 273, 304, 334};
	int past = year - (month < 2); /* leap days until then */

	return (year - 1970) * INT64_C(365) + (past - 1968) / 4 -
	       (past - 1900) / 100 + (past - 1600) / 400 + before[month] + day -
	       1;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT", the form that servers must send, in seconds
 * since 1970; 0 for anything else. */
static int64_t parse_date(const char *s)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char month[4] = "";

	if (strlen(s) != 29 || s[7] != ' ' || strcmp(s + 25, " GMT") != 0)
		return 0;
	memcpy(month, s + 8, 3);

	const char *found = strstr(months, month);
	int day = read_digits(s + 5, 2), year = read_digits(s + 12, 4);
	int hour = read_digits(s + 17, 2), minute = read_digits(s + 20, 2);
	int second = read_digits(s + 23, 2);

	if (!found || (found - months) % 3 || day < 1 || day > 31 ||
	    year < 1970 || hour < 0 || minute < 0 || second < 0)
		return 0;
	return days_until(year, (int)(found - months) / 3, day) * 86400 +
	       hour * 3600 + minute * 60 + second;
}

static bool parse_chunk_size(const char *s, uint64_t *size)
{
	const char *start = s;

	for (*size = 0; *s; s++) {
		char c = (char)(*s | 0x20);
		unsigned digit;

		if (is_digit(*s))
			digit = (unsigned)(*s - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			break;
		if (*size > UINT64_MAX >> 4)
			return false;
		*size = *size << 4 | digit;
	}
	return s > start && (!*s || *s == ';' || *s == ' ' || *s == '\t');
}

/* The value when the line is this header, else NULL. */
static const char *header_value(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(line, name, len) != 0 || line[len] != ':')
		return NULL;
	line += len + 1;
	while (*line == ' ' || *line == '\t')
		line++;
	return line;
}

static void on_header(struct pyro_http_parser *parser)
{
	char *line = parser->line;
	size_t len = strlen(line);
	const char *value;
	uint64_t number;

	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		line[--len] = '\0';

	if ((value = header_value(line, "content-length"))) {
		parser->has_length = parse_number(value, &parser->length);
	} else if ((value = header_value(line, "transfer-encoding"))) {
		size_t value_len = strlen(value);

		parser->chunked =
			value_len >= 7 &&
			strcasecmp(value + value_len - 7, "chunked") == 0;
	} else if ((value = header_value(line, "retry-after"))) {
		if (parse_number(value, &number))
			parser->response.retry_after_s =
				(uint32_t)pyro_min(number, UINT32_MAX);
		else
			parser->retry_after_s = parse_date(value);
	} else if ((value = header_value(line, "date"))) {
		parser->date_s = parse_date(value);
	}
}

/* A date means a wait only with the server's own idea of the present: the clock
 * here may be another one. */
static void take_retry_date(struct pyro_http_parser *parser)
{
	int64_t wait = parser->retry_after_s - parser->date_s;

	if (parser->retry_after_s && parser->date_s && wait > 0)
		parser->response.retry_after_s =
			(uint32_t)pyro_min((uint64_t)wait, UINT32_MAX);
}

static void on_head_end(struct pyro_http_parser *parser)
{
	int status = parser->response.status;

	if (status < 200) {
		parser->response = (struct pyro_http_response){0};
		parser->has_length = false;
		parser->chunked = false;
		parser->date_s = parser->retry_after_s = 0;
		parser->state = PYRO_HTTP_STATUS_LINE;
		return;
	}
	take_retry_date(parser);
	parser->head_done = true;
	if (status == 204 || status == 304) {
		parser->state = PYRO_HTTP_DONE;
	} else if (parser->chunked) {
		parser->state = PYRO_HTTP_CHUNK_SIZE;
	} else {
		if (!parser->has_length)
			parser->length = UINT64_MAX;
		parser->state =
			parser->length ? PYRO_HTTP_BODY : PYRO_HTTP_DONE;
	}
}

/* parser->line is NUL-terminated and without its line end. */
static int on_line(struct pyro_http_parser *parser)
{
	switch (parser->state) {
	case PYRO_HTTP_STATUS_LINE:
		parser->response.status = parse_status_line(parser->line);
		if (!parser->response.status)
			return -EPROTO;
		parser->state = PYRO_HTTP_HEADERS;
		return 0;
	case PYRO_HTTP_HEADERS:
		if (parser->line_len == 0)
			on_head_end(parser);
		else if (parser->line_len < sizeof(parser->line))
			on_header(parser);
		return 0;
	case PYRO_HTTP_CHUNK_SIZE:
		parser->state = PYRO_HTTP_CHUNK;
		if (!parse_chunk_size(parser->line, &parser->length) ||
		    parser->length == 0)
			parser->state = PYRO_HTTP_DONE;
		return 0;
	case PYRO_HTTP_CHUNK_END:
		parser->state = parser->line_len == 0 ? PYRO_HTTP_CHUNK_SIZE
						      : PYRO_HTTP_DONE;
		return 0;
	default:
		return 0;
	}
}

/* One byte of a line. */
static int take_line_byte(struct pyro_http_parser *parser, char c)
{
	static const char proto[] = "HTTP/";

	if (++parser->head_len > PYRO_HTTP_HEAD_MAX) {
		parser->state = PYRO_HTTP_DONE;
		return parser->head_done ? 0 : -EPROTO;
	}
	if (c != '\n') {
		/* A server of another protocol may never send a line end. */
		if (parser->state == PYRO_HTTP_STATUS_LINE &&
		    parser->line_len < sizeof(proto) - 1 &&
		    c != proto[parser->line_len])
			return -EPROTO;
		if (parser->line_len < sizeof(parser->line) - 1)
			parser->line[parser->line_len] = c;
		parser->line_len++;
		return 0;
	}

	size_t kept = pyro_min(parser->line_len, sizeof(parser->line) - 1);

	if (kept == parser->line_len && kept > 0 &&
	    parser->line[kept - 1] == '\r')
		parser->line_len = --kept;
	parser->line[kept] = '\0';

	int err = on_line(parser);

	parser->line_len = 0;
	return err;
}

void pyro_http_message(struct pyro_http_response *response, size_t *used,
		       const char *text, size_t len)
{
	for (size_t i = 0; i < len && *used < sizeof(response->message) - 1;
	     i++) {
		char c = text[i];

		if (c == '\n' || c == '\r' || c == '\t')
			c = ' ';
		else if (c < ' ' || c > '~')
			c = '?';
		response->message[(*used)++] = c;
	}
}

/* Up to len bytes of body; returns how many were taken. */
static size_t take_body(struct pyro_http_parser *parser, const char *data,
			size_t len)
{
	size_t n = pyro_min(len, PYRO_HTTP_BODY_MAX - parser->body_len);

	n = pyro_min(n, parser->length);
	pyro_http_message(&parser->response, &parser->message_len, data, n);
	parser->body_len += n;
	parser->length -= n;
	if (parser->body_len == PYRO_HTTP_BODY_MAX)
		parser->state = PYRO_HTTP_DONE;
	else if (parser->length == 0)
		parser->state = parser->state == PYRO_HTTP_CHUNK
					? PYRO_HTTP_CHUNK_END
					: PYRO_HTTP_DONE;
	return n;
}

int pyro_http_parse(struct pyro_http_parser *parser, const void *data,
		    size_t len)
{
	const char *at = data;
	const char *end = at + len;

	while (at < end && parser->state != PYRO_HTTP_DONE) {
		if (parser->state == PYRO_HTTP_BODY ||
		    parser->state == PYRO_HTTP_CHUNK) {
			at += take_body(parser, at, (size_t)(end - at));
			continue;
		}

		int err = take_line_byte(parser, *at++);

		if (err)
			return err;
	}
	return parser->state == PYRO_HTTP_DONE;
}
