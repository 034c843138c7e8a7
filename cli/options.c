// SPDX-License-Identifier: Apache-2.0
/* options.c - the options of exec and record
 *
 * Most are settings of the table, checked as the library does; a few are pyro's
 * own. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "cli/launch.h"
#include "cli/types.h"

#define AGE_MAX_S (INT64_C(100) * 365 * 86400)
#define LEFT 19 /* columns, where help begins */
#define WIDTH 79

static const char exec_help[] =
	"  pyro exec -- ./app args\n"
	"  pyro exec --server https://profiles.example.com --name shop -- "
	"./app\n"
	"\n"
	"Becomes the program, profiled for as long as it runs; profiles go to "
	"a\n"
	"Pyroscope server every 15 seconds. Fit for a container's ENTRYPOINT.\n"
	"\n";

static const char record_help[] =
	"  pyro record -- ./app args\n"
	"  pyro record -o slow.pb.gz --rate 1000 -- make -j8\n"
	"  pyro record -t heap -o heap.pb.gz -- ./app\n"
	"  pyro record --leaks -- ./app\n"
	"  pyro record -t block -o waits.pb.gz -- ./app\n"
	"  pyro record -t threads -o threads.pb.gz -- ./app\n"
	"\n"
	"Runs the program and all that it starts, and writes one pprof profile "
	"of\n"
	"their CPU time, or of their heap: what was allocated, and what was in "
	"use at\n"
	"exit. Exit code, streams and signals are the program's own.\n"
	"\n";

static const char settings_help[] =
	"\n"
	"The other settings of pyro help settings are set by variables or a "
	"file.\n";

enum {
	OPT_LEAKS = 256,
	OPT_ALONE,
	OPT_SETTING /* and the setting's number */
};

/* What is not in the table. */
static const struct {
	struct option option;
	bool record;           /* no option of exec */
	const char *as, *help; /* NULL: not worth a line */
} own_options[] = {
	{{"output", required_argument, NULL, 'o'},
	 true,
	 "-o FILE",
	 "default: pyro.pb.gz. Of what is profiled, the first of cpu, heap, "
	 "mutex, block, threads, thread_creation is written there, the others "
	 "beside it: "
	 "x.pb.gz, x.heap.pb.gz"},
	{{"leaks", optional_argument, NULL, OPT_LEAKS},
	 true,
	 "--leaks[=AGE]",
	 "-t heap, but only what was in use at exit and at least so old: 10s, "
	 "2m, 1h, 0 for all; rounded down to a power of two seconds. Default: "
	 "8s, or half the run if less"},
	{{"no-children", no_argument, NULL, OPT_ALONE},
	 false,
	 "--no-children",
	 "do not profile the programs that this one starts"},
	{{"quiet", no_argument, NULL, 'q'}, true, "-q", "no summary"},
	{{"help", no_argument, NULL, 'h'}, false, NULL, NULL},
};

#define OPTIONS_MAX (PYRO_COUNT_OF(own_options) + PYRO_SETTINGS + 1)

static bool is_option(const struct pyro_setting *setting, bool record)
{
	return setting->option &&
	       (!record || (setting->flags & PYRO_SETTING_RECORD));
}

static int option_value(enum pyro_setting_id id)
{
	return id == PYRO_SET_PROFILE_TYPES ? 't' : OPT_SETTING + (int)id;
}

static void make_options(bool record, struct option to[OPTIONS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < PYRO_COUNT_OF(own_options); i++)
		if (record || !own_options[i].record)
			to[n++] = own_options[i].option;
	for (int i = 0; i < PYRO_SETTINGS; i++)
		if (is_option(&pyro_setting[i], record))
			to[n++] = (struct option){
				pyro_setting[i].option, required_argument, NULL,
				option_value((enum pyro_setting_id)i)};
	to[n] = (struct option){NULL, 0, NULL, 0};
}

/* Words from column LEFT on, the first line behind as. */
static void print_option(const char *as, const char *help)
{
	int column = printf("  %-*s ", LEFT - 3, as);

	if (column > LEFT)
		column = WIDTH;
	while (*help) {
		int len = (int)strcspn(help, " ");

		if (column + (column > LEFT) + len > WIDTH) {
			printf("\n%*s", LEFT, "");
			column = LEFT;
		}
		column += printf("%s%.*s", column > LEFT ? " " : "", len, help);
		help += len + (help[len] == ' ');
	}
	putchar('\n');
}

static void print_setting(enum pyro_setting_id id, bool record)
{
	const struct pyro_setting *setting = &pyro_setting[id];
	bool types = id == PYRO_SET_PROFILE_TYPES;
	const char *fallback = types && record ? "cpu" : setting->fallback;
	bool open = setting->kind == PYRO_KIND_TEXT ||
		    setting->kind == PYRO_KIND_NAME ||
		    setting->kind == PYRO_KIND_TAGS ||
		    setting->kind == PYRO_KIND_ADDRESS;
	char as[64], expects[PYRO_SETTING_EXPECTS_MAX], help[1024];

	snprintf(as, sizeof(as), "%s%s %s", types ? "-t" : "--",
		 types ? "" : setting->option, setting->argument);
	if (!open)
		pyro_setting_expects(setting, setting->kind, expects);
	else
		*expects = '\0';
	snprintf(help, sizeof(help), "%s%s%s%s%s%s%s", setting->help,
		 *expects || fallback ? " (" : "", expects,
		 *expects && fallback ? "; " : "", fallback ? "default " : "",
		 fallback ? fallback : "", *expects || fallback ? ")" : "");
	print_option(as, help);
}

static void print_help(bool record)
{
	fputs(record ? record_help : exec_help, stdout);
	for (size_t i = 0; i < PYRO_COUNT_OF(own_options); i++)
		if (own_options[i].as && (record || !own_options[i].record))
			print_option(own_options[i].as, own_options[i].help);
	for (int i = 0; i < PYRO_SETTINGS; i++)
		if (is_option(&pyro_setting[i], record))
			print_setting((enum pyro_setting_id)i, record);
	fputs(settings_help, stdout);
}

/* "10s", "500ms", "2m", "1h", "10": whole seconds; -1 for anything else. */
static int64_t parse_age(const char *text)
{
	static const struct {
		const char *unit;
		int64_t ms;
	} units[] = {{"", 1000},
		     {"ms", 1},
		     {"s", 1000},
		     {"m", 60000},
		     {"h", 3600000}};
	char *end;
	long long value = strtoll(text, &end, 10);

	if (*text < '0' || *text > '9' || value > AGE_MAX_S)
		return -1;
	for (size_t i = 0; i < PYRO_COUNT_OF(units); i++)
		if (strcmp(end, units[i].unit) == 0)
			return value * units[i].ms / 1000;
	return -1;
}

/* As said here, else in the environment or the file, else fallback, in words. */
static uint32_t find(struct pyro_launch *launch,
		     const struct pyro_settings *settings,
		     enum pyro_setting_id id, const char *fallback)
{
	const struct pyro_setting *setting = &pyro_setting[id];
	struct pyro_setting_value value;
	const char *why;

	if (!launch->given[id])
		launch->given[id] = pyro_settings_written(settings, id, &value)
					    ? value.text
					    : fallback;
	pyro_setting_parse(setting, setting->kind, launch->given[id],
			   &value.number, &why);
	return value.number;
}

/* What a recording is to be of. -1, or the exit code. */
static int choose(char **argv, struct pyro_launch *launch)
{
	struct pyro_settings settings = {.quiet = false};

	/* Never freed: options point to what is written in it. */
	pyro_settings_read(&settings);
	launch->rate = find(launch, &settings, PYRO_SET_SAMPLE_RATE,
			    pyro_setting[PYRO_SET_SAMPLE_RATE].fallback);
	launch->types = find(launch, &settings, PYRO_SET_PROFILE_TYPES,
			     launch->leaks ? "heap" : "cpu");
	if (!launch->leaks ||
	    (launch->types & PYRO_TYPE_INUSE) == PYRO_TYPE_INUSE)
		return -1;
	pyro_say("%s: --leaks goes with -t heap, not -t %s", argv[0],
		 launch->given[PYRO_SET_PROFILE_TYPES]);
	return PYRO_EXIT_USAGE;
}

/* -1 when all is well, else the exit code. The address is no reason not to run
 * the program. */
static int check(char **argv, const struct pyro_launch *launch)
{
	char expects[PYRO_SETTING_EXPECTS_MAX];
	const char *why;
	uint32_t number;

	if (!launch->argv[0]) {
		pyro_say("%s: which program? For example: pyro %s -- ./app",
			 argv[0], argv[0]);
		return PYRO_EXIT_USAGE;
	}
	for (int i = 0; i < PYRO_SETTINGS; i++) {
		const struct pyro_setting *setting = &pyro_setting[i];
		const char *text = launch->given[i];

		if (!text || i == PYRO_SET_SERVER_ADDRESS ||
		    pyro_setting_parse(setting, setting->kind, text, &number,
				       &why) == PYRO_SETTING_GOOD)
			continue;
		pyro_say("%s: --%s is %s, not %s", argv[0], setting->option,
			 pyro_setting_expects(setting, setting->kind, expects),
			 text);
		return PYRO_EXIT_USAGE;
	}
	return -1;
}

/* Lists of labels go together; of two with one name the first in a list counts,
 * and the last that was typed should. Never freed. */
static void take_setting(int id, struct pyro_launch *launch)
{
	const char *before = launch->given[id];
	char *list;

	launch->given[id] = optarg;
	if (id == PYRO_SET_TAGS && before &&
	    asprintf(&list, "%s,%s", optarg, before) >= 0)
		launch->given[id] = list;
}

/* -1 to go on, else the exit code. */
static int take_own(int c, char **argv, bool record, struct pyro_launch *launch)
{
	switch (c) {
	case OPT_LEAKS:
		launch->leaks = true;
		launch->leaks_age = optarg ? parse_age(optarg) : -1;
		if (!optarg || launch->leaks_age >= 0)
			return -1;
		pyro_say("%s: --leaks takes an age as 10s or 2m, not %s",
			 argv[0], optarg);
		return PYRO_EXIT_USAGE;
	case OPT_ALONE:
		launch->given[PYRO_SET_CHILDREN] = "0";
		return -1;
	case 'o':
		launch->output = optarg;
		return -1;
	case 'q':
		launch->quiet = true;
		return -1;
	case 'h':
		print_help(record);
		return PYRO_EXIT_OK;
	default:
		return pyro_bad_option(argv, c);
	}
}

int pyro_launch_parse(int argc, char **argv, bool record,
		      struct pyro_launch *launch)
{
	/* '+': stop at the program's name; ':': do not print. */
	const char *shorts = record ? "+:ho:qt:" : "+:ht:";
	struct option longs[OPTIONS_MAX];
	int c, code = -1;

	*launch = (struct pyro_launch){.output = "pyro.pb.gz", .leaks_age = -1};
	make_options(record, longs);
	while (code < 0 &&
	       (c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == 't')
			launch->given[PYRO_SET_PROFILE_TYPES] = optarg;
		else if (c >= OPT_SETTING)
			take_setting(c - OPT_SETTING, launch);
		else
			code = take_own(c, argv, record, launch);
	}
	if (code >= 0)
		return code;
	launch->argv = argv + optind;
	code = check(argv, launch);
	if (code < 0 && pyro_launch_config(launch) != 0) {
		pyro_say("out of memory");
		code = PYRO_EXIT_FAILED;
	}
	return code >= 0 || !record ? code : choose(argv, launch);
}
