// SPDX-License-Identifier: Apache-2.0
/* input.h - the profiles that a verb is given: files, or folders of a library's */
#ifndef PYRO_CLI_INPUT_H
#define PYRO_CLI_INPUT_H

#include "profile/profile.h"

/* The profile in a file, or of a folder (PYROSCOPE_OUTPUT_DIR) all windows as pyro
 * record sums them up: of the heap if `type` (or NULL) is one of its values or if
 * there is no other, else of CPU time. Returns owned; NULL after a message. */
struct pyro_profile *pyro_input_read(const char *path, const char *type);

/* The sum of those in a list up to NULL. Returns owned; NULL after a message. */
struct pyro_profile *pyro_input_read_all(char **paths, const char *type);

#endif
