// SPDX-License-Identifier: Apache-2.0
/* listing.c - profiles as tables of functions */
#include "cli/listing.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/report.h"
#include "cli/types.h"

bool pyro_listing_option(struct pyro_listing_options *options, const char *verb,
			 int c, const char *argument)
{
	char *end;

	if (c == 'c')
		options->by_cum = true;
	if (c == 't')
		options->type = argument;
	if (c != 'n')
		return true;
	options->rows = strtoul(argument, &end, 10);
	if (options->rows == 0)
		options->rows = SIZE_MAX;
	if (!*end && *argument >= '0' && *argument <= '9')
		return true;
	pyro_say("%s: -n is a number, not %s", verb, argument);
	return false;
}

static const char *unit_of(const struct pyro_profile *profile, size_t type)
{
	return pyro_profile_text(profile, profile->type[type].unit);
}

/* "cpu (nanoseconds): " */
static void print_type(const struct pyro_profile *profile, size_t type,
		       FILE *to)
{
	char name[64], unit[64];

	fprintf(to, "%s (%s): ",
		pyro_printable(
			pyro_profile_text(profile, profile->type[type].type),
			name, sizeof(name)),
		pyro_printable(unit_of(profile, type), unit, sizeof(unit)));
}

/* Reports on the other values of the heap, in the profile's order. */
struct others {
	size_t type[PYRO_PROFILE_TYPES_MAX];
	struct pyro_report report[PYRO_PROFILE_TYPES_MAX];
	size_t count;
};

static int others_init(struct others *others,
		       const struct pyro_profile *profile, size_t shown)
{
	*others = (struct others){0};
	for (size_t i = 0; i < profile->type_count; i++) {
		if (i == shown || !pyro_type_is_heap(profile, shown) ||
		    !pyro_type_is_heap(profile, i))
			continue;
		others->type[others->count] = i;

		int err = pyro_report_init(&others->report[others->count++],
					   profile, i);

		if (err)
			return err;
	}
	return 0;
}

static void others_fini(struct others *others)
{
	for (size_t i = 0; i < others->count; i++)
		pyro_report_fini(&others->report[i]);
}

/* Of one function, or with NULL of all. */
static void others_print(const struct others *others,
			 const struct pyro_profile *profile,
			 const struct pyro_entry *entry, bool cum, FILE *to)
{
	char text[32];

	for (size_t i = 0; i < others->count; i++) {
		const struct pyro_report *report = &others->report[i];
		int64_t value = report->total;

		if (entry)
			value = cum ? report->entry[entry->id].cum
				    : report->entry[entry->id].flat;
		fprintf(to, " %13s",
			pyro_value_text(value,
					unit_of(profile, others->type[i]), text,
					sizeof(text)));
	}
}

static void print_head(const struct pyro_profile *profile,
		       const struct others *others, size_t type, int64_t total,
		       FILE *to)
{
	char value[32], duration[32];

	print_type(profile, type, to);
	fprintf(to, "%s in %zu stacks over %s\n",
		pyro_value_text(total, unit_of(profile, type), value,
				sizeof(value)),
		profile->samples_count,
		pyro_value_text(profile->duration_ns, "nanoseconds", duration,
				sizeof(duration)));
	fprintf(to, "%10s %6s %10s %6s", "flat", "flat%", "cum", "cum%");
	for (size_t i = 0; i < others->count; i++)
		fprintf(to, " %13s",
			pyro_profile_text(profile,
					  profile->type[others->type[i]].type));
	fprintf(to, "  function\n");
}

static void print_row(const struct pyro_entry *entry, const char *unit,
		      int64_t total, FILE *to)
{
	char flat[32], cum[32];

	fprintf(to, "%10s %5.1f%% %10s %5.1f%%",
		pyro_value_text(entry->flat, unit, flat, sizeof(flat)),
		pyro_percent(entry->flat, total),
		pyro_value_text(entry->cum, unit, cum, sizeof(cum)),
		pyro_percent(entry->cum, total));
}

static void print_table(const struct pyro_profile *profile,
			struct pyro_report *report, const struct others *others,
			size_t type, size_t rows, bool cum, FILE *to)
{
	const char *unit = unit_of(profile, type);
	char text[1024];

	pyro_report_sort(report, cum);
	print_head(profile, others, type, report->total, to);
	for (size_t i = 0; i < pyro_min(rows, report->count); i++) {
		const struct pyro_entry *entry = &report->entry[i];

		print_row(entry, unit, report->total, to);
		others_print(others, profile, entry, cum, to);
		fprintf(to, "  %s\n",
			pyro_entry_text(entry, text, sizeof(text)));
	}
	fprintf(to, "%10s %5.1f%% %10s %6s",
		pyro_value_text(report->total, unit, text, sizeof(text)),
		report->total ? 100.0 : 0.0, "", "");
	others_print(others, profile, NULL, cum, to);
	fprintf(to, "  total of %zu functions\n", report->count);
}

int pyro_listing_print(const struct pyro_profile *profile, size_t type,
		       size_t rows, bool cum, FILE *to)
{
	struct pyro_report report;
	struct others others = {0};
	int err = pyro_report_init(&report, profile, type);

	if (!err)
		err = others_init(&others, profile, type);
	if (!err)
		print_table(profile, &report, &others, type, rows, cum, to);
	others_fini(&others);
	pyro_report_fini(&report);
	return err;
}

/* "+1.2 MiB +34.5%" */
static void print_change(int64_t value, const char *unit, int64_t whole,
			 FILE *to)
{
	char text[32], share[32];

	snprintf(share, sizeof(share), "%+.1f%%", pyro_percent(value, whole));
	text[0] = '+';
	pyro_value_text(value, unit, text + (value > 0), sizeof(text) - 1);
	fprintf(to, "%12s %8s", text, whole ? share : "-");
}

int pyro_listing_growth(const struct pyro_profile *base,
			const struct pyro_profile *difference, size_t type,
			size_t rows, bool cum, FILE *to)
{
	const char *unit = unit_of(base, type);
	int64_t before = pyro_type_total(base, type);
	struct pyro_report report;
	char was[32], is[32], text[1024];
	int err = pyro_report_init(&report, difference, type);

	if (err)
		goto fini;
	pyro_report_sort(&report, cum);
	print_type(base, type, to);
	fprintf(to, "%s, then %s\n",
		pyro_value_text(before, unit, was, sizeof(was)),
		pyro_value_text(pyro_saturate(before, report.total), unit, is,
				sizeof(is)));
	fprintf(to, "%12s %8s %12s %8s  function\n", "flat", "of base", "cum",
		"of base");
	for (size_t i = 0; rows && i < report.count; i++) {
		const struct pyro_entry *entry = &report.entry[i];

		if (!entry->flat && !entry->cum)
			continue;
		print_change(entry->flat, unit, before, to);
		fputc(' ', to);
		print_change(entry->cum, unit, before, to);
		fprintf(to, "  %s\n",
			pyro_entry_text(entry, text, sizeof(text)));
		rows--;
	}
	print_change(report.total, unit, before, to);
	fprintf(to, " %12s %8s  growth of all\n", "", "");
fini:
	pyro_report_fini(&report);
	return err;
}
