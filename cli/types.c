// SPDX-License-Identifier: Apache-2.0
/* types.c - kinds of profiles and values, by the names that users type */
#include "cli/types.h"

#include <string.h>

#include "cli/cli.h"
#include "cli/report.h"
#include "settings/settings.h"

static uint32_t bits_of(const char *name)
{
	return pyro_setting_word(pyro_setting[PYRO_SET_PROFILE_TYPES].words,
				 name, strlen(name));
}

uint32_t pyro_types_parse(const char *list)
{
	const struct pyro_setting *types =
		&pyro_setting[PYRO_SET_PROFILE_TYPES];
	uint32_t bits;
	const char *why;

	return pyro_setting_parse(types, types->kind, list, &bits, &why) ==
			       PYRO_SETTING_GOOD
		       ? bits
		       : 0;
}

static const char *name_of(const struct pyro_profile *profile, size_t type)
{
	return pyro_profile_text(profile, profile->type[type].type);
}

size_t pyro_type_find(const struct pyro_profile *profile, const char *name)
{
	for (size_t i = 0; i < profile->type_count; i++)
		if (strcmp(name_of(profile, i), name) == 0)
			return i;
	return PYRO_TYPE_NONE;
}

static bool any_value(const struct pyro_profile *profile, size_t type)
{
	for (size_t i = 0; i < profile->samples_count; i++)
		if (profile->samples[i].value[type])
			return true;
	return false;
}

size_t pyro_type_default(const struct pyro_profile *profile)
{
	size_t inuse = pyro_type_find(profile, "inuse_space");
	size_t alloc = pyro_type_find(profile, "alloc_space");

	if (inuse != PYRO_TYPE_NONE && any_value(profile, inuse))
		return inuse;
	return alloc != PYRO_TYPE_NONE ? alloc : profile->type_count - 1;
}

bool pyro_type_choose(const struct pyro_profile *profile, const char *verb,
		      const char *name, size_t *type)
{
	char list[256] = "";
	size_t len = 0;

	*type = name ? pyro_type_find(profile, name)
		     : pyro_type_default(profile);
	if (*type != PYRO_TYPE_NONE)
		return true;
	for (size_t i = 0; i < profile->type_count && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					i ? ", " : "", name_of(profile, i));
	pyro_say("%s: no values %s; there are %s", verb, name, list);
	return false;
}

bool pyro_type_is_heap(const struct pyro_profile *profile, size_t type)
{
	return (bits_of(name_of(profile, type)) & PYRO_TYPE_HEAP) != 0;
}

bool pyro_type_is_inuse(const struct pyro_profile *profile, size_t type)
{
	return strncmp(name_of(profile, type), "inuse_", 6) == 0;
}

int64_t pyro_type_total(const struct pyro_profile *profile, size_t type)
{
	int64_t sum = 0;

	for (size_t i = 0; i < profile->samples_count; i++)
		sum = pyro_saturate(sum, profile->samples[i].value[type]);
	return sum;
}
