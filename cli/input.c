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

static int read_folder(const char *path, const char *type,
		       struct pyro_profile **out)
{
	bool heap_first = type && (pyro_types_parse(type) & PYRO_TYPE_HEAP);
	struct pyro_profile *cpu = pyro_profile_new();
	struct pyro_profile *heap = pyro_profile_new();
	struct pyro_drops drops = {0};
	int err = cpu && heap ? pyro_drops_collect(path, cpu, heap, &drops)
			      : -ENOMEM;

	if (!err && drops.cpu.files + drops.heap.files == 0)
		err = -ENODATA;
	if (!err && drops.unreadable)
		pyro_say("%s: %zu unreadable file%s left out", path,
			 drops.unreadable, drops.unreadable == 1 ? "" : "s");
	if (!err) {
		bool heap_shown =
			drops.heap.files && (heap_first || !drops.cpu.files);
		struct pyro_profile **shown = heap_shown ? &heap : &cpu;

		*out = *shown;
		*shown = NULL;
	}
	pyro_profile_free(cpu);
	pyro_profile_free(heap);
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
