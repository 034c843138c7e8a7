// SPDX-License-Identifier: Apache-2.0
/* file.h - profiles from and to files */
#ifndef PYRO_CLI_FILE_H
#define PYRO_CLI_FILE_H

#include <limits.h>

#include "profile/profile.h"

/* Read the profile in a file; dir is a folder's descriptor or AT_FDCWD. Only
 * regular files are read where dir is one: a program that is profiled may have
 * put anything there. Returns owned in *out, with at least one type of value;
 * 0 or -errno. */
int pyro_file_read(int dir, const char *path, struct pyro_profile **out);

/* Length of a profile's path without its ending, such as ".pb.gz". */
size_t pyro_file_stem(const char *path);

/* What to tell of such an error. Static. */
const char *pyro_file_error(int err);

/* Where one file goes: beside its name first, then renamed, so that a reader
 * or a full disk never sees a half one; straight into what is no regular file,
 * as /dev/stdout. */
struct pyro_output {
	const char *path;    /* borrowed */
	char real[PATH_MAX]; /* without symbolic links */
	int fd;              /* of what is no regular file, else -1 */
	int error;           /* why that could not be opened, -errno */
};

/* Look at path before the work begins, when /dev/stdout is still what the caller
 * means; opens what is no regular file. 0, or -errno when it will hardly be
 * possible to write there. */
int pyro_output_open(struct pyro_output *output, const char *path);
/* Write all, and close. 0 or -errno; then nothing was changed. */
int pyro_output_write(struct pyro_output *output, const void *data, size_t len);
/* The same of a profile as pprof, within the limits of servers. Sets *trimmed to
 * how many samples were summed up for that, unless NULL. */
int pyro_output_write_profile(struct pyro_output *output,
			      const struct pyro_profile *profile,
			      size_t *trimmed);

#endif
