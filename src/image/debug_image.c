// SPDX-License-Identifier: Apache-2.0
/* debug_image.c - lay out an ELF image and fill it from the file
 *
 * Each section begins on a page and has a page of zeros behind it, so that a
 * string without an end has one. Compressed sections (zlib) are inflated whole,
 * as there is no way into their middle. */
#include "image/debug_image.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include <libdeflate.h>

#include "base/os.h"

#define PAGE ((size_t)4096)
#define STRING_MAX ((size_t)64 << 10)
#define IMAGE_MAX ((uint64_t)1 << 36)
#define POPULATE_PAGES 8
#ifndef MADV_POPULATE_WRITE /* Linux 5.14; musl has no name for it */
#define MADV_POPULATE_WRITE 23
#endif

static const char *const names[PYRO_DEBUG_SECTIONS] = {
	[PYRO_DEBUG_INFO] = ".debug_info",
	[PYRO_DEBUG_LINE] = ".debug_line",
	[PYRO_DEBUG_STR] = ".debug_str",
	[PYRO_DEBUG_ABBREV] = ".debug_abbrev",
	[PYRO_DEBUG_LINE_STR] = ".debug_line_str",
	[PYRO_DEBUG_RANGES] = ".debug_ranges",
	[PYRO_DEBUG_RNGLISTS] = ".debug_rnglists",
	[PYRO_DEBUG_ADDR] = ".debug_addr",
	[PYRO_DEBUG_STR_OFFSETS] = ".debug_str_offsets",
};

/* Where the parts will be: offsets in the image, and what packed ones need. */
struct layout {
	size_t at[PYRO_DEBUG_SECTIONS];
	size_t packed[PYRO_DEBUG_SECTIONS]; /* bytes in the file */
	size_t size;
};

/* Size and place of one section; those of a packed one from its header. */
static int look(struct pyro_debug_image *image, const struct pyro_elf *elf,
		const Elf64_Shdr *s, struct pyro_debug_part *part,
		size_t *packed)
{
	Elf64_Chdr head;

	*packed = 0;
	if (s->sh_offset > elf->file_size ||
	    s->sh_size > elf->file_size - s->sh_offset)
		return -EBADMSG;
	part->file_offset = s->sh_offset;
	part->len = s->sh_size;
	if (!(s->sh_flags & SHF_COMPRESSED))
		return 0;
	if (s->sh_size < sizeof(head))
		return -EBADMSG;

	int err =
		pyro_pread_all(elf->fd, &head, sizeof(head), part->file_offset);

	if (err)
		return err;
	if (head.ch_type != ELFCOMPRESS_ZLIB)
		return -ENOTSUP;
	if (head.ch_size > image->limit)
		return -EFBIG;
	part->is_packed = true;
	part->file_offset += sizeof(head);
	part->len = head.ch_size;
	*packed = s->sh_size - sizeof(head);
	return 0;
}

static int lay_out(struct pyro_debug_image *image, const struct pyro_elf *elf,
		   struct layout *layout)
{
	uint64_t size = PAGE; /* headers */

	for (unsigned i = 0; i < PYRO_DEBUG_SECTIONS; i++) {
		const Elf64_Shdr *s = pyro_elf_section(elf, names[i]);
		struct pyro_debug_part *part = &image->part[i];
		int err;

		if (!s)
			continue;
		err = look(image, elf, s, part, &layout->packed[i]);
		if (err)
			return err;
		layout->at[i] = size;
		size += pyro_align_up(part->len, PAGE) + PAGE;
		if (size > IMAGE_MAX)
			return -EFBIG;
	}
	/* What dwz shares may be strings alone; libdw takes no such file, so it
	 * gets a section with a byte that is no unit. */
	if (image->part[PYRO_DEBUG_INFO].len == 0) {
		if (image->part[PYRO_DEBUG_STR].len == 0)
			return -ENOENT;
		image->part[PYRO_DEBUG_INFO].len = 1;
		layout->at[PYRO_DEBUG_INFO] = size;
		size += 2 * PAGE;
	}
	layout->size = size;
	return 0;
}

/* The ELF header, the section headers and their names, in the first page. */
static void write_headers(struct pyro_debug_image *image, uint16_t machine)
{
	Elf64_Ehdr *ehdr = (Elf64_Ehdr *)(void *)image->base;
	Elf64_Shdr *shdr = (Elf64_Shdr *)(void *)(image->base + sizeof(*ehdr));
	char *strings = (char *)(shdr + PYRO_DEBUG_SECTIONS + 2);
	size_t len = 1;
	uint16_t count = 1;

	for (unsigned i = 0; i < PYRO_DEBUG_SECTIONS; i++) {
		const struct pyro_debug_part *part = &image->part[i];

		if (!part->data)
			continue;
		shdr[count++] = (Elf64_Shdr){
			.sh_name = (uint32_t)len,
			.sh_type = SHT_PROGBITS,
			.sh_offset = (uint64_t)(part->data - image->base),
			.sh_size = part->len,
			.sh_addralign = 1,
		};
		memcpy(strings + len, names[i], strlen(names[i]) + 1);
		len += strlen(names[i]) + 1;
	}
	shdr[count] = (Elf64_Shdr){
		.sh_type = SHT_STRTAB,
		.sh_offset = (uint64_t)((unsigned char *)strings - image->base),
		.sh_size = len,
		.sh_addralign = 1,
	};
	*ehdr = (Elf64_Ehdr){
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
			    ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_DYN,
		.e_machine = machine,
		.e_version = EV_CURRENT,
		.e_ehsize = sizeof(*ehdr),
		.e_shoff = sizeof(*ehdr),
		.e_shentsize = sizeof(*shdr),
		.e_shnum = (uint16_t)(count + 1),
		.e_shstrndx = count,
	};
}

static bool is_there(const struct pyro_debug_image *image, size_t page)
{
	return image->there[page / 64] >> (page % 64) & 1;
}

static void set_there(struct pyro_debug_image *image, size_t page, bool on)
{
	uint64_t bit = UINT64_C(1) << (page % 64);

	if (on)
		image->there[page / 64] |= bit;
	else
		image->there[page / 64] &= ~bit;
}

static void charge(struct pyro_debug_image *image, size_t page, size_t count)
{
	for (size_t i = 0; i < count; i++)
		set_there(image, page + i, true);
	image->resident += count * PAGE;
}

static int inflate_part(struct pyro_debug_image *image,
			struct pyro_debug_part *part, size_t packed)
{
	size_t pages = pyro_align_up(part->len, PAGE) / PAGE;
	struct libdeflate_decompressor *d;
	unsigned char *from;
	size_t got = 0;
	int err = -ENOMEM;

	if (image->resident + pages * PAGE + packed > image->limit)
		return -EFBIG;
	from = pyro_pages_alloc(pyro_max(packed, 1));
	d = libdeflate_alloc_decompressor();
	if (from && d)
		err = pyro_pread_all(image->fd, from, packed,
				     part->file_offset);
	if (!err &&
	    (libdeflate_zlib_decompress(d, from, packed, part->data, part->len,
					&got) != LIBDEFLATE_SUCCESS ||
	     got != part->len))
		err = -EBADMSG;
	libdeflate_free_decompressor(d);
	pyro_pages_free(from, pyro_max(packed, 1));
	charge(image, (size_t)(part->data - image->base) / PAGE, pages);
	return err;
}

static int read_parts(struct pyro_debug_image *image,
		      const struct layout *layout)
{
	for (unsigned i = 0; i < PYRO_DEBUG_SECTIONS; i++) {
		struct pyro_debug_part *part = &image->part[i];
		int err = 0;

		if (!part->data)
			continue;
		if (part->is_packed)
			err = inflate_part(image, part, layout->packed[i]);
		else if (i >= PYRO_DEBUG_ABBREV &&
			 !pyro_debug_image_fill(image, i, 0, part->len))
			err = -EFBIG;
		if (err)
			return err;
	}
	return 0;
}

int pyro_debug_image_open(struct pyro_debug_image *image,
			  const struct pyro_elf *elf, size_t limit)
{
	struct layout layout = {.size = 0};
	int err;

	*image = (struct pyro_debug_image){.fd = elf->fd, .limit = limit};
	if (elf->fd < 0)
		return -ENOENT;
	err = lay_out(image, elf, &layout);
	if (err)
		return err;
	image->size = layout.size;
	image->there_bytes = (layout.size / PAGE / 64 + 1) * sizeof(uint64_t);
	image->base = pyro_pages_alloc(image->size);
	image->there = pyro_pages_alloc(image->there_bytes);
	if (!image->base || !image->there) {
		pyro_debug_image_close(image);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < PYRO_DEBUG_SECTIONS; i++)
		if (layout.at[i])
			image->part[i].data = image->base + layout.at[i];
	write_headers(image, elf->ehdr.e_machine);
	err = read_parts(image, &layout);
	if (err)
		pyro_debug_image_close(image);
	return err;
}

void pyro_debug_image_close(struct pyro_debug_image *image)
{
	pyro_pages_free(image->base, image->size);
	pyro_pages_free(image->there, image->there_bytes);
	*image = (struct pyro_debug_image){.fd = -1};
}

/* Read count pages from the page-th of the image on. */
static bool read_pages(struct pyro_debug_image *image,
		       const struct pyro_debug_part *part, size_t page,
		       size_t count)
{
	unsigned char *to = image->base + page * PAGE;
	size_t at = (size_t)(to - part->data);
	size_t len = pyro_min(count * PAGE, part->len - at);

	if (image->resident + count * PAGE > image->limit) {
		image->failed = true;
		return false;
	}
	/* All at once is cheaper than page by page; old kernels cannot. */
	if (count >= POPULATE_PAGES)
		madvise(to, count * PAGE, MADV_POPULATE_WRITE);
	if (pyro_pread_all(image->fd, to, len, part->file_offset + at) != 0) {
		image->failed = true;
		return false;
	}
	charge(image, page, count);
	return true;
}

bool pyro_debug_image_fill(struct pyro_debug_image *image,
			   enum pyro_debug_section section, size_t offset,
			   size_t len)
{
	const struct pyro_debug_part *part = &image->part[section];

	if (!part->data || offset >= part->len)
		return false;
	len = pyro_min(len, part->len - offset);
	if (len == 0)
		return true;

	size_t first = (size_t)(part->data - image->base) / PAGE;
	size_t page = first + offset / PAGE;
	size_t end = first + (offset + len - 1) / PAGE + 1;

	while (page < end) {
		size_t count = 0;

		while (page + count < end && !is_there(image, page + count))
			count++;
		if (count && !read_pages(image, part, page, count))
			return false;
		page += pyro_max(count, 1);
	}
	return true;
}

const char *pyro_debug_image_string(struct pyro_debug_image *image,
				    const char *s)
{
	const unsigned char *at = (const unsigned char *)s;
	unsigned section = 0;

	if (!s || !image->base || at < image->base ||
	    at >= image->base + image->size)
		return s;
	while (section < PYRO_DEBUG_SECTIONS &&
	       (!image->part[section].data || at < image->part[section].data ||
		at >= image->part[section].data + image->part[section].len))
		section++;
	if (section == PYRO_DEBUG_SECTIONS)
		return "";

	size_t offset = (size_t)(at - image->part[section].data);

	/* Page by page: most strings end in the one where they begin. */
	for (size_t len = 0; len < STRING_MAX;) {
		size_t step = PAGE - (offset + len) % PAGE;

		if (offset + len >= image->part[section].len)
			return s; /* zeros are behind it */
		if (!pyro_debug_image_fill(image, section, offset + len, step))
			return "";
		if (memchr(at + len, '\0', step))
			return s;
		len += step;
	}
	return "";
}

void pyro_debug_image_drop(struct pyro_debug_image *image,
			   enum pyro_debug_section section, size_t offset,
			   size_t len)
{
	const struct pyro_debug_part *part = &image->part[section];

	if (!part->data || part->is_packed || offset >= part->len)
		return;
	len = pyro_min(len, part->len - offset);

	size_t first = (size_t)(part->data - image->base) / PAGE;
	size_t page = first + offset / PAGE;
	size_t end = first + (offset + len + PAGE - 1) / PAGE;

	madvise(image->base + page * PAGE, (end - page) * PAGE, MADV_DONTNEED);
	for (; page < end; page++) {
		if (!is_there(image, page))
			continue;
		set_there(image, page, false);
		image->resident -= PAGE;
	}
}
