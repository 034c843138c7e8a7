// SPDX-License-Identifier: Apache-2.0
/* on_off.c - every function of the header, called the ways that programs do
 *
 * Compiled with -DCALLS_DELETED it is the same program without the calls: the
 * results are the constants that the header promises where profiling is off.
 * Only statements differ, so that the two can be compared byte by byte. */
#include <pyroscope/pyroscope.h>
#include <stdio.h>

#ifdef CALLS_DELETED
#define CALL(call) ((void)0)
#define VALUE(call) 0
#else
#define CALL(call) call
#define VALUE(call) call
#endif

/* Named by arguments only: off must not make it "defined but not used". */
static const char *server(void)
{
	return "http://127.0.0.1:1/of-the-function";
}

__attribute__((unused)) static void log_line(int level, const char *text,
					     void *arg)
{
	(void)level;
	(void)text;
	(void)arg;
}

static void start_by_config(uint32_t patience_ms)
{
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;

	config.server_address = server();
	config.sample_rate = 50;
	CALL(pyroscope_config_set(&config, "server_address", server()));
	CALL(pyroscope_start(&config));
	CALL(pyroscope_flush(patience_ms));
	(void)config;
	(void)patience_ms;
}

/* Zeros where off: nobody writes. */
static unsigned char count_samples(void)
{
	struct pyroscope_stats stats = PYROSCOPE_STATS_INIT;

	CALL(pyroscope_stats(&stats));
	return (unsigned char)(stats.samples + stats.tries_failed);
}

int main(int argc, char **argv)
{
	int error = 0;
#ifdef USE_RESULTS
	struct pyroscope_stats stats = PYROSCOPE_STATS_INIT;
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;
#endif

	CALL(pyroscope_set_log(log_line, argv));
	CALL(pyroscope_set_app_name("a name that must not be left behind"));
	CALL(pyroscope_load("http://127.0.0.1:1/that-must-not-be-left-behind"));
	CALL(pyroscope_load(argv[0]));
	CALL(pyroscope_load(server()));
	CALL(pyroscope_load(NULL));
	start_by_config((uint32_t)argc);
	CALL(pyroscope_start(NULL));
	CALL(pyroscope_flush(1));
	CALL(pyroscope_pause(argv[0]));
	CALL(pyroscope_resume("a type"));
	CALL(pyroscope_profile_write("cpu", 0, argc));
	CALL(pyroscope_listen(":0"));
	if (argc > 1)
		CALL(pyroscope_fork_child());
	else
		CALL(pyroscope_stop(0));
	CALL(pyroscope_stack_register(argv, sizeof(*argv)));
	CALL(pyroscope_stack_unregister(argv));
	CALL(pyroscope_heap_alloc(argv, sizeof(*argv)));
	CALL(pyroscope_heap_free(argv));
	CALL(pyroscope_labels_pop(pyroscope_labels_push("a label", argv[0])));
	CALL(pyroscope_labels_set(
		pyroscope_labels_with(pyroscope_labels_get(), "a", "b")));
	CALL(pyroscope_span_begin((const uint8_t *)argv[0],
				  (const uint8_t *)argv[0], "a span"));
	CALL(pyroscope_span_end());
	CALL(PYROSCOPE_LABELS_SCOPE("a label of a scope", argv[0]));
	CALL(pyroscope_lock_name(argv, "a lock"));
	CALL(pyroscope_lock_contended(argv));
	CALL(pyroscope_lock_acquired(argv));
	CALL(pyroscope_lock_unlocked(argv));
	CALL(pyroscope_stats(NULL));
	if (count_samples() > 1 && argc > 5)
		puts("counted");
	CALL(pyroscope_features());
#ifdef USE_RESULTS
	error = VALUE(pyroscope_stop(1));
	if (VALUE(pyroscope_set_app_name("another name")) < 0)
		printf("%s\n", argv[1]);
	error += VALUE(pyroscope_stack_register(argv, 8));
	error += VALUE(pyroscope_stats(&stats));
	error += VALUE(pyroscope_config_set(&config, "sample_rate", "50"));
	if (VALUE(pyroscope_features()) & 1)
		printf("%s\n", argv[0]);
	if (VALUE(pyroscope_resume("cpu")) > 0)
		printf("%s\n", argv[2]);
	printf("%d\n", error);
#endif
	(void)argv;
	puts(argc > 5 ? "many" : "few");
	return error;
}
