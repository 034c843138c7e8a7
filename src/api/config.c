// SPDX-License-Identifier: Apache-2.0
/* config.c - read and check the settings of a session
 *
 * What is bad in the environment is one log line and the default; in code it is
 * an error, as is any bad address. */
#include "api/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/setting.h"
#include "base/log.h"
#include "base/slots.h"
#include "base/sync.h"

static char app_name[PYRO_NAME_MAX + 1];
static struct pyro_mutex app_name_lock = PYRO_MUTEX_INIT(PYRO_RANK_LOADER);

int pyro_config_set_app_name(const char *name)
{
	size_t len = name ? strlen(name) : 0;

	if (len > PYRO_NAME_MAX)
		return -EINVAL;
	pyro_mutex_lock(&app_name_lock);
	if (len)
		memcpy(app_name, name, len);
	app_name[len] = '\0';
	pyro_mutex_unlock(&app_name_lock);
	return 0;
}

static void copy(char *to, size_t cap, const char *from)
{
	size_t len = pyro_min(strlen(from), cap - 1);

	memmove(to, from, len);
	to[len] = '\0';
}

/* A struct that is larger than ours may only have zeros behind. */
static int copy_given(const struct pyroscope_config *given,
		      struct pyroscope_config *out)
{
	const unsigned char *bytes = (const unsigned char *)given;

	*out = (struct pyroscope_config)PYROSCOPE_CONFIG_INIT;
	if (!given)
		return 0;
	if (given->size < sizeof(given->size) || given->size > 65536) {
		pyro_log("not started: pyroscope_config.size is %zu; use "
			 "PYROSCOPE_CONFIG_INIT",
			 given->size);
		return -EINVAL;
	}
	for (size_t i = sizeof(*out); i < given->size; i++) {
		if (bytes[i] != 0) {
			pyro_log("not started: the program sets fields that "
				 "this library (%s) does not know",
				 PYROSCOPE_VERSION_STRING);
			return -E2BIG;
		}
	}
	memcpy(out, given, pyro_min(given->size, sizeof(*out)));
	return 0;
}

static int set_symbols(struct pyro_config *config, const char *given)
{
	static const char *const word[PYRO_SYMBOLIZE_COUNT] = {"names", "lines",
							       "server"};
	static const struct pyro_setting_words words = {
		"symbols", "PYROSCOPE_SYMBOLS", "names, lines or server", word,
		PYRO_SYMBOLIZE_COUNT};
	int chosen = pyro_setting_choose(&words, given);

	if (chosen >= 0)
		config->symbolize = (enum pyro_symbolize)chosen;
	return chosen < 0 ? chosen : 0;
}

static int set_demangle(struct pyro_config *config, const char *given)
{
	static const char *const word[PYRO_DEMANGLE_COUNT] = {"simplified",
							      "full", "none"};
	static const struct pyro_setting_words words = {
		"demangle", "PYROSCOPE_DEMANGLE", "simplified, full or none",
		word, PYRO_DEMANGLE_COUNT};
	int chosen = pyro_setting_choose(&words, given);

	if (chosen >= 0)
		config->demangle = (enum pyro_demangle)chosen;
	return chosen < 0 ? chosen : 0;
}

static int set_address(struct pyro_config *config, const char *given)
{
	const char *text = pyro_setting_env("PYROSCOPE_ADHOC_SERVER_ADDRESS");
	char shown[128]; /* there may be a password in it */
	const char *why;

	if (!text && given && *given)
		text = given;
	if (!text)
		text = pyro_setting_env("PYROSCOPE_SERVER_ADDRESS");
	if (!text)
		text = PYRO_URL_DEFAULT;

	int err = pyro_url_parse(text, &config->url, &why);

	if (err) {
		pyro_url_redact(text, shown, sizeof(shown));
		pyro_log("not started: the server address \"%.100s\" is bad: "
			 "%s; it should be like " PYRO_URL_DEFAULT,
			 shown, why);
		return err;
	}
	if (config->url.dropped)
		pyro_log("the query or fragment of the server address is not "
			 "used");
	pyro_url_redact(text, config->address, sizeof(config->address));
	return 0;
}

static void set_executable_name(char *to)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = '\0';

	const char *slash = strrchr(path, '/');
	const char *name = slash && slash[1] ? slash + 1 : "unknown";

	copy(to, PYRO_NAME_MAX + 1, name);
}

static int set_application_name(struct pyro_config *config, const char *given)
{
	static const char *const variables[] = {
		"PYROSCOPE_APPLICATION_NAME", "OTEL_SERVICE_NAME", "APP_NAME"};
	const char *name = given && *given ? given : NULL;

	if (name && strlen(name) > PYRO_NAME_MAX) {
		pyro_log("not started: application_name is longer than %d",
			 PYRO_NAME_MAX);
		return -EINVAL;
	}
	pyro_mutex_lock(&app_name_lock);
	if (!name && app_name[0])
		name = app_name;
	for (size_t i = 0; i < PYRO_COUNT_OF(variables) && !name; i++)
		name = pyro_setting_env(variables[i]);
	if (name)
		copy(config->application_name, sizeof(config->application_name),
		     name);
	else
		set_executable_name(config->application_name);
	pyro_mutex_unlock(&app_name_lock);
	return 0;
}

static void set_hostname(struct pyro_config *config)
{
	const char *name = pyro_setting_env("HOSTNAME");

	if (name)
		copy(config->hostname, sizeof(config->hostname), name);
	else if (gethostname(config->hostname, sizeof(config->hostname)) != 0)
		copy(config->hostname, sizeof(config->hostname), "unknown");
	config->hostname[sizeof(config->hostname) - 1] = '\0';
}

static int set_numbers(struct pyro_config *config,
		       const struct pyroscope_config *given)
{
	const struct {
		struct pyro_setting_number number;
		uint32_t given, *to;
	} all[] = {
		{
			.number = {"sample_rate", "PYROSCOPE_SAMPLE_RATE",
				   PYRO_SETTING_COUNT, 100, 1, 1000},
			.given = given->sample_rate,
			.to = &config->sample_rate,
		},
		{
			.number = {"upload_interval_ms",
				   "PYROSCOPE_UPLOAD_INTERVAL", PYRO_SETTING_MS,
				   15000, 1000, 600000},
			.given = given->upload_interval_ms,
			.to = &config->upload_interval_ms,
		},
		{
			.number = {"lines_cpu_permille",
				   "PYROSCOPE_LINES_CPU_PERMILLE",
				   PYRO_SETTING_COUNT, 10, 1, 1000},
			.given = given->lines_cpu_permille,
			.to = &config->lines_cpu_permille,
		},
		{
			.number = {"lines_memory_mib",
				   "PYROSCOPE_LINES_MEMORY_MIB",
				   PYRO_SETTING_COUNT, 64, 8, 4096},
			.given = given->lines_memory_mib,
			.to = &config->lines_memory_mib,
		},
		{
			.number = {"heap_interval",
				   "PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES",
				   PYRO_SETTING_BYTES, 1 << 19, 1, 1 << 30},
			.given = given->heap_interval,
			.to = &config->heap_interval,
		},
	};
	int err = 0;

	for (size_t i = 0; i < PYRO_COUNT_OF(all) && !err; i++)
		err = pyro_setting_number(&all[i].number, all[i].given,
					  all[i].to);
	return err;
}

static int set_types(struct pyro_config *config, const char *given)
{
	static const char *const word[] = {
		"cpu",         "heap",          "alloc_objects",
		"alloc_space", "inuse_objects", "inuse_space",
		"mutex",       "mutex_count",   "mutex_duration",
		"block",       "block_count",   "block_duration"};
	static const uint32_t bit[] = {PYRO_TYPE_CPU,
				       PYRO_TYPE_HEAP,
				       PYRO_TYPE_ALLOC_OBJECTS,
				       PYRO_TYPE_ALLOC_SPACE,
				       PYRO_TYPE_INUSE_OBJECTS,
				       PYRO_TYPE_INUSE_SPACE,
				       PYRO_TYPE_MUTEX,
				       PYRO_TYPE_MUTEX_COUNT,
				       PYRO_TYPE_MUTEX_DURATION,
				       PYRO_TYPE_BLOCK,
				       PYRO_TYPE_BLOCK_COUNT,
				       PYRO_TYPE_BLOCK_DURATION};
	static const struct pyro_setting_words words = {
		"profile_types", "PYROSCOPE_PROFILE_TYPES",
		"cpu, heap, alloc_objects, alloc_space, inuse_objects, "
		"inuse_space, mutex, mutex_count, mutex_duration, block, "
		"block_count or block_duration",
		word, PYRO_COUNT_OF(word)};

	return pyro_setting_list(&words, bit, PYRO_TYPE_CPU | PYRO_TYPE_HEAP,
				 given, &config->types);
}

static int set_block_classes(struct pyro_config *config, const char *given)
{
	static const char *const word[] = {"sync", "io", "sleep"};
	static const uint32_t bit[] = {1u << PYRO_WAIT_SYNC, 1u << PYRO_WAIT_IO,
				       1u << PYRO_WAIT_SLEEP};
	static const struct pyro_setting_words words = {
		"block_classes", "PYROSCOPE_BLOCK_CLASSES", "sync, io or sleep",
		word, PYRO_COUNT_OF(word)};

	return pyro_setting_list(&words, bit,
				 1u << PYRO_WAIT_SYNC | 1u << PYRO_WAIT_IO,
				 given, &config->block_classes);
}

int pyro_config_load(struct pyro_config *config,
		     const struct pyroscope_config *given)
{
	struct pyroscope_config code;
	const char *dir = pyro_setting_env("PYROSCOPE_OUTPUT_DIR");
	const char *ages = pyro_setting_env("PYROSCOPE_HEAP_AGES");
	int err = copy_given(given, &code);

	memset(config, 0, sizeof(*config));
	if (!err)
		err = set_address(config, code.server_address);
	if (!err)
		err = set_application_name(config, code.application_name);
	if (!err)
		err = set_numbers(config, &code);
	if (!err)
		err = set_symbols(config, code.symbols);
	if (!err)
		err = set_demangle(config, code.demangle);
	if (!err)
		err = set_types(config, code.profile_types);
	if (!err)
		err = set_block_classes(config, code.block_classes);
	if (err)
		return err;
	set_hostname(config);
	config->heap_ages = ages && strcmp(ages, "1") == 0;
	if (dir)
		copy(config->output_dir, sizeof(config->output_dir), dir);
	return 0;
}
