// SPDX-License-Identifier: Apache-2.0
/* debug_file.c - where separate debug information lies */
#include "image/debug_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"

#define PATH_SIZE 4096

/* Open path if it is the file of this build ID. */
static int open_checked(const char *path, const struct pyro_build_id *id,
			struct pyro_elf *elf)
{
	struct pyro_build_id found;
	int fd = pyro_fd_high(
		open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));

	if (fd < 0)
		return -ENOENT;
	if (pyro_elf_open_file(elf, fd) == 0) {
		pyro_elf_build_id(elf, &found);
		if (found.len == id->len &&
		    memcmp(found.bytes, id->bytes, id->len) == 0)
			return 0;
		pyro_elf_close(elf);
	}
	close(fd);
	return -ENOENT;
}

static int open_by_id(const struct pyro_build_id *id, const char *root,
		      struct pyro_elf *elf)
{
	char path[PATH_SIZE];
	size_t len =
		(size_t)snprintf(path, sizeof(path), "%s/.build-id/", root);

	if (root[0] == '\0' || id->len < 2 ||
	    len + 2 * (size_t)id->len + sizeof("/.debug") > sizeof(path))
		return -ENOENT;
	for (size_t i = 0; i < id->len; i++)
		len += (size_t)snprintf(path + len, sizeof(path) - len,
					i == 1 ? "/%02x" : "%02x",
					id->bytes[i]);
	memcpy(path + len, ".debug", sizeof(".debug"));
	return open_checked(path, id, elf);
}

int pyro_debug_file_open(const struct pyro_build_id *id, const char *root,
			 struct pyro_elf *elf)
{
	int saved = errno;
	int err = open_by_id(id, root, elf);

	errno = saved;
	return err;
}

/* name in the folder of an open file. */
static bool beside(int fd, const char *name, char path[PATH_SIZE])
{
	char link[64];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_SIZE - 1);
	if (n <= 0 || path[0] != '/')
		return false;
	path[n] = '\0';

	char *slash = strrchr(path, '/');
	size_t dir = (size_t)(slash - path) + 1;

	if (strlen(name) >= PATH_SIZE - dir)
		return false;
	memcpy(path + dir, name, strlen(name) + 1);
	return true;
}

int pyro_debug_file_alt(const struct pyro_elf *elf, const char *name,
			const struct pyro_build_id *id, const char *root,
			struct pyro_elf *alt)
{
	char path[PATH_SIZE];
	int saved = errno;
	int err = -ENOENT;

	if (id->len == 0)
		return -ENOENT;
	if (name[0] == '/')
		err = open_checked(name, id, alt);
	else if (name[0] && beside(elf->fd, name, path))
		err = open_checked(path, id, alt);
	if (err)
		err = open_by_id(id, root, alt);
	errno = saved;
	return err;
}

void pyro_debug_file_close(struct pyro_elf *elf)
{
	int saved = errno;
	int fd = elf->fd;

	pyro_elf_close(elf);
	if (fd >= 0)
		close(fd);
	errno = saved;
}
