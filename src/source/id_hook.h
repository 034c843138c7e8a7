// SPDX-License-Identifier: Apache-2.0
/* id_hook.h - calls that change the process's user and groups
 *
 * In the kernel each thread has its own; libc makes the change in every thread,
 * and aborts the process if it works in one and not in another. A program with
 * one thread may have dropped capabilities in that one alone (setpriv does): our
 * thread must not be there then. */
#ifndef PYRO_SOURCE_ID_HOOK_H
#define PYRO_SOURCE_ID_HOOK_H

#include "base/util.h"

/* pause ends the library's threads and returns true, or does nothing and
 * returns false; resume starts them again, with what the caller has become. */
struct pyro_id_change {
	bool (*pause)(void);
	void (*resume)(void);
};
void pyro_id_hook_on_change(const struct pyro_id_change *change);
/* As pyro_hook_resolve(). */
void pyro_id_hook_resolve(void);

#endif
