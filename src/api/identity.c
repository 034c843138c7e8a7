// SPDX-License-Identifier: Apache-2.0
/* identity.c - under which name and labels a process's profiles are found
 *
 * Of two labels with one name the stronger counts: tags of code, of the environment
 * and of the file, those in the application's name, OTEL_RESOURCE_ATTRIBUTES, and
 * Kubernetes' names where the pod's environment has them. */
#include "api/identity.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/sync.h"

#define ATTRIBUTES "OTEL_RESOURCE_ATTRIBUTES"
#define APP_NAME_MAX 1023 /* with labels */

static char app_name[APP_NAME_MAX + 1];
static struct pyro_mutex app_name_lock = PYRO_MUTEX_INIT(PYRO_RANK_NAME);

int pyro_identity_set_app_name(const char *name)
{
	const struct pyro_setting *setting =
		&pyro_setting[PYRO_SET_APPLICATION_NAME];
	size_t len = name ? strlen(name) : 0;
	uint32_t number;
	const char *why;

	if (len > APP_NAME_MAX ||
	    (len && pyro_setting_parse(setting, setting->kind, name, &number,
				       &why) != PYRO_SETTING_GOOD))
		return -EINVAL;
	pyro_mutex_lock(&app_name_lock);
	if (len)
		memcpy(app_name, name, len);
	app_name[len] = '\0';
	pyro_mutex_unlock(&app_name_lock);
	return 0;
}

void pyro_identity_forked(void)
{
	pyro_mutex_reset(&app_name_lock);
}

/* One that is no setting of ours; NULL: unset, empty, or not to be trusted. */
static const char *variable(const char *name)
{
	const char *value = secure_getenv(name);

	return value && *value ? value : NULL;
}

static void copy(char to[PYRO_NAME_MAX + 1], const char *from, size_t len)
{
	len = pyro_min(len, PYRO_NAME_MAX);
	memmove(to, from, len);
	to[len] = '\0';
}

/* What OpenTelemetry calls otherwise than Pyroscope's own collectors do. */
static const struct {
	const char *attribute, *label;
} renamed[] = {
	{"k8s.namespace.name", "namespace"},
	{"k8s.pod.name", "pod"},
	{"k8s.container.name", "container"},
	{"container.name", "container"},
	{"k8s.node.name", "node"},
	{"vcs.repository.url.full", "service_repository"},
	{"vcs.ref.head.revision", "service_git_ref"},
};

static int digit(char c)
{
	return c >= '0' && c <= '9'                 ? c - '0'
	       : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10
						    : -1;
}

/* W3C Baggage's way to write a value. Returns its length, at most cap. */
static size_t decode(const char *from, size_t len, char *to, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < len && n < cap; i++) {
		int high =
			from[i] == '%' && len - i > 2 ? digit(from[i + 1]) : -1;
		int low = high >= 0 ? digit(from[i + 2]) : -1;

		to[n++] = low >= 0 ? (char)(high << 4 | low) : from[i];
		i += low >= 0 ? 2 : 0;
	}
	return n;
}

static bool is(const struct pyro_tag_text *tag, const char *name)
{
	return tag->name_len == strlen(name) &&
	       memcmp(tag->name, name, tag->name_len) == 0;
}

/* A name that a label may have, for any attribute. */
static size_t label_name(const struct pyro_tag_text *tag,
			 char to[PYRO_NAME_MAX + 1])
{
	for (size_t i = 0; i < PYRO_COUNT_OF(renamed); i++)
		if (is(tag, renamed[i].attribute)) {
			copy(to, renamed[i].label, strlen(renamed[i].label));
			return strlen(to);
		}
	copy(to, tag->name, tag->name_len);
	for (char *c = to; *c; c++)
		if (!(*c >= '0' && *c <= '9') &&
		    !((*c | 32) >= 'a' && (*c | 32) <= 'z'))
			*c = '_';
	return strlen(to);
}

/* NULL, or why it is no label. */
static const char *add_attribute(struct pyro_tags *tags,
				 const struct pyro_tag_text *attribute)
{
	char name[PYRO_NAME_MAX + 1], value[PYRO_LABEL_VALUE_MAX];
	struct pyro_tag_text tag = {.name = name, .value = value};

	if (!attribute->value || is(attribute, "service.name") ||
	    strncmp(attribute->name, "telemetry.", 10) == 0)
		return NULL;
	tag.name_len = label_name(attribute, name);
	tag.value_len = decode(attribute->value, attribute->value_len, value,
			       sizeof(value));
	return pyro_tags_add(tags, &tag);
}

/* "key=value,key=value"; a comma in a value is %2C. */
static void add_attributes(struct pyro_tags *tags, bool quiet)
{
	const char *at = variable(ATTRIBUTES), *wrong = NULL;
	const char *end = at ? at + strlen(at) : NULL;
	struct pyro_tag_text attribute;

	while (pyro_tags_next(&at, end, &attribute)) {
		const char *why = add_attribute(tags, &attribute);

		wrong = wrong ? wrong : why;
	}
	if (wrong && !quiet)
		pyro_log("not all of " ATTRIBUTES " is used: %s", wrong);
}

/* By the downward API, under the names that people give there. */
static void add_kubernetes(struct pyro_tags *tags)
{
	static const char *const known[][2] = {
		{"namespace", "POD_NAMESPACE"},
		{"namespace", "K8S_NAMESPACE"},
		{"pod", "POD_NAME"},
		{"pod", "K8S_POD_NAME"},
		{"container", "CONTAINER_NAME"},
		{"node", "NODE_NAME"},
		{"node", "K8S_NODE_NAME"},
	};

	if (!variable("KUBERNETES_SERVICE_HOST"))
		return;
	for (size_t i = 0; i < PYRO_COUNT_OF(known); i++) {
		const char *value = variable(known[i][1]);
		struct pyro_tag_text tag = {
			.name = known[i][0],
			.name_len = strlen(known[i][0]),
			.value = value,
			.value_len = value ? strlen(value) : 0,
		};

		if (value)
			pyro_tags_add(tags, &tag);
	}
}

static void set_executable_name(char to[PYRO_NAME_MAX + 1])
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	path[n > 0 ? n : 0] = '\0';

	const char *slash = strrchr(path, '/');
	const char *name = slash && slash[1] ? slash + 1 : "unknown";

	copy(to, name, strlen(name));
}

/* service.name of OTEL_RESOURCE_ATTRIBUTES; its length, 0 for none. */
static size_t attribute_name(char to[PYRO_NAME_MAX + 1])
{
	const char *at = variable(ATTRIBUTES);
	const char *end = at ? at + strlen(at) : NULL;
	struct pyro_tag_text attribute;
	size_t len = 0;

	while (!len && pyro_tags_next(&at, end, &attribute))
		if (attribute.value && is(&attribute, "service.name"))
			len = decode(attribute.value, attribute.value_len, to,
				     PYRO_NAME_MAX);
	to[len] = '\0';
	return len;
}

/* Where code does not name the program. app_name_lock is held. */
static const char *find_name(const struct pyro_settings *settings,
			     char attribute[PYRO_NAME_MAX + 1])
{
	struct pyro_setting_value value;

	if (app_name[0])
		return app_name;
	if (pyro_settings_written(settings, PYRO_SET_APPLICATION_NAME, &value))
		return value.text;
	if (variable("OTEL_SERVICE_NAME"))
		return variable("OTEL_SERVICE_NAME");
	if (attribute_name(attribute))
		return attribute;
	return variable("APP_NAME");
}

/* The labels in it count less than tags. */
static void set_name(struct pyro_config *config, const char *text)
{
	struct pyro_tagged_name parts = {.name_len = 0};
	bool good;

	if (text)
		pyro_tags_split(text, &parts);
	if (parts.name_len)
		copy(config->application_name, parts.name, parts.name_len);
	else
		set_executable_name(config->application_name);
	if (parts.list)
		pyro_tags_parse(&config->tags, parts.list, parts.list_len,
				&good);
}

static int find_and_set_name(struct pyro_config *config,
			     const struct pyro_settings *settings,
			     const struct pyroscope_config *code)
{
	char attribute[PYRO_NAME_MAX + 1];
	struct pyro_setting_value value;
	int given = pyro_setting_given(code, PYRO_SET_APPLICATION_NAME,
				       PYRO_NOT_STARTED, &value);

	if (given < 0)
		return given;
	pyro_mutex_lock(&app_name_lock);
	set_name(config, given ? value.text : find_name(settings, attribute));
	pyro_mutex_unlock(&app_name_lock);
	return 0;
}

/* Where the server looks for sources, which it puts in the place of build IDs. */
static void drop_sources(struct pyro_tags *tags, bool quiet)
{
	static const char *const names[] = {
		"service_repository", "service_git_ref", "service_root_path"};
	bool any = false;

	for (size_t i = 0; i < PYRO_COUNT_OF(names); i++)
		any |= pyro_tags_take(tags, names[i], NULL);
	if (any && !quiet)
		pyro_log("service_repository and its like are not sent: with "
			 "symbols=server they would hide the build IDs");
}

static void set_hostname(struct pyro_config *config)
{
	char tag[PYRO_LABEL_VALUE_MAX + 1];
	const char *name = pyro_tags_take(&config->tags, "hostname", tag)
				   ? tag
				   : variable("HOSTNAME");

	if (name)
		copy(config->hostname, name, strlen(name));
	else if (gethostname(config->hostname, PYRO_NAME_MAX) != 0)
		copy(config->hostname, "unknown", strlen("unknown"));
	config->hostname[PYRO_NAME_MAX] = '\0';
}

/* Of code, of the environment and of the file: what is bad in it was told when it
 * was found there. */
static int add_tags(struct pyro_tags *tags,
		    const struct pyro_settings *settings,
		    const struct pyroscope_config *code)
{
	const struct pyro_settings_source *const sources[] = {
		&settings->environment, &settings->file};
	struct pyro_setting_value value;
	bool good;
	int given = pyro_setting_given(code, PYRO_SET_TAGS, PYRO_NOT_STARTED,
				       &value);

	if (given > 0)
		pyro_tags_parse(tags, value.text, strlen(value.text), &good);
	for (size_t i = 0; i < PYRO_COUNT_OF(sources) && given >= 0; i++)
		if (pyro_settings_from(settings, sources[i], PYRO_SET_TAGS,
				       &value))
			pyro_tags_parse(tags, value.text, strlen(value.text),
					&good);
	return given < 0 ? given : 0;
}

int pyro_identity_load(struct pyro_config *config,
		       const struct pyro_settings *settings,
		       const struct pyroscope_config *code)
{
	int err = add_tags(&config->tags, settings, code);

	if (!err)
		err = find_and_set_name(config, settings, code);
	if (err)
		return err;
	add_attributes(&config->tags, settings->quiet);
	add_kubernetes(&config->tags);
	if (config->symbolize == PYRO_SYMBOLIZE_SERVER)
		drop_sources(&config->tags, settings->quiet);
	set_hostname(config);
	if (config->tags.full && !settings->quiet)
		pyro_log("there are more than %d labels: not all are sent",
			 PYRO_TAGS_MAX);
	return 0;
}
