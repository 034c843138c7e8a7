// SPDX-License-Identifier: Apache-2.0
/* cpu_profile.c - frames to functions, and what was not sampled made visible
 *
 * A stack that was not walked to its end has a root frame that says why. A frame
 * without a symbol is named "module+0xoffset", with the ELF virtual address as
 * offset: the number that addr2line and nm use. */
#include "profile/cpu_profile.h"

#include <stdio.h>
#include <string.h>

#include "image/perf_map.h"

struct builder {
	struct pyro_profile *profile;
	struct pyro_modules *modules;
	enum pyro_symbolize symbolize;
	const struct pyro_lines *lines;
	struct pyro_names *names;
	struct pyro_perf_map made;  /* code that no object holds */
	struct pyro_table by_frame; /* frame -> index into known */
	struct known {
		uint64_t frame;
		uint32_t location;
	} * known;
	size_t count, cap;
	uint32_t *mapping; /* by module id; 0: not added yet */
	size_t mapping_cap;
};

static bool same_frame(const void *owner, uint32_t item, const void *key)
{
	return ((const struct builder *)owner)->known[item].frame ==
	       *(const uint64_t *)key;
}

static void hex(char *to, const struct pyro_build_id *id)
{
	static const char digit[] = "0123456789abcdef";

	for (size_t i = 0; i < id->len; i++) {
		*to++ = digit[id->bytes[i] >> 4];
		*to++ = digit[id->bytes[i] & 15];
	}
	*to = '\0';
}

/* The server finds a file's names by its build ID: not those of a file without
 * one, nor those of the vdso, which is the kernel's. */
static bool server_names(const struct builder *b, const struct pyro_module *m)
{
	return b->symbolize == PYRO_SYMBOLIZE_SERVER && m->is_file &&
	       m->build_id.len > 0;
}

static uint32_t mapping_of(struct builder *b, const struct pyro_module *m)
{
	bool has_lines = b->symbolize == PYRO_SYMBOLIZE_LINES;
	char id[2 * PYRO_BUILD_ID_MAX + 1];
	uint32_t *mapping = pyro_array_grow(b->mapping, &b->mapping_cap,
					    m->id + 1, sizeof(*mapping));

	if (!mapping)
		return 0;
	b->mapping = mapping;
	if (mapping[m->id])
		return mapping[m->id];
	hex(id, &m->build_id);

	struct pyro_mapping new = {
		.start = m->text_lo,
		.limit = m->text_hi,
		.offset = m->text_offset,
		.filename = pyro_profile_string(b->profile, m->path),
		.build_id = pyro_profile_string(b->profile, id),
		/* Else the server looks for names, and what it finds none
		 * for vanishes from its flame graphs. */
		.has_functions = !server_names(b, m),
		/* Unless a location is found that has none. */
		.has_filenames = has_lines,
		.has_line_numbers = has_lines,
		.has_inline_frames = has_lines,
	};

	mapping[m->id] = pyro_profile_mapping(b->profile, &new);
	return mapping[m->id];
}

static uint32_t function_named(struct builder *b, const char *name,
			       const char *file, uint32_t start_line)
{
	const char *readable = b->names ? pyro_names_get(b->names, name) : name;
	struct pyro_function function = {
		.name = pyro_profile_string(b->profile, readable),
		.system_name = pyro_profile_string(b->profile, name),
		.filename = file ? pyro_profile_string(b->profile, file) : 0,
		.start_line = start_line,
	};

	return pyro_profile_function(b->profile, &function);
}

/* Code that no object holds: what its maker has called it, or else by page, as
 * each address of a JIT would be a function of its own otherwise. */
static uint32_t anonymous(struct builder *b, uint64_t vaddr)
{
	const char *name = pyro_perf_map_find(&b->made, vaddr);
	struct pyro_line line = {0};
	char page[64];

	snprintf(page, sizeof(page), "[anon:0x%llx]",
		 (unsigned long long)(vaddr & ~UINT64_C(4095)));
	line.function = function_named(b, name ? name : page, NULL, 0);
	return pyro_profile_location(b->profile, vaddr, 0, &line, 1);
}

/* The function whose code it is: by its symbol, as without lines. */
static const char *symbol_of(struct builder *b, const struct pyro_module *m,
			     uint64_t vaddr, char *room, size_t size)
{
	struct pyro_symbol symbol;

	if (pyro_modules_symbol(b->modules, m->id, vaddr, &symbol))
		return symbol.name;
	snprintf(room, size, "%.255s+0x%llx", m->name,
		 (unsigned long long)vaddr);
	return room;
}

/* A reader of the profile may look for them itself. */
static void claim_no_lines(struct builder *b, uint32_t mapping)
{
	struct pyro_mapping *m;

	if (mapping == 0)
		return;
	m = &b->profile->mappings[mapping - 1];
	m->has_filenames = m->has_line_numbers = m->has_inline_frames = false;
}

/* Innermost first; returns how many. */
static size_t lines_of(struct builder *b, const struct pyro_module *m,
		       uint32_t mapping, uint64_t vaddr,
		       struct pyro_line lines[PYRO_SOURCES_MAX])
{
	struct pyro_source source[PYRO_SOURCES_MAX];
	char room[320];
	const char *symbol = symbol_of(b, m, vaddr, room, sizeof(room));
	size_t count = 0;

	if (!b->lines || pyro_lines_find(b->lines, m->id, vaddr, source,
					 &count) != PYRO_LINES_KNOWN) {
		lines[0] = (struct pyro_line){
			.function = function_named(b, symbol, m->path, 0)};
		claim_no_lines(b, mapping);
		return 1;
	}
	for (size_t i = 0; i < count; i++) {
		const struct pyro_source *s = &source[i];
		const char *name = i + 1 < count ? s->function : symbol;

		lines[i] = (struct pyro_line){
			.function = function_named(b, *name ? name : symbol,
						   *s->file ? s->file : m->path,
						   s->start_line),
			.line = s->line,
		};
	}
	return count;
}

static uint32_t new_location(struct builder *b, uint64_t frame)
{
	uint64_t vaddr = PYRO_FRAME_ADDRESS(frame);
	const struct pyro_module *m =
		pyro_modules_get(b->modules, PYRO_FRAME_MODULE(frame));
	struct pyro_line lines[PYRO_SOURCES_MAX];
	size_t count = 0;
	uint32_t mapping;

	if (!m)
		return anonymous(b, vaddr);
	mapping = mapping_of(b, m);
	if (!server_names(b, m))
		count = lines_of(b, m, mapping, vaddr, lines);
	return pyro_profile_location(b->profile, vaddr, mapping, lines, count);
}

static uint32_t location_of(struct builder *b, uint64_t frame)
{
	uint64_t hash = pyro_hash(&frame, sizeof(frame), 0);
	uint32_t item =
		pyro_table_find(&b->by_frame, hash, same_frame, b, &frame);

	if (item != PYRO_TABLE_NONE)
		return b->known[item].location;

	uint32_t location = new_location(b, frame);
	struct known *known = pyro_array_grow(b->known, &b->cap, b->count + 1,
					      sizeof(*known));

	if (known) {
		b->known = known;
		known[b->count] = (struct known){frame, location};
		if (pyro_table_add(&b->by_frame, hash, (uint32_t)b->count) == 0)
			b->count++;
	}
	return location;
}

static void add_values(struct builder *b, const uint32_t *stack, size_t depth,
		       uint64_t ticks, uint64_t ns)
{
	int64_t values[2] = {(int64_t)ticks, (int64_t)ns};

	if (ns > 0)
		pyro_profile_sample(b->profile, stack, depth, NULL, 0, values);
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
	default:
		return "[truncated]"; /* deeper than PYRO_DEPTH_MAX */
	}
}

/* Room for the marks: a leaf and a root that are no code. */
static void add_stack(struct builder *b, const struct pyro_stack_entry *e)
{
	uint32_t stack[PYRO_DEPTH_MAX + 2];
	uint32_t *leaf = stack + 1;
	size_t depth = e->depth;
	uint64_t ns = e->values.ns - e->values.delayed_ns;

	for (size_t i = 0; i < depth; i++)
		leaf[i] = location_of(b, e->frames[i]);
	if (e->stop != PYRO_STOP_END)
		leaf[depth++] =
			pyro_profile_pseudo(b->profile, root_of(e->stop));
	add_values(b, leaf, depth, e->values.ticks, ns);
	if (e->values.delayed_ns) {
		stack[0] = pyro_profile_pseudo(b->profile, "[signal delayed]");
		add_values(b, stack, depth + 1, 0, e->values.delayed_ns);
	}
}

static void name_made_code(struct builder *b, const struct pyro_stacks *stacks)
{
	for (size_t i = 0; i < stacks->count; i++) {
		const struct pyro_stack_entry *e = &stacks->entries[i];

		for (size_t j = 0; j < e->depth; j++)
			if (PYRO_FRAME_MODULE(e->frames[j]) == 0)
				pyro_perf_map_want(
					&b->made,
					PYRO_FRAME_ADDRESS(e->frames[j]));
	}
	pyro_perf_map_read(&b->made);
}

static void add_pseudo(struct builder *b, const char *name, uint64_t ticks,
		       uint64_t ns)
{
	uint32_t location;

	if (ns == 0)
		return;
	location = pyro_profile_pseudo(b->profile, name);
	add_values(b, &location, 1, ticks, ns);
}

struct pyro_profile *pyro_cpu_profile(const struct pyro_cpu_window *window,
				      struct pyro_modules *modules)
{
	const struct pyro_stacks *stacks = window->stacks;
	struct builder b = {
		.modules = modules,
		.symbolize = window->symbolize,
		.lines = window->lines,
		.names = window->names,
	};
	uint64_t period = window->period_ns;

	b.profile = pyro_profile_new();
	if (!b.profile)
		return NULL;
	pyro_profile_set_cpu(b.profile, (int64_t)period);
	b.profile->time_ns = window->time_ns;
	b.profile->duration_ns = window->duration_ns;
	name_made_code(&b, stacks);
	for (size_t i = 0; i < stacks->count; i++)
		add_stack(&b, &stacks->entries[i]);
	add_pseudo(&b, "[overflow]", stacks->overflow.ticks,
		   stacks->overflow.ns);
	add_pseudo(&b, "[lost]", window->lost_ticks, window->lost_ns);
	add_pseudo(&b, "[unsampled]", window->unsampled_ns / period,
		   window->unsampled_ns);
	add_pseudo(&b, "[pyroscope]", window->library_ns / period,
		   window->library_ns);

	pyro_perf_map_free(&b.made);
	pyro_table_free(&b.by_frame);
	pyro_pages_free(b.known, b.cap * sizeof(*b.known));
	pyro_pages_free(b.mapping, b.mapping_cap * sizeof(*b.mapping));
	if (pyro_profile_error(b.profile)) {
		pyro_profile_free(b.profile);
		return NULL;
	}
	return b.profile;
}
