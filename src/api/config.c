// SPDX-License-Identifier: Apache-2.0
/* config.c - read and check the settings of a session
 *
 * A bad value from the environment is one log line and the default; a bad one
 * from code, and any bad address, is an error. */
#include "api/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
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

/* A variable's value; NULL when it is unset, empty, or the process is
 * privileged and must not trust its environment. */
static const char *env(const char *name)
{
	const char *value = secure_getenv(name);

	return value && *value ? value : NULL;
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

/* "15s", "500ms", "2m"; without a unit seconds. False when it is none. */
static bool parse_duration_ms(const char *text, uint64_t *ms)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (end == text || *text == '-' || n > 1000000000)
		return false;
	if (strcmp(end, "ms") == 0)
		*ms = n;
	else if (strcmp(end, "s") == 0 || *end == '\0')
		*ms = n * 1000;
	else if (strcmp(end, "m") == 0)
		*ms = n * 60000;
	else
		return false;
	return true;
}

static int set_number(uint32_t *to, const char *field, uint32_t given,
		      const char *variable, bool is_duration, uint32_t fallback,
		      uint32_t min, uint32_t max)
{
	const char *text = env(variable);
	uint64_t value = 0;
	char *end = NULL;

	*to = fallback;
	if (given) {
		if (given < min || given > max) {
			pyro_log("not started: %s is %u, not within %u to %u",
				 field, given, min, max);
			return -EINVAL;
		}
		*to = given;
		return 0;
	}
	if (!text)
		return 0;
	if (!is_duration)
		value = strtoull(text, &end, 10);
	if ((is_duration ? !parse_duration_ms(text, &value)
			 : end == text || *end != '\0') ||
	    value < min || value > max)
		pyro_log("%s=%.64s is not within %u to %u%s: using %u",
			 variable, text, min, max, is_duration ? " ms" : "",
			 fallback);
	else
		*to = (uint32_t)value;
	return 0;
}

/* A setting that is one of some words, the first of which is the default. */
struct choice {
	const char *field, *variable, *words;
	const char *const *word;
	int count;
};

/* The word's number, or -1. */
static int find_word(const struct choice *c, const char *text)
{
	for (int i = 0; i < c->count; i++)
		if (strcmp(text, c->word[i]) == 0)
			return i;
	return -1;
}

/* The number of the word that was given, else of the variable's, else 0;
 * -EINVAL. */
static int choose(const struct choice *c, const char *given)
{
	const char *text = env(c->variable);
	int found = text ? find_word(c, text) : 0;

	if (given && *given) {
		found = find_word(c, given);
		if (found >= 0)
			return found;
		pyro_log("not started: %s is \"%.64s\", not %s", c->field,
			 given, c->words);
		return -EINVAL;
	}
	if (found < 0)
		pyro_log("%s=%.64s is not %s: using %s", c->variable, text,
			 c->words, c->word[0]);
	return found < 0 ? 0 : found;
}

static int set_symbols(struct pyro_config *config, const char *given)
{
	static const char *const word[PYRO_SYMBOLIZE_COUNT] = {"names", "lines",
							       "server"};
	static const struct choice choice = {"symbols", "PYROSCOPE_SYMBOLS",
					     "names, lines or server", word,
					     PYRO_SYMBOLIZE_COUNT};
	int chosen = choose(&choice, given);

	if (chosen >= 0)
		config->symbolize = (enum pyro_symbolize)chosen;
	return chosen < 0 ? chosen : 0;
}

static int set_demangle(struct pyro_config *config, const char *given)
{
	static const char *const word[PYRO_DEMANGLE_COUNT] = {"simplified",
							      "full", "none"};
	static const struct choice choice = {"demangle", "PYROSCOPE_DEMANGLE",
					     "simplified, full or none", word,
					     PYRO_DEMANGLE_COUNT};
	int chosen = choose(&choice, given);

	if (chosen >= 0)
		config->demangle = (enum pyro_demangle)chosen;
	return chosen < 0 ? chosen : 0;
}

static int set_address(struct pyro_config *config, const char *given)
{
	const char *text = env("PYROSCOPE_ADHOC_SERVER_ADDRESS");
	const char *why;

	if (!text && given && *given)
		text = given;
	if (!text)
		text = env("PYROSCOPE_SERVER_ADDRESS");
	if (!text)
		text = PYRO_URL_DEFAULT;

	int err = pyro_url_parse(text, &config->url, &why);

	if (err) {
		pyro_log("not started: the server address \"%.100s\" is bad: "
			 "%s; it should be like " PYRO_URL_DEFAULT,
			 text, why);
		return err;
	}
	if (config->url.dropped)
		pyro_log("the query or fragment of the server address is not "
			 "used");
	copy(config->address, sizeof(config->address), text);
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
		name = env(variables[i]);
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
	const char *name = env("HOSTNAME");

	if (name)
		copy(config->hostname, sizeof(config->hostname), name);
	else if (gethostname(config->hostname, sizeof(config->hostname)) != 0)
		copy(config->hostname, sizeof(config->hostname), "unknown");
	config->hostname[sizeof(config->hostname) - 1] = '\0';
}

static int set_lines(struct pyro_config *config,
		     const struct pyroscope_config *given)
{
	int err =
		set_number(&config->lines_cpu_permille, "lines_cpu_permille",
			   given->lines_cpu_permille,
			   "PYROSCOPE_LINES_CPU_PERMILLE", false, 10, 1, 1000);

	if (!err)
		err = set_number(&config->lines_memory_mib, "lines_memory_mib",
				 given->lines_memory_mib,
				 "PYROSCOPE_LINES_MEMORY_MIB", false, 64, 8,
				 4096);
	return err;
}

int pyro_config_load(struct pyro_config *config,
		     const struct pyroscope_config *given)
{
	struct pyroscope_config code;
	const char *dir = env("PYROSCOPE_OUTPUT_DIR");
	int err = copy_given(given, &code);

	memset(config, 0, sizeof(*config));
	if (!err)
		err = set_address(config, code.server_address);
	if (!err)
		err = set_application_name(config, code.application_name);
	if (!err)
		err = set_number(&config->sample_rate, "sample_rate",
				 code.sample_rate, "PYROSCOPE_SAMPLE_RATE",
				 false, 100, 1, 1000);
	if (!err)
		err = set_number(&config->upload_interval_ms,
				 "upload_interval_ms", code.upload_interval_ms,
				 "PYROSCOPE_UPLOAD_INTERVAL", true, 15000, 1000,
				 600000);
	if (!err)
		err = set_symbols(config, code.symbols);
	if (!err)
		err = set_demangle(config, code.demangle);
	if (!err)
		err = set_lines(config, &code);
	if (err)
		return err;
	set_hostname(config);
	if (dir)
		copy(config->output_dir, sizeof(config->output_dir), dir);
	return 0;
}
