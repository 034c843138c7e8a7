// SPDX-License-Identifier: Apache-2.0
/* pprof.h - profiles as google/pprof's protobuf (proto/profile.proto) */
#ifndef PYRO_ENCODE_PPROF_H
#define PYRO_ENCODE_PPROF_H

#include "base/buf.h"
#include "profile/profile.h"

/* What Pyroscope takes by default: one profile over 2 MiB uncompressed is
 * refused for ever by its rate limiter's burst. */
#define PYRO_PPROF_BYTES_MAX (1900u << 10)
#define PYRO_PPROF_SAMPLES_MAX 15999

/* Append the uncompressed message. period_type is always written. 0/-errno. */
int pyro_pprof_write(const struct pyro_profile *profile, struct pyro_buf *out);

/* The same within the limits above: trims the lightest samples into
 * "[trimmed]" until it fits. Sets *trimmed to how many went (may be NULL).
 * 0, -EFBIG when not even "[trimmed]" alone fits (comments), or -errno. */
int pyro_pprof_write_limited(const struct pyro_profile *profile,
			     struct pyro_buf *out, size_t *trimmed);

/* Read a message, gzipped or not. Returns owned in *out; 0, -EBADMSG for what
 * is no sound profile, -EFBIG over 256 MiB, -ENOMEM. Input is hostile. */
int pyro_pprof_read(const unsigned char *data, size_t len,
		    struct pyro_profile **out);

#endif
