// SPDX-License-Identifier: Apache-2.0
/* launch.c - the environment in which exec and record run a program
 *
 * The library learns everything from the environment, because that is what a
 * program's children inherit too: LD_PRELOAD starts it, PYROSCOPE_* say how. */
#include "cli/launch.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "profile/types.h"

/* The library, which is installed or built near this executable. */
static bool find_library(char path[PATH_MAX])
{
	static const char *const places[] = {
		"libpyroscope.so.0",
		"../lib/libpyroscope.so.0",
		"../lib64/libpyroscope.so.0",
#if defined(__x86_64__)
		"../lib/x86_64-linux-gnu/libpyroscope.so.0",
#elif defined(__aarch64__)
		"../lib/aarch64-linux-gnu/libpyroscope.so.0",
#endif
		"libpyroscope.so",
	};
	const char *given = getenv("PYROSCOPE_LIBRARY");
	char self[PATH_MAX], place[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (given && *given)
		return realpath(given, path) && access(path, R_OK) == 0;
	if (n < 0)
		return false;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < PYRO_COUNT_OF(places); i++) {
		snprintf(place, sizeof(place), "%s/%s", self, places[i]);
		if (realpath(place, path) && access(path, R_OK) == 0)
			return true;
	}
	return false;
}

/* LD_PRELOAD with the library first and whatever the user has there behind,
 * once, also when pyro runs under pyro. Returns owned (free). */
static char *preload(const char *library)
{
	const char *old = getenv("LD_PRELOAD");
	size_t len = strlen(library);
	char *value = NULL;

	if (!old)
		old = "";
	if (strncmp(old, library, len) == 0 && (!old[len] || old[len] == ':'))
		old += old[len] ? len + 1 : len;
	if (asprintf(&value, "%s%s%s", library, *old ? ":" : "", old) < 0)
		return NULL;
	return value;
}

static int set(const char *name, const char *value)
{
	return value ? setenv(name, value, 1) : 0;
}

/* PYROSCOPE_ and the setting's name in capitals. */
static int set_setting(enum pyro_setting_id id, const char *value)
{
	char name[80];

	snprintf(name, sizeof(name), "PYROSCOPE_%s", pyro_setting[id].name);
	for (char *c = name; *c; c++)
		*c = (char)toupper((unsigned char)*c);
	return set(name, value);
}

/* Before those that the environment has: of two with one name the first counts. */
static int set_tags(const char *tags)
{
	struct pyro_settings settings = {.quiet = true};
	struct pyro_setting_value value;
	char *list = NULL;
	int err = -1;

	if (!tags)
		return 0;
	pyro_settings_read(&settings);
	if (!pyro_settings_from(&settings, &settings.environment, PYRO_SET_TAGS,
				&value))
		value.text = NULL;
	if (asprintf(&list, "%s%s%s", tags, value.text ? "," : "",
		     value.text ? value.text : "") >= 0)
		err = set_setting(PYRO_SET_TAGS, list);
	free(list);
	pyro_settings_free(&settings);
	return err;
}

static int set_given(const struct pyro_launch *launch)
{
	int err = set_tags(launch->given[PYRO_SET_TAGS]);

	for (int i = 0; i < PYRO_SETTINGS && !err; i++)
		if (i != PYRO_SET_LOG_FILE && i != PYRO_SET_TAGS &&
		    i != PYRO_SET_CONFIGURATION_FILE)
			err = set_setting((enum pyro_setting_id)i,
					  launch->given[i]);
	return err;
}

/* As seen from any folder, for the program may change its own. Returns owned
 * (free), NULL for out of memory. */
static char *absolute(const char *file)
{
	char *cwd = *file == '/' ? NULL : get_current_dir_name();
	char *path = NULL;
	int n = asprintf(&path, "%s%s%s", cwd ? cwd : "", cwd ? "/" : "", file);

	free(cwd);
	return n < 0 ? NULL : path;
}

static int set_path(enum pyro_setting_id id, const char *file)
{
	char *path = absolute(file);
	int err = path ? set_setting(id, path) : -1;

	free(path);
	return err;
}

int pyro_launch_config(const struct pyro_launch *launch)
{
	const char *file = launch->given[PYRO_SET_CONFIGURATION_FILE];

	return file ? set_path(PYRO_SET_CONFIGURATION_FILE, file) : 0;
}

/* A recording's goes into the folder; that of exec nowhere, unless the user has
 * said where. */
static int set_log(const struct pyro_launch *launch, const char *folder)
{
	const char *file = launch->given[PYRO_SET_LOG_FILE];
	const char *variable = getenv("PYROSCOPE_LOG_FILE");
	char path[PATH_MAX + 8];

	if (file)
		return set_path(PYRO_SET_LOG_FILE, file);
	if (!folder)
		return variable ? 0 : set_setting(PYRO_SET_LOG_FILE, "");
	snprintf(path, sizeof(path), "%s/log", folder);
	return set_setting(PYRO_SET_LOG_FILE, path);
}

/* The folder that is set is an outer pyro record's, not the user's. */
static bool is_recorded(void)
{
	const char *command = getenv("PYROSCOPE_COMMAND");

	return command && strcmp(command, "record") == 0;
}

const char *pyro_launch_environment(const struct pyro_launch *launch,
				    const char *folder)
{
	char library[PATH_MAX];
	bool recorded = is_recorded();

	if (!find_library(library))
		return "libpyroscope.so.0 is not where pyro looks for it";
	if (strpbrk(library, ": "))
		return "LD_PRELOAD cannot hold libpyroscope's path, which has "
		       "a space or colon";

	char *value = preload(library);
	int err = !value;

	/* LD_PRELOAD last: without it the others do nothing. */
	err = err || set("PYROSCOPE_COMMAND", folder ? "record" : "exec");
	err = err || set_given(launch);
	/* Threads are looked at when a profile is written: often, for a run. */
	if (folder && (launch->types & PYRO_TYPE_MOMENT) &&
	    !getenv("PYROSCOPE_UPLOAD_INTERVAL"))
		err = err || set_setting(PYRO_SET_UPLOAD_INTERVAL, "1s");
	err = err || set("PYROSCOPE_HEAP_AGES", launch->leaks ? "1" : NULL);
	err = err || set("PYROSCOPE_OUTPUT_DIR", folder);
	err = err || set_log(launch, folder);
	err = err || set("LD_PRELOAD", value);
	free(value);
	/* Run by a recorded program: exec sends, whatever the outer one does. */
	if (!folder && recorded)
		unsetenv("PYROSCOPE_OUTPUT_DIR");
	return err ? "out of memory" : NULL;
}

void pyro_launch_root(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)set("PYROSCOPE_ROOT_PID", pid);
}

void pyro_launch_unprofiled(const struct pyro_launch *launch, const char *why)
{
	pyro_say("%s runs without being profiled: %s", launch->argv[0], why);
}

int pyro_launch_failed(const struct pyro_launch *launch, int error)
{
	pyro_say("%s: %s", launch->argv[0], strerror(error));
	return error == ENOENT ? PYRO_EXIT_NOT_FOUND : PYRO_EXIT_NOT_EXECUTABLE;
}
