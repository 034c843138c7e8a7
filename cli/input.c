// SPDX-License-Identifier: Apache-2.0
/* input.c - the profiles that a verb is given: files, or folders of a library's */
#include "cli/input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/drops.h"
#include "cli/file.h"
#include "cli/types.h"
#include "profile/merge.h"

/* The kind of the type, else the first, of which there are files. */
static int choose(const struct pyro_drops *drops, const char *type)
{
	uint32_t types = type ? pyro_types_parse(type) : 0;

	for (int i = 0; i < PYRO_DROP_KINDS; i++)
		if (drops->of[i].files && (types & pyro_drop_types(i)))
			return i;
	for (int i = 0; i < PYRO_DROP_KINDS; i++)
		if (drops->of[i].files)
			return i;
	return 0;
}

static int read_folder(const char *path, const char *type,
		       struct pyro_profile **out)
{
	struct pyro_profile *profiles[PYRO_DROP_KINDS];
	struct pyro_drops drops = {0};
	int err = 0, shown;

	for (int i = 0; i < PYRO_DROP_KINDS; i++) {
		profiles[i] = pyro_profile_new();
		err = profiles[i] ? err : -ENOMEM;
	}
	if (!err)
		err = pyro_drops_collect(path, profiles, &drops);
	shown = choose(&drops, type);
	if (!err && drops.of[shown].files == 0)
		err = -ENODATA;
	if (!err && drops.unreadable)
		pyro_say("%s: %zu unreadable file%s left out", path,
			 drops.unreadable, drops.unreadable == 1 ? "" : "s");
	if (!err) {
		*out = profiles[shown];
		profiles[shown] = NULL;
	}
	for (int i = 0; i < PYRO_DROP_KINDS; i++)
		pyro_profile_free(profiles[i]);
	return err;
}

struct pyro_profile *pyro_input_read(const char *path, const char *type)
{
	struct pyro_profile *profile = NULL;
	struct stat st;
	bool folder = stat(path, &st) == 0 && S_ISDIR(st.st_mode);
	int err = folder ? read_folder(path, type, &profile)
			 : pyro_file_read(AT_FDCWD, path, &profile);

	if (err)
		pyro_say("%s: %s", path,
			 err == -ENODATA ? "no profiles in this folder"
					 : pyro_file_error(err));
	return profile;
}

struct pyro_profile *pyro_input_read_all(char **paths, const char *type)
{
	struct pyro_profile *sum = pyro_input_read(*paths, type);

	while (sum && *++paths) {
		struct pyro_profile *next = pyro_input_read(*paths, type);
		int err = next ? pyro_profile_merge(sum, next) : 0;

		if (err)
			pyro_say("%s: %s", *paths,
				 err == -EINVAL
					 ? "other kinds of values than the "
					   "files before"
					 : strerror(-err));
		if (err || !next) {
			pyro_profile_free(sum);
			sum = NULL;
		}
		pyro_profile_free(next);
	}
	return sum;
}
