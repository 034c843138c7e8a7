// SPDX-License-Identifier: Apache-2.0
/* debug_info.c - what libdw is going to read is read into the image first
 *
 * libdw looks at units one after the other, and at each unit's first DIE; these
 * heads are dropped again once it knows the unit. A unit that is wanted is read
 * whole, with its line program; of one that another unit refers to, the page of
 * the DIE. Strings are read one by one. */
#include "image/debug_info.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

#include "image/debug_file.h"

/* What a unit's header and first DIE, or any other DIE, may take. */
#define DIE_ROOM ((size_t)4096)
/* Heads that are kept before they are dropped. */
#define HEADS_BYTES ((size_t)1 << 20)

/* The length at the beginning of a unit or line program; 0: none there. */
static uint64_t read_length(struct pyro_debug_image *image,
			    enum pyro_debug_section section, uint64_t offset)
{
	const struct pyro_debug_part *part = &image->part[section];
	uint64_t wide, len;
	uint32_t narrow;

	if (offset > part->len || part->len - offset < 12 ||
	    !pyro_debug_image_fill(image, section, offset, 12))
		return 0;
	memcpy(&narrow, part->data + offset, sizeof(narrow));
	memcpy(&wide, part->data + offset + 4, sizeof(wide));
	len = narrow == UINT32_MAX ? wide : narrow;
	if (len == 0 || len > part->len - offset)
		return 0;
	return len + (narrow == UINT32_MAX ? 12 : 4);
}

struct pyro_debug_file *pyro_debug_file_of(struct pyro_debug *debug,
					   Dwarf_CU *cu)
{
	Dwarf *dwarf = cu ? debug->dw->cu_getdwarf(cu) : NULL;

	if (dwarf == debug->main.dwarf)
		return &debug->main;
	return dwarf && dwarf == debug->alt.dwarf ? &debug->alt : NULL;
}

const char *pyro_debug_text(struct pyro_debug *debug, Dwarf_Die *die,
			    unsigned name)
{
	Dwarf_Attribute attr;
	const char *s;

	if (!debug->dw->attr(die, name, &attr))
		return NULL;
	s = debug->dw->formstring(&attr);
	s = pyro_debug_image_string(&debug->main.image, s);
	return pyro_debug_image_string(&debug->alt.image, s);
}

bool pyro_debug_number(struct pyro_debug *debug, Dwarf_Die *die, unsigned name,
		       uint64_t *value)
{
	Dwarf_Attribute attr;
	Dwarf_Word word;

	if (!debug->dw->attr(die, name, &attr) ||
	    debug->dw->formudata(&attr, &word) != 0)
		return false;
	*value = word;
	return true;
}

/* An offset into .debug_info as it stands in the attribute. */
static uint64_t raw_offset(struct pyro_debug *debug,
			   const Dwarf_Attribute *attr)
{
	uint8_t address_size = 8, offset_size = 4;
	Dwarf_Half version = 4;
	uint64_t wide;
	uint32_t narrow;

	debug->dw->cu_info(attr->cu, &version, NULL, NULL, NULL, NULL,
			   &address_size, &offset_size);
	if (attr->form == DW_FORM_ref_sup4)
		offset_size = 4;
	else if (attr->form == DW_FORM_ref_sup8)
		offset_size = 8;
	else if (attr->form == DW_FORM_ref_addr && version == 2)
		offset_size = address_size;
	memcpy(&narrow, attr->valp, sizeof(narrow));
	if (offset_size != 8)
		return narrow;
	memcpy(&wide, attr->valp, sizeof(wide));
	return wide;
}

bool pyro_debug_follow(struct pyro_debug *debug, Dwarf_Die *die, unsigned name,
		       Dwarf_Die *to)
{
	const struct pyro_libdw *dw = debug->dw;
	struct pyro_debug_file *file;
	Dwarf_Attribute attr;
	Dwarf_Off offset;

	if (!dw->attr(die, name, &attr))
		return false;
	file = pyro_debug_file_of(debug, attr.cu);
	switch (attr.form) {
	case DW_FORM_ref_sig8: /* types only */
		return false;
	case DW_FORM_GNU_ref_alt:
	case DW_FORM_ref_sup4:
	case DW_FORM_ref_sup8:
		file = debug->alt.dwarf ? &debug->alt : NULL;
		if (!file)
			return false;
		offset = raw_offset(debug, &attr);
		break;
	case DW_FORM_ref_addr:
		offset = raw_offset(debug, &attr);
		break;
	default:
		if (dw->formref(&attr, &offset) != 0)
			return false;
		offset += dw->dieoffset(die) - dw->cuoffset(die);
	}
	if (file && !pyro_debug_image_fill(&file->image, PYRO_DEBUG_INFO,
					   offset, DIE_ROOM))
		return false;
	return dw->formref_die(&attr, to) != NULL;
}

void pyro_debug_fill_lines(struct pyro_debug *debug, Dwarf_Die *cudie)
{
	struct pyro_debug_file *file = pyro_debug_file_of(debug, cudie->cu);
	uint64_t offset, len;

	/* For file names that are relative to it. */
	pyro_debug_text(debug, cudie, DW_AT_comp_dir);
	if (!file || !pyro_debug_number(debug, cudie, DW_AT_stmt_list, &offset))
		return;
	len = read_length(&file->image, PYRO_DEBUG_LINE, offset);
	if (len)
		pyro_debug_image_fill(&file->image, PYRO_DEBUG_LINE, offset,
				      len);
}

bool pyro_debug_unit_die(struct pyro_debug *debug, uint64_t unit,
			 Dwarf_Die *die)
{
	const struct pyro_libdw *dw = debug->dw;
	struct pyro_debug_image *image = &debug->main.image;
	uint64_t len = read_length(image, PYRO_DEBUG_INFO, unit);
	uint8_t address_size, offset_size;
	Dwarf_Off next, abbrev;
	size_t header_len;

	if (!len || !pyro_debug_image_fill(image, PYRO_DEBUG_INFO, unit, len) ||
	    dw->next_unit(debug->main.dwarf, unit, &next, &header_len, NULL,
			  &abbrev, &address_size, &offset_size, NULL,
			  NULL) != 0)
		return false;
	return dw->offdie(debug->main.dwarf, unit + header_len, die) != NULL;
}

void pyro_debug_unit_size(struct pyro_debug *debug, uint64_t unit,
			  size_t *info_len, size_t *line_len)
{
	struct pyro_debug_image *image = &debug->main.image;
	const struct pyro_libdw *dw = debug->dw;
	uint8_t address_size, offset_size;
	Dwarf_Off next, abbrev;
	Dwarf_Die die;
	size_t header_len;
	uint64_t offset;

	*info_len = read_length(image, PYRO_DEBUG_INFO, unit);
	*line_len = 0;
	if (pyro_debug_image_fill(image, PYRO_DEBUG_INFO, unit, DIE_ROOM) &&
	    dw->next_unit(debug->main.dwarf, unit, &next, &header_len, NULL,
			  &abbrev, &address_size, &offset_size, NULL,
			  NULL) == 0 &&
	    dw->offdie(debug->main.dwarf, unit + header_len, &die) &&
	    pyro_debug_number(debug, &die, DW_AT_stmt_list, &offset))
		*line_len = read_length(image, PYRO_DEBUG_LINE, offset);
}

static void tell_ranges(struct pyro_debug *debug, Dwarf_Die *cudie,
			uint64_t unit, pyro_debug_range_fn *fn, void *arg)
{
	Dwarf_Addr base, lo, hi;
	ptrdiff_t at = 0;

	while ((at = debug->dw->ranges(cudie, at, &base, &lo, &hi)) > 0)
		if (lo < hi && lo > 0) /* 0: code that was discarded */
			fn(arg, unit, lo, hi);
}

static void each_unit(struct pyro_debug *debug, struct pyro_debug_file *file,
		      pyro_debug_range_fn *fn, void *arg)
{
	struct pyro_debug_image *image = &file->image;
	uint64_t at = 0, len, dropped = 0;
	Dwarf_CU *cu = NULL, *next;
	Dwarf_Die cudie;

	while ((len = read_length(image, PYRO_DEBUG_INFO, at)) &&
	       pyro_debug_image_fill(image, PYRO_DEBUG_INFO, at, DIE_ROOM) &&
	       debug->dw->get_units(file->dwarf, cu, &next, NULL, NULL, &cudie,
				    NULL) == 0) {
		if (fn)
			tell_ranges(debug, &cudie, at, fn, arg);
		cu = next;
		at += len;
		if (image->resident > image->limit / 4 &&
		    at - dropped > HEADS_BYTES) {
			pyro_debug_image_drop(image, PYRO_DEBUG_INFO, dropped,
					      at - dropped);
			dropped = at;
		}
	}
}

void pyro_debug_each_range(struct pyro_debug *debug, pyro_debug_range_fn *fn,
			   void *arg)
{
	each_unit(debug, &debug->main, fn, arg);
	if (debug->alt.dwarf)
		each_unit(debug, &debug->alt, NULL, NULL);
}

static int begin(struct pyro_debug *debug, struct pyro_debug_file *file,
		 Dwarf_OOM oom)
{
	const struct pyro_libdw *dw = debug->dw;

	file->elf = dw->elf_memory((char *)file->image.base, file->image.size);
	if (!file->elf)
		return -ENOMEM;
	file->dwarf = dw->begin_elf(file->elf, DWARF_C_READ, NULL);
	if (!file->dwarf)
		return -EBADMSG;
	dw->new_oom_handler(file->dwarf, oom);
	return 0;
}

static void end_libdw(struct pyro_debug *debug, struct pyro_debug_file *file)
{
	if (file->dwarf)
		debug->dw->end(file->dwarf);
	if (file->elf)
		debug->dw->elf_end(file->elf);
	file->dwarf = NULL;
	file->elf = NULL;
}

static void end(struct pyro_debug *debug, struct pyro_debug_file *file)
{
	end_libdw(debug, file);
	pyro_debug_image_close(&file->image);
}

/* Open the file that .gnu_debugaltlink names, relative to elf's folder or by
 * build ID; it is owned by file->own. */
static bool open_alt(const struct pyro_elf *elf, const char *debug_root,
		     struct pyro_elf *alt)
{
	const Elf64_Shdr *s = pyro_elf_section(elf, ".gnu_debugaltlink");
	struct pyro_build_id id = {.len = 0};
	unsigned char *data;
	size_t len;
	bool found = false;

	if (!s || s->sh_size > 2 * DIE_ROOM ||
	    pyro_elf_read_section(elf, s, &data, &len) != 0)
		return false;

	size_t name_len = strnlen((char *)data, len);

	if (name_len + 3 < len && len - name_len - 1 <= PYRO_BUILD_ID_MAX) {
		id.len = (uint8_t)(len - name_len - 1);
		memcpy(id.bytes, data + name_len + 1, id.len);
		found = pyro_debug_file_alt(elf, (char *)data, &id, debug_root,
					    alt) == 0;
	}
	pyro_pages_free(data, len);
	return found;
}

/* Without it some names are missing; that is no error. */
static void begin_alt(struct pyro_debug *debug, const struct pyro_elf *elf,
		      const char *debug_root, size_t limit, Dwarf_OOM oom)
{
	struct pyro_debug_file *alt = &debug->alt;

	if (!open_alt(elf, debug_root, &alt->own))
		return;
	if (pyro_debug_image_open(&alt->image, &alt->own, limit) == 0 &&
	    begin(debug, alt, oom) == 0) {
		debug->dw->setalt(debug->main.dwarf, alt->dwarf);
		return;
	}
	end(debug, alt);
	pyro_debug_file_close(&alt->own);
	alt->own.fd = -1;
}

int pyro_debug_open(struct pyro_debug *debug, const struct pyro_libdw *dw,
		    const struct pyro_elf *elf, const char *debug_root,
		    size_t limit, Dwarf_OOM oom)
{
	*debug = (struct pyro_debug){.dw = dw, .oom = oom};
	debug->main.image.fd = debug->alt.image.fd = -1;
	debug->alt.own.fd = -1;

	int err = pyro_debug_image_open(&debug->main.image, elf, limit);

	if (!err)
		err = begin(debug, &debug->main, oom);
	if (err) {
		pyro_debug_close(debug);
		return err;
	}
	begin_alt(debug, elf, debug_root, limit / 4, oom);
	return 0;
}

int pyro_debug_renew(struct pyro_debug *debug)
{
	static const enum pyro_debug_section in_parts[] = {
		PYRO_DEBUG_INFO, PYRO_DEBUG_LINE, PYRO_DEBUG_STR};
	bool has_alt = debug->alt.dwarf != NULL;
	int err;

	end_libdw(debug, &debug->main);
	end_libdw(debug, &debug->alt);
	for (size_t i = 0; i < PYRO_COUNT_OF(in_parts); i++) {
		pyro_debug_image_drop(&debug->main.image, in_parts[i], 0,
				      SIZE_MAX);
		pyro_debug_image_drop(&debug->alt.image, in_parts[i], 0,
				      SIZE_MAX);
	}
	err = begin(debug, &debug->main, debug->oom);
	if (!err && has_alt)
		err = begin(debug, &debug->alt, debug->oom);
	if (!err && has_alt)
		debug->dw->setalt(debug->main.dwarf, debug->alt.dwarf);
	if (!err)
		pyro_debug_each_range(debug, NULL, NULL);
	return err;
}

void pyro_debug_close(struct pyro_debug *debug)
{
	end(debug, &debug->main);
	end(debug, &debug->alt);
	if (debug->alt.own.fd >= 0)
		pyro_debug_file_close(&debug->alt.own);
	debug->alt.own.fd = -1;
}

void pyro_debug_abandon(struct pyro_debug *debug)
{
	debug->main.dwarf = debug->alt.dwarf = NULL;
	debug->main.elf = debug->alt.elf = NULL;
	pyro_debug_close(debug);
}
