// SPDX-License-Identifier: Apache-2.0
/* listing.h - profiles as tables of functions */
#ifndef PYRO_CLI_LISTING_H
#define PYRO_CLI_LISTING_H

#include <stdio.h>

#include "profile/profile.h"

#define PYRO_LISTING_ROWS 20

struct pyro_listing_options {
	const char *type; /* borrowed; NULL: the profile's default */
	size_t rows;
	bool by_cum;
};

#define PYRO_LISTING_HELP                                                    \
	"  -t TYPE     which kind of value; default: inuse_space if any is " \
	"in\n"                                                               \
	"              use, else alloc_space; other profiles' last\n"        \
	"  -n ROWS     default: 20; 0: all\n"                                \
	"  --cum       sort by cum\n"

/* Take option n, t or c (--cum) of a verb. false after a message. */
bool pyro_listing_option(struct pyro_listing_options *options, const char *verb,
			 int c, const char *argument);

/* The heaviest functions of a profile's value number `type`, as a table; of the
 * heap with its other values too. 0 or -errno. */
int pyro_listing_print(const struct pyro_profile *profile, size_t type,
		       size_t rows, bool by_cum, FILE *to);

/* The same of a difference, with signs; totals and percentages are those of
 * base, which has the same types. */
int pyro_listing_growth(const struct pyro_profile *base,
			const struct pyro_profile *difference, size_t type,
			size_t rows, bool by_cum, FILE *to);

#endif
