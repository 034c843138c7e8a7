// SPDX-License-Identifier: Apache-2.0
/* lock_names.h - which of the program's locks have names
 *
 * A name is the set of labels {lock="name"} (labels.h), by its number. Locks are
 * keys only, never looked at. Context: signal. */
#ifndef PYRO_CAPTURE_LOCK_NAMES_H
#define PYRO_CAPTURE_LOCK_NAMES_H

#include "base/util.h"

#define PYRO_LOCK_NAMES_MAX 4096
/* A lock's name stands within so many slots. */
#define PYRO_LOCK_NAMES_WINDOW 32

/* name of 0 takes it back. 0, -EINVAL: no address; -ENOSPC: too many locks have
 * names. Not at once with another call for the same lock. */
int pyro_lock_name_set(const void *lock, uint32_t name) PYRO_SIGNAL_SAFE;
/* 0: it has none. */
uint32_t pyro_lock_name(const void *lock) PYRO_SIGNAL_SAFE;

#endif
