// SPDX-License-Identifier: Apache-2.0
/* report.h - how much of a profile is spent in which function */
#ifndef PYRO_CLI_REPORT_H
#define PYRO_CLI_REPORT_H

#include "profile/profile.h"

/* One function of one module. Functions without a name are told apart by
 * address. */
struct pyro_entry {
	const char *name;    /* "" when only the address is known */
	const char *module;  /* last part of the mapping's path; "" for none */
	uint64_t address;    /* of a frame without name, else 0 */
	int64_t flat;        /* in the function itself */
	int64_t cum;         /* in it and what it calls; once a stack */
	uint32_t last_stack; /* number of the stack counted last */
	uint32_t id;         /* of all reports of one profile the same */
};

/* Strings are the profile's, which must outlive the report. */
struct pyro_report {
	struct pyro_entry *entry;
	size_t count, cap;
	int64_t total;
	/* The entry of each line, and of each location without lines, in the
	 * profile's order. */
	uint32_t *line_entry, *location_entry;
	size_t line_cap, location_cap;
	struct pyro_table index;
};

/* Fill a report on the value number `type`. 0 or -ENOMEM; free in any case. */
int pyro_report_init(struct pyro_report *report,
		     const struct pyro_profile *profile, size_t type);
void pyro_report_fini(struct pyro_report *report);

/* Heaviest first by flat, or by cum, whatever the sign; equal ones by name. The
 * report is then good for reading `entry` in order, no more for line_entry. */
void pyro_report_sort(struct pyro_report *report, bool by_cum);

/* "name (module)", or "module+0xaddress"; printable. Returns to. */
char *pyro_entry_text(const struct pyro_entry *entry, char *to, size_t cap);

/* A value in its unit as people read it: "1.23 s", "45.0 MiB", "17". */
char *pyro_value_text(int64_t value, const char *unit, char *to, size_t cap);

/* Sums of hostile numbers stop at the end of the range. */
int64_t pyro_saturate(int64_t sum, int64_t value);

/* Per cent of total; 0 of nothing. */
double pyro_percent(int64_t value, int64_t total);

#endif
