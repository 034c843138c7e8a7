// SPDX-License-Identifier: Apache-2.0
/* tags.h - labels of everything that a process sends: "region" is "eu" */
#ifndef PYRO_SETTINGS_TAGS_H
#define PYRO_SETTINGS_TAGS_H

#include "capture/labels.h"

/* The library's own are six on a series and one on samples; threads' labels have
 * what these and tags leave of PYRO_SERIES_LABELS_MAX. */
#define PYRO_OWN_LABELS 7
#define PYRO_TAGS_MAX 12

struct pyro_tags {
	size_t count;
	bool full; /* one was left out for want of room */
	struct pyro_tag {
		char name[PYRO_LABEL_KEY_MAX + 1];
		char value[PYRO_LABEL_VALUE_MAX + 1];
	} tag[PYRO_TAGS_MAX];
};

struct pyro_tag_text {
	const char *name, *value; /* not terminated */
	size_t name_len, value_len;
};

/* The next of "name=value, other:value" in [*at, end), without the blanks around;
 * *at is then behind it. False: there is no more. */
bool pyro_tags_next(const char **at, const char *end,
		    struct pyro_tag_text *tag);

/* Add one, unless there is one of that name; "." in its name becomes "_". One
 * without a value is none. NULL, or in a few words what is wrong with it. With NULL
 * for tags it is only checked. */
const char *pyro_tags_add(struct pyro_tags *tags,
			  const struct pyro_tag_text *tag);

/* Add all of a list that are good. NULL, or what is wrong with one of the others;
 * *good says whether there are any. */
const char *pyro_tags_parse(struct pyro_tags *tags, const char *list,
			    size_t len, bool *good);

/* "name{key=value,...}", or only a name, in parts of text. */
struct pyro_tagged_name {
	const char *name, *list; /* not terminated */
	size_t name_len, list_len;
};

/* False: it is not of that form, and the list is empty. */
bool pyro_tags_split(const char *text, struct pyro_tagged_name *to);

/* Take one out, into value (NULL: nowhere) of PYRO_LABEL_VALUE_MAX + 1 bytes. False:
 * there is none of this name. */
bool pyro_tags_take(struct pyro_tags *tags, const char *name, char *value);

#endif
