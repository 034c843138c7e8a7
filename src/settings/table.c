// SPDX-License-Identifier: Apache-2.0
/* table.c - the settings
 *
 * To add one: its number in settings.h, its row here, a field at the end of struct
 * pyroscope_config if code may set it, and what is done with it in api/config.c.
 * Then `pyro help settings > docs/configuration.md`. */
#include <limits.h>
#include <stddef.h>

#include "base/log.h"
#include "base/slots.h"
#include "profile/frames.h"
#include "profile/types.h"
#include "settings/settings.h"
#include "transport/headers.h"
#include "transport/url.h"

#define FIELD(name) offsetof(struct pyroscope_config, name)

static const struct pyro_setting_word types[] = {
	{"cpu", PYRO_TYPE_CPU},
	{"heap", PYRO_TYPE_HEAP},
	{"alloc_objects", PYRO_TYPE_ALLOC_OBJECTS},
	{"alloc_space", PYRO_TYPE_ALLOC_SPACE},
	{"inuse_objects", PYRO_TYPE_INUSE_OBJECTS},
	{"inuse_space", PYRO_TYPE_INUSE_SPACE},
	{"mutex", PYRO_TYPE_MUTEX},
	{"mutex_count", PYRO_TYPE_MUTEX_COUNT},
	{"mutex_duration", PYRO_TYPE_MUTEX_DURATION},
	{"block", PYRO_TYPE_BLOCK},
	{"block_count", PYRO_TYPE_BLOCK_COUNT},
	{"block_duration", PYRO_TYPE_BLOCK_DURATION},
	{"threads", PYRO_TYPE_THREADS},
	{"goroutines", PYRO_TYPE_GOROUTINES},
	{"thread_creation", PYRO_TYPE_CREATION},
	{NULL, 0},
};

static const struct pyro_setting_word wait_classes[] = {
	{"sync", 1u << PYRO_WAIT_SYNC},
	{"io", 1u << PYRO_WAIT_IO},
	{"sleep", 1u << PYRO_WAIT_SLEEP},
	{NULL, 0},
};

/* Words are not 0, enums begin with it. */
static const struct pyro_setting_word symbols[] = {
	{"names", PYRO_SYMBOLIZE_NAMES + 1},
	{"lines", PYRO_SYMBOLIZE_LINES + 1},
	{"server", PYRO_SYMBOLIZE_SERVER + 1},
	{NULL, 0},
};

static const struct pyro_setting_word demangle[] = {
	{"simplified", PYRO_DEMANGLE_SIMPLIFIED + 1},
	{"full", PYRO_DEMANGLE_FULL + 1},
	{"none", PYRO_DEMANGLE_NONE + 1},
	{NULL, 0},
};

static const struct pyro_setting_word formats[] = {
	{"push", PYRO_FORMAT_PUSH},
	{"ingest", PYRO_FORMAT_INGEST},
	{"file", PYRO_FORMAT_FILE},
	{"none", PYRO_FORMAT_NONE},
	{NULL, 0},
};

/* Of the alias, 1 is the switch. */
static const struct pyro_setting_word log_levels[] = {
	{"none", PYRO_LOG_NONE + 1},   {"error", PYRO_LOG_ERROR + 1},
	{"warn", PYRO_LOG_WARN + 1},   {"info", PYRO_LOG_INFO + 1},
	{"debug", PYRO_LOG_DEBUG + 1}, {NULL, 0},
};

static const struct pyro_setting_word events[] = {
	{"auto", 1},   {"timer", 1},  {"cpu", 1},
	{"itimer", 1}, {"ctimer", 1}, {NULL, 0},
};

static const struct pyro_setting_word commands[] = {
	{"exec", PYRO_COMMAND_EXEC},
	{"record", PYRO_COMMAND_RECORD},
	{NULL, 0},
};

const struct pyro_setting pyro_setting[PYRO_SETTINGS] = {
	[PYRO_SET_SERVER_ADDRESS] =
		{
			.name = "server_address",
			.kind = PYRO_KIND_ADDRESS,
			.field = FIELD(server_address),
			.fallback = PYRO_URL_DEFAULT,
			.option = "server",
			.argument = "URL",
			.help = "where profiles are sent",
		},
	[PYRO_SET_ADHOC_SERVER_ADDRESS] =
		{
			.name = "adhoc_server_address",
			.kind = PYRO_KIND_ADDRESS,
			.help = "wins over any other server address, that in "
				"the "
				"program's code included",
		},
	[PYRO_SET_APPLICATION_NAME] =
		{
			.name = "application_name",
			.kind = PYRO_KIND_NAME,
			.flags = PYRO_SETTING_RECORD,
			.field = FIELD(application_name),
			.min = 1,
			.max = 255,
			.option = "name",
			.argument = "NAME",
			.help = "service name; labels may follow, as in "
				"shop{region=eu}; default: "
				"OTEL_SERVICE_NAME, else service.name of "
				"OTEL_RESOURCE_ATTRIBUTES, else APP_NAME, "
				"else the executable's name",
		},
	[PYRO_SET_TAGS] =
		{
			.name = "tags",
			.kind = PYRO_KIND_TAGS,
			.field = FIELD(tags),
			.option = "tag",
			.argument = "K=V,...",
			.help = "labels of all profiles; those of all places "
				"go together",
		},
	[PYRO_SET_PROFILING_ENABLED] =
		{
			.name = "profiling_enabled",
			.kind = PYRO_KIND_SWITCH,
			.fallback = "1",
			.help = "0: the library does nothing, whatever the "
				"program "
				"calls",
		},
	[PYRO_SET_PROFILE_TYPES] =
		{
			.name = "profile_types",
			.kind = PYRO_KIND_LIST,
			.flags = PYRO_SETTING_RECORD,
			.field = FIELD(profile_types),
			.fallback = "cpu,heap,threads,mutex,block",
			.words = types,
			.option = "types",
			.argument = "TYPES",
			.help = "what is profiled; heap is the four of alloc "
				"and "
				"inuse, block both of block; threads what all "
				"threads do when a profile ends, goroutines "
				"the same as Grafana calls it, "
				"thread_creation by who has created them",
		},
	[PYRO_SET_SAMPLE_RATE] =
		{
			.name = "sample_rate",
			.kind = PYRO_KIND_NUMBER,
			.flags = PYRO_SETTING_RECORD,
			.field = FIELD(sample_rate),
			.fallback = "100",
			.min = 1,
			.max = 1000,
			.option = "rate",
			.argument = "HZ",
			.help = "samples a second of CPU time, for each thread",
		},
	[PYRO_SET_STACK_DEPTH] =
		{
			.name = "stack_depth",
			.kind = PYRO_KIND_NUMBER,
			.flags = PYRO_SETTING_RECORD,
			.field = FIELD(stack_depth),
			.fallback = "128",
			.min = 8,
			.max = PYRO_DEPTH_MAX,
			.option = "depth",
			.argument = "FRAMES",
			.help = "deeper stacks are cut off at the root, and "
				"say "
				"[truncated]",
		},
	[PYRO_SET_UPLOAD_INTERVAL] =
		{
			.name = "upload_interval",
			.kind = PYRO_KIND_MS,
			.field = FIELD(upload_interval_ms),
			.fallback = "15s",
			.min = 1000,
			.max = 600000,
			.option = "interval",
			.argument = "TIME",
			.help = "from one profile sent to the next",
		},
	[PYRO_SET_HEAP_INTERVAL] =
		{
			.name = "heap_interval",
			.kind = PYRO_KIND_BYTES,
			.flags = PYRO_SETTING_RECORD,
			.field = FIELD(heap_interval),
			.fallback = "512k",
			.min = 1,
			.max = 1 << 30,
			.option = "heap-interval",
			.argument = "BYTES",
			.help = "one sample of the heap for so many allocated",
		},
	[PYRO_SET_BLOCK_CLASSES] =
		{
			.name = "block_classes",
			.kind = PYRO_KIND_LIST,
			.flags = PYRO_SETTING_RECORD,
			.field = FIELD(block_classes),
			.fallback = "sync,io",
			.words = wait_classes,
			.option = "block-classes",
			.argument = "CLASSES",
			.help = "which waits are in the block profile",
		},
	[PYRO_SET_INHERIT_LABELS] =
		{
			.name = "inherit_labels",
			.kind = PYRO_KIND_SWITCH,
			.field = FIELD(inherit_labels),
			.fallback = "0",
			.max = 1,
			.help = "new threads begin with the labels of who "
				"creates them",
		},
	[PYRO_SET_TRACE_IDS] =
		{
			.name = "trace_ids",
			.kind = PYRO_KIND_SWITCH,
			.field = FIELD(trace_ids),
			.fallback = "0",
			.max = 1,
			.help = "1: samples of a span have the label trace_id, "
				"for servers from Pyroscope 2.1 on; older ones "
				"make a series of each trace",
		},
	[PYRO_SET_OVERHEAD_PERMILLE] =
		{
			.name = "overhead_permille",
			.kind = PYRO_KIND_NUMBER,
			.field = FIELD(overhead_permille),
			.fallback = "10",
			.min = 1,
			.max = 1000,
			.help = "thousandths of the program's CPU time, or of "
				"one core, that profiling may take; above, "
				"rates halve",
		},
	[PYRO_SET_SYMBOLS] =
		{
			.name = "symbols",
			.kind = PYRO_KIND_WORD,
			.flags = PYRO_SETTING_RECORD,
			.field = FIELD(symbols),
			.fallback = "names",
			.words = symbols,
			.option = "symbols",
			.argument = "HOW",
			.help = "lines: source lines and inlined functions, "
				"too; "
				"server: addresses, which the server names",
		},
	[PYRO_SET_DEMANGLE] =
		{
			.name = "demangle",
			.kind = PYRO_KIND_WORD,
			.flags = PYRO_SETTING_RECORD,
			.field = FIELD(demangle),
			.fallback = "simplified",
			.words = demangle,
			.option = "demangle",
			.argument = "HOW",
			.help = "C++ and Rust names; simplified: without "
				"parameters "
				"and template arguments",
		},
	[PYRO_SET_STRIP_FILENAMES] =
		{
			.name = "strip_filenames",
			.kind = PYRO_KIND_SWITCH,
			.field = FIELD(strip_filenames),
			.fallback = "0",
			.max = 1,
			.help = "1: files, executables and libraries are named "
				"without their folders",
		},
	[PYRO_SET_LINES_CPU_PERMILLE] =
		{
			.name = "lines_cpu_permille",
			.kind = PYRO_KIND_NUMBER,
			.field = FIELD(lines_cpu_permille),
			.fallback = "10",
			.min = 1,
			.max = 1000,
			.help = "with symbols=lines: thousandths of a core "
				"that reading "
				"debug information may take",
		},
	[PYRO_SET_LINES_MEMORY_MIB] =
		{
			.name = "lines_memory_mib",
			.kind = PYRO_KIND_NUMBER,
			.field = FIELD(lines_memory_mib),
			.fallback = "64",
			.min = 8,
			.max = 4096,
			.help = "with symbols=lines: MiB of memory that it may "
				"take",
		},
	[PYRO_SET_MEMORY_MIB] =
		{
			.name = "memory_mib",
			.kind = PYRO_KIND_NUMBER,
			.field = FIELD(memory_mib),
			.fallback = "64",
			.min = 8,
			.max = 65536,
			.help = "MiB of memory that the library maps at most; "
				"near it, new stacks are counted as "
				"[overflow]",
		},
	[PYRO_SET_OUTPUT_DIR] =
		{
			.name = "output_dir",
			.kind = PYRO_KIND_TEXT,
			.field = FIELD(output_dir),
			.min = 1,
			.max = PATH_MAX - 1,
			.help = "a folder into which profiles are written, "
				"instead of "
				"being sent",
		},
	[PYRO_SET_CONFIGURATION_FILE] =
		{
			.name = "configuration_file",
			.kind = PYRO_KIND_TEXT,
			.flags = PYRO_SETTING_RECORD,
			.min = 1,
			.max = PATH_MAX - 1,
			.option = "config",
			.argument = "FILE",
			.help = "a file of lines such as sample_rate = 50, of "
				"at most "
				"64 KiB",
		},
	[PYRO_SET_FORMAT] =
		{
			.name = "format",
			.kind = PYRO_KIND_WORD,
			.field = FIELD(format),
			.fallback = "push",
			.words = formats,
			.help = "how profiles are sent; ingest: by /ingest, "
				"for servers and agents without push; file: "
				"into output_dir, which is so wherever that is "
				"set; none: only for pprof_address",
		},
	[PYRO_SET_BASIC_AUTH_USER] =
		{
			.name = "basic_auth_user",
			.kind = PYRO_KIND_TEXT,
			.field = FIELD(basic_auth_user),
			.min = 1,
			.max = PYRO_URL_USER_MAX,
			.help = "basic authentication, as by user:password@ "
				"in server_address, over which it wins",
		},
	[PYRO_SET_BASIC_AUTH_USER_FILE] =
		{
			.name = "basic_auth_user_file",
			.kind = PYRO_KIND_TEXT,
			.min = 1,
			.max = PATH_MAX - 1,
			.help = "a file that holds the user's name",
		},
	[PYRO_SET_BASIC_AUTH_PASSWORD] =
		{
			.name = "basic_auth_password",
			.kind = PYRO_KIND_TEXT,
			.flags = PYRO_SETTING_SECRET,
			.field = FIELD(basic_auth_password),
			.min = 1,
			.max = PYRO_URL_PASSWORD_MAX,
			.help = "its password",
		},
	[PYRO_SET_BASIC_AUTH_PASSWORD_FILE] =
		{
			.name = "basic_auth_password_file",
			.kind = PYRO_KIND_TEXT,
			.min = 1,
			.max = PATH_MAX - 1,
			.help = "a file that holds the password",
		},
	[PYRO_SET_AUTH_TOKEN] =
		{
			.name = "auth_token",
			.kind = PYRO_KIND_TEXT,
			.flags = PYRO_SETTING_SECRET,
			.field = FIELD(auth_token),
			.min = 1,
			.max = PYRO_SECRET_MAX,
			.help = "bearer token, without basic_auth_user",
		},
	[PYRO_SET_AUTH_TOKEN_FILE] =
		{
			.name = "auth_token_file",
			.kind = PYRO_KIND_TEXT,
			.min = 1,
			.max = PATH_MAX - 1,
			.help = "a file that holds the token",
		},
	[PYRO_SET_TENANT_ID] =
		{
			.name = "tenant_id",
			.kind = PYRO_KIND_TEXT,
			.field = FIELD(tenant_id),
			.min = 1,
			.max = 150,
			.help = "header X-Scope-OrgID, for servers with "
				"tenants: letters, digits and !-_.*'()",
		},
	[PYRO_SET_HTTP_HEADERS] =
		{
			.name = "http_headers",
			.kind = PYRO_KIND_TEXT,
			.flags = PYRO_SETTING_SECRET,
			.field = FIELD(http_headers),
			.min = 2,
			.max = PYRO_HEADERS_MAX,
			.help = "more headers, as JSON: {\"name\": \"value\"}",
		},
	[PYRO_SET_EXPORT_TIMEOUT] =
		{
			.name = "profile_export_timeout",
			.kind = PYRO_KIND_MS,
			.field = FIELD(profile_export_timeout_ms),
			.fallback = "10s",
			.min = 1000,
			.max = 300000,
			.help = "for one try to send a profile",
		},
	[PYRO_SET_QUEUE_CAPACITY] =
		{
			.name = "push_queue_capacity",
			.kind = PYRO_KIND_NUMBER,
			.field = FIELD(push_queue_capacity),
			.fallback = "1024",
			.min = 1,
			.max = 65536,
			.help = "profiles that wait for the server, if 16 MiB "
				"hold them",
		},
	[PYRO_SET_MAX_TRIES] =
		{
			.name = "ingest_max_tries",
			.kind = PYRO_KIND_NUMBER,
			.fallback = "10",
			.min = 1,
			.max = 1000,
			.help = "for a profile to which the server answers "
				"408, 429 or 500",
		},
	[PYRO_SET_PPROF_ADDRESS] =
		{
			.name = "pprof_address",
			.kind = PYRO_KIND_TEXT,
			.min = 2,
			.max = 255,
			.help = "where profiles can be fetched from, by go "
				"tool pprof or Alloy, at /debug/pprof/: such "
				"as 127.0.0.1:6060; needs libmicrohttpd; of "
				"forked processes a daemon, whose parent exits "
				"within a minute, serves in its place",
		},
	[PYRO_SET_PPROF_TOKEN] =
		{
			.name = "pprof_token",
			.kind = PYRO_KIND_TEXT,
			.flags = PYRO_SETTING_SECRET,
			.min = 1,
			.max = PYRO_SECRET_MAX,
			.help = "the bearer token that it wants; where it is "
				"bad nothing listens",
		},
	[PYRO_SET_LOG_FILE] =
		{
			.name = "log_file",
			.kind = PYRO_KIND_TEXT,
			.flags = PYRO_SETTING_RECORD,
			.min = 1,
			.max = PATH_MAX - 1,
			.option = "log-file",
			.argument = "FILE",
			.help = "append the library's messages; default: the "
				"program's standard error; under pyro exec "
				"none are "
				"kept, pyro record shows them at the end",
		},
	[PYRO_SET_LOG_LEVEL] =
		{
			.name = "log_level",
			.kind = PYRO_KIND_WORD,
			.flags = PYRO_SETTING_RECORD,
			.field = FIELD(log_level),
			.fallback = "warn",
			.words = log_levels,
			.option = "log-level",
			.argument = "LEVEL",
			.help = "which messages; error: why there is no "
				"profiling; info: that it begins and ends, "
				"too; "
				"debug: each profile, too",
		},
	[PYRO_SET_CHILDREN] =
		{
			.name = "children",
			.kind = PYRO_KIND_SWITCH,
			.fallback = "1",
			.help = "under pyro: are programs profiled that the "
				"program "
				"executes?",
		},
	[PYRO_SET_PROFILING_CPU] =
		{
			.name = "profiling_cpu_enabled",
			.kind = PYRO_KIND_SWITCH,
			.help = "puts cpu into the default of profile_types, "
				"or takes "
				"it out",
		},
	[PYRO_SET_PROFILING_ALLOCATION] =
		{
			.name = "profiling_allocation_enabled",
			.kind = PYRO_KIND_SWITCH,
			.help = "the same with alloc_objects and alloc_space",
		},
	[PYRO_SET_PROFILING_HEAP] =
		{
			.name = "profiling_heap_enabled",
			.kind = PYRO_KIND_SWITCH,
			.help = "the same with inuse_objects and inuse_space",
		},
	[PYRO_SET_PROFILING_LOCK] =
		{
			.name = "profiling_lock_enabled",
			.kind = PYRO_KIND_SWITCH,
			.help = "the same with mutex and block",
		},
	[PYRO_SET_PROFILER_EVENT] =
		{
			.name = "profiler_event",
			.kind = PYRO_KIND_WORD,
			.fallback = "auto",
			.words = events,
			.help = "for programs whose other clients know it: CPU "
				"time is always sampled by a timer of each "
				"thread",
		},
	[PYRO_SET_IGNORED] =
		{
			.name = "profiling_exception_enabled",
			.kind = PYRO_KIND_SWITCH,
			.help = "for programs whose other clients know it: "
				"without effect",
		},
	[PYRO_SET_COMMAND] =
		{
			.name = "command",
			.kind = PYRO_KIND_WORD,
			.flags = PYRO_SETTING_INTERNAL,
			.words = commands,
		},
	[PYRO_SET_ROOT_PID] =
		{
			.name = "root_pid",
			.kind = PYRO_KIND_NUMBER,
			.flags = PYRO_SETTING_INTERNAL,
		},
	[PYRO_SET_HEAP_AGES] =
		{
			.name = "heap_ages",
			.kind = PYRO_KIND_SWITCH,
			.flags = PYRO_SETTING_INTERNAL,
			.fallback = "0",
		},
	[PYRO_SET_LIBRARY] =
		{
			.name = "library",
			.kind = PYRO_KIND_TEXT,
			.flags = PYRO_SETTING_INTERNAL,
		},
};
