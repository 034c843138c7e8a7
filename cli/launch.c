// SPDX-License-Identifier: Apache-2.0
/* launch.c - options of exec and record, and the environment they make
 *
 * The library learns everything from the environment, because that is what a
 * program's children inherit too: LD_PRELOAD starts it, PYROSCOPE_* say how. */
#include "cli/launch.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/types.h"

#define RATE_MAX 1000
#define NAME_MAX_BYTES 255
#define INTERVAL_MAX (UINT32_C(1) << 30)
#define AGE_MAX_S (INT64_C(100) * 365 * 86400)

static const char exec_help[] =
	"  pyro exec -- ./app args\n"
	"  pyro exec --server https://profiles.example.com --name shop -- "
	"./app\n"
	"\n"
	"Becomes the program, profiled for as long as it runs; profiles go to "
	"a\n"
	"Pyroscope server every 15 seconds. Fit for a container's ENTRYPOINT.\n"
	"\n"
	"  -t TYPES         one or more, by commas, of cpu, heap, "
	"alloc_objects,\n"
	"                   alloc_space, inuse_objects, inuse_space; heap is "
	"the\n"
	"                   latter four; block_count, block_duration, block: "
	"both.\n"
	"                   Default: cpu,heap\n"
	"  --server URL     default: PYROSCOPE_SERVER_ADDRESS, else\n"
	"                   http://127.0.0.1:4040\n"
	"  --name NAME      service name; default: the executable's name\n"
	"  --rate HZ        samples a second of CPU time, 1 to 1000; default "
	"100\n"
	"  --symbols HOW    names; lines: source lines and inlined functions, "
	"too;\n"
	"                   server: addresses. Default: names\n"
	"  --demangle HOW   simplified: C++ and Rust names without parameters; "
	"full;\n"
	"                   none. Default: simplified\n"
	"  --heap-interval BYTES\n"
	"                   one sample for so many allocated; 512k, 1m; "
	"default "
	"512k\n"
	"  --log-file FILE  append the library's messages; default: none are "
	"kept\n"
	"  --no-children    do not profile the programs that this one starts\n";

static const char record_help[] =
	"  pyro record -- ./app args\n"
	"  pyro record -o slow.pb.gz --rate 1000 -- make -j8\n"
	"  pyro record -t heap -o heap.pb.gz -- ./app\n"
	"  pyro record --leaks -- ./app\n"
	"  pyro record -t block -o waits.pb.gz -- ./app\n"
	"\n"
	"Runs the program and all that it starts, and writes one pprof profile "
	"of\n"
	"their CPU time, or of their heap: what was allocated, and what was in "
	"use at\n"
	"exit. Exit code, streams and signals are the program's own.\n"
	"\n"
	"  -o FILE          default: pyro.pb.gz\n"
	"  -t TYPES         one or more, by commas, of cpu, heap, "
	"alloc_objects,\n"
	"                   alloc_space, inuse_objects, inuse_space; heap is "
	"the\n"
	"                   latter four; block_count, block_duration, block: "
	"both.\n"
	"                   Default: cpu. What is not the first of cpu, heap, "
	"block\n"
	"                   is written beside FILE: x.pb.gz, x.heap.pb.gz\n"
	"  --leaks[=AGE]    -t heap, but only what was in use at exit and at "
	"least so\n"
	"                   old: 10s, 2m, 1h, 0 for all; rounded down to a "
	"power of\n"
	"                   two seconds. Default: 8s, or half the run if less\n"
	"  --rate HZ        samples a second of CPU time, 1 to 1000; default "
	"100\n"
	"  --symbols HOW    names; lines: source lines and inlined functions, "
	"too;\n"
	"                   server: addresses. Default: names\n"
	"  --demangle HOW   simplified: C++ and Rust names without parameters; "
	"full;\n"
	"                   none. Default: simplified\n"
	"  --name NAME      service name; default: the executable's name\n"
	"  --heap-interval BYTES\n"
	"                   one sample for so many allocated; 512k, 1m; "
	"default "
	"512k\n"
	"  --log-file FILE  append the library's messages; default: shown at "
	"the\n"
	"                   end\n"
	"  --no-children    do not profile the programs that this one starts\n"
	"  -q               no summary\n";

enum {
	OPT_SERVER = 256,
	OPT_NAME,
	OPT_RATE,
	OPT_SYMBOLS,
	OPT_DEMANGLE,
	OPT_LOG,
	OPT_INTERVAL,
	OPT_LEAKS,
	OPT_ALONE
};

static const struct option exec_options[] = {
	{"server", required_argument, NULL, OPT_SERVER},
	{"name", required_argument, NULL, OPT_NAME},
	{"rate", required_argument, NULL, OPT_RATE},
	{"symbols", required_argument, NULL, OPT_SYMBOLS},
	{"demangle", required_argument, NULL, OPT_DEMANGLE},
	{"types", required_argument, NULL, 't'},
	{"heap-interval", required_argument, NULL, OPT_INTERVAL},
	{"log-file", required_argument, NULL, OPT_LOG},
	{"no-children", no_argument, NULL, OPT_ALONE},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static const struct option record_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"leaks", optional_argument, NULL, OPT_LEAKS},
	{"name", required_argument, NULL, OPT_NAME},
	{"rate", required_argument, NULL, OPT_RATE},
	{"symbols", required_argument, NULL, OPT_SYMBOLS},
	{"demangle", required_argument, NULL, OPT_DEMANGLE},
	{"types", required_argument, NULL, 't'},
	{"heap-interval", required_argument, NULL, OPT_INTERVAL},
	{"log-file", required_argument, NULL, OPT_LOG},
	{"no-children", no_argument, NULL, OPT_ALONE},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static bool good_rate(const char *text)
{
	size_t len = strlen(text);

	if (len == 0 || len > 4 || strspn(text, "0123456789") != len)
		return false;

	long rate = strtol(text, NULL, 10);

	return rate >= 1 && rate <= RATE_MAX;
}

static bool good_symbols(const char *text)
{
	return !strcmp(text, "names") || !strcmp(text, "lines") ||
	       !strcmp(text, "server");
}

static bool good_demangle(const char *text)
{
	return !strcmp(text, "simplified") || !strcmp(text, "full") ||
	       !strcmp(text, "none");
}

/* "4096", "512k", "1m": bytes; 0 for anything else. */
static uint32_t parse_bytes(const char *text)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);
	unsigned int shift = *end == 'k' || *end == 'K'   ? 10
			     : *end == 'm' || *end == 'M' ? 20
			     : *end == 'g' || *end == 'G' ? 30
							  : 0;

	if (*text < '0' || *text > '9' || end[shift != 0] ||
	    value > INTERVAL_MAX >> shift)
		return 0;
	return (uint32_t)(value << shift);
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

static int check_interval(char **argv, struct pyro_launch *launch)
{
	if (!launch->interval_text)
		return -1;
	launch->heap_interval = parse_bytes(launch->interval_text);
	if (launch->heap_interval)
		return -1;
	pyro_say("%s: --heap-interval is 1 to 1g bytes, not %s", argv[0],
		 launch->interval_text);
	return PYRO_EXIT_USAGE;
}

/* What is to be profiled: as said here, or in the environment as for exec. */
static int check_types(char **argv, bool record, struct pyro_launch *launch)
{
	const char *variable =
		record ? getenv("PYROSCOPE_PROFILE_TYPES") : NULL;
	const char *text = launch->types_text;

	if (launch->leaks && !text)
		launch->types_text = text = "heap";
	if (record && !text)
		launch->types_text = text =
			variable && *variable ? variable : "cpu";
	if (!text)
		return -1;
	launch->types = pyro_types_parse(text);
	if (!launch->types) {
		pyro_say("%s: %s is a list of " PYRO_TYPES_TEXT ", not %s",
			 argv[0],
			 text == variable ? "PYROSCOPE_PROFILE_TYPES" : "-t",
			 text);
		return PYRO_EXIT_USAGE;
	}
	if (launch->leaks &&
	    (launch->types & PYRO_TYPE_INUSE) != PYRO_TYPE_INUSE) {
		pyro_say("%s: --leaks goes with -t heap, not -t %s", argv[0],
			 text);
		return PYRO_EXIT_USAGE;
	}
	return -1;
}

/* -1 when all is well, else the exit code. */
static int check(char **argv, const struct pyro_launch *launch)
{
	if (!launch->argv[0]) {
		pyro_say("%s: which program? For example: pyro %s -- ./app",
			 argv[0], argv[0]);
		return PYRO_EXIT_USAGE;
	}
	if (launch->rate && !good_rate(launch->rate)) {
		pyro_say("%s: --rate is 1 to %d, not %s", argv[0], RATE_MAX,
			 launch->rate);
		return PYRO_EXIT_USAGE;
	}
	if (launch->symbols && !good_symbols(launch->symbols)) {
		pyro_say("%s: --symbols is names, lines or server, not %s",
			 argv[0], launch->symbols);
		return PYRO_EXIT_USAGE;
	}
	if (launch->demangle && !good_demangle(launch->demangle)) {
		pyro_say("%s: --demangle is simplified, full or none, not %s",
			 argv[0], launch->demangle);
		return PYRO_EXIT_USAGE;
	}
	if (launch->name &&
	    (!*launch->name || strlen(launch->name) > NAME_MAX_BYTES)) {
		pyro_say("%s: --name is 1 to %d bytes", argv[0],
			 NAME_MAX_BYTES);
		return PYRO_EXIT_USAGE;
	}
	return -1;
}

int pyro_launch_parse(int argc, char **argv, bool record,
		      struct pyro_launch *launch)
{
	/* '+': stop at the program's name; ':': do not print. */
	const char *shorts = record ? "+:ho:qt:" : "+:ht:";
	const struct option *longs = record ? record_options : exec_options;
	int c;

	*launch = (struct pyro_launch){.output = "pyro.pb.gz", .leaks_age = -1};
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		switch (c) {
		case OPT_SERVER:
			launch->server = optarg;
			break;
		case OPT_NAME:
			launch->name = optarg;
			break;
		case OPT_RATE:
			launch->rate = optarg;
			break;
		case OPT_SYMBOLS:
			launch->symbols = optarg;
			break;
		case OPT_DEMANGLE:
			launch->demangle = optarg;
			break;
		case OPT_LOG:
			launch->log_file = optarg;
			break;
		case 't':
			launch->types_text = optarg;
			break;
		case OPT_INTERVAL:
			launch->interval_text = optarg;
			break;
		case OPT_LEAKS:
			launch->leaks = true;
			launch->leaks_age = optarg ? parse_age(optarg) : -1;
			if (!optarg || launch->leaks_age >= 0)
				break;
			pyro_say("%s: --leaks takes an age as 10s or 2m, not "
				 "%s",
				 argv[0], optarg);
			return PYRO_EXIT_USAGE;
		case OPT_ALONE:
			launch->no_children = true;
			break;
		case 'o':
			launch->output = optarg;
			break;
		case 'q':
			launch->quiet = true;
			break;
		case 'h':
			fputs(record ? record_help : exec_help, stdout);
			return PYRO_EXIT_OK;
		default:
			return pyro_bad_option(argv, c);
		}
	}
	launch->argv = argv + optind;
	c = check(argv, launch);
	if (c < 0)
		c = check_interval(argv, launch);
	return c >= 0 ? c : check_types(argv, record, launch);
}

/* The library, which is installed or built near this executable. */
static bool find_library(char path[PATH_MAX])
{
	static const char *const places[] = {
		"libpyroscope.so.0",
		"../lib/libpyroscope.so.0",
		"../lib64/libpyroscope.so.0",
#if defined(__x86_64__)
		"../lib/x86_64-linux-gnu/libpyroscope.so.0",
#elif defined(__aarch64__)
		"../lib/aarch64-linux-gnu/libpyroscope.so.0",
#endif
		"libpyroscope.so",
	};
	const char *given = getenv("PYROSCOPE_LIBRARY");
	char self[PATH_MAX], place[PATH_MAX + 64];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);

	if (given && *given)
		return realpath(given, path) && access(path, R_OK) == 0;
	if (n < 0)
		return false;
	self[n] = '\0';
	*strrchr(self, '/') = '\0';
	for (size_t i = 0; i < PYRO_COUNT_OF(places); i++) {
		snprintf(place, sizeof(place), "%s/%s", self, places[i]);
		if (realpath(place, path) && access(path, R_OK) == 0)
			return true;
	}
	return false;
}

/* LD_PRELOAD with the library first and whatever the user has there behind,
 * once, also when pyro runs under pyro. Returns owned (free). */
static char *preload(const char *library)
{
	const char *old = getenv("LD_PRELOAD");
	size_t len = strlen(library);
	char *value = NULL;

	if (!old)
		old = "";
	if (strncmp(old, library, len) == 0 && (!old[len] || old[len] == ':'))
		old += old[len] ? len + 1 : len;
	if (asprintf(&value, "%s%s%s", library, *old ? ":" : "", old) < 0)
		return NULL;
	return value;
}

static int set(const char *name, const char *value)
{
	return value ? setenv(name, value, 1) : 0;
}

/* The log's path as seen from any folder: the program may change its own. */
static int set_log(const char *file, const char *folder)
{
	char *path = NULL, *cwd = NULL;
	int n = 0;

	if (!file)
		n = asprintf(&path, "%s%s", folder ? folder : "",
			     folder ? "/log" : "");
	else if (*file == '/')
		n = asprintf(&path, "%s", file);
	else if ((cwd = get_current_dir_name()))
		n = asprintf(&path, "%s/%s", cwd, file);
	free(cwd);
	if (n < 0 || !path)
		return -1;
	n = setenv("PYROSCOPE_LOG_FILE", path, 1);
	free(path);
	return n;
}

const char *pyro_launch_environment(const struct pyro_launch *launch,
				    const char *folder)
{
	char library[PATH_MAX];

	if (!find_library(library))
		return "libpyroscope.so.0 is not where pyro looks for it";
	if (strpbrk(library, ": "))
		return "LD_PRELOAD cannot hold libpyroscope's path, which has "
		       "a space or colon";

	char *value = preload(library);
	char interval[16];
	int err = !value;

	snprintf(interval, sizeof(interval), "%" PRIu32, launch->heap_interval);
	/* LD_PRELOAD last: without it the others do nothing. */
	err = err || set("PYROSCOPE_COMMAND", folder ? "record" : "exec");
	err = err || set("PYROSCOPE_SERVER_ADDRESS", launch->server);
	err = err || set("PYROSCOPE_APPLICATION_NAME", launch->name);
	err = err || set("PYROSCOPE_SAMPLE_RATE", launch->rate);
	err = err || set("PYROSCOPE_SYMBOLS", launch->symbols);
	err = err || set("PYROSCOPE_DEMANGLE", launch->demangle);
	err = err || set("PYROSCOPE_PROFILE_TYPES", launch->types_text);
	err = err || set("PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES",
			 launch->heap_interval ? interval : NULL);
	err = err || set("PYROSCOPE_HEAP_AGES", launch->leaks ? "1" : NULL);
	err = err || set("PYROSCOPE_OUTPUT_DIR", folder);
	err = err || set_log(launch->log_file, folder);
	err = err ||
	      set("PYROSCOPE_CHILDREN", launch->no_children ? "0" : NULL);
	err = err || set("LD_PRELOAD", value);
	free(value);
	/* Run by a recorded program: exec sends, whatever the outer one does. */
	if (!folder)
		unsetenv("PYROSCOPE_OUTPUT_DIR");
	return err ? "out of memory" : NULL;
}

void pyro_launch_root(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	(void)set("PYROSCOPE_ROOT_PID", pid);
}

void pyro_launch_unprofiled(const struct pyro_launch *launch, const char *why)
{
	pyro_say("%s runs without being profiled: %s", launch->argv[0], why);
}

int pyro_launch_failed(const struct pyro_launch *launch, int error)
{
	pyro_say("%s: %s", launch->argv[0], strerror(error));
	return error == ENOENT ? PYRO_EXIT_NOT_FOUND : PYRO_EXIT_NOT_EXECUTABLE;
}
