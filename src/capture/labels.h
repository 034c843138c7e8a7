// SPDX-License-Identifier: Apache-2.0
/* labels.h - what a thread says of the work that it does: "route" is "/cart"
 *
 * A set of labels is a number, the same for the same labels in the whole process
 * and for ever: to take a sample with its labels is to copy a number, and to go
 * back to what was before is a store. Sets are made without locks and never
 * freed; there is a limit, for the server keeps a series for each. */
#ifndef PYRO_CAPTURE_LABELS_H
#define PYRO_CAPTURE_LABELS_H

#include <stdatomic.h>

#include "base/util.h"

#define PYRO_LABELS_MAX 16 /* in a set */
#define PYRO_SERIES_LABELS_MAX \
	30 /* all of a sample's; else the server refuses */
#define PYRO_LABEL_SETS_MAX 16384
#define PYRO_LABEL_KEY_MAX 255    /* bytes; the server takes 1024 */
#define PYRO_LABEL_VALUE_MAX 1023 /* bytes; the server takes 2048 */

struct pyro_label_pair {
	const char *key, *value; /* constant, for ever */
};

/* The calling thread's set; 0: none. A new thread has none, but
 * for those of who creates it (hook.h). Context of reading:
 * signal. */
extern _Thread_local uint32_t pyro_labels;

/* The set that has a label more than base, or another value for it; "" takes it
 * out. base when that cannot be, which is counted. Any thread. */
uint32_t pyro_labels_with(uint32_t base, const char *key, const char *value);

/* The labels of a set, sorted by key. Returns how many. Any thread. */
size_t pyro_labels_of(uint32_t set,
		      struct pyro_label_pair pair[PYRO_LABELS_MAX]);

/* Let a set have fewer labels, from now on: those that PYRO_SERIES_LABELS_MAX leaves
 * beside so many others. Of a larger set, which there may be already, only so many
 * count. Any thread. */
void pyro_labels_leave(uint32_t others);
uint32_t pyro_labels_max(void);

/* Is it [a-zA-Z_][a-zA-Z0-9_]*, not too long, and none of the server's own? */
bool pyro_label_is_key(const char *key);

/* Calls of pyro_labels_with() that have changed nothing: the label is none, there
 * are pyro_labels_max(), or there is no place for another set. */
extern _Atomic uint64_t pyro_labels_refused[];
enum pyro_labels_refusal {
	PYRO_LABELS_BAD,
	PYRO_LABELS_MANY,
	PYRO_LABELS_FULL,
	PYRO_LABELS_REFUSALS
};

#endif
