// SPDX-License-Identifier: Apache-2.0
/* perf_map.c - read /tmp/perf-PID.map for some addresses
 *
 * The file is only ever appended to, and may hold ten generations of a function.
 * It is read from its end, a block at a time: the first line with an address is
 * the one that counts, and when all addresses have names the rest is not read.
 * A line that is not ended yet, or longer than a block, is none. Other users may
 * write to /tmp: their files, links and pipes are not followed. */
#include "image/perf_map.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/log.h"
#include "base/os.h"

#define FILE_MAX ((uint64_t)16 << 20)
#define BLOCK ((size_t)64 << 10)
#define NAME_MAX_LEN ((size_t)1 << 10)
#define WANTED_MAX ((size_t)1 << 20)

void pyro_perf_map_want(struct pyro_perf_map *map, uint64_t address)
{
	struct pyro_sort_item *grown =
		map->count < WANTED_MAX
			? pyro_array_grow(map->item, &map->cap, map->count + 1,
					  sizeof(*grown))
			: NULL;

	if (!grown)
		return;
	map->item = grown;
	map->item[map->count++] = (struct pyro_sort_item){address, 0};
}

/* The first item at or above address. */
static size_t lower_bound(const struct pyro_perf_map *map, uint64_t address)
{
	size_t lo = 0, hi = map->count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (map->item[mid].key < address)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

/* From item i on. Chains are cut short on the way. */
static size_t next_unnamed(struct pyro_perf_map *map, size_t i)
{
	while (map->next[i] != i) {
		map->next[i] = map->next[map->next[i]];
		i = map->next[i];
	}
	return i;
}

static void name_range(struct pyro_perf_map *map, uint64_t lo, uint64_t hi,
		       const char *name, size_t len)
{
	size_t i = next_unnamed(map, lower_bound(map, lo));
	size_t at = map->names.len;

	if (i == map->count || map->item[i].key >= hi)
		return;
	pyro_buf_put(&map->names, name, len);
	pyro_buf_put(&map->names, "", 1);
	if (map->names.failed)
		return;
	for (; i < map->count && map->item[i].key < hi;
	     i = next_unnamed(map, i)) {
		map->item[i].value = at;
		map->next[i] = (uint32_t)i + 1;
		map->unnamed--;
	}
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 32;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number of at most 64 bits and the space behind it; NULL if it is none. */
static const char *read_hex(const char *at, const char *end, uint64_t *value)
{
	const char *first;

	if (end - at > 2 && at[0] == '0' && (at[1] | 32) == 'x')
		at += 2;
	*value = 0;
	for (first = at; at < end && digit(*at) >= 0; at++) {
		if (*value >> 60)
			return NULL;
		*value = *value << 4 | (uint64_t)digit(*at);
	}
	return at > first && at < end && *at == ' ' ? at + 1 : NULL;
}

static void read_line(struct pyro_perf_map *map, const char *line, size_t len)
{
	const char *end = line + len, *name;
	uint64_t lo, size;

	name = read_hex(line, end, &lo);
	if (name)
		name = read_hex(name, end, &size);
	if (!name || name == end || *name == '\0')
		return;
	name_range(map, lo, lo + pyro_min(size, UINT64_MAX - lo), name,
		   pyro_min((size_t)(end - name), NAME_MAX_LEN));
}

/* The lines of a block, the last first. Returns how many bytes at its end are
 * done with: what is before belongs to a line that begins further ahead. */
static size_t read_block(struct pyro_perf_map *map, const char *block,
			 size_t len, bool is_first)
{
	const char *end = memrchr(block, '\n', len);

	while (end) {
		const char *before =
			memrchr(block, '\n', (size_t)(end - block));
		const char *line = before ? before + 1 : block;

		if (!before && !is_first)
			break;
		read_line(map, line, (size_t)(end - line));
		end = before;
	}

	size_t left = end ? (size_t)(end - block) + 1 : 0;

	return left < len ? len - left : len;
}

static int read_back(struct pyro_perf_map *map, int fd, uint64_t size)
{
	uint64_t stop = size > FILE_MAX ? size - FILE_MAX : 0;
	char *block = pyro_pages_alloc(BLOCK);
	int err = block ? 0 : -ENOMEM;

	if (stop > 0)
		PYRO_LOG_ONCE("of the names of code made at run time, only the "
			      "last 16 MiB are read");
	while (size > stop && map->unnamed > 0 && !err) {
		size_t len = pyro_min(size - stop, BLOCK);

		err = pyro_pread_all(fd, block, len, size - len);
		if (!err)
			size -= read_block(map, block, len, size == len);
	}
	pyro_pages_free(block, BLOCK);
	return err;
}

/* Sorted, each once, and none of them named. */
static int prepare(struct pyro_perf_map *map)
{
	size_t count = 0;
	int err = pyro_sort(map->item, map->count);

	if (err)
		return err;
	for (size_t i = 0; i < map->count; i++)
		if (count == 0 || map->item[i].key != map->item[count - 1].key)
			map->item[count++] = map->item[i];
	map->count = map->unnamed = count;
	map->next_bytes = (count + 1) * sizeof(*map->next);
	map->next = pyro_pages_alloc(map->next_bytes);
	if (!map->next)
		return -ENOMEM;
	for (size_t i = 0; i <= count; i++)
		map->next[i] = (uint32_t)i;
	pyro_buf_put(&map->names, "", 1); /* place 0: no name */
	return map->names.failed ? -ENOMEM : 0;
}

int pyro_perf_map_read_file(struct pyro_perf_map *map, int fd)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (st.st_uid != geteuid() && st.st_uid != 0))
		return -EPERM;

	int err = prepare(map);

	return err ? err : read_back(map, fd, (uint64_t)st.st_size);
}

void pyro_perf_map_read(struct pyro_perf_map *map)
{
	char path[64];
	int saved = errno, err = -ENOENT;

	if (map->count == 0)
		return;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)pyro_getpid());

	int fd = pyro_fd_high(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY |
						 O_NOFOLLOW | O_NONBLOCK));

	if (fd >= 0) {
		err = pyro_perf_map_read_file(map, fd);
		close(fd);
	} else if (errno != ENOENT) {
		err = -errno;
	}
	if (err == -EPERM || err == -ELOOP)
		PYRO_LOG_ONCE("%s is not read: it is no file of this user",
			      path);
	else if (err && err != -ENOENT)
		PYRO_LOG_ONCE("%s cannot be read: error %d", path, -err);
	errno = saved;
}

const char *pyro_perf_map_find(const struct pyro_perf_map *map,
			       uint64_t address)
{
	if (!map->next)
		return NULL;

	size_t i = lower_bound(map, address);

	if (i == map->count || map->item[i].key != address ||
	    map->item[i].value == 0)
		return NULL;
	return (const char *)map->names.data + map->item[i].value;
}

void pyro_perf_map_free(struct pyro_perf_map *map)
{
	pyro_pages_free(map->item, map->cap * sizeof(*map->item));
	pyro_pages_free(map->next, map->next_bytes);
	pyro_buf_free(&map->names);
	*map = (struct pyro_perf_map){0};
}
