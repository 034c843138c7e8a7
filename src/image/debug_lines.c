// SPDX-License-Identifier: Apache-2.0
/* debug_lines.c - line programs in the image, by our own reader
 *
 * Files of split units (.dwo), which libdw opens, are asked of libdw. */
#include "image/debug_lines.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

static struct pyro_debug_table *open_table(struct pyro_debug_lines *lines,
					   struct pyro_debug *debug,
					   struct pyro_debug_file *in,
					   Dwarf_Die *cudie, uint64_t offset)
{
	struct pyro_debug_table *t = &lines->table[lines->next];
	const struct pyro_debug_part *part = &in->image.part[PYRO_DEBUG_LINE];

	lines->next = (lines->next + 1) % PYRO_DEBUG_LINES_MAX;
	t->in = in;
	t->offset = offset;
	t->folder = pyro_debug_text(debug, cudie, DW_AT_comp_dir);
	pyro_debug_fill_lines(debug, cudie);
	t->err = offset < part->len
			 ? pyro_line_program_open(&t->program,
						  part->data + offset,
						  part->len - offset)
			 : -EBADMSG;
	if (t->path)
		memset(t->path, 0, t->path_cap * sizeof(*t->path));
	return t;
}

/* NULL when it is not in an image of ours, or has no program. */
static struct pyro_debug_table *table_of(struct pyro_debug_lines *lines,
					 struct pyro_debug *debug,
					 Dwarf_Die *cudie)
{
	struct pyro_debug_file *in = pyro_debug_file_of(debug, cudie->cu);
	struct pyro_debug_table *t = NULL;
	uint64_t offset;

	if (!in || !pyro_debug_number(debug, cudie, DW_AT_stmt_list, &offset))
		return NULL;
	for (size_t i = 0; i < PYRO_DEBUG_LINES_MAX && !t; i++)
		if (lines->table[i].in == in &&
		    lines->table[i].offset == offset)
			t = &lines->table[i];
	if (!t)
		t = open_table(lines, debug, in, cudie, offset);
	return t->err ? NULL : t;
}

void pyro_debug_lines_rows(struct pyro_debug_lines *lines,
			   struct pyro_debug *debug, Dwarf_Die *cudie,
			   const uint64_t *addresses, size_t count,
			   struct pyro_line_row *rows)
{
	struct pyro_debug_table *t = table_of(lines, debug, cudie);

	if (t)
		pyro_line_program_find(&t->program, addresses, count, rows);
	else
		memset(rows, 0, count * sizeof(*rows));
}

static const char *text_of(struct pyro_debug_image *image,
			   const struct pyro_line_name *name)
{
	enum pyro_debug_section section = name->kind == PYRO_LINE_TEXT_STR
						  ? PYRO_DEBUG_STR
						  : PYRO_DEBUG_LINE_STR;
	const struct pyro_debug_part *part = &image->part[section];

	if (name->kind == PYRO_LINE_TEXT_NONE)
		return NULL;
	if (name->kind == PYRO_LINE_TEXT_HERE)
		return name->text;
	if (name->offset >= part->len)
		return NULL;
	return pyro_debug_image_string(image,
				       (const char *)part->data + name->offset);
}

static bool is_absolute(const char *path)
{
	return path && path[0] == '/';
}

/* What is there of a/b/c. */
static const char *join(struct pyro_arena *arena, const char *a, const char *b,
			const char *c)
{
	const char *part[] = {a, b, c};
	size_t len = 0, at = 0;
	char *path;

	for (size_t i = 0; i < PYRO_COUNT_OF(part); i++)
		len += part[i] ? strlen(part[i]) + 1 : 0;
	path = pyro_arena_alloc(arena, len + 1);
	if (!path)
		return NULL;
	for (size_t i = 0; i < PYRO_COUNT_OF(part); i++) {
		if (!part[i])
			continue;
		len = strlen(part[i]);
		memcpy(path + at, part[i], len);
		at += len;
		path[at++] = '/';
	}
	path[at ? at - 1 : 0] = '\0';
	return path;
}

static const char *make_path(struct pyro_debug_lines *lines,
			     const struct pyro_debug_table *t, uint64_t number)
{
	const struct pyro_line_program *p = &t->program;
	struct pyro_debug_image *image = &t->in->image;
	const char *name, *dir;

	name = text_of(image, &p->file[number]);
	if (!name || is_absolute(name))
		return name;
	dir = p->file[number].dir < p->dir_count
		      ? text_of(image, &p->dir[p->file[number].dir])
		      : NULL;
	return join(&lines->paths, is_absolute(dir) ? NULL : t->folder, dir,
		    name);
}

static const char *by_libdw(struct pyro_debug *debug, Dwarf_Die *cudie,
			    uint64_t number)
{
	Dwarf_Files *files;
	size_t count;

	pyro_debug_fill_lines(debug, cudie);
	if (debug->dw->getsrcfiles(cudie, &files, &count) != 0 ||
	    number >= count)
		return NULL;
	return debug->dw->filesrc(files, number, NULL, NULL);
}

const char *pyro_debug_lines_file(struct pyro_debug_lines *lines,
				  struct pyro_debug *debug, Dwarf_Die *cudie,
				  uint64_t number)
{
	struct pyro_debug_table *t;
	const char **grown;

	if (!pyro_debug_file_of(debug, cudie->cu))
		return by_libdw(debug, cudie, number);
	t = table_of(lines, debug, cudie);
	if (!t || number >= t->program.file_count)
		return NULL;
	grown = pyro_array_grow(t->path, &t->path_cap, t->program.file_count,
				sizeof(*grown));
	if (!grown)
		return NULL;
	t->path = grown;
	if (!grown[number])
		grown[number] = make_path(lines, t, number);
	return grown[number];
}

void pyro_debug_lines_forget(struct pyro_debug_lines *lines)
{
	for (size_t i = 0; i < PYRO_DEBUG_LINES_MAX; i++)
		lines->table[i].in = NULL;
	pyro_arena_free(&lines->paths);
}

void pyro_debug_lines_free(struct pyro_debug_lines *lines)
{
	for (size_t i = 0; i < PYRO_DEBUG_LINES_MAX; i++) {
		struct pyro_debug_table *t = &lines->table[i];

		pyro_line_program_free(&t->program);
		pyro_pages_free(t->path, t->path_cap * sizeof(*t->path));
	}
	pyro_arena_free(&lines->paths);
	*lines = (struct pyro_debug_lines){.next = 0};
}
