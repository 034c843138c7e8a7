// SPDX-License-Identifier: Apache-2.0
/* frames.c - frames to locations, and stacks that end early made visible
 *
 * A stack that was not walked to its end has a root frame that says why. A frame
 * without a symbol is named "module+0xoffset", with the ELF virtual address as
 * offset: the number that addr2line and nm use. */
#include "profile/frames.h"

#include <stdio.h>
#include <string.h>

static bool same_frame(const void *owner, uint32_t item, const void *key)
{
	const struct pyro_known_frame *have =
		&((const struct pyro_frames *)owner)->known[item];
	const struct pyro_known_frame *want = key;

	return have->frame == want->frame && have->is_root == want->is_root;
}

static void hex(char *to, const uint8_t *bytes, size_t len)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		*to++ = digit[bytes[i] >> 4];
		*to++ = digit[bytes[i] & 15];
	}
	*to = '\0';
}

/* The server finds a file's names by its build ID: not those of a file without
 * one, nor those of the vdso, which is the kernel's. */
static bool server_names(const struct pyro_frames *f,
			 const struct pyro_module *m)
{
	return f->symbolize == PYRO_SYMBOLIZE_SERVER && m->is_file &&
	       m->build_id.len > 0;
}

static uint32_t file_named(struct pyro_frames *f, const char *path)
{
	const char *slash = f->strip ? strrchr(path, '/') : NULL;

	return pyro_profile_string(f->profile, slash ? slash + 1 : path);
}

static uint32_t mapping_of(struct pyro_frames *f, const struct pyro_module *m)
{
	bool has_lines = f->symbolize == PYRO_SYMBOLIZE_LINES;
	char id[2 * PYRO_BUILD_ID_MAX + 1];
	uint32_t *mapping = pyro_array_grow(f->mapping, &f->mapping_cap,
					    m->id + 1, sizeof(*mapping));

	if (!mapping)
		return 0;
	f->mapping = mapping;
	if (mapping[m->id])
		return mapping[m->id];
	hex(id, m->build_id.bytes, m->build_id.len);

	struct pyro_mapping new = {
		.start = m->text_lo,
		.limit = m->text_hi,
		.offset = m->text_offset,
		.filename = file_named(f, m->path),
		.build_id = pyro_profile_string(f->profile, id),
		/* Else the server looks for names, and what it finds none
		 * for vanishes from its flame graphs. */
		.has_functions = !server_names(f, m),
		/* Unless a location is found that has none. */
		.has_filenames = has_lines,
		.has_line_numbers = has_lines,
		.has_inline_frames = has_lines,
	};

	mapping[m->id] = pyro_profile_mapping(f->profile, &new);
	return mapping[m->id];
}

static uint32_t function_named(struct pyro_frames *f, const char *name,
			       const char *file, uint32_t start_line)
{
	const char *readable = f->names ? pyro_names_get(f->names, name) : name;
	struct pyro_function function = {
		.name = pyro_profile_string(f->profile, readable),
		.system_name = pyro_profile_string(f->profile, name),
		.filename = file ? file_named(f, file) : 0,
		.start_line = start_line,
	};

	return pyro_profile_function(f->profile, &function);
}

/* Code that no object holds: what its maker has called it, or else by page, as
 * each address of a JIT would be a function of its own otherwise. */
static uint32_t anonymous(struct pyro_frames *f, uint64_t vaddr)
{
	const char *name = pyro_perf_map_find(&f->made, vaddr);
	struct pyro_line line = {0};
	char page[64];

	snprintf(page, sizeof(page), "[anon:0x%llx]",
		 (unsigned long long)(vaddr & ~UINT64_C(4095)));
	line.function = function_named(f, name ? name : page, NULL, 0);
	return pyro_profile_location(f->profile, vaddr, 0, &line, 1);
}

static uint32_t lock_named(struct pyro_frames *f, uint32_t name)
{
	struct pyro_label_pair pair[PYRO_LABELS_MAX];
	char text[PYRO_LABEL_VALUE_MAX + sizeof("[lock ]")];

	snprintf(text, sizeof(text), "[lock %s]",
		 pyro_labels_of(name, pair) ? pair[0].value : "");
	return pyro_profile_pseudo(f->profile, text);
}

/* The function whose code it is: by its symbol, as without lines. */
static const char *symbol_of(struct pyro_frames *f, const struct pyro_module *m,
			     uint64_t vaddr, char *room, size_t size)
{
	struct pyro_symbol symbol;

	if (pyro_modules_symbol(f->modules, m->id, vaddr, &symbol))
		return symbol.name;
	snprintf(room, size, "%.255s+0x%llx", m->name,
		 (unsigned long long)vaddr);
	return room;
}

/* A reader of the profile may look for them itself. */
static void claim_no_lines(struct pyro_frames *f, uint32_t mapping)
{
	struct pyro_mapping *m;

	if (mapping == 0)
		return;
	m = &f->profile->mappings[mapping - 1];
	m->has_filenames = m->has_line_numbers = m->has_inline_frames = false;
}

/* Innermost first; returns how many. */
static size_t lines_of(struct pyro_frames *f, const struct pyro_module *m,
		       uint32_t mapping, uint64_t vaddr,
		       struct pyro_line lines[PYRO_SOURCES_MAX])
{
	struct pyro_source source[PYRO_SOURCES_MAX];
	char room[320];
	const char *symbol = symbol_of(f, m, vaddr, room, sizeof(room));
	size_t count = 0;

	if (!f->lines || pyro_lines_find(f->lines, m->id, vaddr, source,
					 &count) != PYRO_LINES_KNOWN) {
		lines[0] = (struct pyro_line){
			.function = function_named(f, symbol, m->path, 0)};
		claim_no_lines(f, mapping);
		return 1;
	}
	for (size_t i = 0; i < count; i++) {
		const struct pyro_source *s = &source[i];
		const char *name = i + 1 < count ? s->function : symbol;

		lines[i] = (struct pyro_line){
			.function = function_named(f, *name ? name : symbol,
						   *s->file ? s->file : m->path,
						   s->start_line),
			.line = s->line,
		};
	}
	return count;
}

/* Pyroscope 1.21 counts a stack of which no frame has a name as "other" in its
 * flame graphs, before it asks its symbolizer. So a root is always named. */
static uint32_t new_location(struct pyro_frames *f, uint64_t frame,
			     bool is_root)
{
	uint64_t vaddr = PYRO_FRAME_ADDRESS(frame);
	const struct pyro_module *m =
		pyro_modules_get(f->modules, PYRO_FRAME_MODULE(frame));
	struct pyro_line lines[PYRO_SOURCES_MAX];
	size_t count = 0;
	uint32_t mapping;

	if (PYRO_FRAME_MODULE(frame) == PYRO_FRAME_LOCK)
		return lock_named(f, (uint32_t)vaddr);
	if (!m)
		return anonymous(f, vaddr);
	mapping = mapping_of(f, m);
	if (is_root || !server_names(f, m))
		count = lines_of(f, m, mapping, vaddr, lines);
	return pyro_profile_location(f->profile, vaddr, mapping, lines, count);
}

static uint32_t location_of(struct pyro_frames *f, uint64_t frame, bool is_root)
{
	struct pyro_known_frame new = {.frame = frame, .is_root = is_root};
	uint64_t hash = pyro_hash(&frame, sizeof(frame), is_root);
	uint32_t item =
		pyro_table_find(&f->by_frame, hash, same_frame, f, &new);

	if (item != PYRO_TABLE_NONE)
		return f->known[item].location;
	new.location = new_location(f, frame, is_root);

	struct pyro_known_frame *known = pyro_array_grow(
		f->known, &f->cap, f->count + 1, sizeof(*known));

	if (known) {
		f->known = known;
		known[f->count] = new;
		if (pyro_table_add(&f->by_frame, hash, (uint32_t)f->count) == 0)
			f->count++;
	}
	return new.location;
}

/* The root of a stack that is not complete. */
static const char *root_of(enum pyro_stop stop)
{
	switch (stop) {
	case PYRO_STOP_GAP:
		return "[truncated: no unwind information]";
	case PYRO_STOP_EXPRESSION:
		return "[truncated: rule not understood]";
	case PYRO_STOP_REGISTER:
		return "[truncated: register not known]";
	case PYRO_STOP_BOUNDS:
		return "[truncated: stack not readable]";
	case PYRO_STOP_PROGRESS:
		return "[truncated: broken stack]";
	case PYRO_STOP_UNMAPPED:
		return "[truncated: code of no object]";
	case PYRO_STOP_PENDING:
		return "[truncated: tables not built yet]";
	case PYRO_STOP_UNLOADED:
		return "[truncated: code unloaded since]";
	case PYRO_STOP_UNREACHED:
		return "[thread not reached]";
	default:
		return "[truncated]"; /* deeper than stack_depth */
	}
}

void pyro_frames_want(struct pyro_frames *f,
		      const struct pyro_stack_frames *stack)
{
	for (size_t i = 0; i < stack->depth; i++)
		if (PYRO_FRAME_MODULE(stack->frames[i]) == 0)
			pyro_perf_map_want(
				&f->made, PYRO_FRAME_ADDRESS(stack->frames[i]));
}

void pyro_frames_wanted(struct pyro_frames *f)
{
	pyro_perf_map_read(&f->made);
}

size_t pyro_frames_stack(struct pyro_frames *f,
			 const struct pyro_stack_frames *stack,
			 uint32_t locations[PYRO_FRAMES_MAX])
{
	size_t depth = stack->depth;

	for (size_t i = 0; i < depth; i++)
		locations[i] = location_of(f, stack->frames[i], i + 1 == depth);
	if (stack->stop != PYRO_STOP_END)
		locations[depth++] =
			pyro_profile_pseudo(f->profile, root_of(stack->stop));
	return depth;
}

static struct pyro_label id_label(struct pyro_frames *f, const char *key,
				  const uint8_t *id, size_t len)
{
	char text[2 * sizeof(((struct pyro_span *)0)->trace) + 1];

	hex(text, id, len);
	return (struct pyro_label){
		.key = pyro_profile_string(f->profile, key),
		.str = pyro_profile_string(f->profile, text),
	};
}

size_t pyro_frames_labels(struct pyro_frames *f,
			  const struct pyro_stack_frames *stack,
			  struct pyro_label labels[PYRO_FRAMES_LABELS_MAX])
{
	struct pyro_label_pair pair[PYRO_LABELS_MAX];
	size_t count = pyro_labels_of(stack->labels, pair);

	for (size_t i = 0; i < count; i++)
		labels[i] = (struct pyro_label){
			.key = pyro_profile_string(f->profile, pair[i].key),
			.str = pyro_profile_string(f->profile, pair[i].value),
		};
	if (stack->span && f->spans) {
		const struct pyro_span *span = &f->spans[stack->span - 1];
		static const struct pyro_span none;

		labels[count++] =
			id_label(f, "span_id", span->id, sizeof(span->id));
		if (f->traces &&
		    memcmp(span->trace, none.trace, sizeof(none.trace)) != 0)
			labels[count++] = id_label(f, "trace_id", span->trace,
						   sizeof(span->trace));
	}
	return count;
}

void pyro_frames_place(struct pyro_frames *f,
		       const struct pyro_stack_frames *stack,
		       struct pyro_place *place)
{
	place->depth = pyro_frames_stack(f, stack, place->locations);
	place->label_count = pyro_frames_labels(f, stack, place->labels);
}

void pyro_frames_free(struct pyro_frames *f)
{
	pyro_perf_map_free(&f->made);
	pyro_table_free(&f->by_frame);
	pyro_pages_free(f->known, f->cap * sizeof(*f->known));
	pyro_pages_free(f->mapping, f->mapping_cap * sizeof(*f->mapping));
}
