// SPDX-License-Identifier: Apache-2.0
/* listener.h - /debug/pprof for whoever fetches profiles: go tool pprof, Alloy */
#ifndef PYRO_API_LISTENER_H
#define PYRO_API_LISTENER_H

#include "base/buf.h"

/* As pyroscope_listen(), with a log line of what is wrong; not of an address in use in
 * a forked child, which has siblings. Collector: it must not read the environment,
 * where the token is. */
int pyro_listener_start(const char *address, const char *token, bool forked);
/* In a forked child: the parent listens. */
void pyro_listener_forked(void);

/* metrics.c: the counters as Prometheus reads them. */
void pyro_metrics_write(struct pyro_buf *out);

#endif
