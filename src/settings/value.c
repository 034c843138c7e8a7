// SPDX-License-Identifier: Apache-2.0
/* value.c - one value of a setting: read, checked, described */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "settings/settings.h"
#include "settings/tags.h"
#include "transport/url.h"

/* What one of a unit is; 0 for a unit that is none. */
static uint64_t scale(enum pyro_setting_kind kind, const char *text)
{
	static const struct {
		enum pyro_setting_kind kind;
		const char *text;
		uint64_t scale;
	} known[] = {
		{PYRO_KIND_NUMBER, "", 1},
		{PYRO_KIND_MS, "", 1000},
		{PYRO_KIND_MS, "ms", 1},
		{PYRO_KIND_MS, "s", 1000},
		{PYRO_KIND_MS, "m", 60000},
		{PYRO_KIND_THRESHOLD, "", 1},
		{PYRO_KIND_THRESHOLD, "ns", 1},
		{PYRO_KIND_THRESHOLD, "us", 1000},
		{PYRO_KIND_THRESHOLD, "ms", 1000000},
		{PYRO_KIND_THRESHOLD, "s", 1000000000},
		{PYRO_KIND_BYTES, "", 1},
		{PYRO_KIND_BYTES, "k", 1024},
		{PYRO_KIND_BYTES, "K", 1024},
		{PYRO_KIND_BYTES, "m", 1 << 20},
		{PYRO_KIND_BYTES, "M", 1 << 20},
		{PYRO_KIND_BYTES, "g", 1 << 30},
		{PYRO_KIND_BYTES, "G", 1 << 30},
	};

	for (size_t i = 0; i < PYRO_COUNT_OF(known); i++)
		if (known[i].kind == kind && strcmp(known[i].text, text) == 0)
			return known[i].scale;
	return 0;
}

/* False when it is no number; what is too large for any setting is, for one. */
static bool parse_number(enum pyro_setting_kind kind, const char *text,
			 uint64_t *value)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);
	uint64_t one = scale(kind, end);

	*value = n * one;
	return isdigit((unsigned char)*text) && n <= UINT32_MAX && one > 0;
}

static bool in_bounds(const struct pyro_setting *setting, uint64_t value)
{
	return value <= UINT32_MAX &&
	       ((setting->min == 0 && setting->max == 0) ||
		(value >= setting->min && value <= setting->max));
}

static bool parse_switch(const char *text, uint32_t *number)
{
	static const char *const words[] = {"0",  "1",   "false", "true",
					    "no", "yes", "off",   "on"};

	for (uint32_t i = 0; i < PYRO_COUNT_OF(words); i++)
		if (strcasecmp(words[i], text) == 0) {
			*number = i & 1;
			return true;
		}
	return false;
}

uint32_t pyro_setting_word(const struct pyro_setting_word *words,
			   const char *text, size_t len)
{
	for (; words->text; words++)
		if (strncmp(text, words->text, len) == 0 &&
		    words->text[len] == '\0')
			return words->value;
	return 0;
}

static enum pyro_setting_result
parse_list(const struct pyro_setting_word *words, const char *text,
	   uint32_t *bits)
{
	bool good = true, more = true;

	*bits = 0;
	while (more) {
		text += strspn(text, " \t\n");

		size_t len = strcspn(text, ",");
		const char *end = text + len;

		while (len > 0 && strchr(" \t\n", text[len - 1]))
			len--;

		uint32_t bit = pyro_setting_word(words, text, len);

		*bits |= bit;
		good = good && bit;
		more = *end == ',';
		text = end + 1;
	}
	return good    ? PYRO_SETTING_GOOD
	       : *bits ? PYRO_SETTING_PARTLY
		       : PYRO_SETTING_BAD;
}

/* A time, of which the setting is how often it goes into a second. */
static bool parse_period(const char *text, uint64_t *value)
{
	if (!parse_number(PYRO_KIND_MS, text, value) || *value == 0)
		return false;
	*value = 1000 / *value;
	return true;
}

static bool parse_address(const char *text, const char **why)
{
	struct pyro_url url;

	return pyro_url_parse(text, &url, why) == 0;
}

static enum pyro_setting_result parse_tags(const char *list, size_t len,
					   const char **why)
{
	bool any;

	*why = pyro_tags_parse(NULL, list, len, &any);
	return !*why ? PYRO_SETTING_GOOD
	       : any ? PYRO_SETTING_PARTLY
		     : PYRO_SETTING_BAD;
}

/* A name is of use without its labels, too. */
static enum pyro_setting_result parse_name(const struct pyro_setting *setting,
					   const char *text, const char **why)
{
	struct pyro_tagged_name parts;
	bool whole = pyro_tags_split(text, &parts);

	if (!in_bounds(setting, parts.name_len))
		return PYRO_SETTING_BAD;
	if (!whole)
		*why = "no \"}\" at its end";
	else if (!parts.list_len || parse_tags(parts.list, parts.list_len,
					       why) == PYRO_SETTING_GOOD)
		return PYRO_SETTING_GOOD;
	return PYRO_SETTING_PARTLY;
}

enum pyro_setting_result pyro_setting_parse(const struct pyro_setting *setting,
					    enum pyro_setting_kind kind,
					    const char *text, uint32_t *number,
					    const char **why)
{
	uint64_t value = 0;
	bool good = false;

	*number = 0;
	*why = NULL;
	switch (kind) {
	case PYRO_KIND_LIST:
		return parse_list(setting->words, text, number);
	case PYRO_KIND_TAGS:
		return parse_tags(text, strlen(text), why);
	case PYRO_KIND_NAME:
		return parse_name(setting, text, why);
	case PYRO_KIND_ADDRESS:
		good = parse_address(text, why);
		break;
	case PYRO_KIND_TEXT:
		good = in_bounds(setting, strlen(text));
		break;
	case PYRO_KIND_SWITCH:
		good = parse_switch(text, number);
		break;
	case PYRO_KIND_WORD:
		*number = pyro_setting_word(setting->words, text, strlen(text));
		good = *number > 0;
		break;
	case PYRO_KIND_THRESHOLD:
		good = parse_number(kind, text, &value);
		*number = good;
		break;
	case PYRO_KIND_NUMBER:
	case PYRO_KIND_MS:
	case PYRO_KIND_BYTES:
	case PYRO_KIND_PERIOD:
		good = kind == PYRO_KIND_PERIOD
			       ? parse_period(text, &value)
			       : parse_number(kind, text, &value);
		good = good && in_bounds(setting, value);
		*number = good ? (uint32_t)value : 0;
		break;
	}
	return good ? PYRO_SETTING_GOOD : PYRO_SETTING_BAD;
}

/* "names, lines or server" */
static void join(const struct pyro_setting_word *words, char *to, size_t cap)
{
	size_t len = strlen(to);

	for (; words->text && len < cap; words++) {
		const char *behind = !words[1].text   ? ""
				     : !words[2].text ? " or "
						      : ", ";

		len += (size_t)snprintf(to + len, cap - len, "%s%s",
					words->text, behind);
	}
}

/* In the largest unit of 1024 bytes that it is a multiple of. */
static void put_bytes(uint32_t value, char to[16])
{
	static const char unit[] = " kmg";
	int i = 0;

	while (value >= 1024 && value % 1024 == 0 && i < 3) {
		value /= 1024;
		i++;
	}
	snprintf(to, 16, "%u%.*s", value, i > 0, unit + i);
}

const char *pyro_setting_expects(const struct pyro_setting *setting,
				 enum pyro_setting_kind kind,
				 char to[PYRO_SETTING_EXPECTS_MAX])
{
	size_t cap = PYRO_SETTING_EXPECTS_MAX;
	unsigned int min = setting->min, max = setting->max;
	char low[16], high[16];

	switch (kind) {
	case PYRO_KIND_ADDRESS:
		snprintf(to, cap, "an address like " PYRO_URL_DEFAULT);
		break;
	case PYRO_KIND_TEXT:
		snprintf(to, cap, "%u to %u bytes", min, max);
		break;
	case PYRO_KIND_NAME:
		snprintf(to, cap, "%u to %u bytes and perhaps {key=value,...}",
			 min, max);
		break;
	case PYRO_KIND_TAGS:
		snprintf(to, cap, "a list like key=value,key=value");
		break;
	case PYRO_KIND_SWITCH:
		snprintf(to, cap, "0 or 1");
		break;
	case PYRO_KIND_WORD:
		*to = '\0';
		join(setting->words, to, cap);
		break;
	case PYRO_KIND_LIST:
		snprintf(to, cap, "a list of ");
		join(setting->words, to, cap);
		break;
	case PYRO_KIND_MS:
		snprintf(to, cap, "%g to %g seconds", min / 1e3, max / 1e3);
		break;
	case PYRO_KIND_BYTES:
		put_bytes(min, low);
		put_bytes(max, high);
		snprintf(to, cap, "%s to %s bytes", low, high);
		break;
	case PYRO_KIND_PERIOD:
		snprintf(to, cap, "%g to %g seconds", 1.0 / max, 1.0 / min);
		break;
	case PYRO_KIND_THRESHOLD:
		snprintf(to, cap, "a time like 10ms, 500us or 0");
		break;
	case PYRO_KIND_NUMBER:
		snprintf(to, cap, "%u to %u", min, max);
		break;
	}
	return to;
}

const char *pyro_setting_shown(const struct pyro_setting *setting,
			       const char *text,
			       char to[PYRO_SETTING_SHOWN_MAX])
{
	if (setting->flags & PYRO_SETTING_SECRET)
		text = "(secret)";
	if (setting->kind == PYRO_KIND_ADDRESS)
		pyro_url_redact(text, to, PYRO_SETTING_SHOWN_MAX);
	else
		snprintf(to, PYRO_SETTING_SHOWN_MAX, "%s", text);
	return to;
}
