// SPDX-License-Identifier: Apache-2.0
/* tags.c - lists of labels, as people write them
 *
 * "k=v,k=v" and "k:v,k:v", which are both in use. Names have the rule of threads'
 * labels; a dot is an underscore, as it is to older servers and in queries. */
#include "settings/tags.h"

#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void trim(const char **from, size_t *len)
{
	while (*len && is_blank(**from)) {
		(*from)++;
		(*len)--;
	}
	while (*len && is_blank((*from)[*len - 1]))
		(*len)--;
}

static size_t find(const char *from, size_t len, const char *any)
{
	size_t i = 0;

	while (i < len && !strchr(any, from[i]))
		i++;
	return i;
}

bool pyro_tags_next(const char **at, const char *end, struct pyro_tag_text *tag)
{
	const char *from = *at;

	if (!from || from > end)
		return false;

	size_t len = find(from, (size_t)(end - from), ",");
	size_t name_len = find(from, len, "=:");

	*tag = (struct pyro_tag_text){.name = from, .name_len = name_len};
	if (name_len < len) {
		tag->value = from + name_len + 1;
		tag->value_len = len - name_len - 1;
		trim(&tag->value, &tag->value_len);
	}
	trim(&tag->name, &tag->name_len);
	*at = from + len + 1;
	return true;
}

/* Ours, and what samples have. */
static bool is_reserved(const char *name)
{
	static const char *const reserved[] = {
		"service_name", "pyroscope_spy", "pid",      "wait_class",
		"span_id",      "span_name",     "trace_id",
	};

	for (size_t i = 0; i < PYRO_COUNT_OF(reserved); i++)
		if (strcmp(name, reserved[i]) == 0)
			return true;
	return false;
}

static bool copy_name(const struct pyro_tag_text *text,
		      char to[PYRO_LABEL_KEY_MAX + 1])
{
	if (text->name_len > PYRO_LABEL_KEY_MAX ||
	    memchr(text->name, '\0', text->name_len))
		return false;
	for (size_t i = 0; i < text->name_len; i++)
		to[i] = text->name[i] == '.' ? '_' : text->name[i];
	to[text->name_len] = '\0';
	return pyro_label_is_key(to);
}

static bool has_controls(const char *from, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)from[i] < ' ' || from[i] == 127)
			return true;
	return false;
}

static size_t index_of(const struct pyro_tags *tags, const char *name)
{
	size_t i = 0;

	while (i < tags->count && strcmp(tags->tag[i].name, name) != 0)
		i++;
	return i;
}

static void append(struct pyro_tags *tags, const char *name,
		   const struct pyro_tag_text *text)
{
	struct pyro_tag *tag = &tags->tag[tags->count++];

	memcpy(tag->name, name, strlen(name) + 1);
	memcpy(tag->value, text->value, text->value_len);
	tag->value[text->value_len] = '\0';
}

const char *pyro_tags_add(struct pyro_tags *tags,
			  const struct pyro_tag_text *text)
{
	char name[PYRO_LABEL_KEY_MAX + 1];

	if (!text->value)
		return "a label has no \"=\" or \":\"";
	if (!copy_name(text, name))
		return "the name of a label is not [a-zA-Z_][a-zA-Z0-9_.]*, or "
		       "begins with \"__\"";
	if (is_reserved(name))
		return "a label has a name of the library's own";
	if (text->value_len > PYRO_LABEL_VALUE_MAX)
		return "the value of a label has more than 1023 bytes";
	if (has_controls(text->value, text->value_len))
		return "the value of a label has control characters";
	if (!tags || !text->value_len || index_of(tags, name) < tags->count)
		return NULL;
	tags->full |= tags->count == PYRO_TAGS_MAX;
	if (!tags->full)
		append(tags, name, text);
	return NULL;
}

const char *pyro_tags_parse(struct pyro_tags *tags, const char *list,
			    size_t len, bool *good)
{
	const char *end = len ? list + len : list; /* which may be NULL */
	const char *wrong = NULL;
	struct pyro_tag_text text;

	*good = false;
	while (pyro_tags_next(&list, end, &text)) {
		const char *why = pyro_tags_add(tags, &text);

		if (!why)
			*good = true;
		else if (!wrong)
			wrong = why;
	}
	return wrong;
}

bool pyro_tags_split(const char *text, struct pyro_tagged_name *to)
{
	size_t len = strlen(text);

	trim(&text, &len);

	size_t brace = find(text, len, "{");

	*to = (struct pyro_tagged_name){.name = text, .name_len = brace};
	trim(&to->name, &to->name_len);
	if (brace == len)
		return true;
	if (text[len - 1] != '}')
		return false;
	to->list = text + brace + 1;
	to->list_len = len - brace - 2;
	return true;
}

bool pyro_tags_take(struct pyro_tags *tags, const char *name, char *value)
{
	size_t at = index_of(tags, name);
	struct pyro_tag *tag = &tags->tag[at];

	if (at == tags->count)
		return false;
	if (value)
		memcpy(value, tag->value, sizeof(tag->value));
	tags->count--;
	memmove(tag, tag + 1, (tags->count - at) * sizeof(*tag));
	return true;
}
