// SPDX-License-Identifier: Apache-2.0
/* source.c - where settings are written down: code, the environment, a file (file.c)
 *
 * A name of the table goes before its aliases in the same place. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/log.h"
#include "settings/settings.h"

#define PREFIX "PYROSCOPE_"
#define PLACE_MAX 216 /* a file's name, cut, and the line */
#define PREFIX_LEN (sizeof(PREFIX) - 1)

static void add_unknown(struct pyro_settings *settings, const char *name,
			size_t len)
{
	size_t room = sizeof(settings->unknown) - settings->unknown_len;

	if (len + sizeof(", ") > room) {
		settings->unknown_left_out++;
		return;
	}
	settings->unknown_len += (size_t)snprintf(
		settings->unknown + settings->unknown_len, room, "%s%.*s",
		settings->unknown_named++ ? ", " : "", (int)len, name);
}

void pyro_settings_tell_unknown(const struct pyro_settings *settings)
{
	char more[32] = "";

	if (settings->quiet ||
	    settings->unknown_named + settings->unknown_left_out == 0)
		return;
	if (settings->unknown_left_out)
		snprintf(more, sizeof(more), " and %zu more",
			 settings->unknown_left_out);
	pyro_log("no settings of this version, and not used: %s%s",
		 settings->unknown, more);
}

/* Of two, the one with the table's own name, else the first. */
static void put(struct pyro_settings_source *source, enum pyro_setting_id id,
		const struct pyro_setting_entry *entry)
{
	struct pyro_setting_entry *old = &source->entry[id];

	if (!old->text || (old->alias && !entry->alias))
		*old = *entry;
}

static void read_environment(struct pyro_settings *settings)
{
	for (char **at = environ; at && *at; at++) {
		const char *equals = strchr(*at, '=');
		struct pyro_setting_entry entry = {.name = *at};

		if (!equals || strncmp(*at, PREFIX, PREFIX_LEN) != 0)
			continue;
		entry.name_len = (int)(equals - *at);
		entry.text = equals + 1;

		enum pyro_setting_id id = pyro_setting_find(
			*at, (size_t)entry.name_len, &entry.alias);

		if (id == PYRO_SETTINGS)
			add_unknown(settings, *at, (size_t)entry.name_len);
		else if (*entry.text)
			put(&settings->environment, id, &entry);
	}
}

void pyro_settings_read(struct pyro_settings *settings)
{
	struct pyro_setting_value path;
	int saved = errno;

	*settings = (struct pyro_settings){.quiet = settings->quiet};
	if (getauxval(AT_SECURE))
		return;
	read_environment(settings);
	if (pyro_settings_from(settings, &settings->environment,
			       PYRO_SET_CONFIGURATION_FILE, &path))
		pyro_settings_read_file(settings, path.text);
	errno = saved;
}

void pyro_settings_free(struct pyro_settings *settings)
{
	pyro_buf_free(&settings->text);
}

static void tell(const struct pyro_settings *settings, enum pyro_setting_id id,
		 const struct pyro_setting_entry *e,
		 enum pyro_setting_result result, const char *why)
{
	char line[PLACE_MAX] = "";
	const struct pyro_setting *setting = &pyro_setting[id];
	char expects[PYRO_SETTING_EXPECTS_MAX], shown[PYRO_SETTING_SHOWN_MAX];

	pyro_setting_expects(setting, e->alias ? e->alias->kind : setting->kind,
			     expects);
	if (e->line)
		snprintf(line, sizeof(line), "%.200s:%u: ", settings->path,
			 e->line);
	pyro_log("%s%.*s=%s is not %s%s%s: %s", line, e->name_len, e->name,
		 pyro_setting_shown(setting, e->text, shown), expects,
		 why ? ": " : "", why ? why : "",
		 result == PYRO_SETTING_PARTLY ? "what is known of it is used"
					       : "not used");
}

static enum pyro_setting_result read_entry(const struct pyro_setting *setting,
					   const struct pyro_setting_entry *e,
					   struct pyro_setting_value *value,
					   const char **why)
{
	value->text = e->text;
	return pyro_setting_parse(setting,
				  e->alias ? e->alias->kind : setting->kind,
				  e->text, &value->number, why);
}

bool pyro_settings_from(const struct pyro_settings *settings,
			const struct pyro_settings_source *source,
			enum pyro_setting_id id,
			struct pyro_setting_value *value)
{
	const struct pyro_setting_entry *entry = &source->entry[id];
	const struct pyro_setting *setting = &pyro_setting[id];
	const char *why;

	if (!entry->text)
		return false;

	enum pyro_setting_result result =
		read_entry(setting, entry, value, &why);

	if (result != PYRO_SETTING_GOOD && !settings->quiet)
		tell(settings, id, entry, result, why);
	return result != PYRO_SETTING_BAD;
}

bool pyro_settings_written(const struct pyro_settings *settings,
			   enum pyro_setting_id id,
			   struct pyro_setting_value *value)
{
	const struct pyro_setting *setting = &pyro_setting[id];
	const char *why;

	if (pyro_settings_from(settings, &settings->environment, id, value) ||
	    pyro_settings_from(settings, &settings->file, id, value))
		return true;
	*value = (struct pyro_setting_value){.text = setting->fallback};
	if (setting->fallback)
		pyro_setting_parse(setting, setting->kind, setting->fallback,
				   &value->number, &why);
	return false;
}

bool pyro_settings_are_bad(const struct pyro_settings *settings,
			   enum pyro_setting_id id)
{
	const struct pyro_setting_entry *const entry[] = {
		&settings->environment.entry[id], &settings->file.entry[id]};
	struct pyro_setting_value value;
	bool bad = false;
	const char *why;

	for (size_t i = 0; i < PYRO_COUNT_OF(entry); i++) {
		if (!entry[i]->text)
			continue;
		if (read_entry(&pyro_setting[id], entry[i], &value, &why) !=
		    PYRO_SETTING_BAD)
			return false;
		bad = true;
	}
	return bad;
}

/* A field of numbers is in the setting's smallest unit. */
static int given_number(const struct pyro_setting *setting, const void *field,
			const char *what, struct pyro_setting_value *value)
{
	static const char *const unit[] = {[PYRO_KIND_MS] = " ms",
					   [PYRO_KIND_BYTES] = " bytes",
					   [PYRO_KIND_NUMBER] = "",
					   [PYRO_KIND_SWITCH] = ""};
	uint32_t number;

	memcpy(&number, field, sizeof(number));
	if (number == 0)
		return 0;
	*value = (struct pyro_setting_value){.number = number};
	if (number >= setting->min && number <= setting->max)
		return 1;
	pyro_log_as(PYRO_LOG_ERROR, "%s: %s is %u, not within %u to %u%s", what,
		    setting->name, number, setting->min, setting->max,
		    unit[setting->kind]);
	return -EINVAL;
}

int pyro_setting_given(const struct pyroscope_config *config,
		       enum pyro_setting_id id, const char *what,
		       struct pyro_setting_value *value)
{
	const struct pyro_setting *setting = &pyro_setting[id];
	const char *field = (const char *)config + setting->field;
	char expects[PYRO_SETTING_EXPECTS_MAX], shown[PYRO_SETTING_SHOWN_MAX];
	const char *text, *why;

	if (!setting->field)
		return 0;
	if (pyro_setting_is_number(setting))
		return given_number(setting, field, what, value);
	memcpy(&text, field, sizeof(text));
	if (!text || !*text)
		return 0;
	value->text = text;
	if (pyro_setting_parse(setting, setting->kind, text, &value->number,
			       &why) == PYRO_SETTING_GOOD)
		return 1;
	pyro_log_as(PYRO_LOG_ERROR, "%s: %s is \"%s\", not %s%s%s", what,
		    setting->name, pyro_setting_shown(setting, text, shown),
		    pyro_setting_expects(setting, setting->kind, expects),
		    why ? ": " : "", why ? why : "");
	return -EINVAL;
}

int pyro_settings_get(const struct pyro_settings *settings,
		      const struct pyroscope_config *code,
		      enum pyro_setting_id id, struct pyro_setting_value *value)
{
	int given = pyro_setting_given(code, id, "not started", value);

	if (given == 0)
		pyro_settings_written(settings, id, value);
	return given < 0 ? given : 0;
}
