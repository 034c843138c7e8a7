// SPDX-License-Identifier: Apache-2.0
/* push.c - push.v1.PushRequest
 *
 *     PushRequest { 1 series }
 *     RawProfileSeries { 1 labels, 2 samples }
 *     LabelPair { 1 name, 2 value }      RawSample { 1 raw_profile }
 *
 * The server refuses the whole series for one name or value that is not UTF-8
 * or too long, so these are repaired and cut here. */
#include "encode/push.h"

#include <string.h>

#include <errno.h>

#include "encode/proto.h"
#include "profile/utf8.h"

/* The server's limits. */
#define NAME_MAX_BYTES 1024
#define VALUE_MAX_BYTES 2048

static void put_text(struct pyro_buf *out, uint32_t field, const char *s,
		     size_t max)
{
	char clean[VALUE_MAX_BYTES];
	size_t len = pyro_utf8_clean(s, strlen(s), clean, max);

	pyro_proto_put_bytes(out, field, clean, len);
}

int pyro_push_write(const struct pyro_series_label *labels, size_t label_count,
		    const unsigned char *pprof, size_t pprof_len,
		    struct pyro_buf *out)
{
	size_t series = pyro_proto_begin(out);

	for (size_t i = 0; i < label_count; i++) {
		size_t label = pyro_proto_begin(out);

		put_text(out, 1, labels[i].name, NAME_MAX_BYTES);
		put_text(out, 2, labels[i].value, VALUE_MAX_BYTES);
		pyro_proto_end(out, 1, label);
	}

	size_t sample = pyro_proto_begin(out);

	pyro_proto_put_bytes(out, 1, pprof, pprof_len);
	pyro_proto_end(out, 2, sample);
	pyro_proto_end(out, 1, series);
	return out->failed ? -ENOMEM : 0;
}
