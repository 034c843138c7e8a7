// SPDX-License-Identifier: Apache-2.0
/* file.c - files that appear whole or not at all
 *
 * The folder is opened once and all else is relative to it, so that its being
 * renamed in between does no harm. */
#include "transport/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"

/* Returns 0 when a complete file stands under temp. */
static int write_temp(int dir_fd, const char *temp, const void *data,
		      size_t len)
{
	int fd = openat(dir_fd, temp,
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);

	if (fd < 0)
		return -errno;

	/* The program's umask could take even the owner's rights. */
	int err = fchmod(fd, 0600) < 0 ? -errno : 0;

	if (!err)
		err = pyro_write_all(fd, data, len);
	/* Where a network file system tells that the quota is exceeded. */
	if (close(fd) < 0 && !err)
		err = -errno;
	if (err)
		unlinkat(dir_fd, temp, 0);
	return err;
}

int pyro_file_write(const char *dir, const char *name, const void *data,
		    size_t len)
{
	char temp[256];

	if (!*name || strchr(name, '/'))
		return -EINVAL;
	if (snprintf(temp, sizeof(temp), ".%s.%016" PRIx64, name,
		     pyro_random()) >= (int)sizeof(temp))
		return -ENAMETOOLONG;

	int dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dir_fd < 0)
		return -errno;

	int err = write_temp(dir_fd, temp, data, len);

	if (!err && renameat(dir_fd, temp, dir_fd, name) < 0) {
		err = -errno;
		unlinkat(dir_fd, temp, 0);
	}
	close(dir_fd);
	return err;
}
