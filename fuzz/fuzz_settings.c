// SPDX-License-Identifier: Apache-2.0
/* fuzz_settings.c - any bytes as a configuration file, and as a list of labels:
 * what is taken from it is within bounds */
#include "settings/settings.h"
#include "settings/tags.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static void check_tags(const char *list, size_t len)
{
	static struct pyro_tags tags;
	bool good;

	memset(&tags, 0, sizeof(tags));
	pyro_tags_parse(&tags, list, len, &good);
	check(tags.count <= PYRO_TAGS_MAX && (!tags.count || good));
	for (size_t i = 0; i < tags.count; i++) {
		check(pyro_label_is_key(tags.tag[i].name));
		check(*tags.tag[i].value);
		for (size_t k = 0; k < i; k++)
			check(strcmp(tags.tag[i].name, tags.tag[k].name) != 0);
	}
}

static void check_settings(struct pyro_settings *settings, const char *text,
			   size_t len)
{
	for (int i = 0; i < PYRO_SETTINGS; i++) {
		const struct pyro_setting_entry *e = &settings->file.entry[i];
		const struct pyro_setting *setting = &pyro_setting[i];
		struct pyro_setting_value value;

		if (e->text) {
			check(e->text > text && e->text < text + len);
			check(memchr(e->text, 0, len + 1) != NULL);
			check(e->line > 0 &&
			      !(setting->flags & PYRO_SETTING_INTERNAL));
		}
		if (!pyro_settings_written(settings, (enum pyro_setting_id)i,
					   &value))
			continue;
		check(value.text == e->text);
		if (pyro_setting_is_number(setting))
			check(value.number >= setting->min &&
			      value.number <= setting->max);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pyro_settings settings = {.quiet = true, .path = "file"};
	struct pyro_tagged_name name;
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	check_tags(text, size);
	pyro_tags_split(text, &name);
	check(name.name_len + name.list_len <= size);
	if (name.list)
		check_tags(name.list, name.list_len);
	pyro_settings_parse(&settings, text, size);
	check_settings(&settings, text, size);
	free(text);
	return 0;
}
