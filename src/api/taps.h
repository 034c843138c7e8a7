// SPDX-License-Identifier: Apache-2.0
/* taps.h - profiles for whoever asks, beside those that are sent
 *
 * A tap is given each window's profile of its kind that begins while it is open,
 * and sums them up. */
#ifndef PYRO_API_TAPS_H
#define PYRO_API_TAPS_H

#include "api/session.h"

struct pyro_tap {
	enum pyro_output kind;
	uint64_t since_ns; /* CLOCK_MONOTONIC: windows before do not count */
	struct pyro_profile *sum; /* NULL: none yet */
	struct pyro_tap *next;
};

/* Is that kind profiled now? And is it not, as the program has paused it? */
bool pyro_tap_is_profiled(enum pyro_output kind);
bool pyro_tap_is_paused(enum pyro_output kind);

/* The tap is the caller's memory, and the running window ends before. */
void pyro_tap_open(struct pyro_tap *tap, enum pyro_output kind);
/* What there was since, until now: owned, or NULL for out of memory. It is open no
 * more. */
struct pyro_profile *pyro_tap_close(struct pyro_tap *tap);
/* The same of one that stays open; and of one that begins anew. */
struct pyro_profile *pyro_tap_read(struct pyro_tap *tap);
struct pyro_profile *pyro_tap_take(struct pyro_tap *tap);
/* The same of one that stays open; and another one opens where this profile ends,
 * unless it is NULL. */
struct pyro_profile *pyro_tap_branch(const struct pyro_tap *from,
				     struct pyro_tap *tap);

/* Is one open for this kind? */
bool pyro_taps_want(enum pyro_output kind);
/* A window has ended that began at start_ns of CLOCK_MONOTONIC. Collector. */
void pyro_taps_add(enum pyro_output kind, const struct pyro_profile *profile,
		   uint64_t start_ns);
/* In a forked child: they were the parent's. */
void pyro_taps_forked(void);

#endif
