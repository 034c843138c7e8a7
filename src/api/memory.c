// SPDX-License-Identifier: Apache-2.0
/* memory.c - how much memory the library may take, and what it says when there is
 * none */
#include <errno.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/session.h"
#include "base/arena.h"
#include "base/log.h"
#include "base/os.h"

/* With less, a small program's profile could not be made; and as much as one with
 * large libraries needs, of which the tables alone take some MiB. */
#define LIMIT_MIN ((uint64_t)8 << 20)
#define LIMIT_ENOUGH ((uint64_t)16 << 20)

static struct {
	uint64_t told_of; /* refusals, of this session's before */
	bool by_space;    /* the limit comes from the address space's */
} memory;

/* The process's address space in use, in bytes; 0 if not known. */
static uint64_t space_used(void)
{
	struct pyro_buf text = {0};
	uint64_t pages = 0;

	if (pyro_read_file("/proc/self/statm", 4096, &text) == 0) {
		pyro_buf_put(&text, "", 1);
		if (!text.failed)
			pages = strtoull((const char *)text.data, NULL, 10);
	}
	pyro_buf_free(&text);
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* What of the address space that is left to the program may be taken: a quarter,
 * or the half as long as that is not enough. */
static uint64_t share_of(uint64_t left)
{
	return pyro_max(left / 4, pyro_min(left / 2, LIMIT_ENOUGH));
}

int pyro_memory_begin(const struct pyro_session *s)
{
	uint64_t limit = (uint64_t)s->config.memory_mib << 20;
	struct rlimit rl;

	memory.by_space = false;
	memory.told_of = pyro_memory_refused();
	if (getrlimit(RLIMIT_AS, &rl) == 0 && rl.rlim_cur != RLIM_INFINITY) {
		uint64_t used = space_used();
		uint64_t share =
			share_of(rl.rlim_cur > used ? rl.rlim_cur - used : 0);

		memory.by_space = share < limit;
		limit = pyro_min(limit, share);
	}
	pyro_memory_limit(limit);
	return limit < LIMIT_MIN ? -ENOMEM : 0;
}

void pyro_memory_tell(void)
{
	uint64_t refused = pyro_memory_refused();

	if (refused == memory.told_of)
		return;
	memory.told_of = refused;
	PYRO_LOG_ONCE("there is no memory for all that is profiled: %s allows "
		      "no more than %zu MiB",
		      memory.by_space ? "ulimit -v"
				      : "memory_mib or the system",
		      pyro_memory_mapped() >> 20);
}
