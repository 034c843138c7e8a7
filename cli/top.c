// SPDX-License-Identifier: Apache-2.0
/* top.c - pyro top: a profile as a table */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"
#include "cli/report.h"
#include "profile/merge.h"

#define ROWS_DEFAULT 20

static const char help[] =
	"  pyro top pyro.pb.gz\n"
	"  pyro top --cum -n 50 monday.pb.gz tuesday.pb.gz\n"
	"\n"
	"Prints the functions of a pprof profile (of several, added up) in "
	"which\n"
	"most was spent: flat is the function's own share, cum includes all "
	"that\n"
	"it called. The profile's last kind of value is shown.\n"
	"\n"
	"  -n ROWS   default: 20; 0: all\n"
	"  --cum     sort by cum\n";

static const struct option options[] = {
	{"cum", no_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

/* Returns owned; NULL after a message. */
static struct pyro_profile *read_all(char **paths)
{
	struct pyro_profile *sum = NULL;

	for (; *paths; paths++) {
		struct pyro_profile *next = NULL;
		int err = pyro_file_read(AT_FDCWD, *paths, &next);

		if (err) {
			pyro_say("%s: %s", *paths, pyro_file_error(err));
			goto fail;
		}
		if (!sum) {
			sum = next;
			continue;
		}
		err = pyro_profile_merge(sum, next);
		pyro_profile_free(next);
		if (err) {
			pyro_say("%s: %s", *paths,
				 err == -EINVAL
					 ? "other kinds of values than the "
					   "files before"
					 : strerror(-err));
			goto fail;
		}
	}
	return sum;
fail:
	pyro_profile_free(sum);
	return NULL;
}

int pyro_top_main(int argc, char **argv)
{
	size_t rows = ROWS_DEFAULT;
	bool cum = false;
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, ":n:h", options, NULL)) != -1) {
		switch (c) {
		case 'n':
			rows = strtoul(optarg, &end, 10);
			if (*end || *optarg < '0' || *optarg > '9') {
				pyro_say("top: -n is a number, not %s", optarg);
				return PYRO_EXIT_USAGE;
			}
			break;
		case 'c':
			cum = true;
			break;
		case 'h':
			fputs(help, stdout);
			return PYRO_EXIT_OK;
		default:
			return pyro_bad_option(argv, c);
		}
	}
	if (optind == argc) {
		pyro_say("top: which profile? For example: pyro top "
			 "pyro.pb.gz");
		return PYRO_EXIT_USAGE;
	}

	struct pyro_profile *profile = read_all(argv + optind);

	if (!profile)
		return PYRO_EXIT_FAILED;

	int err =
		pyro_report_print(profile, rows ? rows : SIZE_MAX, cum, stdout);

	if (err)
		pyro_say("top: %s", strerror(-err));
	pyro_profile_free(profile);
	return err ? PYRO_EXIT_FAILED : PYRO_EXIT_OK;
}
