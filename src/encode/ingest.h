// SPDX-License-Identifier: Apache-2.0
/* ingest.h - a request to /ingest (Grafana Pyroscope, and servers before it) */
#ifndef PYRO_ENCODE_INGEST_H
#define PYRO_ENCODE_INGEST_H

#include "encode/push.h"

struct pyro_ingest {
	const char *application; /* becomes service_name */
	const struct pyro_series_label *labels;
	size_t label_count;
	int64_t time_ns, duration_ns;
	uint32_t sample_rate;
	/* What the server calls the types of values, as JSON; NULL: as it would
	 * by itself. */
	const char *type_names;
	const unsigned char *pprof; /* gzipped */
	size_t pprof_len;
};

/* Append the path with its query, the content type, each with its NUL, and the
 * body, a form whose boundary is random. Returns where the body begins in out,
 * 0 for out of memory. Names and values of labels are changed where the server
 * would take them for something else: see ingest.c. */
size_t pyro_ingest_write(const struct pyro_ingest *request,
			 struct pyro_buf *out);

#endif
