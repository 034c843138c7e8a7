// SPDX-License-Identifier: Apache-2.0
/* main.c - the pyro command: finds the verb and runs it */
#include "cli/cli.h"

#include <string.h>

#include <pyroscope/pyroscope.h>

static const char help[] =
	"Continuous profiling for native programs.\n"
	"\n"
	"  pyro record -- ./app args    profile a run into pyro.pb.gz\n"
	"  pyro record -t heap -- ./app what it allocated, and did not free\n"
	"  pyro record --leaks -- ./app what it never freed, with stacks\n"
	"  pyro top pyro.pb.gz          where its CPU time or memory went: a "
	"table\n"
	"  pyro view pyro.pb.gz         the same as a flame graph, one HTML "
	"file\n"
	"  pyro diff a.pb.gz b.pb.gz    what grew from one profile to the "
	"other\n"
	"  pyro exec -- ./app args      profile for as long as it runs, and "
	"send\n"
	"                               to Pyroscope at http://127.0.0.1:4040\n"
	"  pyro version                 print the version\n"
	"\n"
	"pyro VERB --help tells more of each, pyro help settings all "
	"settings.\n";

static int show_help(int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "settings") == 0)
		pyro_settings_page();
	else
		fputs(help, stdout);
	return PYRO_EXIT_OK;
}

static int show_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	puts("pyro " PYROSCOPE_VERSION_STRING);
	return PYRO_EXIT_OK;
}

static const struct verb {
	const char *name;
	pyro_command_fn *run;
} verbs[] = {
	{"exec", pyro_exec_main}, {"record", pyro_record_main},
	{"diff", pyro_diff_main}, {"top", pyro_top_main},
	{"view", pyro_view_main}, {"version", show_version},
	{"help", show_help},      {"--version", show_version},
	{"--help", show_help},    {"-h", show_help},
	{"-V", show_version},
};

static int run(int argc, char **argv)
{
	if (argc < 2) {
		fputs(help, stderr);
		return PYRO_EXIT_USAGE;
	}
	for (size_t i = 0; i < PYRO_COUNT_OF(verbs); i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return verbs[i].run(argc - 1, argv + 1);
	pyro_say("%s %s; see pyro help",
		 argv[1][0] == '-' ? "unknown option" : "unknown verb",
		 argv[1]);
	return PYRO_EXIT_USAGE;
}

int main(int argc, char **argv)
{
	int code = run(argc, argv);

	/* A full disk or a closed pipe behind stdout is a failure. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		pyro_say("cannot write to standard output");
		return code ? code : PYRO_EXIT_FAILED;
	}
	return code;
}
