// SPDX-License-Identifier: Apache-2.0
/* push.h - push.v1.PushRequest with one series (Grafana Pyroscope) */
#ifndef PYRO_ENCODE_PUSH_H
#define PYRO_ENCODE_PUSH_H

#include "base/buf.h"

struct pyro_series_label {
	const char *name;
	const char *value;
};

/* Append the message: one series of these labels with one raw profile (pprof
 * bytes, gzipped or not). 0 or -ENOMEM. Names and values are made valid UTF-8
 * and cut where the server would refuse them: 1024 and 2048 bytes. */
int pyro_push_write(const struct pyro_series_label *labels, size_t label_count,
		    const unsigned char *pprof, size_t pprof_len,
		    struct pyro_buf *out);

#endif
