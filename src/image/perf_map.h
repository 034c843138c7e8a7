// SPDX-License-Identifier: Apache-2.0
/* perf_map.h - names of code made at run time, as its maker writes them down
 *
 * JIT compilers (V8, the JVM's agents, .NET, CPython, LuaJIT, PHP) write for
 * perf a file /tmp/perf-PID.map with a line for each piece of code: its start
 * and its size in hexadecimal, and a name. It is read for the addresses of one
 * profile and nothing of it is remembered. Collector only. */
#ifndef PYRO_IMAGE_PERF_MAP_H
#define PYRO_IMAGE_PERF_MAP_H

#include "base/buf.h"
#include "image/sort.h"

/* Zero-initialised is empty. */
struct pyro_perf_map {
	/* Addresses asked for: keys, as they came; sorted and all different once
	 * a file is read, and then with the places of their names. */
	struct pyro_sort_item *item;
	size_t count, cap;
	uint32_t *next; /* item i or the first behind it that has no name */
	size_t next_bytes;
	size_t unnamed;
	struct pyro_buf names;
};

/* Ask for an address. Too many are not remembered. */
void pyro_perf_map_want(struct pyro_perf_map *map, uint64_t address);

/* Look for the addresses in this process's file, if any were asked for: once.
 * It has to be a regular file, of this user or root; what is wrong with it is
 * told in the log, once. Keeps errno. */
void pyro_perf_map_read(struct pyro_perf_map *map);
/* The same of any file. 0 or -errno. */
int pyro_perf_map_read_file(struct pyro_perf_map *map, int fd);

/* The name of the code at an address that was asked for; NULL if there is none.
 * Of several lines with the address the last counts: code moves. */
const char *pyro_perf_map_find(const struct pyro_perf_map *map,
			       uint64_t address);
void pyro_perf_map_free(struct pyro_perf_map *map);

#endif
