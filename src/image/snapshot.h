// SPDX-License-Identifier: Apache-2.0
/* snapshot.h - where modules.c publishes; others call pyro_modules_current() */
#ifndef PYRO_IMAGE_SNAPSHOT_H
#define PYRO_IMAGE_SNAPSHOT_H

#include <stdatomic.h>

#include "image/tables.h"

/* Written by the collector with release, read by handlers with acquire. */
extern _Atomic(const struct pyro_snapshot *) pyro_snapshot_current;

#endif
