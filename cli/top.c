// SPDX-License-Identifier: Apache-2.0
/* top.c - pyro top and pyro diff: profiles as tables */
#include "cli/cli.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "cli/file.h"
#include "cli/input.h"
#include "cli/listing.h"
#include "cli/types.h"
#include "profile/merge.h"

static const char top_help[] =
	"  pyro top pyro.pb.gz\n"
	"  pyro top --cum -n 50 monday.pb.gz tuesday.pb.gz\n"
	"  pyro top -t alloc_space heap.pb.gz\n"
	"\n"
	"Prints the functions of a pprof profile (of several, added up) in "
	"which\n"
	"most was spent: flat is the function's own share, cum includes all "
	"that\n"
	"it called. Profiles of the heap show all of their values. A folder "
	"is a\n"
	"PYROSCOPE_OUTPUT_DIR: all of its windows.\n"
	"\n" PYRO_LISTING_HELP
	"  --base FILE show what grew since this profile, as pyro diff does\n";

static const char diff_help[] =
	"  pyro diff before.pb.gz after.pb.gz\n"
	"  pyro diff -t inuse_objects -o growth.pb.gz before.pb.gz "
	"after.pb.gz\n"
	"\n"
	"Prints the functions of which the second profile has more, or less, "
	"than\n"
	"the first, by how much.\n"
	"\n" PYRO_LISTING_HELP
	"  -o FILE     write the difference as a profile, too, for pyro view\n";

static const struct option top_options[] = {
	{"base", required_argument, NULL, 'b'},
	{"cum", no_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{"type", required_argument, NULL, 't'},
	{NULL, 0, NULL, 0},
};

static const struct option diff_options[] = {
	{"cum", no_argument, NULL, 'c'},
	{"help", no_argument, NULL, 'h'},
	{"output", required_argument, NULL, 'o'},
	{"type", required_argument, NULL, 't'},
	{NULL, 0, NULL, 0},
};

struct command {
	struct pyro_listing_options table;
	char *base[2];      /* path and NULL */
	const char *output; /* diff */
	char **paths;
	int count;
};

static int write_difference(const struct pyro_profile *difference,
			    const char *path)
{
	struct pyro_output output;
	size_t trimmed = 0;
	int err = pyro_output_open(&output, path);

	if (!err)
		err = pyro_output_write_profile(&output, difference, &trimmed);
	if (err)
		pyro_say("diff: cannot write %s: %s", path, strerror(-err));
	else if (trimmed)
		pyro_say("diff: %s: %zu stacks in [trimmed]", path, trimmed);
	return err;
}

/* The exit code. */
static int show_growth(const char *verb, const struct command *command,
		       const struct pyro_profile *base,
		       const struct pyro_profile *profile)
{
	struct pyro_profile *difference = NULL;
	size_t type;
	int err = pyro_profile_diff(base, profile, &difference);

	if (err) {
		pyro_say("%s: %s", verb,
			 err == -EINVAL
				 ? "the profiles have other kinds of values"
				 : strerror(-err));
		return PYRO_EXIT_FAILED;
	}
	if (!pyro_type_choose(difference, verb, command->table.type, &type))
		err = -EINVAL;
	else
		err = pyro_listing_growth(base, difference, type,
					  command->table.rows,
					  command->table.by_cum, stdout);
	if (!err && command->output)
		err = write_difference(difference, command->output);
	pyro_profile_free(difference);
	return err ? PYRO_EXIT_FAILED : PYRO_EXIT_OK;
}

static int show(const struct command *command,
		const struct pyro_profile *profile)
{
	size_t type;

	if (!pyro_type_choose(profile, "top", command->table.type, &type))
		return PYRO_EXIT_FAILED;

	int err = pyro_listing_print(profile, type, command->table.rows,
				     command->table.by_cum, stdout);

	if (err)
		pyro_say("top: %s", strerror(-err));
	return err ? PYRO_EXIT_FAILED : PYRO_EXIT_OK;
}

static int run(const char *verb, struct command *command)
{
	struct pyro_profile *base = NULL;
	struct pyro_profile *profile =
		pyro_input_read_all(command->paths, command->table.type);
	int code = PYRO_EXIT_FAILED;

	if (profile && command->base[0]) {
		base = pyro_input_read_all(command->base, command->table.type);
		if (base)
			code = show_growth(verb, command, base, profile);
	} else if (profile) {
		code = show(command, profile);
	}
	pyro_profile_free(profile);
	pyro_profile_free(base);
	return code;
}

/* -1 to go on, or the exit code. */
static int parse(int argc, char **argv, bool diff, struct command *command)
{
	const char *shorts = diff ? ":n:t:ho:" : ":n:t:h";
	const struct option *longs = diff ? diff_options : top_options;
	int c;

	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		switch (c) {
		case 'n':
		case 't':
		case 'c':
			if (!pyro_listing_option(&command->table, argv[0], c,
						 optarg))
				return PYRO_EXIT_USAGE;
			break;
		case 'b':
			command->base[0] = optarg;
			break;
		case 'o':
			command->output = optarg;
			break;
		case 'h':
			fputs(diff ? diff_help : top_help, stdout);
			return PYRO_EXIT_OK;
		default:
			return pyro_bad_option(argv, c);
		}
	}
	command->paths = argv + optind;
	command->count = argc - optind;
	return -1;
}

int pyro_top_main(int argc, char **argv)
{
	struct command command = {.table.rows = PYRO_LISTING_ROWS};
	int code = parse(argc, argv, false, &command);

	if (code >= 0)
		return code;
	if (command.count == 0) {
		pyro_say("top: which profile? For example: pyro top "
			 "pyro.pb.gz");
		return PYRO_EXIT_USAGE;
	}
	return run("top", &command);
}

int pyro_diff_main(int argc, char **argv)
{
	struct command command = {.table.rows = PYRO_LISTING_ROWS};
	int code = parse(argc, argv, true, &command);

	if (code >= 0)
		return code;
	if (command.count != 2) {
		pyro_say("diff: which two profiles? For example: pyro diff "
			 "before.pb.gz after.pb.gz");
		return PYRO_EXIT_USAGE;
	}
	command.base[0] = command.paths[0];
	command.paths++;
	return run("diff", &command);
}
