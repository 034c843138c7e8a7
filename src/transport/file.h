// SPDX-License-Identifier: Apache-2.0
/* file.h - a profile into a folder */
#ifndef PYRO_TRANSPORT_FILE_H
#define PYRO_TRANSPORT_FILE_H

#include "base/util.h"

/* Write a file of these bytes, mode 0600, so that a reader of the folder sees
 * all of it or nothing: under a name that begins with a dot, then renamed. A
 * file of that name is replaced. name has no slash. When it fails nothing is
 * left behind. Survives the process, not a crash of the machine (no fsync).
 * 0 or -errno. */
int pyro_file_write(const char *dir, const char *name, const void *data,
		    size_t len);

#endif
