// SPDX-License-Identifier: Apache-2.0
/* labels.c - the public functions for labels and spans */
#include "capture/labels.h"

#include "api/session.h"
#include "base/log.h"
#include "capture/spans.h"
#include "pyroscope/pyroscope.h"

pyroscope_labels pyroscope_labels_with(pyroscope_labels base, const char *key,
				       const char *value)
{
	return pyro_labels_with(base, key, value);
}

pyroscope_labels pyroscope_labels_get(void)
{
	return pyro_labels;
}

pyroscope_labels pyroscope_labels_set(pyroscope_labels labels)
{
	pyroscope_labels before = pyro_labels;

	pyro_labels = labels;
	return before;
}

pyroscope_labels pyroscope_labels_push(const char *key, const char *value)
{
	return pyroscope_labels_set(pyro_labels_with(pyro_labels, key, value));
}

void pyroscope_labels_pop(pyroscope_labels before)
{
	pyro_labels = before;
}

void pyroscope_span_begin(const uint8_t trace_id[16], const uint8_t span_id[8],
			  const char *name)
{
	pyro_span_begin(trace_id, span_id, name);
}

void pyroscope_span_end(void)
{
	pyro_span_end();
}

void pyro_labels_tell(void)
{
	if (pyro_labels_refused[PYRO_LABELS_BAD])
		PYRO_LOG_ONCE(
			"a label was not set: its name is not "
			"[a-zA-Z_][a-zA-Z0-9_]* of %d bytes, or its value "
			"has more than %d",
			PYRO_LABEL_KEY_MAX, PYRO_LABEL_VALUE_MAX);
	if (pyro_labels_refused[PYRO_LABELS_MANY])
		PYRO_LOG_ONCE("a label was not set: there are %u already",
			      pyro_labels_max());
	if (pyro_labels_refused[PYRO_LABELS_FULL])
		PYRO_LOG_ONCE(
			"a label was not set: there are %d sets of labels "
			"already, a MiB of them, or no memory",
			PYRO_LABEL_SETS_MAX);
}
