// SPDX-License-Identifier: Apache-2.0
/* id_hook.c - set*id and setgroups, without our threads */
#include "source/id_hook.h"

#include <errno.h>
#include <grp.h>
#include <stdatomic.h>
#include <unistd.h>

#include "source/next.h"

static const struct pyro_id_change *_Atomic on_change; /* NULL: never started */

/* In a static program initgroups calls our setgroups; the linker would warn
 * because of ours, as glibc's may load modules. */
#ifdef PYRO_STATIC
#define INITGROUPS(XX)
#else
#define INITGROUPS(XX) \
	XX(initgroups, (const char *user, gid_t group), (user, group))
#endif

/* XX(name, (parameters), (arguments)) */
#define ID_CALLS(XX)                                                    \
	XX(setuid, (uid_t id), (id))                                    \
	XX(seteuid, (uid_t id), (id))                                   \
	XX(setreuid, (uid_t real, uid_t effective), (real, effective))  \
	XX(setresuid, (uid_t real, uid_t effective, uid_t saved),       \
	   (real, effective, saved))                                    \
	XX(setgid, (gid_t id), (id))                                    \
	XX(setegid, (gid_t id), (id))                                   \
	XX(setregid, (gid_t real, gid_t effective), (real, effective))  \
	XX(setresgid, (gid_t real, gid_t effective, gid_t saved),       \
	   (real, effective, saved))                                    \
	XX(setgroups, (size_t count, const gid_t *list), (count, list)) \
	INITGROUPS(XX)

#define DEFINE(name, parameters, arguments)                                 \
	PYRO_NEXT_SLOT(name);                                               \
	PYRO_HOOK int PYRO_HOOK_NAME(name) parameters                       \
	{                                                                   \
		const struct pyro_id_change *change = atomic_load_explicit( \
			&on_change, memory_order_acquire);                  \
		bool paused = change && change->pause();                    \
		int result = PYRO_NEXT(name) arguments;                     \
                                                                            \
		if (paused) {                                               \
			int saved_errno = errno;                            \
                                                                            \
			change->resume();                                   \
			errno = saved_errno;                                \
		}                                                           \
		return result;                                              \
	}
ID_CALLS(DEFINE)

void pyro_id_hook_on_change(const struct pyro_id_change *change)
{
	atomic_store_explicit(&on_change, change, memory_order_release);
}

#ifndef PYRO_STATIC

#define OWN(name, parameters, arguments) PYRO_OWN(name);
ID_CALLS(OWN)

void pyro_id_hook_resolve(void)
{
#define HOOKED(name, parameters, arguments) PYRO_HOOKED(name),
	static const struct pyro_hooked hooked[] = {ID_CALLS(HOOKED)};

	pyro_next_resolve(hooked, PYRO_COUNT_OF(hooked));
}

#endif
