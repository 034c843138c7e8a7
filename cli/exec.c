// SPDX-License-Identifier: Apache-2.0
/* exec.c - pyro exec: become the program, with the library preloaded
 *
 * Nothing is printed unless something is wrong, and then the program runs all
 * the same: this stands in entry points of containers. */
#include "cli/launch.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "transport/url.h"

/* The library's own log is kept nowhere. */
static void tell_settings(const struct pyro_launch *launch)
{
	struct pyro_settings settings = {.quiet = false};
	struct pyro_setting_value value;

	pyro_settings_read(&settings);
	pyro_settings_tell_unknown(&settings);
	for (int i = 0; i < PYRO_SETTINGS; i++)
		if (!launch->given[i])
			pyro_settings_written(&settings,
					      (enum pyro_setting_id)i, &value);
	pyro_settings_free(&settings);
}

/* NULL, or why the program cannot be profiled. */
static const char *prepare(const struct pyro_launch *launch,
			   const struct pyro_target *target)
{
	static char why_bad[128];
	const char *server = launch->given[PYRO_SET_SERVER_ADDRESS];
	const char *why = "";
	struct pyro_url url;

	if (target->why_not)
		return target->why_not;
	if (server && pyro_url_parse(server, &url, &why) < 0) {
		snprintf(why_bad, sizeof(why_bad), "bad server address: %s",
			 why);
		return why_bad;
	}
	tell_settings(launch);
	return pyro_launch_environment(launch, NULL);
}

int pyro_exec_main(int argc, char **argv)
{
	struct pyro_launch launch;
	struct pyro_target target;
	int code = pyro_launch_parse(argc, argv, false, &launch);

	if (code >= 0)
		return code;
	pyro_target_check(launch.argv[0], &target);
	if (target.exec_errno)
		return pyro_launch_failed(&launch, target.exec_errno);

	const char *why = prepare(&launch, &target);

	if (why)
		pyro_launch_unprofiled(&launch, why);
	else
		pyro_launch_root();
	execvp(launch.argv[0], launch.argv);
	return pyro_launch_failed(&launch, errno);
}
