// SPDX-License-Identifier: Apache-2.0
/* spans.h - the span of a distributed trace that a thread works for */
#ifndef PYRO_CAPTURE_SPANS_H
#define PYRO_CAPTURE_SPANS_H

#include "base/slots.h"

/* The calling thread's, and how many of its spans have begun and not ended: the
 * outermost counts, when there is one. Context of reading: signal. */
struct pyro_thread_span {
	struct pyro_span span;
	uint32_t depth;
	uint32_t labels_before;
};

/* Of the calling thread. trace is NULL: not known. name is NULL or the label
 * span_name meanwhile. */
void pyro_span_begin(const uint8_t trace[16], const uint8_t id[8],
		     const char *name);
void pyro_span_end(void);

extern _Thread_local struct pyro_thread_span pyro_thread_span;

/* What a sample of the calling thread belongs to; zeros: none. */
static inline struct pyro_span pyro_span_now(void)
{
	static const struct pyro_span none;

	return pyro_thread_span.depth ? pyro_thread_span.span : none;
}

#endif
