// SPDX-License-Identifier: Apache-2.0
/* fuzz_perf_map.c - a perf map from anywhere, looked at at some addresses */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/perf_map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pyro_perf_map map = {0};
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	for (uint64_t at = 0; at < 0x2000; at += 0x91)
		pyro_perf_map_want(&map, at);
	pyro_perf_map_want(&map, UINT64_MAX);
	pyro_perf_map_read_file(&map, fd);
	for (uint64_t at = 0; at < 0x2000; at++) {
		const char *name = pyro_perf_map_find(&map, at);

		/* Names are the file's, of addresses that were asked for. */
		if (name && (at % 0x91 || strlen(name) == 0 ||
			     !memmem(data, size, name, strlen(name))))
			abort();
	}
	pyro_perf_map_free(&map);
	close(fd);
	return 0;
}
