// SPDX-License-Identifier: Apache-2.0
/* setting.h - one setting: from code, else its variable, else the default
 *
 * A bad value from the environment is one log line and the default; a bad one
 * from code is one log line and -EINVAL. */
#ifndef PYRO_API_SETTING_H
#define PYRO_API_SETTING_H

#include "base/util.h"

/* A variable's value; NULL when it is unset, empty, or the process is
 * privileged and must not trust its environment. */
const char *pyro_setting_env(const char *variable);

enum pyro_setting_unit {
	PYRO_SETTING_COUNT,
	PYRO_SETTING_MS,   /* "15s", "500ms", "2m"; without a unit seconds */
	PYRO_SETTING_BYTES /* "512k", "1m", "1g"; without a unit bytes */
};

struct pyro_setting_number {
	const char *field, *variable;
	enum pyro_setting_unit unit;
	uint32_t fallback, min, max;
};

/* given 0: nothing given. 0 or -EINVAL. */
int pyro_setting_number(const struct pyro_setting_number *setting,
			uint32_t given, uint32_t *to);

/* The words that a setting may be, or be a list of. */
struct pyro_setting_words {
	const char *field, *variable;
	const char *words; /* for people */
	const char *const *word;
	int count;
};

/* One word, of which the first is the default: its number, or -EINVAL. given
 * may be NULL or "". */
int pyro_setting_choose(const struct pyro_setting_words *setting,
			const char *given);

/* Several words: the bits of all that are in the list, bit[i] for word[i]. From
 * the variable those that are no words are left out. 0 or -EINVAL. */
int pyro_setting_list(const struct pyro_setting_words *setting,
		      const uint32_t *bit, uint32_t fallback, const char *given,
		      uint32_t *bits);

#endif
