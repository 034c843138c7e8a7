// SPDX-License-Identifier: Apache-2.0
/* fuzz_settings.c - any bytes as a configuration file: what is taken from it is
 * within bounds */
#include "settings/settings.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
	if (!ok)
		abort();
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
	char *text = malloc(size + 1);

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	pyro_settings_parse(&settings, text, size);
	check_settings(&settings, text, size);
	free(text);
	return 0;
}
