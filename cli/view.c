// SPDX-License-Identifier: Apache-2.0
/* view.c - pyro view: a profile as a flame graph in one HTML file
 *
 * The data stands in the page as JSON in a script. Names come from whatever
 * program was profiled: <, >, & and line separators are written as escapes, so
 * that no name ends the script or the string. */
#include "cli/view.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/file.h"
#include "cli/input.h"
#include "cli/page.h"
#include "cli/tree.h"
#include "cli/types.h"

#define TOP_ROWS 50
/* 0.001 %, of which no screen shows anything. */
#define PRUNE_BELOW 100000

static const char help[] =
	"  pyro view pyro.pb.gz\n"
	"  pyro view -o graph.html pyro.pb.gz\n"
	"  pyro view -t alloc_space heap.pb.gz\n"
	"\n"
	"Writes a pprof profile as a flame graph: one HTML file that any "
	"browser\n"
	"opens, offline. A difference, of pyro diff -o, is shown in red and "
	"blue.\n"
	"\n"
	"  -t TYPE   which kind of value; default: inuse_space if any is in "
	"use,\n"
	"            else alloc_space; other profiles' last. The page of a "
	"heap\n"
	"            profile shows the others, too\n"
	"  -o FILE   default: the profile's name with .html\n";

static const struct option options[] = {
	{"output", required_argument, NULL, 'o'},
	{"type", required_argument, NULL, 't'},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static void put_lines(struct pyro_buf *out, const char *const *line)
{
	for (; *line; line++)
		pyro_buf_puts(out, *line);
}

static void put_json(struct pyro_buf *out, const char *s)
{
	pyro_buf_puts(out, "\"");
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;
		bool separator = strncmp(s, "\xe2\x80\xa8", 3) == 0 ||
				 strncmp(s, "\xe2\x80\xa9", 3) == 0;

		if (separator) {
			pyro_buf_printf(out, "\\u20%02x",
					(unsigned char)s[2] - 0x80u);
			s += 2;
		} else if (c < 0x20 || c == 0x7f || strchr("<>&\"\\", c)) {
			pyro_buf_printf(out, "\\u%04x", c);
		} else {
			pyro_buf_put(out, s, 1);
		}
	}
	pyro_buf_puts(out, "\"");
}

static void put_html(struct pyro_buf *out, const char *s)
{
	for (; *s; s++) {
		if (strchr("<>&\"'", *s))
			pyro_buf_printf(out, "&#%d;", *s);
		else
			pyro_buf_put(out, s, 1);
	}
}

static void put_entry(struct pyro_buf *out, const struct pyro_entry *entry)
{
	char text[256];

	if (*entry->name)
		put_json(out, entry->name);
	else
		put_json(out, pyro_entry_text(entry, text, sizeof(text)));
	pyro_buf_puts(out, ",");
	put_json(out, entry->module);
}

/* depth, entry, total, self for each box, in preorder; of differences what it
 * and all below changed, too. */
static void put_nodes(struct pyro_buf *out, const struct pyro_tree *tree,
		      bool difference)
{
	const struct pyro_node *node = tree->node;
	uint32_t at = node[PYRO_TREE_ROOT].total > 0 ? PYRO_TREE_ROOT
						     : PYRO_TREE_NONE;
	bool pruned = false;

	pyro_buf_puts(out, "\"nodes\":[");
	while (at != PYRO_TREE_NONE) {
		bool skip = node[at].total <
			    node[PYRO_TREE_ROOT].total / PRUNE_BELOW;

		/* Entry 0 is the root's, the report's begin at 1. */
		if (!skip)
			pyro_buf_printf(out,
					"%s%" PRIu32 ",%" PRIu32 ",%" PRId64
					",%" PRId64,
					at ? "," : "", node[at].depth,
					at ? node[at].entry + 1 : 0,
					node[at].total, node[at].self);
		if (!skip && difference)
			pyro_buf_printf(out, ",%" PRId64, node[at].change);
		pruned |= skip;
		at = pyro_tree_next(tree, at, skip);
	}
	pyro_buf_printf(out, "],\n\"pruned\":%s", pruned ? "true" : "false");
}

static void put_top(struct pyro_buf *out, const struct pyro_report *report)
{
	pyro_buf_puts(out, "\"top\":[");
	for (size_t i = 0; i < pyro_min(TOP_ROWS, report->count); i++) {
		pyro_buf_puts(out, i ? ",\n[" : "[");
		put_entry(out, &report->entry[i]);
		pyro_buf_printf(out, ",%" PRId64 ",%" PRId64 "]",
				report->entry[i].flat, report->entry[i].cum);
	}
	pyro_buf_puts(out, "]");
}

static void put_entries(struct pyro_buf *out, const struct pyro_report *report)
{
	pyro_buf_puts(out, "\"entries\":[[\"all\",\"\"]");
	for (size_t i = 0; i < report->count; i++) {
		pyro_buf_puts(out, ",\n[");
		put_entry(out, &report->entry[i]);
		pyro_buf_puts(out, "]");
	}
	pyro_buf_puts(out, "]");
}

static bool is_difference(const struct pyro_profile *profile, size_t type)
{
	for (size_t i = 0; i < profile->samples_count; i++)
		if (profile->samples[i].value[type] < 0)
			return true;
	return false;
}

/* One graph; before the first one the names for all. */
static int put_graph(struct pyro_buf *out, const struct pyro_profile *profile,
		     size_t type, bool first)
{
	const struct pyro_value_type *named = &profile->type[type];
	bool difference = is_difference(profile, type);
	struct pyro_report report;
	struct pyro_tree tree = {0};
	int err = pyro_report_init(&report, profile, type);

	if (!err)
		err = pyro_tree_init(&tree, profile, &report, type);
	if (err)
		goto fini;
	if (first)
		put_entries(out, &report);
	pyro_buf_puts(out,
		      first ? ",\n\"graphs\":[{\"type\":" : ",\n{\"type\":");
	put_json(out, pyro_profile_text(profile, named->type));
	pyro_buf_puts(out, ",\"unit\":");
	put_json(out, pyro_profile_text(profile, named->unit));
	pyro_buf_printf(out, ",\"difference\":%s,\n",
			difference ? "true" : "false");
	put_nodes(out, &tree, difference);
	pyro_buf_puts(out, ",\n");
	pyro_report_sort(&report, false);
	put_top(out, &report);
	pyro_buf_puts(out, "}");
fini:
	pyro_tree_fini(&tree);
	pyro_report_fini(&report);
	return err;
}

/* The graph that is asked for, then the others of the heap. */
static int put_data(struct pyro_buf *out, const struct pyro_profile *profile,
		    size_t type)
{
	pyro_buf_puts(out, "{");

	int err = put_graph(out, profile, type, true);

	for (size_t i = 0; !err && i < profile->type_count; i++)
		if (i != type && pyro_type_is_heap(profile, type) &&
		    pyro_type_is_heap(profile, i))
			err = put_graph(out, profile, i, false);
	pyro_buf_puts(out, "]}");
	return err;
}

int pyro_view_write(const struct pyro_profile *profile, size_t type,
		    const char *title, struct pyro_buf *out)
{
	int err;

	put_lines(out, pyro_page_head);
	pyro_buf_puts(out, "<title>");
	put_html(out, title);
	pyro_buf_puts(out, "</title>\n");
	put_lines(out, pyro_page_body);
	pyro_buf_puts(out, "<h1>");
	put_html(out, title);
	pyro_buf_puts(out, "</h1>\n");
	put_lines(out, pyro_page_main);
	pyro_buf_puts(out, "<script>\nconst data = ");
	err = put_data(out, profile, type);
	pyro_buf_puts(out, ";\n");
	put_lines(out, pyro_page_script);
	pyro_buf_puts(out, "</script>\n</body>\n</html>\n");
	return err ? err : out->failed ? -ENOMEM : 0;
}

static int view(const char *from, const char *type_name, const char *to)
{
	size_t type;
	struct pyro_profile *profile = pyro_input_read(from, type_name);
	struct pyro_buf page = {0};
	struct pyro_output output;
	const char *slash = strrchr(from, '/');
	int err = -EINVAL;

	if (!profile)
		return PYRO_EXIT_FAILED;
	if (!pyro_type_choose(profile, "view", type_name, &type))
		goto free;
	err = pyro_view_write(profile, type, slash ? slash + 1 : from, &page);
	if (!err)
		err = pyro_output_open(&output, to);
	if (!err)
		err = pyro_output_write(&output, page.data, page.len);
	if (err)
		pyro_say("%s: %s", to, strerror(-err));
	else
		pyro_say("wrote %s; open it in a browser", to);
	pyro_buf_free(&page);
free:
	pyro_profile_free(profile);
	return err ? PYRO_EXIT_FAILED : PYRO_EXIT_OK;
}

int pyro_view_main(int argc, char **argv)
{
	const char *output = NULL, *type = NULL;
	char name[PATH_MAX];
	int c;

	while ((c = getopt_long(argc, argv, ":ho:t:", options, NULL)) != -1) {
		switch (c) {
		case 'o':
			output = optarg;
			break;
		case 't':
			type = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return PYRO_EXIT_OK;
		default:
			return pyro_bad_option(argv, c);
		}
	}
	if (optind + 1 != argc) {
		pyro_say("view: which one profile? For example: pyro view "
			 "pyro.pb.gz");
		return PYRO_EXIT_USAGE;
	}
	if (!output) {
		snprintf(name, sizeof(name), "%.*s.html",
			 (int)pyro_file_stem(argv[optind]), argv[optind]);
		output = name;
	}
	return view(argv[optind], type, output);
}
