// SPDX-License-Identifier: Apache-2.0
/* spans.c - the span of a distributed trace that a thread works for */
#include "capture/spans.h"

#include <string.h>

#include "capture/labels.h"

_Thread_local struct pyro_thread_span pyro_thread_span;

/* The id is there before the depth says so, for the thread's own signals. */
void pyro_span_begin(const uint8_t trace[16], const uint8_t id[8],
		     const char *name)
{
	struct pyro_thread_span *t = &pyro_thread_span;

	if (t->depth == 0) {
		memcpy(t->span.id, id, sizeof(t->span.id));
		if (trace)
			memcpy(t->span.trace, trace, sizeof(t->span.trace));
		else
			memset(t->span.trace, 0, sizeof(t->span.trace));
		t->labels_before = pyro_labels;
		if (name)
			pyro_labels = pyro_labels_with(pyro_labels, "span_name",
						       name);
		atomic_signal_fence(memory_order_release);
	}
	t->depth++;
}

void pyro_span_end(void)
{
	struct pyro_thread_span *t = &pyro_thread_span;

	if (t->depth == 0)
		return;
	t->depth--;
	if (t->depth == 0)
		pyro_labels = t->labels_before;
}
