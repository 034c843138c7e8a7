// SPDX-License-Identifier: Apache-2.0
/* settings_page.c - pyro help settings: the reference of all settings
 *
 * Markdown; docs/configuration.md is what this prints, and a test compares. */
#include <string.h>

#include "cli/cli.h"
#include "settings/settings.h"

static const char head[] =
	"# Settings\n"
	"\n"
	"This page is what `pyro help settings` prints.\n"
	"\n"
	"A setting such as `sample_rate` is\n"
	"\n"
	"- in code a field of `struct pyroscope_config`, or "
	"`pyroscope_config_set(&config, \"sample_rate\", \"50\")`,\n"
	"  where the table says so;\n"
	"- an option of `pyro exec` (and mostly of `pyro record`) where the "
	"table names one;\n"
	"- a variable of the environment, `PYROSCOPE_SAMPLE_RATE=50`;\n"
	"- a line of a file, `sample_rate = 50`, also written as "
	"`pyroscope.sample.rate = 50`. `PYROSCOPE_CONFIGURATION_FILE` names "
	"it;\n"
	"  lines that begin with `#` are comments.\n"
	"\n"
	"What stands further up here wins over what stands further down; "
	"options are variables to the program,\n"
	"and `PYROSCOPE_ADHOC_SERVER_ADDRESS` wins over all. A value that is "
	"none is an error in code and as an option; elsewhere\n"
	"it is one log line and as if it were not there. So are lines of the "
	"file, and variables that begin with\n"
	"`PYROSCOPE_`, that are no setting.\n"
	"Empty is not set. Where the process is privileged, the environment "
	"is not looked at.\n"
	"\n"
	"| setting | default | values | what it is |\n"
	"| --- | --- | --- | --- |\n";

static const char units[] =
	"\n"
	"Times are written with a unit as in `500ms`, `15s`, `2m`, without "
	"one in seconds; bytes as `4096`, `512k`, `1m`, `1g`, of\n"
	"1024 each. Switches are `1`, `true`, `yes`, `on`, or `0`, `false`, "
	"`no`, `off`. Lists have commas between their words.\n";

static const char sending[] =
	"\n"
	"One header (`Authorization`, `X-Scope-OrgID`) may come from several "
	"settings. Then the place counts as above, and in one\n"
	"place `basic_auth_user` goes before `auth_token`, and these and "
	"`tenant_id` before `http_headers`; what is not sent is one\n"
	"log line. A `_file` is read where its secret itself is not set in the "
	"same place.\n";

static const char labels[] =
	"\n"
	"## Labels\n"
	"\n"
	"Profiles have the labels `service_name`, `hostname` and "
	"`pyroscope_spy`, those of forked children and of programs that\n"
	"`pyro` follows `pid`, too, and of what stands below at most 12. Of "
	"two with one name the first counts:\n"
	"\n"
	"1. `tags` in code, of the environment (`PYROSCOPE_TAGS`, else "
	"`PYROSCOPE_LABELS`; `k=v` and `k:v`), and of the file;\n"
	"2. those of `application_name`;\n"
	"3. `OTEL_RESOURCE_ATTRIBUTES`, but for `service.name` and "
	"`telemetry.*`. What is no letter or digit in a name becomes `_`;\n"
	"   `k8s.namespace.name`, `k8s.pod.name`, `k8s.container.name`, "
	"`k8s.node.name` are `namespace`, `pod`, `container`, `node`;\n"
	"   `vcs.repository.url.full` and `vcs.ref.head.revision` are "
	"`service_repository` and `service_git_ref`;\n"
	"4. in Kubernetes `namespace`, `pod`, `container` and `node` of "
	"`POD_NAMESPACE`, `POD_NAME`, `CONTAINER_NAME` and `NODE_NAME`, which\n"
	"   the downward API sets where it is told to.\n"
	"\n"
	"`hostname` is that label if there is one, else `HOSTNAME`, else the "
	"system's. The server takes 30 labels in all: a thread\n"
	"has 23 for its own less what is here, and 16 at most.\n"
	"\n"
	"`service_repository`, `service_git_ref` and `service_root_path` link "
	"to sources. The server then forgets build IDs, so they\n"
	"are not sent with `symbols=server`.\n";

static const char tail[] =
	"\n"
	"## Other names\n"
	"\n"
	"Those that other clients of Pyroscope have, where a setting is not "
	"there under its own:\n"
	"\n"
	"| name | is | written as |\n"
	"| --- | --- | --- |\n";

static const char left_out[] =
	"\n"
	"What has no meaning here is left out, and told as no setting: "
	"`sampling_duration`, `sampling_rate`, `sampling_event_order`,\n"
	"`gc_before_dump`, `jfr_profiler_settings` and `ap_*` of Java, "
	"`spy_name`, `user_name`, `group_name` and `no_root_drop` of the\n"
	"old `pyroscope exec`, and the folders `tmp_dir` and "
	"`profiling_log_dir`.\n";

static void print_setting(const struct pyro_setting *setting)
{
	char expects[PYRO_SETTING_EXPECTS_MAX];

	printf("| `%s` | %s%s%s | %s | %s", setting->name,
	       setting->fallback ? "`" : "",
	       setting->fallback ? setting->fallback : "",
	       setting->fallback ? "`" : "",
	       pyro_setting_expects(setting, setting->kind, expects),
	       setting->help);
	if (setting->option)
		printf(". Option `--%s`%s", setting->option,
		       setting->flags & PYRO_SETTING_RECORD ? "" : " of exec");
	puts(setting->field ? ". In code |" : " |");
}

static void print_alias(const struct pyro_setting_alias *alias)
{
	static const char *const as[] = {
		[PYRO_KIND_TEXT] = "a text",
		[PYRO_KIND_ADDRESS] = "an address",
		[PYRO_KIND_SWITCH] = "a switch",
		[PYRO_KIND_NUMBER] = "a number",
		[PYRO_KIND_MS] = "a time",
		[PYRO_KIND_BYTES] = "bytes",
		[PYRO_KIND_PERIOD] = "the time from one to the next",
		[PYRO_KIND_THRESHOLD] = "a time, in `ns` if bare: on",
		[PYRO_KIND_WORD] = "a word",
		[PYRO_KIND_NAME] = "a name",
		[PYRO_KIND_TAGS] = "a list",
		[PYRO_KIND_LIST] = "a list",
	};
	bool ms = alias->kind == PYRO_KIND_NUMBER &&
		  pyro_setting[alias->id].kind == PYRO_KIND_MS;
	bool none = alias->id == PYRO_SET_IGNORED;

	printf("| `%s` | %s%s%s | %s |\n", alias->name, none ? "" : "`",
	       none ? "without effect" : pyro_setting[alias->id].name,
	       none ? "" : "`", ms ? "milliseconds" : as[alias->kind]);
}

void pyro_settings_page(void)
{
	fputs(head, stdout);
	for (int i = 0; i < PYRO_SETTINGS; i++)
		if (!(pyro_setting[i].flags & PYRO_SETTING_INTERNAL))
			print_setting(&pyro_setting[i]);
	fputs(units, stdout);
	fputs(sending, stdout);
	fputs(labels, stdout);
	fputs(tail, stdout);
	for (size_t i = 0; pyro_setting_aliases[i].name; i++)
		print_alias(&pyro_setting_aliases[i]);
	fputs(left_out, stdout);
}
