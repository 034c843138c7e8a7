// SPDX-License-Identifier: Apache-2.0
/* utf8.h - any bytes to valid UTF-8 */
#ifndef PYRO_PROFILE_UTF8_H
#define PYRO_PROFILE_UTF8_H

#include "base/util.h"

/* Copy len bytes to `to`, of which at most room are written, without a NUL
 * behind. Each ill-formed sequence and each NUL becomes one U+FFFD; what does
 * not fit is cut off between characters. Returns the bytes written. */
size_t pyro_utf8_clean(const char *s, size_t len, char *to, size_t room);

#endif
