// SPDX-License-Identifier: Apache-2.0
/* report.c - how much of a profile is spent in which function
 *
 * A frame may stand for several functions, inlined into one another: each of
 * them has a line. The innermost function of the leaf frame gets the flat
 * value; every function of a stack gets the cumulative one, once, however often
 * recursion puts it there. */
#include "cli/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static const char *module_of(const struct pyro_profile *profile,
			     const struct pyro_location *location)
{
	if (location->mapping == 0)
		return "";
	return last_part(pyro_profile_text(
		profile, profile->mappings[location->mapping - 1].filename));
}

static bool same_entry(const void *owner, uint32_t item, const void *key)
{
	const struct pyro_report *report = owner;
	const struct pyro_entry *a = &report->entry[item], *b = key;

	return a->address == b->address && strcmp(a->name, b->name) == 0 &&
	       strcmp(a->module, b->module) == 0;
}

/* The number of the entry equal to key, adding it; UINT32_MAX for OOM. */
static uint32_t intern(struct pyro_report *report, const struct pyro_entry *key)
{
	uint64_t hash = pyro_hash(key->name, strlen(key->name), key->address);

	hash = pyro_hash(key->module, strlen(key->module), hash);

	uint32_t found =
		pyro_table_find(&report->index, hash, same_entry, report, key);

	if (found != PYRO_TABLE_NONE)
		return found;

	struct pyro_entry *grown = pyro_array_grow(
		report->entry, &report->cap, report->count + 1, sizeof(*grown));

	if (!grown)
		return UINT32_MAX;
	report->entry = grown;
	grown[report->count] = *key;
	grown[report->count].id = (uint32_t)report->count;
	if (pyro_table_add(&report->index, hash, (uint32_t)report->count) < 0)
		return UINT32_MAX;
	return (uint32_t)report->count++;
}

static bool enter_location(struct pyro_report *report,
			   const struct pyro_profile *profile, size_t number)
{
	const struct pyro_location *location = &profile->locations[number];
	struct pyro_entry key = {.module = module_of(profile, location)};

	for (uint32_t i = 0; i < location->line_count; i++) {
		uint32_t line = location->first_line + i;
		uint32_t id = profile->lines[line].function;

		key.name =
			id ? pyro_profile_text(profile,
					       profile->functions[id - 1].name)
			   : "";
		key.address = *key.name ? 0 : location->address;
		report->line_entry[line] = intern(report, &key);
		if (report->line_entry[line] == UINT32_MAX)
			return false;
	}
	if (location->line_count)
		return true;
	key.name = "";
	key.address = location->address;
	report->location_entry[number] = intern(report, &key);
	return report->location_entry[number] != UINT32_MAX;
}

int64_t pyro_saturate(int64_t sum, int64_t value)
{
	int64_t result;

	if (__builtin_add_overflow(sum, value, &result))
		return value > 0 ? INT64_MAX : INT64_MIN;
	return result;
}

static void add(int64_t *sum, int64_t value)
{
	*sum = pyro_saturate(*sum, value);
}

static void count(struct pyro_report *report, uint32_t number, uint32_t stack,
		  int64_t value)
{
	struct pyro_entry *entry = &report->entry[number];

	if (entry->last_stack == stack)
		return;
	entry->last_stack = stack;
	add(&entry->cum, value);
}

static void count_sample(struct pyro_report *report,
			 const struct pyro_profile *profile, size_t number,
			 size_t type)
{
	const struct pyro_sample *sample = &profile->samples[number];
	const uint32_t *ids = profile->location_ids + sample->first_location;
	int64_t value = sample->value[type];

	add(&report->total, value);
	for (uint32_t i = 0; i < sample->location_count; i++) {
		const struct pyro_location *at =
			&profile->locations[ids[i] - 1];
		uint32_t leaf = at->line_count
					? report->line_entry[at->first_line]
					: report->location_entry[ids[i] - 1];

		if (i == 0)
			add(&report->entry[leaf].flat, value);
		count(report, leaf, (uint32_t)number + 1, value);
		for (uint32_t l = 1; l < at->line_count; l++)
			count(report, report->line_entry[at->first_line + l],
			      (uint32_t)number + 1, value);
	}
}

int pyro_report_init(struct pyro_report *report,
		     const struct pyro_profile *profile, size_t type)
{
	*report = (struct pyro_report){0};
	report->line_entry =
		pyro_array_grow(NULL, &report->line_cap,
				profile->lines_count + 1, sizeof(uint32_t));
	report->location_entry =
		pyro_array_grow(NULL, &report->location_cap,
				profile->locations_count + 1, sizeof(uint32_t));
	if (!report->line_entry || !report->location_entry)
		return -ENOMEM;
	for (size_t i = 0; i < profile->locations_count; i++)
		if (!enter_location(report, profile, i))
			return -ENOMEM;
	for (size_t i = 0; i < profile->samples_count; i++)
		count_sample(report, profile, i, type);
	return 0;
}

void pyro_report_fini(struct pyro_report *report)
{
	pyro_pages_free(report->entry, report->cap * sizeof(*report->entry));
	pyro_pages_free(report->line_entry,
			report->line_cap * sizeof(uint32_t));
	pyro_pages_free(report->location_entry,
			report->location_cap * sizeof(uint32_t));
	pyro_table_free(&report->index);
	*report = (struct pyro_report){0};
}

static int by_name(const struct pyro_entry *a, const struct pyro_entry *b)
{
	int order = strcmp(a->name, b->name);

	if (!order)
		order = strcmp(a->module, b->module);
	if (!order)
		order = (a->address > b->address) - (a->address < b->address);
	return order;
}

static uint64_t magnitude(int64_t value)
{
	return value < 0 ? -(uint64_t)value : (uint64_t)value;
}

/* Order of sorting: what is more, up or down, stands first. */
static int heavier(int64_t a, int64_t b)
{
	uint64_t x = magnitude(a), y = magnitude(b);

	return x != y ? (x < y ? 1 : -1) : (a < b) - (a > b);
}

static int by_flat(const void *x, const void *y)
{
	const struct pyro_entry *a = x, *b = y;

	int order = heavier(a->flat, b->flat);

	if (!order)
		order = heavier(a->cum, b->cum);
	return order ? order : by_name(a, b);
}

static int by_cum(const void *x, const void *y)
{
	const struct pyro_entry *a = x, *b = y;

	int order = heavier(a->cum, b->cum);

	return order ? order : by_flat(a, b);
}

void pyro_report_sort(struct pyro_report *report, bool cum)
{
	if (report->count)
		qsort(report->entry, report->count, sizeof(*report->entry),
		      cum ? by_cum : by_flat);
}

char *pyro_entry_text(const struct pyro_entry *entry, char *to, size_t cap)
{
	char text[4096 + 512];

	/* Names that the library makes of addresses begin with the module. */
	size_t len = strlen(entry->module);
	bool says_module =
		len == 0 || (strncmp(entry->name, entry->module, len) == 0 &&
			     strncmp(entry->name + len, "+0x", 3) == 0);

	if (!*entry->name)
		snprintf(text, sizeof(text), "%s+0x%" PRIx64,
			 *entry->module ? entry->module : "[unknown]",
			 entry->address);
	else
		snprintf(text, sizeof(text), says_module ? "%s" : "%s (%s)",
			 entry->name, entry->module);
	return pyro_printable(text, to, cap);
}

static char *bytes_text(int64_t value, char *to, size_t cap)
{
	static const char *const units[] = {"KiB", "MiB", "GiB",
					    "TiB", "PiB", "EiB"};
	double size = (double)value / 1024;
	size_t unit = 0;

	if (magnitude(value) < 1024) {
		snprintf(to, cap, "%" PRId64 " B", value);
		return to;
	}
	while (unit + 1 < PYRO_COUNT_OF(units) &&
	       (size >= 1024 || size <= -1024)) {
		size /= 1024;
		unit++;
	}
	snprintf(to, cap, size < 100 && size > -100 ? "%.2f %s" : "%.1f %s",
		 size, units[unit]);
	return to;
}

char *pyro_value_text(int64_t value, const char *unit, char *to, size_t cap)
{
	double size = value < 0 ? -(double)value : (double)value;

	if (strcmp(unit, "bytes") == 0)
		return bytes_text(value, to, cap);
	if (strcmp(unit, "nanoseconds") != 0)
		snprintf(to, cap, "%" PRId64, value);
	else if (size >= 1e9)
		snprintf(to, cap, "%.2f s", (double)value / 1e9);
	else if (size >= 1e6)
		snprintf(to, cap, "%.1f ms", (double)value / 1e6);
	else if (size > 0)
		snprintf(to, cap, "%.3f ms", (double)value / 1e6);
	else
		snprintf(to, cap, "0 s");
	return to;
}

double pyro_percent(int64_t value, int64_t total)
{
	return total ? 100.0 * (double)value / (double)total : 0;
}
