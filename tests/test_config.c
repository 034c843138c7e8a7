// SPDX-License-Identifier: Apache-2.0
/* test_config.c - where a setting comes from, and what is said of a bad one
 *
 * Includes the sources: api/ is not in the library that unit tests link. */
#include "tests/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "api/config.c"
#include "api/identity.c"
#include "api/sending.c"

static char log_path[] = "/tmp/test_config.XXXXXX";

static int set_up(void **state)
{
	(void)state;
	clearenv();
	pyro_identity_set_app_name(NULL);
	return truncate(log_path, 0);
}

/* Lines logged since the last call; the last one in *text. */
static int logged(const char **text)
{
	static char line[1024];
	char next[1024];
	FILE *f = fopen(log_path, "r");
	int count = 0;

	line[0] = '\0';
	while (f && fgets(next, sizeof(next), f)) {
		assert_memory_equal(next, "pyroscope: ", 11);
		assert_non_null(strchr(next, '\n'));
		memcpy(line, next, sizeof(line));
		count++;
	}
	if (f)
		fclose(f);
	if (text)
		*text = line;
	assert_int_equal(truncate(log_path, 0), 0);
	return count;
}

static struct pyro_config config;

/* What the first client of all has. */
#define DEFAULT_TYPES                                         \
	(PYRO_TYPE_CPU | PYRO_TYPE_HEAP | PYRO_TYPE_THREADS | \
	 PYRO_TYPE_MUTEX | PYRO_TYPE_BLOCK)

static void load(const struct pyroscope_config *given, int err, int lines)
{
	const char *line;

	memset(&config, 0x5a, sizeof(config));
	assert_int_equal(pyro_config_load(&config, given, false), err);

	int count = logged(&line);

	if (count != lines)
		fail_msg("%d lines, not %d; the last: %s", count, lines, line);
}

static void test_defaults(void **state)
{
	char exe[PATH_MAX] = "";
	char host[256] = "";

	(void)state;
	load(NULL, 0, 0);
	assert_string_equal(config.url.host, "127.0.0.1");
	assert_int_equal(config.url.port, 4040);
	assert_int_equal(config.sample_rate, 100);
	assert_int_equal(config.upload_interval_ms, 15000);
	assert_int_equal(config.lines_cpu_permille, 10);
	assert_int_equal(config.lines_memory_mib, 64);
	assert_int_equal(config.memory_mib, 64);
	assert_int_equal(config.overhead_permille, 10);
	assert_int_equal(config.types, DEFAULT_TYPES);
	assert_int_equal(config.heap_interval, 524288);
	assert_false(config.heap_ages);
	assert_string_equal(config.output_dir, "");
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_string_equal(config.application_name, strrchr(exe, '/') + 1);
	gethostname(host, sizeof(host));
	assert_string_equal(config.hostname, host);

	struct pyroscope_config init = PYROSCOPE_CONFIG_INIT;

	load(&init, 0, 0);
	assert_int_equal(config.sample_rate, 100);
}

static void test_address_order(void **state)
{
	struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

	(void)state;
	setenv("PYROSCOPE_SERVER_ADDRESS", "http://env:1", 1);
	load(&code, 0, 0);
	assert_string_equal(config.url.host, "env");
	code.server_address = "";
	load(&code, 0, 0);
	assert_string_equal(config.url.host, "env");
	code.server_address = "http://code:2";
	load(&code, 0, 0);
	assert_string_equal(config.url.host, "code");
	setenv("PYROSCOPE_ADHOC_SERVER_ADDRESS", "http://adhoc:3", 1);
	load(&code, 0, 0);
	assert_string_equal(config.url.host, "adhoc");
	assert_string_equal(config.address, "http://adhoc:3");
	code.server_address = "bad";
	load(&code, 0, 0); /* not looked at */
	assert_string_equal(config.url.host, "adhoc");
	setenv("PYROSCOPE_ADHOC_SERVER_ADDRESS", "", 1); /* empty is unset */
	load(&code, -EINVAL, 1);
	setenv("PYROSCOPE_ADHOC_SERVER_ADDRESS", "bad", 1);
	code.server_address = "http://code:2";
	load(&code, 0, 1);
	assert_string_equal(config.url.host, "code");
}

/* A bad address is one line; in code it is an error, too. */
static void test_bad_addresses(void **state)
{
	static const char *const bad[] = {
		"null",
		"0",
		"-1",
		"http://",
		"://",
		"4040",
		"localhost",
		"127.0.0.1",
		"ftp://server:4040",
		"ws://server:4040",
		"http://127.0.0.1:99999",
		"://no-protocol.com",
		"line\nbreak\n%s%n",
	};
	char longer[400] = "http://";

	(void)state;
	memset(longer + 7, 'h', 300);
	for (size_t i = 0; i <= PYRO_COUNT_OF(bad); i++) {
		const char *text = i < PYRO_COUNT_OF(bad) ? bad[i] : longer;
		struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

		code.server_address = text;
		memset(&config, 0, sizeof(config));
		assert_int_equal(pyro_config_load(&config, &code, false),
				 -EINVAL);
		assert_int_equal(logged(NULL), 1);
		setenv("PYROSCOPE_SERVER_ADDRESS", text, 1);
		load(NULL, 0, 1);
		assert_string_equal(config.url.host, "127.0.0.1");
		unsetenv("PYROSCOPE_SERVER_ADDRESS");
	}
}

/* What may be a password is nowhere to be read. */
static void test_secrets(void **state)
{
	struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;
	const char *const secret = "http://me:hush@host:99999";
	const char *line;

	(void)state;
	setenv("PYROSCOPE_SERVER_ADDRESS", secret, 1);
	assert_int_equal(pyro_config_load(&config, NULL, false), 0);
	assert_int_equal(logged(&line), 1);
	assert_null(strstr(line, "hush"));
	code.server_address = secret;
	assert_int_equal(pyro_config_load(&config, &code, false), -EINVAL);
	assert_int_equal(logged(&line), 1);
	assert_null(strstr(line, "hush"));
	assert_int_equal(pyroscope_config_set(&code, "server_address", secret),
			 -EINVAL);
	assert_int_equal(logged(&line), 1);
	assert_null(strstr(line, "hush"));
	code.server_address = "http://me:hush@host";
	load(&code, 0, 0);
	assert_null(strstr(config.address, "hush"));
}

static void test_good_addresses(void **state)
{
	static const struct {
		const char *text, *host;
		int lines;
	} good[] = {
		{NULL, "127.0.0.1", 0},       {"", "127.0.0.1", 0},
		{" ", "127.0.0.1", 0},        {"\n", "127.0.0.1", 0},
		{" http://a:1\n", "a", 0},    {"http://[::1]:4040", "::1", 0},
		{"http://a/path", "a", 0},    {"https://a", "a", 0},
		{"http://a?query=1", "a", 1}, {"http://a/p#fragment", "a", 1},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(good); i++) {
		struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

		code.server_address = good[i].text;
		load(&code, 0, good[i].lines);
		assert_string_equal(config.url.host, good[i].host);
	}
}

static void test_name_order(void **state)
{
	struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

	(void)state;
	setenv("APP_NAME", "third", 1);
	load(&code, 0, 0);
	assert_string_equal(config.application_name, "third");
	setenv("OTEL_SERVICE_NAME", "second", 1);
	load(&code, 0, 0);
	assert_string_equal(config.application_name, "second");
	setenv("PYROSCOPE_APPLICATION_NAME", "first", 1);
	load(&code, 0, 0);
	assert_string_equal(config.application_name, "first");
	assert_int_equal(pyro_identity_set_app_name("set"), 0);
	load(&code, 0, 0);
	assert_string_equal(config.application_name, "set");
	code.application_name = "code";
	load(&code, 0, 0);
	assert_string_equal(config.application_name, "code");
	code.application_name = "";
	load(&code, 0, 0);
	assert_string_equal(config.application_name, "set");
	assert_int_equal(pyro_identity_set_app_name(""), 0);
	load(&code, 0, 0);
	assert_string_equal(config.application_name, "first");
	setenv("PYROSCOPE_APPLICATION_NAME", "", 1);
	load(&code, 0, 0);
	assert_string_equal(config.application_name, "second");
}

static void test_name_lengths(void **state)
{
	struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;
	char name[300];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	assert_int_equal(pyro_identity_set_app_name(name), 0);
	load(&code, 0, 0);
	assert_string_equal(config.application_name, name);
	code.application_name = name;
	load(&code, 0, 0);
	assert_string_equal(config.application_name, name);
	name[255] = 'n';
	name[256] = '\0';
	assert_int_equal(pyro_identity_set_app_name(name), -EINVAL);
	load(&code, -EINVAL, 1);
	/* The environment cannot be refused: it is cut. */
	code.application_name = NULL;
	pyro_identity_set_app_name(NULL);
	setenv("APP_NAME", name, 1);
	load(&code, 0, 0);
	assert_int_equal(strlen(config.application_name), 255);
	setenv("PYROSCOPE_APPLICATION_NAME", name, 1);
	load(&code, 0, 1);
	unsetenv("PYROSCOPE_APPLICATION_NAME");
	setenv("HOSTNAME", name, 1);
	load(&code, 0, 0);
	assert_int_equal(strlen(config.hostname), 255);
}

static void test_numbers_from_code(void **state)
{
	static const struct {
		uint32_t rate, interval;
		int err;
	} cases[] = {
		{1, 0, 0},          {1000, 0, 0},
		{1001, 0, -EINVAL}, {UINT32_MAX, 0, -EINVAL},
		{0, 1000, 0},       {0, 600000, 0},
		{0, 999, -EINVAL},  {0, 600001, -EINVAL},
	};

	(void)state;
	setenv("PYROSCOPE_SAMPLE_RATE", "50", 1);
	setenv("PYROSCOPE_UPLOAD_INTERVAL", "20s", 1);
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

		code.sample_rate = cases[i].rate;
		code.upload_interval_ms = cases[i].interval;
		load(&code, cases[i].err, cases[i].err ? 1 : 0);
		if (cases[i].err)
			continue;
		assert_int_equal(config.sample_rate,
				 cases[i].rate ? cases[i].rate : 50);
		assert_int_equal(config.upload_interval_ms,
				 cases[i].interval ? cases[i].interval : 20000);
	}
}

static void test_symbols(void **state)
{
	static const struct {
		const char *code, *variable;
		int err, lines;
		enum pyro_symbolize want;
	} cases[] = {
		{NULL, NULL, 0, 0, PYRO_SYMBOLIZE_NAMES},
		{"", NULL, 0, 0, PYRO_SYMBOLIZE_NAMES},
		{NULL, "lines", 0, 0, PYRO_SYMBOLIZE_LINES},
		{NULL, "server", 0, 0, PYRO_SYMBOLIZE_SERVER},
		{"names", "lines", 0, 0, PYRO_SYMBOLIZE_NAMES},
		{"lines", NULL, 0, 0, PYRO_SYMBOLIZE_LINES},
		{"server", "names", 0, 0, PYRO_SYMBOLIZE_SERVER},
		{NULL, "Lines", 0, 1, PYRO_SYMBOLIZE_NAMES},
		{NULL, "line", 0, 1, PYRO_SYMBOLIZE_NAMES},
		{"all", "lines", -EINVAL, 1, PYRO_SYMBOLIZE_NAMES},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

		code.symbols = cases[i].code;
		unsetenv("PYROSCOPE_SYMBOLS");
		if (cases[i].variable)
			setenv("PYROSCOPE_SYMBOLS", cases[i].variable, 1);
		load(&code, cases[i].err, cases[i].lines);
		if (!cases[i].err)
			assert_int_equal(config.symbolize, cases[i].want);
	}
}

static void test_demangle(void **state)
{
	static const struct {
		const char *code, *variable;
		int err, lines;
		enum pyro_demangle want;
	} cases[] = {
		{NULL, NULL, 0, 0, PYRO_DEMANGLE_SIMPLIFIED},
		{"", "full", 0, 0, PYRO_DEMANGLE_FULL},
		{NULL, "none", 0, 0, PYRO_DEMANGLE_NONE},
		{"simplified", "none", 0, 0, PYRO_DEMANGLE_SIMPLIFIED},
		{"none", "full", 0, 0, PYRO_DEMANGLE_NONE},
		{NULL, "yes", 0, 1, PYRO_DEMANGLE_SIMPLIFIED},
		{"yes", "full", -EINVAL, 1, PYRO_DEMANGLE_SIMPLIFIED},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

		code.demangle = cases[i].code;
		unsetenv("PYROSCOPE_DEMANGLE");
		if (cases[i].variable)
			setenv("PYROSCOPE_DEMANGLE", cases[i].variable, 1);
		load(&code, cases[i].err, cases[i].lines);
		if (!cases[i].err)
			assert_int_equal(config.demangle, cases[i].want);
	}
}

static void test_lines(void **state)
{
	static const struct {
		uint32_t cpu, memory;
		const char *cpu_text, *memory_text;
		int err, lines;
		uint32_t want_cpu, want_memory;
	} cases[] = {
		{0, 0, NULL, NULL, 0, 0, 10, 64},
		{1, 8, NULL, NULL, 0, 0, 1, 8},
		{1000, 4096, "5", "32", 0, 0, 1000, 4096},
		{0, 0, "5", "32", 0, 0, 5, 32},
		{0, 100, "1000", "32", 0, 0, 1000, 100},
		{0, 0, "0", "7", 0, 2, 10, 64},
		{0, 0, "1001", "4097", 0, 2, 10, 64},
		{0, 0, "1%", "64M", 0, 2, 10, 64},
		{1001, 0, NULL, NULL, -EINVAL, 1, 0, 0},
		{0, 7, NULL, NULL, -EINVAL, 1, 0, 0},
		{0, 4097, NULL, NULL, -EINVAL, 1, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

		code.lines_cpu_permille = cases[i].cpu;
		code.lines_memory_mib = cases[i].memory;
		if (cases[i].cpu_text)
			setenv("PYROSCOPE_LINES_CPU_PERMILLE",
			       cases[i].cpu_text, 1);
		if (cases[i].memory_text)
			setenv("PYROSCOPE_LINES_MEMORY_MIB",
			       cases[i].memory_text, 1);
		load(&code, cases[i].err, cases[i].lines);
		unsetenv("PYROSCOPE_LINES_CPU_PERMILLE");
		unsetenv("PYROSCOPE_LINES_MEMORY_MIB");
		if (cases[i].err)
			continue;
		assert_int_equal(config.lines_cpu_permille, cases[i].want_cpu);
		assert_int_equal(config.lines_memory_mib, cases[i].want_memory);
	}
}

static void test_types(void **state)
{
	static const struct {
		const char *code, *variable;
		int err, lines;
		uint32_t want;
	} cases[] = {
		{NULL, NULL, 0, 0, DEFAULT_TYPES},
		{"", "", 0, 0, DEFAULT_TYPES},
		{NULL, "cpu,heap", 0, 0, 31},
		{"cpu", "heap", 0, 0, PYRO_TYPE_CPU},
		{NULL, "heap", 0, 0, PYRO_TYPE_HEAP},
		{NULL, "alloc_objects", 0, 0, PYRO_TYPE_ALLOC_OBJECTS},
		{"alloc_space", NULL, 0, 0, PYRO_TYPE_ALLOC_SPACE},
		{NULL, "inuse_objects", 0, 0, PYRO_TYPE_INUSE_OBJECTS},
		{"inuse_space", NULL, 0, 0, PYRO_TYPE_INUSE_SPACE},
		{"block", NULL, 0, 0, PYRO_TYPE_BLOCK},
		{"mutex_duration,block_count", NULL, 0, 0,
		 PYRO_TYPE_MUTEX_DURATION | PYRO_TYPE_BLOCK_COUNT},
		{"threads", NULL, 0, 0, PYRO_TYPE_THREADS},
		{NULL, "goroutines,threads", 0, 0, PYRO_TYPE_THREADS_ANY},
		{"inuse_space,block_count", NULL, 0, 0,
		 PYRO_TYPE_INUSE_SPACE | PYRO_TYPE_BLOCK_COUNT},
		{" inuse_space ,cpu, alloc_space,cpu", NULL, 0, 0,
		 PYRO_TYPE_CPU | PYRO_TYPE_ALLOC_SPACE | PYRO_TYPE_INUSE_SPACE},
		/* The rest applies. */
		{NULL, "cpu,wall", 0, 1, PYRO_TYPE_CPU},
		{NULL, "mutexes,inuse_space", 0, 1, PYRO_TYPE_INUSE_SPACE},
		{NULL, "heap,", 0, 1, PYRO_TYPE_HEAP},
		{NULL, "cpu heap,heap", 0, 1, PYRO_TYPE_HEAP},
		{NULL, "CPU", 0, 1, DEFAULT_TYPES},
		{NULL, "cp", 0, 1, DEFAULT_TYPES},
		{NULL, "cpus", 0, 1, DEFAULT_TYPES},
		{NULL, ",", 0, 1, DEFAULT_TYPES},
		{NULL, " ", 0, 1, DEFAULT_TYPES},
		{"cpu", "wall", 0, 0, PYRO_TYPE_CPU},
		{"cpu,wall", "cpu", -EINVAL, 1, 0},
		{"cpu,", NULL, -EINVAL, 1, 0},
		{" ", NULL, -EINVAL, 1, 0},
		{"inuse", NULL, -EINVAL, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

		code.profile_types = cases[i].code;
		unsetenv("PYROSCOPE_PROFILE_TYPES");
		if (cases[i].variable)
			setenv("PYROSCOPE_PROFILE_TYPES", cases[i].variable, 1);
		load(&code, cases[i].err, cases[i].lines);
		if (!cases[i].err && config.types != cases[i].want)
			fail_msg("case %zu: %u", i, config.types);
	}
}

/* As long as a variable can be, and longer than a log line. */
static void test_types_long(void **state)
{
	static char text[100000];

	(void)state;
	for (size_t i = 0; i + 9 < sizeof(text); i += 9)
		memcpy(text + i, "cpu,wall,", 9);
	setenv("PYROSCOPE_PROFILE_TYPES", text, 1);
	load(NULL, 0, 1);
	assert_int_equal(config.types, PYRO_TYPE_CPU);
}

static void test_block_classes(void **state)
{
	static const struct {
		const char *code, *variable;
		int err, lines;
		uint32_t want;
	} cases[] = {
		{NULL, NULL, 0, 0, 3},       {"", "", 0, 0, 3},
		{"sleep", "io", 0, 0, 4},    {NULL, "sync,io,sleep", 0, 0, 7},
		{NULL, "io, disk", 0, 1, 2}, {"disk", NULL, -EINVAL, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

		code.block_classes = cases[i].code;
		unsetenv("PYROSCOPE_BLOCK_CLASSES");
		if (cases[i].variable)
			setenv("PYROSCOPE_BLOCK_CLASSES", cases[i].variable, 1);
		load(&code, cases[i].err, cases[i].lines);
		if (!cases[i].err)
			assert_int_equal(config.block_classes, cases[i].want);
	}
	unsetenv("PYROSCOPE_BLOCK_CLASSES");
}

static void test_heap_interval(void **state)
{
	static const struct {
		uint32_t code;
		const char *text;
		int err, lines;
		uint32_t want;
	} cases[] = {
		{0, NULL, 0, 0, 524288},
		{1, NULL, 0, 0, 1},
		{1073741824, "4096", 0, 0, 1073741824},
		{1073741825, NULL, -EINVAL, 1, 0},
		{UINT32_MAX, NULL, -EINVAL, 1, 0},
		{0, "1", 0, 0, 1},
		{0, "4096", 0, 0, 4096},
		{0, "1073741824", 0, 0, 1073741824},
		{0, "64k", 0, 0, 65536},
		{0, "2m", 0, 0, 2097152},
		{0, "1g", 0, 0, 1073741824},
		{0, "1024m", 0, 0, 1073741824},
		{0, "0", 0, 1, 524288},
		{0, "0k", 0, 1, 524288},
		{0, "-1", 0, 1, 524288},
		{0, "-18446744073709551615", 0, 1, 524288},
		{0, "2g", 0, 1, 524288},
		{0, "1025m", 0, 1, 524288},
		{0, "4294967295g", 0, 1, 524288},
		{0, "4294967296", 0, 1, 524288},
		{0, "17179869184g", 0, 1, 524288}, /* 2^64 bytes */
		{0, "99999999999999999999", 0, 1, 524288},
		{0, "1t", 0, 1, 524288},
		{0, "64 k", 0, 1, 524288},
		{0, "64kb", 0, 1, 524288},
		{0, "15s", 0, 1, 524288},
		{0, "k", 0, 1, 524288},
		{0, "0x1000", 0, 1, 524288},
		{0, "512.5k", 0, 1, 524288},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		const char *name = "PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES";
		struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

		code.heap_interval = cases[i].code;
		unsetenv(name);
		if (cases[i].text)
			setenv(name, cases[i].text, 1);
		load(&code, cases[i].err, cases[i].lines);
		if (!cases[i].err && config.heap_interval != cases[i].want)
			fail_msg("case %zu: %u", i, config.heap_interval);
	}
}

static void test_heap_ages(void **state)
{
	(void)state;
	setenv("PYROSCOPE_HEAP_AGES", "1", 1);
	load(NULL, 0, 0);
	assert_true(config.heap_ages);
	setenv("PYROSCOPE_HEAP_AGES", "0", 1);
	load(NULL, 0, 0);
	assert_false(config.heap_ages);
}

/* What is bad in the environment is told in one line, and the default holds. */
static void test_numbers_from_environment(void **state)
{
	static const struct {
		const char *variable, *text;
		uint32_t want; /* 0: bad */
	} cases[] = {
		{"PYROSCOPE_SAMPLE_RATE", "1", 1},
		{"PYROSCOPE_SAMPLE_RATE", "1000", 1000},
		{"PYROSCOPE_SAMPLE_RATE", "0", 0},
		{"PYROSCOPE_SAMPLE_RATE", "1001", 0},
		{"PYROSCOPE_SAMPLE_RATE", "-5", 0},
		{"PYROSCOPE_SAMPLE_RATE", "-18446744073709551521", 0},
		{"PYROSCOPE_SAMPLE_RATE", "100Hz", 0},
		{"PYROSCOPE_SAMPLE_RATE", "abc", 0},
		{"PYROSCOPE_SAMPLE_RATE", "1e2", 0},
		{"PYROSCOPE_SAMPLE_RATE", "4294967396", 0},
		{"PYROSCOPE_SAMPLE_RATE", "99999999999999999999", 0},
		{"PYROSCOPE_UPLOAD_INTERVAL", "1", 1000},
		{"PYROSCOPE_UPLOAD_INTERVAL", "15s", 15000},
		{"PYROSCOPE_UPLOAD_INTERVAL", "1500ms", 1500},
		{"PYROSCOPE_UPLOAD_INTERVAL", "10m", 600000},
		{"PYROSCOPE_UPLOAD_INTERVAL", "500ms", 0},
		{"PYROSCOPE_UPLOAD_INTERVAL", "0", 0},
		{"PYROSCOPE_UPLOAD_INTERVAL", "11m", 0},
		{"PYROSCOPE_UPLOAD_INTERVAL", "-5s", 0},
		{"PYROSCOPE_UPLOAD_INTERVAL", "15 s", 0},
		{"PYROSCOPE_UPLOAD_INTERVAL", "s", 0},
		{"PYROSCOPE_UPLOAD_INTERVAL", "1h", 0},
		{"PYROSCOPE_UPLOAD_INTERVAL", "99999999999999999999s", 0},
		{"PYROSCOPE_UPLOAD_INTERVAL", "18446744073709552s", 0},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		bool rate = strstr(cases[i].variable, "RATE") != NULL;

		setenv(cases[i].variable, cases[i].text, 1);
		load(NULL, 0, cases[i].want ? 0 : 1);
		unsetenv(cases[i].variable);

		uint32_t got =
			rate ? config.sample_rate : config.upload_interval_ms;
		uint32_t fallback = rate ? 100 : 15000;

		if (got != (cases[i].want ? cases[i].want : fallback))
			fail_msg("%s=%s: %u", cases[i].variable, cases[i].text,
				 got);
	}
}

static void test_hostname(void **state)
{
	char host[256] = "";

	(void)state;
	gethostname(host, sizeof(host));
	setenv("HOSTNAME", "set-by-hand", 1);
	load(NULL, 0, 0);
	assert_string_equal(config.hostname, "set-by-hand");
	setenv("HOSTNAME", "", 1);
	load(NULL, 0, 0);
	assert_string_equal(config.hostname, host);
	unsetenv("HOSTNAME");
	load(NULL, 0, 0);
	assert_string_equal(config.hostname, host);
}

/* Programs compiled with an older header pass a shorter struct: what lies
 * behind it is not ours. */
static void test_older_program(void **state)
{
	struct pyroscope_config code;

	(void)state;
	memset(&code, 0xee, sizeof(code));
	code.size = sizeof(size_t);
	load(&code, 0, 0);
	assert_string_equal(config.url.host, "127.0.0.1");
	code.size = offsetof(struct pyroscope_config, application_name);
	code.server_address = "http://old:1";
	load(&code, 0, 0);
	assert_string_equal(config.url.host, "old");
	assert_int_equal(config.sample_rate, 100);
	code.size = offsetof(struct pyroscope_config, upload_interval_ms);
	code.application_name = "old";
	code.sample_rate = 19;
	load(&code, 0, 0);
	assert_int_equal(config.sample_rate, 19);
	assert_int_equal(config.upload_interval_ms, 15000);
	code = (struct pyroscope_config)PYROSCOPE_CONFIG_INIT;
	code.size = offsetof(struct pyroscope_config, output_dir);
	memset(&code.output_dir, 0xee, sizeof(code) - code.size);
	load(&code, 0, 0);
	assert_string_equal(config.output_dir, "");
}

/* ... and newer ones a longer: fine as long as it asks for nothing more. */
static void test_newer_program(void **state)
{
	struct {
		struct pyroscope_config known;
		unsigned char more[40];
	} code = {.known = PYROSCOPE_CONFIG_INIT};

	(void)state;
	code.known.size = sizeof(code);
	code.known.sample_rate = 19;
	load(&code.known, 0, 0);
	assert_int_equal(config.sample_rate, 19);
	for (size_t i = 0; i < sizeof(code.more); i++) {
		code.more[i] = 1;
		load(&code.known, -E2BIG, 1);
		code.known.size = sizeof(code.known) + i;
		load(&code.known, 0, 0); /* the byte is behind the end */
		code.known.size = sizeof(code);
		code.more[i] = 0;
	}
}

static void test_sizes_that_cannot_be(void **state)
{
	struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

	(void)state;
	for (size_t size = 0; size < sizeof(size_t); size++) {
		code.size = size;
		load(&code, -EINVAL, 1);
	}
	code.size = 65537;
	load(&code, -EINVAL, 1);
	code.size = SIZE_MAX;
	load(&code, -EINVAL, 1);
}

static void test_output_dir(void **state)
{
	struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;
	char longer[PATH_MAX + 1];

	(void)state;
	code.format = "file";
	load(&code, -EINVAL, 1);
	setenv("PYROSCOPE_OUTPUT_DIR", "/some/where", 1);
	load(&code, 0, 0);
	assert_string_equal(config.output_dir, "/some/where");
	code.output_dir = "/in/code";
	load(&code, 0, 0);
	assert_string_equal(config.output_dir, "/in/code");
	/* Below pyro record all that is started is one run. */
	setenv("PYROSCOPE_COMMAND", "record", 1);
	load(&code, 0, 0);
	assert_string_equal(config.output_dir, "/some/where");
	unsetenv("PYROSCOPE_OUTPUT_DIR");
	load(&code, 0, 0);
	assert_string_equal(config.output_dir, "/in/code");
	assert_int_equal(config.format, PYRO_FORMAT_FILE);
	memset(longer, 'd', PATH_MAX);
	longer[PATH_MAX] = '\0';
	code.output_dir = longer;
	load(&code, -EINVAL, 1);
}

/* Switches and numbers that code has as the environment has them. */
static void test_fields_of_switches(void **state)
{
	struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

	(void)state;
	load(&code, 0, 0);
	assert_false(config.trace_ids);
	assert_false(config.strip);
	assert_int_equal(config.send_timeout_ms, 10000);
	assert_int_equal(config.queue_max, 1024);
	assert_int_equal(config.tries_max, 10);
	setenv("PYROSCOPE_TRACE_IDS", "1", 1);
	setenv("PYROSCOPE_STRIP_FILENAMES", "1", 1);
	setenv("PYROSCOPE_PROFILE_EXPORT_TIMEOUT", "3s", 1);
	setenv("PYROSCOPE_PUSH_QUEUE_CAPACITY", "7", 1);
	load(&code, 0, 0);
	assert_true(config.trace_ids);
	assert_true(config.strip);
	assert_int_equal(config.send_timeout_ms, 3000);
	assert_int_equal(config.queue_max, 7);
	code.profile_export_timeout_ms = 2000;
	code.push_queue_capacity = 5;
	load(&code, 0, 0);
	assert_int_equal(config.send_timeout_ms, 2000);
	assert_int_equal(config.queue_max, 5);
	clearenv();
	code.trace_ids = code.strip_filenames = 1;
	load(&code, 0, 0);
	assert_true(config.trace_ids);
	assert_true(config.strip);
	code.trace_ids = 2;
	load(&code, -EINVAL, 1);
}

/* Where the token is bad nobody is let in, and not everybody. */
static void test_listener(void **state)
{
	static char token[4096 + 2];

	(void)state;
	memset(token, 't', 4097);
	setenv("PYROSCOPE_PPROF_TOKEN", token, 1);
	load(NULL, 0, 0);
	assert_string_equal(config.pprof_address, "");
	setenv("PYROSCOPE_PPROF_ADDRESS", ":6060", 1);
	load(NULL, 0, 1);
	assert_string_equal(config.pprof_address, "");
	setenv("PYROSCOPE_PPROF_TOKEN", token + 1, 1);
	load(NULL, 0, 0);
	assert_string_equal(config.pprof_address, ":6060");
	assert_string_equal(config.pprof_token, token + 1);
	unsetenv("PYROSCOPE_PPROF_TOKEN");
	load(NULL, 0, 0);
	assert_string_equal(config.pprof_address, ":6060");
	assert_string_equal(config.pprof_token, "");
}

/* "a=1;b=2;", and nothing else */
static void has_tags(const char *want)
{
	char text[4096] = "";

	for (size_t i = 0; i < config.tags.count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "%s=%s;", config.tags.tag[i].name,
			 config.tags.tag[i].value);
	assert_string_equal(text, want);
}

static void test_names_with_labels(void **state)
{
	static const struct {
		const char *text, *name, *tags;
		bool bad;
	} cases[] = {
		{"shop{a=1,b=2}", "shop", "a=1;b=2;", false},
		{"shop {}", "shop", "", false},
		{"shop{a=1", "shop", "", true},
		{"shop{a=1}x", "shop", "", true},
		{"shop{a=1,b}", "shop", "a=1;", true},
		{"shop{__name__=x}", "shop", "", true},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

		code.application_name = cases[i].text;
		load(&code, cases[i].bad ? -EINVAL : 0, cases[i].bad);
		if (!cases[i].bad) {
			assert_string_equal(config.application_name,
					    cases[i].name);
			has_tags(cases[i].tags);
		}
		assert_int_equal(pyro_identity_set_app_name(cases[i].text),
				 cases[i].bad ? -EINVAL : 0);
		pyro_identity_set_app_name(NULL);
		setenv("PYROSCOPE_APPLICATION_NAME", cases[i].text, 1);
		load(NULL, 0, cases[i].bad);
		assert_string_equal(config.application_name, cases[i].name);
		has_tags(cases[i].tags);
		unsetenv("PYROSCOPE_APPLICATION_NAME");
	}
	pyro_identity_set_app_name("set{b=2}");
	setenv("PYROSCOPE_TAGS", "b=1,c=3", 1);
	load(NULL, 0, 0);
	assert_string_equal(config.application_name, "set");
	has_tags("b=1;c=3;");
}

static void test_tags(void **state)
{
	struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

	(void)state;
	load(&code, 0, 0);
	has_tags("");
	code.tags = "a=code";
	code.application_name = "shop{a=name,e=name}";
	setenv("PYROSCOPE_LABELS", "a:env,b:env,x", 1);
	setenv("OTEL_RESOURCE_ATTRIBUTES",
	       "service.name=no,service.version=1%2C2%,a=otel,e=otel,"
	       "telemetry.sdk.name=no,k8s.pod.name=p",
	       1);
	load(&code, 0, 1);
	has_tags("a=code;b=env;e=name;service_version=1,2%;pod=p;");
	assert_string_equal(config.application_name, "shop");
	setenv("PYROSCOPE_TAGS", "b=own", 1);
	load(&code, 0, 0);
	has_tags("a=code;b=own;e=name;service_version=1,2%;pod=p;");
	code.tags = "a=1,b";
	load(&code, -EINVAL, 1);
	code.tags = "pid=1";
	load(&code, -EINVAL, 1);
	code.tags = NULL;
	code.application_name = NULL;
	load(&code, 0, 0);
	assert_string_equal(config.application_name, "no");
	setenv("OTEL_SERVICE_NAME", "yes", 1);
	setenv("OTEL_RESOURCE_ATTRIBUTES", "9=x,pid=1,b%zz=c,noise", 1);
	load(&code, 0, 1);
	assert_string_equal(config.application_name, "yes");
	has_tags("b=own;b_zz=c;");
}

static void test_tags_that_are_special(void **state)
{
	(void)state;
	setenv("POD_NAME", "p", 1);
	setenv("POD_NAMESPACE", "n", 1);
	load(NULL, 0, 0);
	has_tags("");
	setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
	load(NULL, 0, 0);
	has_tags("namespace=n;pod=p;");
	setenv("PYROSCOPE_TAGS", "hostname=mine,pod=q", 1);
	load(NULL, 0, 0);
	assert_string_equal(config.hostname, "mine");
	has_tags("pod=q;namespace=n;");
	setenv("PYROSCOPE_TAGS",
	       "service_repository=https://host/r,service_git_ref=v1", 1);
	load(NULL, 0, 0);
	has_tags("service_repository=https://host/r;service_git_ref=v1;"
		 "namespace=n;pod=p;");
	setenv("PYROSCOPE_SYMBOLS", "server", 1);
	load(NULL, 0, 1);
	has_tags("namespace=n;pod=p;");
	setenv("PYROSCOPE_TAGS",
	       "a=,b=,c=,d=1,e=1,f=1,g=1,h=1,i=1,j=1,k=1,l=1,"
	       "m=1,n=1,o=1",
	       1);
	load(NULL, 0, 1);
	assert_int_equal(config.tags.count, PYRO_TAGS_MAX);
}

static void test_log_level(void **state)
{
	static const struct {
		const char *name, *text;
		int lines[4]; /* of error, warn, info, debug */
	} cases[] = {
		{NULL, NULL, {1, 1, 0, 0}},
		{"PYROSCOPE_LOG_LEVEL", "none", {0, 0, 0, 0}},
		{"PYROSCOPE_LOG_LEVEL", "error", {1, 0, 0, 0}},
		{"PYROSCOPE_LOG_LEVEL", "info", {1, 1, 1, 0}},
		{"PYROSCOPE_LOG_LEVEL", "debug", {1, 1, 1, 1}},
		{"PYROSCOPE_NO_LOGGING", "true", {0, 0, 0, 0}},
		{"PYROSCOPE_NO_LOGGING", "0", {1, 1, 0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		if (cases[i].name)
			setenv(cases[i].name, cases[i].text, 1);
		load(NULL, 0, 0);
		if (cases[i].name)
			unsetenv(cases[i].name);
		for (int k = 0; k < 4; k++) {
			pyro_log_as((enum pyro_log_level)(k + 1), "line");
			assert_int_equal(logged(NULL), cases[i].lines[k]);
		}
	}
	/* Code over the environment, also as another client's switch. */
	struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

	setenv("PYROSCOPE_LOG_LEVEL", "debug", 1);
	code.log_level = "error";
	load(&code, 0, 0);
	pyro_log("line");
	assert_int_equal(logged(NULL), 0);
	code.log_level = "loud";
	load(&code, -EINVAL, 1);
	unsetenv("PYROSCOPE_LOG_LEVEL");
	assert_int_equal(pyroscope_config_set(&code, "no_logging", "yes"), 0);
	assert_string_equal(code.log_level, "none");
	assert_int_equal(pyroscope_config_set(&code, "no_logging", "no"), 0);
	assert_null(code.log_level);
	load(NULL, 0, 0);
	pyro_log_set_level(PYRO_LOG_INFO);
	config.types = PYRO_TYPE_CPU | PYRO_TYPE_HEAP | PYRO_TYPE_BLOCK_COUNT;

	const char *line;

	pyro_config_tell(&config);
	assert_int_equal(logged(&line), 1);
	assert_non_null(strstr(line, "begins: cpu,heap,block_count, as "));
	assert_non_null(strstr(line, ", to " PYRO_URL_DEFAULT "\n"));
	pyro_log_set_level(PYRO_LOG_WARN);
}

static char file_path[] = "/tmp/test_config.conf.XXXXXX";

static void write_file(const char *text, size_t len)
{
	int fd = open(file_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, len), len);
	close(fd);
	setenv("PYROSCOPE_CONFIGURATION_FILE", file_path, 1);
}

static void write_text(const char *text)
{
	write_file(text, strlen(text));
}

static void test_file(void **state)
{
	static const struct {
		const char *text;
		uint32_t rate;
		int lines;
	} cases[] = {
		{"", 100, 0},
		{"sample_rate=50", 50, 0},
		{"sample_rate=50\n", 50, 0},
		{"  sample_rate \t=  50 \r\n", 50, 0},
		{"\xef\xbb\xbfsample-rate = 50\r\n", 50, 0},
		{"pyroscope.sample.rate = 50\n", 50, 0},
		{"PYROSCOPE_SAMPLE_RATE=50\n", 50, 0},
		{"# sample_rate=20\n!x\n\n \t\nsample_rate=50", 50, 0},
		{"sample_rate=50\nsample_rate=60", 60, 0},
		{"sample_rate=50\nprofiling_interval=20s", 50, 0},
		{"profiling_interval=25ms", 40, 0},
		{"profiling_interval=25ms\nsample_rate=50", 50, 0},
		{"sample_rate=50\nsample_rate=", 50, 0},
		{"sample_rate=", 100, 0},
		{"sample_rate 20\nsample_rate=50", 50, 1},
		{"sample_rates=20\nsample_rate=50", 50, 1},
		{"=\n=20\nsample_rate=50", 50, 2},
		{"sample_rate=\x01 20\nupload_interval=20s", 100, 1},
		{"sample_rate=2000\n", 100, 1},
		{"sample_rate=20=30\n", 100, 1},
		{"command=record\nroot_pid=1\nheap_ages=1\n", 100, 3},
		{"configuration_file=/etc/passwd\n", 100, 1},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		write_text(cases[i].text);
		load(NULL, 0, cases[i].lines);
		if (config.sample_rate != cases[i].rate)
			fail_msg("%s: %u", cases[i].text, config.sample_rate);
	}
}

static void test_file_sizes(void **state)
{
	static char text[70000];
	const char *line;

	(void)state;
	memset(text, '#', sizeof(text));
	memcpy(text, "sample_rate=50\n", 15);
	write_file(text, 65536);
	load(NULL, 0, 0);
	assert_int_equal(config.sample_rate, 50);
	write_file(text, 65537);
	load(NULL, 0, 1);
	assert_int_equal(config.sample_rate, 100);
	/* A NUL is none of a line, and ends no file. */
	write_file("a\0b=1\nsample_rate=50\n", 21);
	load(NULL, 0, 1);
	assert_int_equal(config.sample_rate, 50);
	memset(text, 'x', sizeof(text));
	for (size_t i = 1; i < sizeof(text); i += 2)
		text[i] = '\n';
	write_file(text, 60000);
	assert_int_equal(pyro_config_load(&config, NULL, false), 0);
	assert_int_equal(logged(&line), 11);
	assert_non_null(strstr(line, "29990 more lines"));
	assert_int_equal(pyro_config_load(&config, NULL, true), 0);
	assert_int_equal(logged(NULL), 0);
}

/* Code, environment, file, default: each is asked when those before say nothing,
 * or, but for code, say what is bad. */
static void test_order(void **state)
{
	(void)state;
	for (int i = 0; i < 27; i++) {
		struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;
		int in_code = i % 3, in_environment = i / 3 % 3;
		int in_file = i / 9;
		int lines =
			in_code ? in_code == 2
				: (in_environment == 2) +
					  (in_environment != 1 && in_file == 2);
		uint32_t want = in_code == 1          ? 10
				: in_environment == 1 ? 20
				: in_file == 1        ? 30
						      : 100;

		code.sample_rate = in_code == 0 ? 0 : in_code == 1 ? 10 : 2000;
		setenv("PYROSCOPE_SAMPLE_RATE",
		       in_environment == 0   ? ""
		       : in_environment == 1 ? "20"
					     : "bad",
		       1);
		write_text(in_file == 0   ? ""
			   : in_file == 1 ? "sample_rate=30"
					  : "sample_rate=bad");
		load(&code, in_code == 2 ? -EINVAL : 0, lines);
		if (in_code != 2 && config.sample_rate != want)
			fail_msg("case %d: %u", i, config.sample_rate);
	}
}

static void test_adhoc_over_all(void **state)
{
	struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

	(void)state;
	code.server_address = "http://code:1";
	setenv("PYROSCOPE_SERVER_ADDRESS", "http://env:1", 1);
	write_text("server_address=http://file:1\n"
		   "adhoc_server_address=http://adhoc:1");
	load(&code, 0, 0);
	assert_string_equal(config.url.host, "adhoc");
	setenv("PYROSCOPE_ADHOC_SERVER_ADDRESS", "http://adhoc2:1", 1);
	load(&code, 0, 0);
	assert_string_equal(config.url.host, "adhoc2");
	write_text("");
	load(&code, 0, 0);
	assert_string_equal(config.url.host, "adhoc2");
}

/* Every row can be found by its name in all spellings, and its default is a good
 * value. */
static void test_table(void **state)
{
	const struct pyro_setting_alias *alias;

	(void)state;
	for (int i = 0; i < PYRO_SETTINGS; i++) {
		const struct pyro_setting *s = &pyro_setting[i];
		char variable[80];
		uint32_t number;
		const char *why;

		assert_non_null(s->name);
		snprintf(variable, sizeof(variable), "PYROSCOPE_%s", s->name);
		for (char *c = variable; *c; c++)
			*c = *c == '_' ? '.' : *c;
		assert_int_equal(
			pyro_setting_find(s->name, strlen(s->name), &alias), i);
		assert_null(alias);
		assert_int_equal(
			pyro_setting_find(variable, strlen(variable), &alias),
			i);
		if (s->fallback)
			assert_int_equal(pyro_setting_parse(s, s->kind,
							    s->fallback,
							    &number, &why),
					 PYRO_SETTING_GOOD);
		assert_true(s->help || (s->flags & PYRO_SETTING_INTERNAL));
		assert_true(!s->option == !s->argument);
	}
	for (alias = pyro_setting_aliases; alias->name; alias++) {
		const struct pyro_setting_alias *found;

		assert_int_equal(pyro_setting_find(alias->name,
						   strlen(alias->name), &found),
				 alias->id);
		assert_ptr_equal(found, alias);
	}
	assert_int_equal(pyro_setting_find("", 0, &alias), PYRO_SETTINGS);
	assert_int_equal(pyro_setting_find("sample_rates", 12, &alias),
			 PYRO_SETTINGS);
}

static void test_other_names(void **state)
{
	static const struct {
		const char *variable, *text;
		const uint32_t *is;
		uint32_t want;
		int lines;
	} cases[] = {
		{"PYROSCOPE_FLUSH_INTERVAL_MS", "60000",
		 &config.upload_interval_ms, 60000, 0},
		{"PYROSCOPE_FLUSH_INTERVAL_MS", "60s",
		 &config.upload_interval_ms, 15000, 1},
		{"PYROSCOPE_PROFILING_INTERVAL", "20ms", &config.sample_rate,
		 50, 0},
		{"PYROSCOPE_PROFILING_INTERVAL", "1s", &config.sample_rate, 1,
		 0},
		{"PYROSCOPE_PROFILING_INTERVAL", "2s", &config.sample_rate, 100,
		 1},
		{"PYROSCOPE_PROFILING_INTERVAL", "0", &config.sample_rate, 100,
		 1},
		{"PYROSCOPE_PROFILING_INTERVAL", "20", &config.sample_rate, 100,
		 1},
		{"PYROSCOPE_HEAP_STACK_DEPTH", "64", &config.stack_depth, 64,
		 0},
		{"PYROSCOPE_JAVA_STACK_DEPTH_MAX", "2048", &config.stack_depth,
		 128, 1},
		{"PYROSCOPE_STACK_DEPTH", "512", &config.stack_depth, 512, 0},
		{"PYROSCOPE_HEAP_INTERVAL", "1m", &config.heap_interval,
		 1 << 20, 0},
		{"PYROSCOPE_PROFILER_ALLOC", "64K", &config.heap_interval,
		 1 << 16, 0},
		{"PYROSCOPE_PROFILING_CPU_ENABLED", "0", &config.types,
		 DEFAULT_TYPES & ~(uint32_t)PYRO_TYPE_CPU, 0},
		{"PYROSCOPE_PROFILING_CPU_ENABLED", "true", &config.types,
		 DEFAULT_TYPES, 0},
		{"PYROSCOPE_PROFILING_CPU_ENABLED", "maybe", &config.types,
		 DEFAULT_TYPES, 1},
		{"PYROSCOPE_PROFILING_HEAP_ENABLED", "No", &config.types,
		 DEFAULT_TYPES & ~(uint32_t)PYRO_TYPE_INUSE, 0},
		{"PYROSCOPE_PROFILING_ALLOCATION_ENABLED", "off", &config.types,
		 DEFAULT_TYPES & ~(uint32_t)PYRO_TYPE_ALLOC, 0},
		{"PYROSCOPE_PROFILING_CONTENTION_ENABLED", "0", &config.types,
		 31 | PYRO_TYPE_THREADS, 0},
		{"PYROSCOPE_PROFILER_LOCK", "10ms", &config.types,
		 DEFAULT_TYPES, 0},
		/* async-profiler's: 0 is all waits, however short */
		{"PYROSCOPE_PROFILER_LOCK", "0", &config.types, DEFAULT_TYPES,
		 0},
		{"PYROSCOPE_PROFILER_LOCK", "500us", &config.types,
		 DEFAULT_TYPES, 0},
		{"PYROSCOPE_PROFILER_LOCK", "10000000", &config.types,
		 DEFAULT_TYPES, 0},
		{"PYROSCOPE_PROFILER_LOCK", "10h", &config.types, DEFAULT_TYPES,
		 1},
		/* Other clients', which have nothing to switch here */
		{"PYROSCOPE_PROFILING_WALLTIME_ENABLED", "1", &config.types,
		 DEFAULT_TYPES, 0},
		{"PYROSCOPE_PROFILING_EXCEPTION_ENABLED", "true", &config.types,
		 DEFAULT_TYPES, 0},
		{"PYROSCOPE_EXPORT_COMPRESSION_LEVEL_JFR", "BEST_SPEED",
		 &config.types, DEFAULT_TYPES, 0},
		{"PYROSCOPE_EXPORT_COMPRESSION_LEVEL_LABELS", "9",
		 &config.types, DEFAULT_TYPES, 0},
		{"PYROSCOPE_PROFILER_EVENT", "itimer", &config.types,
		 DEFAULT_TYPES, 0},
		{"PYROSCOPE_PROFILER_EVENT", "wall", &config.types,
		 DEFAULT_TYPES, 1},
	};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		setenv(cases[i].variable, cases[i].text, 1);
		load(NULL, 0, cases[i].lines);
		unsetenv(cases[i].variable);
		if (*cases[i].is != cases[i].want)
			fail_msg("%s=%s: %u", cases[i].variable, cases[i].text,
				 *cases[i].is);
	}
	/* The table's own name first; a list is not switched. */
	setenv("PYROSCOPE_PROFILING_INTERVAL", "20ms", 1);
	setenv("PYROSCOPE_SAMPLE_RATE", "99", 1);
	setenv("PYROSCOPE_PROFILE_TYPES", "cpu", 1);
	setenv("PYROSCOPE_PROFILING_CPU_ENABLED", "0", 1);
	load(NULL, 0, 0);
	assert_int_equal(config.sample_rate, 99);
	assert_int_equal(config.types, PYRO_TYPE_CPU);
}

/* A line speaks of values as they are written under the name that was used. */
static void test_other_names_told(void **state)
{
	static const char *const cases[][3] = {
		{"PYROSCOPE_PROFILING_INTERVAL", "2s",
		 "PROFILING_INTERVAL=2s is not 0.001 to 1 seconds: not used"},
		{"PYROSCOPE_FLUSH_INTERVAL_MS", "60s",
		 "_MS=60s is not 1000 to 600000: not used"},
		{"PYROSCOPE_NO_LOGGING", "maybe",
		 "NO_LOGGING=maybe is not 0 or 1: not used"},
		{"PYROSCOPE_PROFILER_LOCK", "soon",
		 "LOCK=soon is not a time like 10ms, 500us or 0: not used"},
	};
	const char *line;

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(cases); i++) {
		setenv(cases[i][0], cases[i][1], 1);
		assert_int_equal(pyro_config_load(&config, NULL, false), 0);
		unsetenv(cases[i][0]);
		assert_int_equal(logged(&line), 1);
		if (!strstr(line, cases[i][2]))
			fail_msg("%s: %s", cases[i][0], line);
	}
}

static void test_unknown(void **state)
{
	const char *line;
	char name[200];

	(void)state;
	setenv("PYROSCOPE_GC_BEFORE_DUMP", "1", 1);
	setenv("PYROSCOPE_SAMPLE_RAET", "50", 1);
	setenv("PYROSCOPEX", "1", 1);
	assert_int_equal(pyro_config_load(&config, NULL, true), 0);
	assert_int_equal(logged(NULL), 0);
	assert_int_equal(pyro_config_load(&config, NULL, false), 0);
	assert_int_equal(logged(&line), 1);
	assert_non_null(strstr(line, "PYROSCOPE_GC_BEFORE_DUMP"));
	assert_non_null(strstr(line, "PYROSCOPE_SAMPLE_RAET"));
	assert_null(strstr(line, "PYROSCOPEX"));
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "PYROSCOPE_%0*d", i, 1);
		setenv(name, "x", 1);
	}
	assert_int_equal(pyro_config_load(&config, NULL, false), 0);
	assert_int_equal(logged(&line), 1);
	assert_non_null(strstr(line, " more\n"));
}

static void test_switched_off(void **state)
{
	static const char *const off[] = {"0", "false", "NO", "Off"};
	static const char *const on[] = {"1", "true", "yes", "ON", ""};
	struct pyroscope_config code = PYROSCOPE_CONFIG_INIT;

	(void)state;
	code.server_address = "bad"; /* not looked at */
	for (size_t i = 0; i < PYRO_COUNT_OF(off); i++) {
		setenv("PYROSCOPE_PROFILING_ENABLED", off[i], 1);
		load(&code, -ECANCELED, 0);
	}
	for (size_t i = 0; i < PYRO_COUNT_OF(on); i++) {
		setenv("PYROSCOPE_PROFILING_ENABLED", on[i], 1);
		load(NULL, 0, 0);
	}
	setenv("PYROSCOPE_PROFILING_ENABLED", "perhaps", 1);
	load(NULL, 0, 1);
	unsetenv("PYROSCOPE_PROFILING_ENABLED");
	setenv("PYROSCOPE_AGENT_ENABLED", "false", 1);
	load(NULL, -ECANCELED, 0);
}

static void test_config_set(void **state)
{
	struct pyroscope_config code = PYROSCOPE_CONFIG_INIT, same;
	static const char *const bad[][2] = {
		{"sample_rate", "1001"},
		{"sample_rate", "x"},
		{"symbols", "liens"},
		{"profile_types", "cpu,wall"},
		{"server_address", "junk"},
		{"no_such_thing", "1"},
		{"", "1"},
		{"log_file", "/tmp/x"},
		{"flush_interval_ms", "1s"},
		{"heap_interval", "0"},
	};

	(void)state;
	assert_int_equal(pyroscope_config_set(&code, "sample_rate", "50"), 0);
	assert_int_equal(
		pyroscope_config_set(&code, "pyroscope.heap.interval", "64k"),
		0);
	assert_int_equal(
		pyroscope_config_set(&code, "PYROSCOPE_UPLOAD_INTERVAL", "30"),
		0);
	assert_int_equal(
		pyroscope_config_set(&code, "server-address", "http://set:1"),
		0);
	assert_int_equal(pyroscope_config_set(&code, "symbols", "lines"), 0);
	assert_int_equal(pyroscope_config_set(&code, "trace_ids", "yes"), 0);
	assert_int_equal(pyroscope_config_set(&code, "output_dir", "/set"), 0);
	assert_int_equal(
		pyroscope_config_set(&code, "profile_export_timeout", "2s"), 0);
	assert_int_equal(code.trace_ids, 1);
	assert_int_equal(code.profile_export_timeout_ms, 2000);
	assert_string_equal(code.output_dir, "/set");
	assert_int_equal(code.sample_rate, 50);
	assert_int_equal(code.heap_interval, 65536);
	assert_int_equal(code.upload_interval_ms, 30000);
	load(&code, 0, 0);
	assert_string_equal(config.url.host, "set");
	assert_int_equal(config.symbolize, PYRO_SYMBOLIZE_LINES);
	same = code;
	for (size_t i = 0; i < PYRO_COUNT_OF(bad); i++) {
		assert_int_equal(
			pyroscope_config_set(&code, bad[i][0], bad[i][1]),
			-EINVAL);
		assert_int_equal(logged(NULL), 1);
		assert_memory_equal(&code, &same, sizeof(code));
	}
	assert_int_equal(pyroscope_config_set(NULL, "symbols", ""), -EINVAL);
	assert_int_equal(pyroscope_config_set(&code, NULL, ""), -EINVAL);
	assert_int_equal(pyroscope_config_set(&code, "symbols", NULL), 0);
	assert_int_equal(pyroscope_config_set(&code, "sample_rate", ""), 0);
	assert_null(code.symbols);
	assert_int_equal(code.sample_rate, 0);
	code.size = offsetof(struct pyroscope_config, heap_interval);
	assert_int_equal(pyroscope_config_set(&code, "heap_interval", "1"),
			 -EINVAL);
	assert_int_equal(code.heap_interval, 65536);
	assert_int_equal(logged(NULL), 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, set_up)
	const struct CMUnitTest tests[] = {
		TEST(test_defaults),
		TEST(test_address_order),
		TEST(test_bad_addresses),
		TEST(test_good_addresses),
		TEST(test_secrets),
		TEST(test_name_order),
		TEST(test_name_lengths),
		TEST(test_numbers_from_code),
		TEST(test_symbols),
		TEST(test_demangle),
		TEST(test_lines),
		TEST(test_types),
		TEST(test_types_long),
		TEST(test_block_classes),
		TEST(test_heap_interval),
		TEST(test_heap_ages),
		TEST(test_numbers_from_environment),
		TEST(test_hostname),
		TEST(test_older_program),
		TEST(test_newer_program),
		TEST(test_sizes_that_cannot_be),
		TEST(test_output_dir),
		TEST(test_listener),
		TEST(test_fields_of_switches),
		TEST(test_names_with_labels),
		TEST(test_tags),
		TEST(test_tags_that_are_special),
		TEST(test_log_level),
		TEST(test_file),
		TEST(test_file_sizes),
		TEST(test_order),
		TEST(test_adhoc_over_all),
		TEST(test_table),
		TEST(test_other_names),
		TEST(test_other_names_told),
		TEST(test_unknown),
		TEST(test_switched_off),
		TEST(test_config_set),
	};
	int fd = mkstemp(log_path), conf = mkstemp(file_path);

	if (fd < 0 || conf < 0)
		return 1;
	close(fd);
	close(conf);
	pyro_log_to(log_path);

	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	unlink(log_path);
	unlink(file_path);
	return failed;
}
