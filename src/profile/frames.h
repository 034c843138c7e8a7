// SPDX-License-Identifier: Apache-2.0
/* frames.h - the frames of one profile's stacks, as its locations
 *
 * Collector only. */
#ifndef PYRO_PROFILE_FRAMES_H
#define PYRO_PROFILE_FRAMES_H

#include "capture/labels.h"
#include "image/demangle.h"
#include "image/lines.h"
#include "image/modules.h"
#include "image/perf_map.h"
#include "profile/profile.h"
#include "profile/stack_set.h"

/* How much is said of a frame. */
enum pyro_symbolize {
	PYRO_SYMBOLIZE_NAMES,  /* its function */
	PYRO_SYMBOLIZE_LINES,  /* source lines and inlined functions, too */
	PYRO_SYMBOLIZE_SERVER, /* its address: the server finds the name; but
				* a stack's root is named */
	PYRO_SYMBOLIZE_COUNT
};

/* A stack, the name of the lock before it, and the root that says why it is not
 * complete. */
#define PYRO_FRAMES_MAX (PYRO_DEPTH_MAX + 2)

struct pyro_frames {
	/* Set by the caller, who owns them; all else is zero then. */
	struct pyro_profile *profile;
	struct pyro_modules *modules;
	enum pyro_symbolize symbolize;
	bool strip; /* files are known by their names, without folders */
	const struct pyro_lines *lines; /* what is known; NULL: nothing */
	struct pyro_names *names; /* makes them readable; NULL: as they are */
	const struct pyro_span *spans; /* by number, from 1; NULL: none */
	bool traces;                   /* a span's is a label, too */

	struct pyro_perf_map made;  /* code that no object holds */
	struct pyro_table by_frame; /* frame, is_root -> index into known */
	struct pyro_known_frame {
		uint64_t frame;
		uint32_t location;
		bool is_root;
	} * known;
	size_t count, cap;
	uint32_t *mapping; /* by module id; 0: not added yet */
	size_t mapping_cap;
};

/* Code that was made at run time has its name if each stack is shown to
 * pyro_frames_want(), and then pyro_frames_wanted() is called, before the first
 * pyro_frames_stack(). */
void pyro_frames_want(struct pyro_frames *f,
		      const struct pyro_stack_frames *stack);
void pyro_frames_wanted(struct pyro_frames *f);

/* The locations of a stack, leaf first, of which the last says so if it was not
 * walked to its end. Returns how many. Reads symbols of modules the first time.
 * Failure is the profile's. */
size_t pyro_frames_stack(struct pyro_frames *f,
			 const struct pyro_stack_frames *stack,
			 uint32_t locations[PYRO_FRAMES_MAX]);

/* The labels of a stack and of its span. Returns how many. */
#define PYRO_FRAMES_LABELS_MAX (PYRO_LABELS_MAX + 2)
size_t pyro_frames_labels(struct pyro_frames *f,
			  const struct pyro_stack_frames *stack,
			  struct pyro_label labels[PYRO_FRAMES_LABELS_MAX]);

/* Whose values a sample has. */
struct pyro_place {
	uint32_t locations[PYRO_FRAMES_MAX];
	size_t depth;
	/* There is room for one more. */
	struct pyro_label labels[PYRO_FRAMES_LABELS_MAX + 1];
	size_t label_count;
};

void pyro_frames_place(struct pyro_frames *f,
		       const struct pyro_stack_frames *stack,
		       struct pyro_place *place);

/* The profile is the caller's. */
void pyro_frames_free(struct pyro_frames *f);

#endif
