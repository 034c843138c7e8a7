// SPDX-License-Identifier: Apache-2.0
/* file.c - profiles from and to files */
#include "cli/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "encode/gzip.h"
#include "encode/pprof.h"

#define FILE_MAX ((size_t)256 << 20)
#define CHUNK ((size_t)64 << 10)

/* Pipes too: sizes are not known beforehand. */
static int read_all(int fd, struct pyro_buf *buf)
{
	for (;;) {
		unsigned char *to = pyro_buf_reserve(buf, CHUNK);

		if (!to)
			return -ENOMEM;

		ssize_t n = read(fd, to, CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		buf->len += (size_t)n;
		if (buf->len > FILE_MAX)
			return -EFBIG;
	}
}

static int open_input(int dir, const char *path)
{
	struct stat st;

	if (dir == AT_FDCWD)
		return open(path, O_RDONLY | O_CLOEXEC);

	int fd = openat(dir, path,
			O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

int pyro_file_read(int dir, const char *path, struct pyro_profile **out)
{
	struct pyro_buf buf = {0};
	int fd = open_input(dir, path);

	if (fd < 0)
		return -errno;

	int err = read_all(fd, &buf);

	if (!err)
		err = pyro_pprof_read(buf.data, buf.len, out);
	if (!err && (*out)->type_count == 0) {
		pyro_profile_free(*out);
		*out = NULL;
		err = -EBADMSG;
	}
	pyro_buf_free(&buf);
	close(fd);
	return err;
}

size_t pyro_file_stem(const char *path)
{
	static const char *const ends[] = {".pb.gz", ".pprof", ".gz", ".pb"};
	size_t len = strlen(path);

	while (len > 1 && path[len - 1] == '/')
		len--; /* a folder */
	for (size_t i = 0; i < PYRO_COUNT_OF(ends); i++) {
		size_t end = strlen(ends[i]);

		if (len > end && strcmp(path + len - end, ends[i]) == 0)
			return len - end;
	}
	return len;
}

const char *pyro_file_error(int err)
{
	return err == -EBADMSG ? "not a sound pprof profile" : strerror(-err);
}

/* The folder of path, "." for a bare name. */
static void folder_of(const char *path, char folder[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (!slash)
		snprintf(folder, PATH_MAX, ".");
	else
		snprintf(folder, PATH_MAX, "%.*s/", (int)len, path);
}

/* path is there: find the file's name, or open what is none. */
static int resolve(struct pyro_output *output, const struct stat *st)
{
	struct stat real;

	if (!S_ISREG(st->st_mode)) {
		output->fd =
			open(output->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
		return output->fd < 0 ? -errno : 0;
	}
	if (!realpath(output->path, output->real))
		return -errno;
	/* A removed file that is still open has no name. */
	if (stat(output->real, &real) < 0)
		return -errno;
	return real.st_ino == st->st_ino && real.st_dev == st->st_dev ? 0
								      : -ENOENT;
}

int pyro_output_open(struct pyro_output *output, const char *path)
{
	char folder[PATH_MAX];
	struct stat st;

	*output = (struct pyro_output){.path = path, .fd = -1};
	if (strlen(path) >= PATH_MAX)
		output->error = -ENAMETOOLONG;
	else if (!*path)
		output->error = -ENOENT;
	else if (stat(path, &st) == 0)
		output->error = resolve(output, &st);
	else
		snprintf(output->real, PATH_MAX, "%s", path);
	if (output->error || output->fd >= 0)
		return output->error;
	folder_of(output->real, folder);
	return access(folder, W_OK | X_OK) < 0 ? -errno : 0;
}

/* Somebody may have put something else there since. */
static int check_regular(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0 || S_ISREG(st.st_mode))
		return 0;
	return S_ISDIR(st.st_mode) ? -EISDIR : -EEXIST;
}

/* A symbolic link stays, and what it points to is replaced. */
static int replace(const char *path, const void *data, size_t len)
{
	char temporary[PATH_MAX + 16];
	mode_t mask = umask(0);
	int err = check_regular(path);

	umask(mask);
	if (err)
		return err;
	snprintf(temporary, sizeof(temporary), "%s.XXXXXX", path);

	int fd = mkostemp(temporary, O_CLOEXEC);

	if (fd < 0)
		return -errno;
	err = pyro_write_all(fd, data, len);
	/* mkostemp made it private. */
	if (!err && fchmod(fd, 0666 & ~mask) < 0)
		err = -errno;
	/* Some file systems tell only now that they are full. */
	if (close(fd) < 0 && !err)
		err = -errno;
	if (!err && rename(temporary, path) < 0)
		err = -errno;
	if (err)
		unlink(temporary);
	return err;
}

int pyro_output_write(struct pyro_output *output, const void *data, size_t len)
{
	if (output->error)
		return output->error;
	if (output->fd < 0)
		return replace(output->real, data, len);

	int err = pyro_write_all(output->fd, data, len);

	if (close(output->fd) < 0 && !err)
		err = -errno;
	output->fd = -1;
	return err;
}

int pyro_output_write_profile(struct pyro_output *output,
			      const struct pyro_profile *profile,
			      size_t *trimmed)
{
	struct pyro_buf raw = {0}, packed = {0};
	int err = pyro_profile_error(profile);

	if (!err)
		err = pyro_pprof_write_limited(profile, &raw, trimmed);
	if (!err)
		err = pyro_gzip(raw.data, raw.len, &packed);
	if (!err)
		err = pyro_output_write(output, packed.data, packed.len);
	pyro_buf_free(&raw);
	pyro_buf_free(&packed);
	return err;
}
