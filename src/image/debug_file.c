// SPDX-License-Identifier: Apache-2.0
/* debug_file.c - where separate debug information lies
 *
 * As gdb looks for it ("Debugging Information in Separate Files" in its manual).
 * The checksum of a .gnu_debuglink is the CRC-32 of the whole file. */
#include "image/debug_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/os.h"

#define PATH_SIZE 4096
#define NAME_SIZE 256
#define CHUNK ((size_t)64 << 10)

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

static bool has_checksum(int fd, uint32_t wanted)
{
	unsigned char *data = pyro_pages_alloc(CHUNK);
	uint32_t crc = 0;
	off_t at = 0;
	ssize_t n = data ? 1 : -1;

	while (n > 0) {
		n = pread(fd, data, CHUNK, at);
		if (n > 0)
			crc = libdeflate_crc32(crc, data, (size_t)n);
		at += n;
	}
	pyro_pages_free(data, CHUNK);
	return n == 0 && crc == wanted;
}

/* Of two build IDs, if there are two, this one has to be the image's. */
static int open_linked(const char *path, const struct pyro_build_id *id,
		       uint32_t checksum, struct pyro_elf *debug)
{
	struct pyro_build_id found;
	int fd = pyro_fd_high(
		open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));

	if (fd < 0)
		return -ENOENT;
	if (pyro_elf_open_file(debug, fd) == 0) {
		pyro_elf_build_id(debug, &found);
		if ((!found.len || !id->len ||
		     (found.len == id->len &&
		      memcmp(found.bytes, id->bytes, id->len) == 0)) &&
		    has_checksum(fd, checksum))
			return 0;
		pyro_elf_close(debug);
	}
	close(fd);
	return -ENOENT;
}

/* The name, a NUL, zeros up to a multiple of four, the checksum. */
static bool read_link(const struct pyro_elf *elf, char name[NAME_SIZE],
		      uint32_t *checksum)
{
	const Elf64_Shdr *section = pyro_elf_section(elf, ".gnu_debuglink");
	unsigned char *data;
	size_t len;

	if (!section || section->sh_size > NAME_SIZE + 8 ||
	    pyro_elf_read_section(elf, section, &data, &len) != 0)
		return false;

	size_t name_len = strnlen((const char *)data, len);
	size_t at = pyro_align_up(name_len + 1, 4);
	bool good = name_len > 0 && name_len < NAME_SIZE && at + 4 <= len &&
		    !memchr(data, '/', name_len);

	if (good) {
		memcpy(name, data, name_len);
		name[name_len] = '\0';
		memcpy(checksum, data + at, 4);
	}
	pyro_pages_free(data, len);
	return good;
}

static int open_by_link(const struct pyro_elf *elf,
			const struct pyro_build_id *id, const char *root,
			struct pyro_elf *debug)
{
	char name[NAME_SIZE], hidden[NAME_SIZE + 8];
	char path[PATH_SIZE], below[2 * PATH_SIZE];
	uint32_t checksum;

	if (elf->fd < 0 || !read_link(elf, name, &checksum) ||
	    !beside(elf->fd, name, path))
		return -ENOENT;

	int err = open_linked(path, id, checksum, debug);

	if (err && root[0]) {
		snprintf(below, sizeof(below), "%s%s", root, path);
		err = open_linked(below, id, checksum, debug);
	}
	snprintf(hidden, sizeof(hidden), ".debug/%s", name);
	if (err && beside(elf->fd, hidden, path))
		err = open_linked(path, id, checksum, debug);
	return err;
}

int pyro_debug_file_open(const struct pyro_elf *elf,
			 const struct pyro_build_id *id, const char *root,
			 struct pyro_elf *debug)
{
	int saved = errno;
	int err = open_by_id(id, root, debug);

	if (err)
		err = open_by_link(elf, id, root, debug);
	errno = saved;
	return err;
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
