// SPDX-License-Identifier: Apache-2.0
/* names.c - the settings' other names, and a setting by its name */
#include <ctype.h>
#include <string.h>

#include "settings/settings.h"

#define KEY_MAX 64

const struct pyro_setting_alias pyro_setting_aliases[] = {
	{"labels", PYRO_SET_TAGS, PYRO_KIND_TAGS},
	{"tag", PYRO_SET_TAGS, PYRO_KIND_TAGS},
	{"upload_interval_ms", PYRO_SET_UPLOAD_INTERVAL, PYRO_KIND_NUMBER},
	{"flush_interval_ms", PYRO_SET_UPLOAD_INTERVAL, PYRO_KIND_NUMBER},
	{"profiling_interval", PYRO_SET_SAMPLE_RATE, PYRO_KIND_PERIOD},
	{"heap_stack_depth", PYRO_SET_STACK_DEPTH, PYRO_KIND_NUMBER},
	{"java_stack_depth_max", PYRO_SET_STACK_DEPTH, PYRO_KIND_NUMBER},
	{"heap_sampling_interval_bytes", PYRO_SET_HEAP_INTERVAL,
	 PYRO_KIND_BYTES},
	{"profiler_alloc", PYRO_SET_HEAP_INTERVAL, PYRO_KIND_BYTES},
	{"agent_enabled", PYRO_SET_PROFILING_ENABLED, PYRO_KIND_SWITCH},
	{"detect_subprocesses", PYRO_SET_CHILDREN, PYRO_KIND_SWITCH},
	{"shorten_paths", PYRO_SET_STRIP_FILENAMES, PYRO_KIND_SWITCH},
	{"no_logging", PYRO_SET_LOG_LEVEL, PYRO_KIND_SWITCH},
	{"alloc_live", PYRO_SET_PROFILING_HEAP, PYRO_KIND_SWITCH},
	{"profiling_contention_enabled", PYRO_SET_PROFILING_LOCK,
	 PYRO_KIND_SWITCH},
	{"profiler_lock", PYRO_SET_PROFILING_LOCK, PYRO_KIND_THRESHOLD},
	{"profiling_walltime_enabled", PYRO_SET_IGNORED, PYRO_KIND_SWITCH},
	{"export_compression_level_jfr", PYRO_SET_IGNORED, PYRO_KIND_TEXT},
	{"export_compression_level_labels", PYRO_SET_IGNORED, PYRO_KIND_TEXT},
	{NULL, PYRO_SETTINGS, PYRO_KIND_TEXT},
};

/* Lower case, words joined by "_", without "pyroscope_". False: too long. */
static bool normalize(const char *key, size_t len, char to[KEY_MAX])
{
	static const char prefix[] = "pyroscope_";
	size_t skip = sizeof(prefix) - 1;

	if (len >= KEY_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)key[i];

		to[i] = c == '.' || c == '-' ? '_'
			: c < 128            ? (char)tolower(c)
					     : '?';
	}
	to[len] = '\0';
	if (strncmp(to, prefix, skip) == 0)
		memmove(to, to + skip, len - skip + 1);
	return true;
}

enum pyro_setting_id pyro_setting_find(const char *key, size_t len,
				       const struct pyro_setting_alias **alias)
{
	const struct pyro_setting_alias *other = pyro_setting_aliases;
	char name[KEY_MAX];

	*alias = NULL;
	if (!normalize(key, len, name))
		return PYRO_SETTINGS;
	for (int i = 0; i < PYRO_SETTINGS; i++)
		if (strcmp(pyro_setting[i].name, name) == 0)
			return (enum pyro_setting_id)i;
	while (other->name && strcmp(other->name, name) != 0)
		other++;
	*alias = other;
	return other->id;
}
