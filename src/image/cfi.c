// SPDX-License-Identifier: Apache-2.0
/* cfi.c - find the CFI of an image
 *
 * Sections come first because they tell their length and exist where there is
 * no PT_GNU_EH_FRAME (static executables of gcc). An image in memory has only
 * the latter: its .eh_frame ends at a terminator, or with its segment. Code that
 * was compiled without .eh_frame has a few bytes of it all the same, from the
 * linker and from what it was linked with. */
#include "image/cfi_program.h"

#include <errno.h>

#include "image/cfi_hole.h"

/* Length of a section whose end is known by its terminator. */
static size_t terminated_len(const unsigned char *data, size_t len)
{
	struct pyro_reader r = {data, data + len, false};

	for (;;) {
		const unsigned char *start = r.at;
		uint64_t n = pyro_reader_u32(&r);

		if (n == UINT32_MAX)
			n = pyro_reader_u64(&r);
		if (n == 0)
			return (size_t)(start - data);
		if (!pyro_reader_bytes(&r, n))
			return (size_t)(start - data);
	}
}

/* .eh_frame's address from the header that PT_GNU_EH_FRAME points to. */
static bool read_header(const struct pyro_elf *elf, const Elf64_Phdr *phdr,
			uint64_t *frame)
{
	unsigned char *data;
	size_t len = pyro_min(pyro_elf_room(elf, phdr->p_vaddr), 16);

	if (len == 0 ||
	    pyro_elf_read_vaddr(elf, phdr->p_vaddr, len, &data) != 0)
		return false;

	struct pyro_cfi_input in = {
		.frame = data,
		.frame_len = len,
		.frame_vaddr = phdr->p_vaddr,
		.data_base = phdr->p_vaddr,
	};
	struct pyro_reader r = {data, data + len, false};
	uint8_t version = pyro_reader_u8(&r);
	uint8_t encoding = pyro_reader_u8(&r);

	pyro_reader_bytes(&r, 2); /* encodings of the search table */
	*frame = pyro_cfi_read_pointer(&in, &r, encoding);
	pyro_pages_free(data, len);
	return !r.failed && version == 1;
}

static int build_section(const struct pyro_elf *elf, const char *name,
			 struct pyro_cfi_input *in,
			 struct pyro_unwind_table **table)
{
	const Elf64_Shdr *section = pyro_elf_section(elf, name);
	unsigned char *data;
	size_t len;

	if (!section)
		return -ENOENT;

	int err = pyro_elf_read_section(elf, section, &data, &len);

	if (err)
		return err;
	in->frame = data;
	in->frame_len = len;
	in->frame_vaddr = section->sh_addr;
	err = len ? pyro_cfi_build_from(in, table) : -ENOENT;
	pyro_pages_free(data, len);
	return err;
}

static int build_segment(const struct pyro_elf *elf, struct pyro_cfi_input *in,
			 struct pyro_unwind_table **table)
{
	const Elf64_Phdr *phdr = NULL;
	unsigned char *data;
	uint64_t frame;

	for (size_t i = 0; i < elf->ehdr.e_phnum && !phdr; i++)
		if (elf->phdr[i].p_type == PT_GNU_EH_FRAME)
			phdr = &elf->phdr[i];
	if (!phdr)
		return -ENOENT;
	if (!read_header(elf, phdr, &frame))
		return -EBADMSG;

	size_t len = pyro_elf_room(elf, frame);

	if (len == 0)
		return -EBADMSG;

	int err = pyro_elf_read_vaddr(elf, frame, len, &data);

	if (err)
		return err;
	in->frame = data;
	in->frame_len = terminated_len(data, len);
	in->frame_vaddr = frame;
	err = pyro_cfi_build_from(in, table);
	pyro_pages_free(data, len);
	return err;
}

/* An .eh_frame that holds no FDE is no reason not to look further. */
static bool is_absent(int err)
{
	return err == -ENOENT || err == -EBADMSG;
}

static int build_eh_frame(const struct pyro_elf *elf, struct pyro_cfi_input *in,
			  struct pyro_unwind_table **table)
{
	int err = build_section(elf, ".eh_frame", in, table);

	if (is_absent(err)) {
		int other = build_segment(elf, in, table);
		err = other == -ENOENT ? err : other;
	}
	return err;
}

/* Where .eh_frame describes less than half. */
static int build_debug_frame(const struct pyro_elf *elf,
			     struct pyro_cfi_input *in,
			     struct pyro_unwind_table **table)
{
	struct pyro_unwind_table *other;

	in->is_debug_frame = true;

	int err = build_section(elf, ".debug_frame", in, &other);

	in->is_debug_frame = false;
	if (err)
		return err;
	if (*table && (*table)->described >= other->described) {
		pyro_cfi_free(other);
		return 0;
	}
	pyro_cfi_free(*table);
	*table = other;
	return 0;
}

static int build_code(struct pyro_cfi_input *in,
		      struct pyro_unwind_table **table)
{
	in->frame = (const unsigned char *)"";
	in->frame_len = 0;

	int err = pyro_cfi_build_from(in, table);

	/* No rule but the gap and the bad one. */
	if (!err && (*table)->rule_count <= 2) {
		pyro_cfi_free(*table);
		*table = NULL;
		err = -ENOENT;
	}
	return err;
}

int pyro_cfi_build(const struct pyro_elf *elf, struct pyro_unwind_table **table)
{
	struct pyro_cfi_holes holes = {.elf = elf};
	struct pyro_cfi_input in = {.machine = elf->ehdr.e_machine};
	uint64_t offset;

	*table = NULL;
	if ((in.machine != EM_X86_64 && in.machine != EM_AARCH64) ||
	    !pyro_elf_text_range(elf->phdr, elf->ehdr.e_phnum, &in.lo, &in.hi,
				 &offset))
		return -ENOENT;
	if (in.machine == EM_X86_64)
		in.holes = &holes;

	int err = build_eh_frame(elf, &in, table);

	if (is_absent(err) ||
	    (!err && (*table)->described < (in.hi - in.lo) / 2)) {
		int other = build_debug_frame(elf, &in, table);
		err = other == -ENOENT ? err : other;
	}
	if (is_absent(err) && in.holes) {
		int other = build_code(&in, table);
		err = other == -ENOENT ? err : other;
	}
	pyro_cfi_holes_free(&holes);
	return err == 0 || err == -ENOENT || err == -ENOMEM ? err : -EBADMSG;
}
