// SPDX-License-Identifier: Apache-2.0
/* locks.c - the public functions for locks: names, and locks of the program's own */
#include <errno.h>

#include "capture/labels.h"
#include "capture/lock_names.h"
#include "pyroscope/pyroscope.h"
#include "source/lock.h"

/* A thread waits for one lock at a time. */
static _Thread_local struct pyro_lock_wait wait;

int pyroscope_lock_name(const void *lock, const char *name)
{
	uint32_t number = name ? pyro_labels_with(0, "lock", name) : 0;

	return name && !number ? -EINVAL : pyro_lock_name_set(lock, number);
}

void pyroscope_lock_contended(const void *lock)
{
	wait = pyro_lock_wants_wait() ? pyro_lock_begin(lock, true)
				      : (struct pyro_lock_wait){0};
}

void pyroscope_lock_acquired(const void *lock)
{
	pyro_lock_end(wait, lock, true, PYRO_CALLER);
	wait.began = 0;
}

void pyroscope_lock_unlocked(const void *lock)
{
	if (pyro_lock_wants_unlock(lock))
		pyro_lock_leaving(lock, PYRO_CALLER);
}
