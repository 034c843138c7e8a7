// SPDX-License-Identifier: Apache-2.0
/* drops.h - the private folder into which recorded processes drop profiles
 *
 * The library writes there, for each session of each process:
 *
 *     <pid>-<began>-<n>.pb.gz        a window's profile of CPU time, renamed
 *                                    when complete
 *     <pid>-<began>-<n>.heap.pb.gz   a window's profile of the heap, too;
 *                                    .mutex, .block, .threads and .creation
 *                                    likewise
 *     <pid>-<began>.open             empty, there while a window has samples
 *                                    that are in no file
 *     log                            lines for the user
 *
 * began is CLOCK_MONOTONIC in nanoseconds, n rises. What is killed, _exit'ed or
 * exec'd leaves its .open file. */
#ifndef PYRO_CLI_DROPS_H
#define PYRO_CLI_DROPS_H

#include <limits.h>

#include "profile/profile.h"
#include "profile/stacks.h"

#define PYRO_DROPS_LOG_MAX 400

/* How a comment with a window's numbers begins. */
#define PYRO_DROPS_COUNTS "pyroscope: "

/* Sums over the files of one kind. */
struct pyro_drop_sums {
	size_t files; /* read */
	uint64_t samples, lost, truncated, threads_unarmed;
	uint64_t stops[PYRO_STOP_COUNT]; /* of the truncated: why */
	int64_t unsampled_ns;
	uint64_t own_ns; /* CPU time of profiling itself */
};

/* What a profile is of. */
enum pyro_drop_kind {
	PYRO_DROP_CPU,
	PYRO_DROP_HEAP,
	PYRO_DROP_MUTEX,
	PYRO_DROP_BLOCK,
	PYRO_DROP_THREADS,
	PYRO_DROP_CREATION,
	PYRO_DROP_KINDS
};
/* In file names: "", ".heap" and so on. */
const char *pyro_drop_suffix(enum pyro_drop_kind kind);
/* Its bits of profile/types.h. */
uint32_t pyro_drop_types(enum pyro_drop_kind kind);

struct pyro_drops {
	struct pyro_drop_sums of[PYRO_DROP_KINDS];
	/* Counts. */
	size_t unreadable; /* broken, or not profiles of their kind */
	size_t processes;  /* that dropped anything */
	size_t running;    /* go on after the program's end, with samples */
	size_t cut;        /* ended without their last window */
	size_t log_lines;
	char log[PYRO_DROPS_LOG_MAX]; /* the first line */
};

/* Make the folder, for this user alone, below $TMPDIR or /tmp. 0 or -errno. */
int pyro_drops_make(char path[PATH_MAX]);

/* Merge all that was dropped into the profiles of its kind; NULL: not wanted. All
 * is summed but what is in use: that is what each process's last window of the
 * heap says, none if the process executed another program since. Hostile and half
 * files are skipped and counted. 0 or -errno. */
int pyro_drops_collect(const char *path,
		       struct pyro_profile *const profiles[PYRO_DROP_KINDS],
		       struct pyro_drops *drops);

/* Remove the folder and all in it, also while processes still write there. Other
 * users' folders are not entered: if there is anything in them, they stay. */
void pyro_drops_remove(const char *path);

#endif
