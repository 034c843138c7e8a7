// SPDX-License-Identifier: Apache-2.0
/* setting.c - one setting: from code, else its variable, else the default */
#include "api/setting.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

const char *pyro_setting_env(const char *variable)
{
	const char *value = secure_getenv(variable);

	return value && *value ? value : NULL;
}

/* What one of a unit is; 0 for a unit that is none. */
static uint64_t scale(enum pyro_setting_unit unit, const char *text)
{
	static const struct {
		enum pyro_setting_unit unit;
		const char *text;
		uint64_t scale;
	} known[] = {
		{PYRO_SETTING_COUNT, "", 1},
		{PYRO_SETTING_MS, "", 1000},
		{PYRO_SETTING_MS, "ms", 1},
		{PYRO_SETTING_MS, "s", 1000},
		{PYRO_SETTING_MS, "m", 60000},
		{PYRO_SETTING_BYTES, "", 1},
		{PYRO_SETTING_BYTES, "k", 1 << 10},
		{PYRO_SETTING_BYTES, "m", 1 << 20},
		{PYRO_SETTING_BYTES, "g", 1 << 30},
	};

	for (size_t i = 0; i < PYRO_COUNT_OF(known); i++)
		if (known[i].unit == unit && strcmp(known[i].text, text) == 0)
			return known[i].scale;
	return 0;
}

/* False when it is no number; what is too large for any setting is, for one. */
static bool parse(enum pyro_setting_unit unit, const char *text,
		  uint64_t *value)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (end == text || strchr(text, '-') || n > UINT32_MAX)
		return false;
	*value = n * scale(unit, end);
	return *value > 0;
}

int pyro_setting_number(const struct pyro_setting_number *setting,
			uint32_t given, uint32_t *to)
{
	static const char *const name[] = {"", " ms", " bytes"};
	const char *text = pyro_setting_env(setting->variable);
	uint64_t value;

	*to = given ? given : setting->fallback;
	if (given && (given < setting->min || given > setting->max)) {
		pyro_log("not started: %s is %u, not within %u to %u",
			 setting->field, given, setting->min, setting->max);
		return -EINVAL;
	}
	if (given || !text)
		return 0;
	if (!parse(setting->unit, text, &value) || value < setting->min ||
	    value > setting->max)
		pyro_log("%s=%.64s is not within %u to %u%s: using %u",
			 setting->variable, text, setting->min, setting->max,
			 name[setting->unit], setting->fallback);
	else
		*to = (uint32_t)value;
	return 0;
}

/* The word's number, or -1. */
static int find_word(const struct pyro_setting_words *setting, const char *text,
		     size_t len)
{
	for (int i = 0; i < setting->count; i++)
		if (strncmp(text, setting->word[i], len) == 0 &&
		    setting->word[i][len] == '\0')
			return i;
	return -1;
}

int pyro_setting_choose(const struct pyro_setting_words *setting,
			const char *given)
{
	const char *text = pyro_setting_env(setting->variable);
	int found = text ? find_word(setting, text, strlen(text)) : 0;

	if (given && *given) {
		found = find_word(setting, given, strlen(given));
		if (found >= 0)
			return found;
		pyro_log("not started: %s is \"%.64s\", not %s", setting->field,
			 given, setting->words);
		return -EINVAL;
	}
	if (found < 0)
		pyro_log("%s=%.64s is not %s: using %s", setting->variable,
			 text, setting->words, setting->word[0]);
	return found < 0 ? 0 : found;
}

/* The bits of the words in a list; false if there is something else in it. */
static bool parse_list(const struct pyro_setting_words *setting,
		       const uint32_t *bit, const char *text, uint32_t *bits)
{
	bool good = true, more = true;

	*bits = 0;
	while (more) {
		text += strspn(text, " \t\n");

		size_t len = strcspn(text, ",");
		const char *end = text + len;

		while (len > 0 && strchr(" \t\n", text[len - 1]))
			len--;

		int found = find_word(setting, text, len);

		if (found >= 0)
			*bits |= bit[found];
		else
			good = false;
		more = *end == ',';
		text = end + 1;
	}
	return good;
}

int pyro_setting_list(const struct pyro_setting_words *setting,
		      const uint32_t *bit, uint32_t fallback, const char *given,
		      uint32_t *bits)
{
	const char *text = pyro_setting_env(setting->variable);

	if (given && *given) {
		if (parse_list(setting, bit, given, bits))
			return 0;
		pyro_log("not started: %s is \"%.128s\", not a list of %s",
			 setting->field, given, setting->words);
		return -EINVAL;
	}
	*bits = fallback;
	if (!text)
		return 0;
	if (!parse_list(setting, bit, text, bits))
		pyro_log("%s=%.128s is not a list of %s: %s", setting->variable,
			 text, setting->words,
			 *bits ? "using what is known of it"
			       : "using the default");
	if (*bits == 0)
		*bits = fallback;
	return 0;
}
