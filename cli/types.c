// SPDX-License-Identifier: Apache-2.0
/* types.c - kinds of profiles and values, by the names that users type */
#include "cli/types.h"

#include <string.h>

#include "cli/cli.h"
#include "cli/report.h"

static const struct {
	const char *name;
	unsigned int bits;
} types[] = {
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
};

static unsigned int bits_of(const char *name, size_t len)
{
	for (size_t i = 0; i < PYRO_COUNT_OF(types); i++)
		if (strlen(types[i].name) == len &&
		    memcmp(types[i].name, name, len) == 0)
			return types[i].bits;
	return 0;
}

unsigned int pyro_types_parse(const char *list)
{
	unsigned int all = 0;

	for (;;) {
		size_t len = strcspn(list, ",");
		unsigned int bits = bits_of(list, len);

		if (!bits)
			return 0;
		all |= bits;
		if (!list[len])
			return all;
		list += len + 1;
	}
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
	return (bits_of(name_of(profile, type),
			strlen(name_of(profile, type))) &
		PYRO_TYPE_HEAP) != 0;
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
