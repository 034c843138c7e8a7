// SPDX-License-Identifier: Apache-2.0
/* gzip.h - whole buffers through libdeflate */
#ifndef PYRO_ENCODE_GZIP_H
#define PYRO_ENCODE_GZIP_H

#include "base/buf.h"

/* Append data, gzipped, to out. 0 or -ENOMEM. */
int pyro_gzip(const unsigned char *data, size_t len, struct pyro_buf *out);
bool pyro_is_gzip(const unsigned char *data, size_t len);
/* Append the content of all gzip members. 0, -EBADMSG, -EFBIG when it would
 * grow over limit bytes, -ENOMEM. Input is hostile. */
int pyro_gunzip(const unsigned char *data, size_t len, size_t limit,
		struct pyro_buf *out);

#endif
