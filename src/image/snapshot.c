// SPDX-License-Identifier: Apache-2.0
/* snapshot.c - the published snapshot
 *
 * In a file of its own because handlers use it, and everything else about
 * modules is not for them. */
#include "image/snapshot.h"

#include "image/modules.h"

_Atomic(const struct pyro_snapshot *) pyro_snapshot_current;

const struct pyro_snapshot *pyro_modules_current(void)
{
	/* Not to be moved before its reader was counted in. */
	return atomic_load_explicit(&pyro_snapshot_current,
				    memory_order_seq_cst);
}
