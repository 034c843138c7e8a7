// SPDX-License-Identifier: Apache-2.0
/* debug_unit.c - from the tree of DIEs to intervals of addresses
 *
 * The walk goes into namespaces and blocks, and into those functions, inlined
 * ones included, that hold an address which is wanted. Each address range of
 * these becomes an interval. Sorted by start, outer before inner, an address's
 * innermost interval is found by a binary search and a few steps outwards, as
 * the intervals nest. If an address has no function then, there is a second walk
 * that goes everywhere: nested functions (GNU C, Ada, Fortran) lie outside the
 * ranges of the one around them, and some compilers put functions into types. */
#include "image/debug_unit.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

#include "image/sort.h"

#define DEPTH_MAX 256
#define NONE UINT32_MAX
/* References from DIE to DIE that are followed to find a name. */
#define ORIGINS_MAX 16

struct description {
	const char *name, *linkage; /* NULL: not known */
	const char *file;           /* where it is declared */
	uint64_t line;
};

struct pyro_debug_function {
	Dwarf_Die die;
	uint32_t parent;   /* inlined: into which; else NONE */
	bool is_described; /* text is filled in */
	struct description text;
};

struct pyro_debug_interval {
	uint64_t lo, hi;
	uint32_t function;
	uint32_t outer; /* the nearest interval around it, or NONE */
};

struct walk {
	struct pyro_debug_unit *unit;
	const uint64_t *addresses;
	size_t count;
	bool everywhere;
	int err;
};

static bool any_within(const struct walk *w, uint64_t lo, uint64_t hi)
{
	size_t from = 0, to = w->count;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (w->addresses[mid] < lo)
			from = mid + 1;
		else
			to = mid;
	}
	return from < w->count && w->addresses[from] < hi;
}

static void add_interval(struct walk *w, uint64_t lo, uint64_t hi)
{
	struct pyro_debug_unit *u = w->unit;
	struct pyro_debug_interval *grown =
		pyro_array_grow(u->interval, &u->interval_cap,
				u->interval_count + 1, sizeof(*grown));

	if (!grown) {
		w->err = -ENOMEM;
		return;
	}
	u->interval = grown;
	grown[u->interval_count++] = (struct pyro_debug_interval){
		.lo = lo,
		.hi = hi,
		.function = (uint32_t)u->function_count,
	};
}

/* Takes the function into the index if it holds a wanted address. */
static bool add_function(struct walk *w, Dwarf_Die *die, uint32_t parent)
{
	struct pyro_debug_unit *u = w->unit;
	size_t before = u->interval_count;
	Dwarf_Addr base, lo, hi;
	ptrdiff_t at = 0;

	while ((at = u->debug->dw->ranges(die, at, &base, &lo, &hi)) > 0)
		if (any_within(w, lo, hi))
			add_interval(w, lo, hi);
	if (u->interval_count == before)
		return false;

	struct pyro_debug_function *grown =
		pyro_array_grow(u->function, &u->function_cap,
				u->function_count + 1, sizeof(*grown));

	if (!grown) {
		u->interval_count = before;
		w->err = -ENOMEM;
		return false;
	}
	u->function = grown;
	grown[u->function_count++] =
		(struct pyro_debug_function){.die = *die, .parent = parent};
	return true;
}

/* Should the walk look at the children, and in which function are they? */
static bool visit(struct walk *w, Dwarf_Die *die, uint32_t *in)
{
	switch (w->unit->debug->dw->tag(die)) {
	case DW_TAG_inlined_subroutine:
	case DW_TAG_subprogram: {
		bool inlined = w->unit->debug->dw->tag(die) ==
			       DW_TAG_inlined_subroutine;

		if (add_function(w, die, inlined ? *in : NONE)) {
			*in = (uint32_t)w->unit->function_count - 1;
			return true;
		}
		*in = NONE;
		return w->everywhere;
	}
	case DW_TAG_lexical_block:
	case DW_TAG_try_block:
	case DW_TAG_catch_block:
	case DW_TAG_with_stmt:
	case DW_TAG_namespace:
	case DW_TAG_module:
		return true;
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_enumeration_type:
	case DW_TAG_interface_type:
		return w->everywhere;
	default:
		return false;
	}
}

/* Without recursion: the tree is as deep as its writer liked. */
static void walk_tree(struct walk *w)
{
	const struct pyro_libdw *dw = w->unit->debug->dw;
	struct {
		Dwarf_Die die;
		uint32_t in;
	} level[DEPTH_MAX];
	int depth = 0;

	if (dw->child(&w->unit->die, &level[0].die) != 0)
		return;
	level[0].in = NONE;
	while (depth >= 0 && !w->err) {
		uint32_t in = level[depth].in;

		if (visit(w, &level[depth].die, &in) && depth + 1 < DEPTH_MAX &&
		    dw->child(&level[depth].die, &level[depth + 1].die) == 0) {
			level[++depth].in = in;
			continue;
		}
		while (depth >= 0 &&
		       dw->siblingof(&level[depth].die, &level[depth].die) != 0)
			depth--;
	}
}

static bool make_order(struct pyro_debug_unit *u)
{
	size_t count = u->interval_count;
	struct pyro_sort_item *order =
		pyro_array_grow(u->order, &u->order_cap, count, sizeof(*order));
	struct pyro_debug_interval *sorted = pyro_array_grow(
		u->sorted, &u->sorted_cap, count, sizeof(*sorted));

	if (order)
		u->order = order;
	if (sorted)
		u->sorted = sorted;
	return order && sorted;
}

/* Stable: outer ones stay before inner ones. */
static int sort_intervals(struct pyro_debug_unit *u)
{
	struct pyro_debug_interval *unsorted = u->interval;
	size_t cap = u->interval_cap;

	if (u->interval_count == 0)
		return 0;
	if (!make_order(u))
		return -ENOMEM;
	for (size_t i = 0; i < u->interval_count; i++)
		u->order[i] = (struct pyro_sort_item){unsorted[i].lo, i};
	if (pyro_sort(u->order, u->interval_count) != 0)
		return -ENOMEM;
	for (size_t i = 0; i < u->interval_count; i++)
		u->sorted[i] = unsorted[u->order[i].value];
	u->interval = u->sorted;
	u->interval_cap = u->sorted_cap;
	u->sorted = unsorted;
	u->sorted_cap = cap;
	return 0;
}

static void nest_intervals(struct pyro_debug_unit *u)
{
	for (size_t i = 0; i < u->interval_count; i++) {
		struct pyro_debug_interval *at = &u->interval[i];
		uint32_t outer = i ? (uint32_t)i - 1 : NONE;

		while (outer != NONE && u->interval[outer].hi < at->hi)
			outer = u->interval[outer].outer;
		at->outer = outer;
	}
}

/* The innermost function at an address, or NONE. */
static uint32_t function_at(const struct pyro_debug_unit *u, uint64_t address)
{
	size_t from = 0, to = u->interval_count;
	uint32_t i;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (u->interval[mid].lo <= address)
			from = mid + 1;
		else
			to = mid;
	}
	i = from ? (uint32_t)from - 1 : NONE;
	while (i != NONE && address >= u->interval[i].hi)
		i = u->interval[i].outer;
	return i == NONE ? NONE : u->interval[i].function;
}

static int make_index(struct walk *w)
{
	struct pyro_debug_unit *u = w->unit;

	u->interval_count = u->function_count = 0;
	walk_tree(w);
	if (!w->err)
		w->err = sort_intervals(u);
	if (!w->err)
		nest_intervals(u);
	return w->err;
}

/* Split DWARF: libdw opens the .dwo file, whose names it needs. */
static void find_split(struct pyro_debug_unit *u)
{
	const struct pyro_libdw *dw = u->debug->dw;
	Dwarf_Die split;
	uint8_t type = 0;

	u->die = u->lines;
	if (dw->cu_info(u->lines.cu, NULL, &type, NULL, NULL, NULL, NULL,
			NULL) != 0 ||
	    type != DW_UT_skeleton)
		return;
	pyro_debug_text(u->debug, &u->lines, DW_AT_comp_dir);
	pyro_debug_text(u->debug, &u->lines, DW_AT_dwo_name);
	pyro_debug_text(u->debug, &u->lines, DW_AT_GNU_dwo_name);
	if (dw->cu_info(u->lines.cu, NULL, NULL, NULL, &split, NULL, NULL,
			NULL) == 0 &&
	    dw->tag(&split) == DW_TAG_compile_unit)
		u->die = split;
}

int pyro_debug_unit_open(struct pyro_debug_unit *unit, struct pyro_debug *debug,
			 uint64_t offset, const uint64_t *addresses,
			 size_t count)
{
	struct walk w = {unit, addresses, count, false, 0};

	unit->debug = debug;
	unit->interval_count = unit->function_count = 0;
	if (!pyro_debug_unit_die(debug, offset, &unit->lines))
		return debug->main.image.failed ? -EFBIG : -EBADMSG;
	pyro_debug_fill_lines(debug, &unit->lines);
	find_split(unit);
	make_index(&w);
	for (size_t i = 0; i < count && !w.err && !w.everywhere; i++)
		w.everywhere = function_at(unit, addresses[i]) == NONE;
	if (w.everywhere && !w.err)
		make_index(&w);
	if (w.err)
		pyro_debug_unit_close(unit);
	return w.err;
}

void pyro_debug_unit_close(struct pyro_debug_unit *unit)
{
	pyro_arena_free(&unit->paths);
}

void pyro_debug_unit_free(struct pyro_debug_unit *unit)
{
	pyro_pages_free(unit->interval,
			unit->interval_cap * sizeof(*unit->interval));
	pyro_pages_free(unit->function,
			unit->function_cap * sizeof(*unit->function));
	pyro_pages_free(unit->order, unit->order_cap * sizeof(*unit->order));
	pyro_pages_free(unit->sorted, unit->sorted_cap * sizeof(*unit->sorted));
	*unit = (struct pyro_debug_unit){.debug = NULL};
}

/* Name of the file with this number in the unit of die; NULL if unknown. */
static const char *file_name(struct pyro_debug *debug, Dwarf_Die *die,
			     uint64_t number)
{
	const struct pyro_libdw *dw = debug->dw;
	Dwarf_Files *files;
	Dwarf_Die cudie;
	size_t count;

	if (!dw->diecu(die, &cudie, NULL, NULL))
		return NULL;
	pyro_debug_fill_lines(debug, &cudie);
	if (dw->getsrcfiles(&cudie, &files, &count) != 0 || number >= count)
		return NULL;
	return dw->filesrc(files, number, NULL, NULL);
}

static void add_description(struct pyro_debug *debug, Dwarf_Die *die,
			    struct description *d)
{
	uint64_t file;

	if (!d->linkage)
		d->linkage = pyro_debug_text(debug, die, DW_AT_linkage_name);
	if (!d->linkage)
		d->linkage =
			pyro_debug_text(debug, die, DW_AT_MIPS_linkage_name);
	if (!d->name)
		d->name = pyro_debug_text(debug, die, DW_AT_name);
	if (!d->line)
		pyro_debug_number(debug, die, DW_AT_decl_line, &d->line);
	if (!d->file && pyro_debug_number(debug, die, DW_AT_decl_file, &file))
		d->file = file_name(debug, die, file);
}

/* What a function's DIE says, and the declarations that it refers to. */
static void describe(struct pyro_debug *debug, struct pyro_debug_function *f)
{
	struct description *d = &f->text;
	Dwarf_Die die = f->die, next;

	if (f->is_described)
		return;
	f->is_described = true;
	for (int i = 0; i < ORIGINS_MAX; i++) {
		add_description(debug, &die, d);
		if (!pyro_debug_follow(debug, &die, DW_AT_abstract_origin,
				       &next) &&
		    !pyro_debug_follow(debug, &die, DW_AT_specification, &next))
			break;
		die = next;
	}
}

static void name_frame(struct pyro_debug *debug, struct pyro_debug_function *f,
		       struct pyro_debug_frame *frame)
{
	const struct description *d = &f->text;

	describe(debug, f);
	if (d->linkage && d->linkage[0])
		frame->function = d->linkage;
	else if (d->name)
		frame->function = d->name;
	if (d->file && d->line <= UINT32_MAX &&
	    strcmp(d->file, frame->file) == 0)
		frame->start_line = (uint32_t)d->line;
}

/* Where a function was inlined: file and line of the frame around it. */
static struct pyro_debug_frame call_site(struct pyro_debug *debug,
					 Dwarf_Die *inlined)
{
	struct pyro_debug_frame frame = {"", "", 0, 0};
	const char *file = NULL;
	uint64_t number;

	if (pyro_debug_number(debug, inlined, DW_AT_call_file, &number))
		file = file_name(debug, inlined, number);
	if (file)
		frame.file = file;
	if (pyro_debug_number(debug, inlined, DW_AT_call_line, &number) &&
	    number <= UINT32_MAX)
		frame.line = (uint32_t)number;
	return frame;
}

/* libdw leaves out a folder of compilation that is itself relative, as where
 * distributions map their own away; addr2line does not. */
static const char *full_path(struct pyro_debug_unit *unit, const char *file)
{
	const char *folder =
		pyro_debug_text(unit->debug, &unit->lines, DW_AT_comp_dir);
	size_t len = folder ? strlen(folder) : 0;
	char *path;

	if (!file[0] || file[0] == '/' || len == 0 || folder[0] == '/' ||
	    (strncmp(file, folder, len) == 0 && file[len] == '/'))
		return file;
	path = pyro_arena_alloc(&unit->paths, len + 1 + strlen(file) + 1);
	if (!path)
		return file;
	memcpy(path, folder, len);
	path[len] = '/';
	memcpy(path + len + 1, file, strlen(file) + 1);
	return path;
}

static size_t find_chain(struct pyro_debug_unit *unit, uint64_t address,
			 struct pyro_debug_frame frames[PYRO_CHAIN_MAX])
{
	const struct pyro_libdw *dw = unit->debug->dw;
	Dwarf_Line *line = dw->getsrc_die(&unit->lines, address);
	const char *file = line ? dw->linesrc(line, NULL, NULL) : NULL;
	uint32_t at = function_at(unit, address);
	size_t count = 0;
	int number;

	frames[0] = (struct pyro_debug_frame){"", "", 0, 0};
	if (file)
		frames[0].file = file;
	if (line && dw->lineno(line, &number) == 0 && number > 0)
		frames[0].line = (uint32_t)number;
	if (at == NONE)
		return file ? 1 : 0;
	for (;;) {
		struct pyro_debug_function *f = &unit->function[at];

		name_frame(unit->debug, f, &frames[count]);
		at = f->parent;
		if (at == NONE)
			return count + 1;
		/* Too many: those before the outermost are not told. */
		count = pyro_min(count + 1, PYRO_CHAIN_MAX - 1);
		frames[count] = call_site(unit->debug, &f->die);
	}
}

size_t pyro_debug_unit_find(struct pyro_debug_unit *unit, uint64_t address,
			    struct pyro_debug_frame frames[PYRO_CHAIN_MAX])
{
	size_t count = find_chain(unit, address, frames);

	for (size_t i = 0; i < count; i++)
		frames[i].file = full_path(unit, frames[i].file);
	return count;
}
