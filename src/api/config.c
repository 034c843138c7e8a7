// SPDX-License-Identifier: Apache-2.0
/* config.c - the settings of a session, from wherever they come
 *
 * What is bad in the environment or the file is one log line, and the next place
 * is asked; in code it is an error. */
#include "api/config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/identity.h"
#include "base/log.h"

/* A struct that is larger than ours may only have zeros behind. */
static int copy_given(const struct pyroscope_config *given,
		      struct pyroscope_config *out)
{
	const unsigned char *bytes = (const unsigned char *)given;

	*out = (struct pyroscope_config)PYROSCOPE_CONFIG_INIT;
	if (!given)
		return 0;
	if (given->size < sizeof(given->size) || given->size > 65536) {
		pyro_log_as(PYRO_LOG_ERROR,
			    "not started: pyroscope_config.size is %zu; use "
			    "PYROSCOPE_CONFIG_INIT",
			    given->size);
		return -EINVAL;
	}
	for (size_t i = sizeof(*out); i < given->size; i++) {
		if (bytes[i] != 0) {
			pyro_log_as(PYRO_LOG_ERROR,
				    "not started: the program sets fields that "
				    "this library (%s) does not know",
				    PYROSCOPE_VERSION_STRING);
			return -E2BIG;
		}
	}
	memcpy(out, given, pyro_min(given->size, sizeof(*out)));
	return 0;
}

/* What a session's settings come from. */
struct origin {
	struct pyro_settings written;
	struct pyroscope_config code;
};

static int set_address(struct pyro_config *config, const struct origin *origin)
{
	struct pyro_setting_value value;
	const char *why;

	if (!pyro_settings_written(&origin->written,
				   PYRO_SET_ADHOC_SERVER_ADDRESS, &value)) {
		int err = pyro_settings_get(&origin->written, &origin->code,
					    PYRO_SET_SERVER_ADDRESS, &value);

		if (err)
			return err;
	}
	pyro_url_parse(value.text, &config->url, &why); /* checked already */
	if (config->url.dropped)
		pyro_log("the query or fragment of the server address is not "
			 "used");
	pyro_url_redact(value.text, config->address, sizeof(config->address));
	return 0;
}

/* Other clients' switches of single types, which say what the default is. */
static void switch_types(struct pyro_config *config,
			 const struct origin *origin)
{
	static const struct {
		enum pyro_setting_id id;
		uint32_t bits;
	} switches[] = {
		{PYRO_SET_PROFILING_CPU, PYRO_TYPE_CPU},
		{PYRO_SET_PROFILING_ALLOCATION, PYRO_TYPE_ALLOC},
		{PYRO_SET_PROFILING_HEAP, PYRO_TYPE_INUSE},
		{PYRO_SET_PROFILING_LOCK, PYRO_TYPE_MUTEX | PYRO_TYPE_BLOCK},
	};
	struct pyro_setting_value value;

	for (size_t i = 0; i < PYRO_COUNT_OF(switches); i++) {
		if (!pyro_settings_written(&origin->written, switches[i].id,
					   &value))
			continue;
		config->types &= ~switches[i].bits;
		config->types |= value.number ? switches[i].bits : 0;
	}
}

static int set_types(struct pyro_config *config, const struct origin *origin)
{
	struct pyro_setting_value value;
	int given = pyro_setting_given(&origin->code, PYRO_SET_PROFILE_TYPES,
				       PYRO_NOT_STARTED, &value);

	if (given < 0)
		return given;

	bool chosen =
		given || pyro_settings_written(&origin->written,
					       PYRO_SET_PROFILE_TYPES, &value);

	config->types = value.number;
	if (!chosen)
		switch_types(config, origin);
	return 0;
}

static int set_numbers(struct pyro_config *config, const struct origin *origin)
{
	uint32_t symbols, demangle;
	const struct {
		enum pyro_setting_id id;
		uint32_t *to;
	} all[] = {
		{PYRO_SET_SAMPLE_RATE, &config->sample_rate},
		{PYRO_SET_STACK_DEPTH, &config->stack_depth},
		{PYRO_SET_UPLOAD_INTERVAL, &config->upload_interval_ms},
		{PYRO_SET_HEAP_INTERVAL, &config->heap_interval},
		{PYRO_SET_BLOCK_CLASSES, &config->block_classes},
		{PYRO_SET_INHERIT_LABELS, &config->inherit_labels},
		{PYRO_SET_OVERHEAD_PERMILLE, &config->overhead_permille},
		{PYRO_SET_LINES_CPU_PERMILLE, &config->lines_cpu_permille},
		{PYRO_SET_LINES_MEMORY_MIB, &config->lines_memory_mib},
		{PYRO_SET_MEMORY_MIB, &config->memory_mib},
		{PYRO_SET_SYMBOLS, &symbols},
		{PYRO_SET_DEMANGLE, &demangle},
		{PYRO_SET_STRIP_FILENAMES, &config->strip},
		{PYRO_SET_TRACE_IDS, &config->trace_ids},
		{PYRO_SET_EXPORT_TIMEOUT, &config->send_timeout_ms},
		{PYRO_SET_QUEUE_CAPACITY, &config->queue_max},
		{PYRO_SET_MAX_TRIES, &config->tries_max},
	};

	for (size_t i = 0; i < PYRO_COUNT_OF(all); i++) {
		struct pyro_setting_value value;
		int err = pyro_settings_get(&origin->written, &origin->code,
					    all[i].id, &value);

		if (err)
			return err;
		*all[i].to = value.number;
	}
	config->symbolize = (enum pyro_symbolize)(symbols - 1);
	config->demangle = (enum pyro_demangle)(demangle - 1);
	return 0;
}

const char *pyro_config_token(const struct pyro_settings *written,
			      const char *address)
{
	struct pyro_setting_value value;
	char expects[PYRO_SETTING_EXPECTS_MAX];

	if (pyro_settings_are_bad(written, PYRO_SET_PPROF_TOKEN)) {
		if (!written->quiet)
			pyro_log("not listening at %s: pprof_token is not %s",
				 address,
				 pyro_setting_expects(
					 &pyro_setting[PYRO_SET_PPROF_TOKEN],
					 PYRO_KIND_TEXT, expects));
		return NULL;
	}
	return pyro_settings_written(written, PYRO_SET_PPROF_TOKEN, &value)
		       ? value.text
		       : "";
}

static void set_listener(struct pyro_config *config,
			 const struct pyro_settings *written)
{
	struct pyro_setting_value address;

	if (!pyro_settings_written(written, PYRO_SET_PPROF_ADDRESS, &address))
		return;

	const char *token = pyro_config_token(written, address.text);

	if (!token)
		return;
	snprintf(config->pprof_address, sizeof(config->pprof_address), "%s",
		 address.text);
	snprintf(config->pprof_token, sizeof(config->pprof_token), "%s", token);
}

/* That of pyro record is for all that the program starts: where it stops profiling
 * and starts it again, its own must not take the rest of the run away. */
static int set_output_dir(struct pyro_config *config,
			  const struct origin *origin)
{
	static const struct pyroscope_config none = PYROSCOPE_CONFIG_INIT;
	struct pyro_setting_value command, value;
	int err;

	pyro_settings_written(&origin->written, PYRO_SET_COMMAND, &command);

	bool record =
		command.number == PYRO_COMMAND_RECORD &&
		origin->written.environment.entry[PYRO_SET_OUTPUT_DIR].text;

	err = pyro_settings_get(&origin->written,
				record ? &none : &origin->code,
				PYRO_SET_OUTPUT_DIR, &value);
	if (!err && value.text)
		snprintf(config->output_dir, sizeof(config->output_dir), "%s",
			 value.text);
	return err;
}

/* What only the environment or the file can say. */
static void set_written(struct pyro_config *config, const struct origin *origin)
{
	struct pyro_setting_value value;

	/* Only to tell what is not to be had. */
	pyro_settings_written(&origin->written, PYRO_SET_PROFILER_EVENT,
			      &value);
	pyro_settings_written(&origin->written, PYRO_SET_HEAP_AGES, &value);
	config->heap_ages = value.number != 0;
	pyro_settings_written(&origin->written, PYRO_SET_CHILDREN, &value);
	config->alone = value.number == 0;
	set_listener(config, &origin->written);
}

static bool is_switched_off(const struct origin *origin)
{
	struct pyro_setting_value value;

	pyro_settings_written(&origin->written, PYRO_SET_PROFILING_ENABLED,
			      &value);
	return value.number == 0;
}

/* Words are levels and one. */
static void set_log_level(const struct pyro_setting_value *value)
{
	pyro_log_set_level(value->number ? value->number - 1 : PYRO_LOG_WARN);
}

static void set_log(const struct origin *origin)
{
	struct pyro_setting_value value;

	if (pyro_settings_written(&origin->written, PYRO_SET_LOG_FILE, &value))
		pyro_log_to(value.text);
	pyro_settings_written(&origin->written, PYRO_SET_LOG_LEVEL, &value);
	set_log_level(&value);
}

/* What code is given, and of it first what is to be logged. */
static int take_code(struct origin *origin,
		     const struct pyroscope_config *given)
{
	struct pyro_setting_value value = {0};
	int found = copy_given(given, &origin->code);

	if (found == 0)
		found = pyro_setting_given(&origin->code, PYRO_SET_LOG_LEVEL,
					   PYRO_NOT_STARTED, &value);
	if (found == 1)
		set_log_level(&value);
	return found < 0 ? found : 0;
}

static int fill(struct pyro_config *config, struct origin *origin,
		const struct pyroscope_config *given)
{
	int err;

	set_log(origin);
	pyro_settings_tell_unknown(&origin->written);
	if (is_switched_off(origin))
		return -ECANCELED;
	err = take_code(origin, given);
	if (!err)
		err = set_address(config, origin);
	if (!err)
		err = set_types(config, origin);
	if (!err)
		err = set_numbers(config, origin);
	if (!err)
		err = set_output_dir(config, origin);
	if (!err)
		err = pyro_identity_load(config, &origin->written,
					 &origin->code);
	if (err)
		return err;
	set_written(config, origin);
	return pyro_config_sending(config, &origin->written, &origin->code);
}

int pyro_config_load(struct pyro_config *config,
		     const struct pyroscope_config *given, bool quiet)
{
	struct origin origin = {.written.quiet = quiet};

	memset(config, 0, sizeof(*config));
	pyro_settings_read(&origin.written);

	int err = fill(config, &origin, given);

	pyro_settings_free(&origin.written);
	return err;
}

/* Words for several come before those for each of them. */
const char *pyro_config_types(uint32_t types, char to[PYRO_TYPES_TEXT_MAX])
{
	const struct pyro_setting_word *word =
		pyro_setting[PYRO_SET_PROFILE_TYPES].words;
	size_t len = 0, cap = PYRO_TYPES_TEXT_MAX;

	*to = '\0';
	for (; word->text && len < cap; word++) {
		if ((types & word->value) != word->value)
			continue;
		len += (size_t)snprintf(to + len, cap - len, "%s%s",
					len ? "," : "", word->text);
		types &= ~word->value;
	}
	return to;
}

void pyro_config_tell(const struct pyro_config *config)
{
	char types[PYRO_TYPES_TEXT_MAX];

	pyro_log_as(PYRO_LOG_INFO, "profiling begins: %s, as %s, to %s",
		    pyro_config_types(config->types, types),
		    config->application_name,
		    config->output_dir[0] ? config->output_dir
					  : config->address);
}

static size_t field_size(const struct pyro_setting *setting)
{
	return pyro_setting_is_number(setting) ? sizeof(uint32_t)
					       : sizeof(const char *);
}

/* The word for what another name of the setting is a switch of. */
static const char *word_for(const struct pyro_setting *setting, uint32_t number)
{
	const struct pyro_setting_word *word = setting->words;

	while (word->text && word->value != number)
		word++;
	return word->text;
}

/* Zero takes it back. */
static void store(struct pyroscope_config *config,
		  const struct pyro_setting *setting, const char *text,
		  uint32_t number)
{
	char *field = (char *)config + setting->field;

	if (pyro_setting_is_number(setting))
		memcpy(field, &number, sizeof(number));
	else
		memcpy(field, &text, sizeof(text));
}

int pyroscope_config_set(struct pyroscope_config *config, const char *key,
			 const char *value)
{
	const struct pyro_setting_alias *alias;
	char expects[PYRO_SETTING_EXPECTS_MAX], shown[PYRO_SETTING_SHOWN_MAX];
	uint32_t number = 0;
	const char *why;

	if (!config || !key)
		return -EINVAL;

	enum pyro_setting_id id = pyro_setting_find(key, strlen(key), &alias);
	const struct pyro_setting *setting = &pyro_setting[id];
	enum pyro_setting_kind kind = alias ? alias->kind : setting->kind;

	if (id == PYRO_SETTINGS || !setting->field) {
		pyro_log("pyroscope_config_set: \"%.64s\" is %s", key,
			 id == PYRO_SETTINGS
				 ? "no setting"
				 : "for the environment or the file");
		return -EINVAL;
	}
	if (value && *value &&
	    pyro_setting_parse(setting, kind, value, &number, &why) !=
		    PYRO_SETTING_GOOD) {
		pyro_log("pyroscope_config_set: %s is \"%s\", not %s%s%s",
			 setting->name,
			 pyro_setting_shown(setting, value, shown),
			 pyro_setting_expects(setting, kind, expects),
			 why ? ": " : "", why ? why : "");
		return -EINVAL;
	}
	if (setting->field + field_size(setting) > config->size) {
		pyro_log("pyroscope_config_set: %s is not in "
			 "pyroscope_config.size; use PYROSCOPE_CONFIG_INIT",
			 setting->name);
		return -EINVAL;
	}
	if (alias && alias->kind == PYRO_KIND_SWITCH && setting->words)
		value = word_for(setting, number);
	store(config, setting, value, number);
	return 0;
}
