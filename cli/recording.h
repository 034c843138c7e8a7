// SPDX-License-Identifier: Apache-2.0
/* recording.h - a run of a program under pyro record, and what it left */
#ifndef PYRO_CLI_RECORDING_H
#define PYRO_CLI_RECORDING_H

#include "cli/drops.h"
#include "cli/file.h"
#include "cli/launch.h"
#include "cli/leaks.h"
#include "cli/supervise.h"

/* One profile of a kind. */
struct pyro_recorded {
	struct pyro_profile *profile; /* NULL: not asked for */
	struct pyro_output output;    /* its path is NULL if not asked for */
	char path[PATH_MAX];          /* if it is written beside the first */
	size_t trimmed;               /* samples that did not fit */
};

struct pyro_recording {
	struct pyro_launch launch;
	struct pyro_target target;
	char folder[PATH_MAX]; /* "": not profiled */
	const char *why_not;   /* not profiled */
	int64_t time_ns;       /* start, CLOCK_REALTIME */
	uint64_t start_ns, duration_ns;
	struct pyro_outcome outcome;
	struct pyro_drops drops;
	struct pyro_recorded of[PYRO_DROP_KINDS];
	struct pyro_leaks leaks; /* of the heap, if they were asked for */
};

/* The summary: a few lines on stderr, or more if there are leaks. */
void pyro_summary_say(const struct pyro_recording *rec);

#endif
