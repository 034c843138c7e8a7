// SPDX-License-Identifier: Apache-2.0
/* cfi_entry.c - CIEs and FDEs of .eh_frame and .debug_frame
 *
 * Both sections hold the same entries and differ in how an FDE names its CIE
 * and in how addresses are written. An entry never reads behind its length. */
#include "image/cfi_program.h"

#define ENCODING_OMIT 0xff
#define ENCODING_INDIRECT 0x80
#define ENCODING_ALIGNED 0x50

#define ADDRESS_MAX (UINT64_C(1) << 56)

bool pyro_cfi_next_entry(const struct pyro_cfi_input *in, size_t *at,
			 struct pyro_cfi_entry *entry)
{
	struct pyro_reader r = {in->frame + *at, in->frame + in->frame_len,
				false};
	uint64_t len = 0;
	bool is_64 = false;

	/* A terminator may be followed by what the linker put behind it. */
	while (pyro_reader_left(&r) >= 4 && len == 0) {
		entry->offset = (uint64_t)(r.at - in->frame);
		len = pyro_reader_u32(&r);
	}
	if (len == UINT32_MAX) {
		is_64 = true;
		len = pyro_reader_u64(&r);
	}

	const unsigned char *body = pyro_reader_bytes(&r, len);

	if (r.failed || len == 0)
		return false;
	*at = (size_t)(r.at - in->frame);
	entry->body = (struct pyro_reader){body, r.at, false};

	/* The pointer has the size of the length in .debug_frame only. */
	bool wide = is_64 && in->is_debug_frame;
	uint64_t id = wide ? pyro_reader_u64(&entry->body)
			   : pyro_reader_u32(&entry->body);

	if (in->is_debug_frame) {
		entry->is_cie = id == (wide ? UINT64_MAX : UINT32_MAX);
		entry->cie_offset = id;
	} else {
		entry->is_cie = id == 0;
		entry->cie_offset = (uint64_t)(body - in->frame) - id;
	}
	/* Too short for its own pointer: an entry that nobody can use. */
	if (entry->body.failed)
		entry->is_cie = false;
	return true;
}

static uint64_t read_value(struct pyro_reader *r, uint8_t format)
{
	switch (format) {
	case 0x00: /* absptr */
	case 0x04: /* udata8 */
	case 0x0c: /* sdata8 */
		return pyro_reader_u64(r);
	case 0x01:
		return pyro_reader_uleb(r);
	case 0x02:
		return pyro_reader_u16(r);
	case 0x03:
		return pyro_reader_u32(r);
	case 0x09:
		return (uint64_t)pyro_reader_sleb(r);
	case 0x0a:
		return (uint64_t)(int64_t)(int16_t)pyro_reader_u16(r);
	case 0x0b:
		return (uint64_t)(int64_t)(int32_t)pyro_reader_u32(r);
	default:
		pyro_reader_fail(r);
		return 0;
	}
}

uint64_t pyro_cfi_read_pointer(const struct pyro_cfi_input *in,
			       struct pyro_reader *r, uint8_t encoding)
{
	uint64_t at = in->frame_vaddr + (uint64_t)(r->at - in->frame);

	if (encoding == ENCODING_ALIGNED) {
		pyro_reader_bytes(r, -at & 7);
		return pyro_reader_u64(r);
	}

	uint64_t value = read_value(r, encoding & 0x0f);

	switch (encoding & 0x70) {
	case 0x00:
		return value;
	case 0x10: /* pcrel */
		return value + at;
	case 0x30: /* datarel */
		if (in->data_base != 0)
			return value + in->data_base;
		break;
	}
	pyro_reader_fail(r);
	return 0;
}

/* The letters of an augmentation and its data. */
static bool read_augmentation(const struct pyro_cfi_input *in,
			      const char *letters, struct pyro_reader *r,
			      struct pyro_cfi_cie *cie)
{
	if (*letters == '\0')
		return true;
	/* Without a length, what follows cannot be told from the program. */
	if (*letters++ != 'z')
		return false;
	cie->augmented = true;

	uint64_t len = pyro_reader_uleb(r);
	const unsigned char *data = pyro_reader_bytes(r, len);

	if (!data)
		return false;

	struct pyro_reader d = {data, data + len, false};

	for (; *letters != '\0'; letters++) {
		uint8_t encoding;

		switch (*letters) {
		case 'R':
			cie->pointer_encoding = pyro_reader_u8(&d);
			break;
		case 'P':
			/* Not needed, and read only to get past it: what it
			 * would be relative to does not matter. */
			encoding = pyro_reader_u8(&d);
			if (encoding == ENCODING_ALIGNED)
				pyro_cfi_read_pointer(in, &d, encoding);
			else if (encoding != ENCODING_OMIT)
				read_value(&d, encoding & 0x0f);
			break;
		case 'L':
			pyro_reader_u8(&d);
			break;
		case 'S':
			cie->is_signal = true;
			break;
		case 'B': /* aarch64: signed with the other key */
			break;
		default:
			return false;
		}
	}
	return !d.failed && !(cie->pointer_encoding & ENCODING_INDIRECT);
}

static void run_initial(const struct pyro_cfi_input *in,
			struct pyro_cfi_cie *cie, struct pyro_reader program)
{
	struct pyro_cfi_fde all = {0, UINT64_MAX, program};
	struct pyro_cfi_run run;
	struct pyro_rule rule;
	uint64_t lo, hi;

	/* Until the first def_cfa. */
	cie->initial.cfa = PYRO_CFA_BAD;
	pyro_cfi_run_start(&run, in, cie, &all);
	/* One range: rows do not begin in a CIE. */
	pyro_cfi_run_next(&run, &lo, &hi, &rule);
	if (hi != UINT64_MAX || run.program.failed)
		run.state.cfa = PYRO_CFA_BAD;
	cie->initial = run.state;
}

bool pyro_cfi_read_cie(const struct pyro_cfi_input *in,
		       const struct pyro_cfi_entry *entry,
		       struct pyro_cfi_cie *cie)
{
	struct pyro_reader r = entry->body;
	uint8_t version = pyro_reader_u8(&r);
	const unsigned char *letters = r.at;
	const unsigned char *nul = memchr(r.at, 0, pyro_reader_left(&r));

	*cie = (struct pyro_cfi_cie){.offset = entry->offset};
	if (!nul || (version != 1 && version != 3 && version != 4))
		return false;
	r.at = nul + 1;
	if (version == 4) {
		if (pyro_reader_u8(&r) != 8) /* bytes of an address */
			return false;
		cie->selector_size = pyro_reader_u8(&r);
	}
	cie->code_align = pyro_reader_uleb(&r);
	cie->data_align = pyro_reader_sleb(&r);
	cie->ra_reg = version == 1 ? pyro_reader_u8(&r) : pyro_reader_uleb(&r);
	if (r.failed ||
	    !read_augmentation(in, (const char *)letters, &r, cie) || r.failed)
		return false;
	run_initial(in, cie, r);
	return true;
}

bool pyro_cfi_read_fde(const struct pyro_cfi_input *in,
		       const struct pyro_cfi_cie *cie,
		       const struct pyro_cfi_entry *entry,
		       struct pyro_cfi_fde *fde)
{
	struct pyro_reader r = entry->body;

	pyro_reader_bytes(&r, cie->selector_size);
	fde->lo = pyro_cfi_read_pointer(in, &r, cie->pointer_encoding);

	/* The size is written like the address, relative to nothing. */
	uint64_t size = read_value(&r, cie->pointer_encoding & 0x0f);

	if (cie->augmented)
		pyro_reader_bytes(&r, pyro_reader_uleb(&r));
	fde->program = r;
	if (r.failed || fde->lo > ADDRESS_MAX || size > ADDRESS_MAX)
		return false;
	fde->hi = fde->lo + size;
	return size > 0;
}
