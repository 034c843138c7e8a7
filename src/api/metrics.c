// SPDX-License-Identifier: Apache-2.0
/* metrics.c - the counters as Prometheus reads them (text format 0.0.4) */
#include "api/listener.h"
#include "api/session.h"
#include "base/os.h"
#include "pyroscope/pyroscope.h"

static void counter(struct pyro_buf *out, const char *name, const char *help)
{
	pyro_buf_printf(out, "# HELP pyroscope_%s %s\n# TYPE pyroscope_%s %s\n",
			name, help, name, "counter");
}

static void gauge(struct pyro_buf *out, const char *name, const char *help,
		  uint64_t value)
{
	pyro_buf_printf(out,
			"# HELP pyroscope_%s %s\n# TYPE pyroscope_%s gauge\n"
			"pyroscope_%s %llu\n",
			name, help, name, name, (unsigned long long)value);
}

/* In decimals: of 10 to the power of digits. */
static void put_fraction(struct pyro_buf *out, uint64_t value, int digits)
{
	uint64_t one = 1;

	for (int i = 0; i < digits; i++)
		one *= 10;
	pyro_buf_printf(out, "%llu.%0*llu\n", (unsigned long long)(value / one),
			digits, (unsigned long long)(value % one));
}

static void value_of(struct pyro_buf *out, const char *name, const char *label,
		     const char *text, uint64_t value)
{
	pyro_buf_printf(out, "pyroscope_%s{%s=\"%s\"} %llu\n", name, label,
			text, (unsigned long long)value);
}

static void write_samples(struct pyro_buf *out, const struct pyroscope_stats *s)
{
	const struct {
		const char *end;
		uint64_t count;
	} ends[] = {
		{"complete", s->complete},
		{"depth", s->truncated_depth},
		{"gap", s->truncated_gap},
		{"expression", s->truncated_expression},
		{"register", s->truncated_register},
		{"bounds", s->truncated_bounds},
		{"progress", s->truncated_progress},
		{"unmapped", s->truncated_unmapped},
		{"pending", s->truncated_pending},
		{"unloaded", s->truncated_unloaded},
	};
	static const char samples[] = "cpu_samples_total";
	static const char lost[] = "samples_lost_total";

	counter(out, samples, "Samples of CPU time, by how the stack ends.");
	for (size_t i = 0; i < PYRO_COUNT_OF(ends); i++)
		value_of(out, samples, "end", ends[i].end, ends[i].count);
	counter(out, lost, "Samples without a place, by kind.");
	value_of(out, lost, "kind", "cpu", s->lost);
	value_of(out, lost, "kind", "cpu_stacks", s->overflow);
	value_of(out, lost, "kind", "heap", s->heap_lost);
}

static void write_profiles(struct pyro_buf *out,
			   const struct pyroscope_stats *s)
{
	static const char profiles[] = "profiles_total";

	counter(out, profiles, "Profiles, by what became of them.");
	value_of(out, profiles, "result", "sent", s->profiles_sent);
	value_of(out, profiles, "result", "dropped_full",
		 s->profiles_dropped_full);
	value_of(out, profiles, "result", "dropped_refused",
		 s->profiles_dropped_refused);
	value_of(out, profiles, "result", "dropped_old",
		 s->profiles_dropped_old);
	value_of(out, profiles, "result", "dropped_stopped",
		 s->profiles_dropped_stopped);
	value_of(out, profiles, "result", "dropped_unwritten",
		 s->profiles_dropped_unwritten);
	counter(out, "tries_failed_total", "Tries to send that failed.");
	pyro_buf_printf(out, "pyroscope_tries_failed_total %llu\n",
			(unsigned long long)s->tries_failed);
}

static void write_own(struct pyro_buf *out, const struct pyroscope_stats *s)
{
	const struct {
		const char *name;
		uint64_t ns;
	} parts[] = {
		{"handlers", s->handlers_cpu_ns},
		{"hooks", s->hooks_cpu_ns},
		{"reading", s->reading_cpu_ns},
		{"threads", s->library_cpu_ns - pyro_min(s->library_cpu_ns,
							 s->reading_cpu_ns)},
	};

	counter(out, "own_cpu_seconds_total",
		"CPU time that profiling takes, by where.");
	for (size_t i = 0; i < PYRO_COUNT_OF(parts); i++) {
		pyro_buf_printf(out,
				"pyroscope_own_cpu_seconds_total{part=\"%s\"} ",
				parts[i].name);
		put_fraction(out, parts[i].ns, 9);
	}
	pyro_buf_puts(out, "# HELP pyroscope_overhead_ratio CPU time of "
			   "profiling to that of the program or one core.\n"
			   "# TYPE pyroscope_overhead_ratio gauge\n"
			   "pyroscope_overhead_ratio ");
	put_fraction(out, s->overhead_ppm, 6);
	gauge(out, "rate_halvings",
	      "How many times rates are halved, to stay within the budget.",
	      s->rate_halvings);
}

static void write_paused(struct pyro_buf *out)
{
	static const char paused[] = "paused";
	const struct pyro_setting_word *word =
		pyro_setting[PYRO_SET_PROFILE_TYPES].words;
	uint32_t types = pyro_session.types, left = pyro_session.config.types;

	pyro_buf_printf(out,
			"# HELP pyroscope_paused Is a type not profiled for "
			"now?\n# TYPE pyroscope_paused gauge\n");
	/* Words for several come before those for each of them. */
	for (; word->text; word++) {
		if ((left & word->value) != word->value)
			continue;
		value_of(out, paused, "type", word->text,
			 !(types & word->value));
		left &= ~word->value;
	}
}

void pyro_metrics_write(struct pyro_buf *out)
{
	struct pyroscope_stats s = PYROSCOPE_STATS_INIT;

	pyroscope_stats(&s);
	write_samples(out, &s);
	write_profiles(out, &s);
	write_own(out, &s);
	write_paused(out);
	counter(out, "unsampled_seconds_total",
		"CPU time that no sample explains.");
	pyro_buf_puts(out, "pyroscope_unsampled_seconds_total ");
	put_fraction(out, s.unsampled_ns, 9);
	gauge(out, "heap_live_samples", "Sampled blocks in use.", s.heap_live);
	gauge(out, "heap_interval_bytes", "Bytes from a sample to the next.",
	      s.heap_interval);
	gauge(out, "unwind_tables_bytes", "Memory of the tables.",
	      s.tables_bytes);
	gauge(out, "memory_bytes", "Memory that the library has mapped.",
	      s.memory_bytes);
	counter(out, "memory_refused_total",
		"How often there was no memory for the library.");
	pyro_buf_printf(out, "pyroscope_memory_refused_total %llu\n",
			(unsigned long long)s.memory_refused);
	gauge(out, "objects", "Loaded objects that are known.", s.objects);
	gauge(out, "threads_unarmed", "Threads without a timer.",
	      s.threads_unarmed);
}
