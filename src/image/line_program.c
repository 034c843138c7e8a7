// SPDX-License-Identifier: Apache-2.0
/* line_program.c - read a program's header, run its opcodes
 *
 * As DWARF 5, 6.2 has it; older versions have other tables of names. Machines
 * with several operations in an instruction are not read. */
#include "image/line_program.h"

#include <dwarf.h>
#include <errno.h>

#include "base/arena.h"

#define FORMATS_MAX 16
/* Folders or files: ten times those of a large program's unit. */
#define NAMES_MAX 32768

static uint64_t read_offset(struct pyro_reader *r, bool is_wide)
{
	return is_wide ? pyro_reader_u64(r) : pyro_reader_u32(r);
}

static const char *read_text(struct pyro_reader *r)
{
	const char *text = (const char *)r->at;
	size_t len = strnlen(text, pyro_reader_left(r));

	if (len == pyro_reader_left(r)) {
		pyro_reader_fail(r);
		return "";
	}
	r->at += len + 1;
	return text;
}

static int add_name(struct pyro_line_name **names, size_t *count, size_t *cap,
		    const struct pyro_line_name *name)
{
	struct pyro_line_name *grown;

	if (*count >= NAMES_MAX)
		return -ENOTSUP;
	grown = pyro_array_grow(*names, cap, *count + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*names = grown;
	grown[(*count)++] = *name;
	return 0;
}

/* Before version 5: texts up to an empty one. */
static int read_old_names(struct pyro_line_program *p, struct pyro_reader *r)
{
	static const struct pyro_line_name none = {.text = NULL};
	struct pyro_line_name name = {.kind = PYRO_LINE_TEXT_HERE};
	int err = add_name(&p->dir, &p->dir_count, &p->dir_cap, &none);

	if (!err)
		err = add_name(&p->file, &p->file_count, &p->file_cap, &none);
	while (!err && *(name.text = read_text(r)))
		err = add_name(&p->dir, &p->dir_count, &p->dir_cap, &name);
	while (!err && *(name.text = read_text(r))) {
		name.dir = pyro_reader_uleb(r);
		pyro_reader_uleb(r); /* time */
		pyro_reader_uleb(r); /* size */
		err = add_name(&p->file, &p->file_count, &p->file_cap, &name);
	}
	return err;
}

struct value {
	enum pyro_line_text kind;
	const char *text;
	uint64_t number;
};

/* False for a form that is not known. */
static bool read_form(struct pyro_reader *r, uint64_t form, bool is_wide,
		      struct value *v)
{
	*v = (struct value){.kind = PYRO_LINE_TEXT_NONE};
	switch (form) {
	case DW_FORM_string:
		v->kind = PYRO_LINE_TEXT_HERE;
		v->text = read_text(r);
		break;
	case DW_FORM_line_strp:
		v->kind = PYRO_LINE_TEXT_LINE_STR;
		v->number = read_offset(r, is_wide);
		break;
	case DW_FORM_strp:
		v->kind = PYRO_LINE_TEXT_STR;
		v->number = read_offset(r, is_wide);
		break;
	case DW_FORM_udata:
	case DW_FORM_strx:
		v->number = pyro_reader_uleb(r);
		break;
	case DW_FORM_data1:
		v->number = pyro_reader_u8(r);
		break;
	case DW_FORM_data2:
		v->number = pyro_reader_u16(r);
		break;
	case DW_FORM_data4:
		v->number = pyro_reader_u32(r);
		break;
	case DW_FORM_data8:
		v->number = pyro_reader_u64(r);
		break;
	case DW_FORM_data16:
		pyro_reader_bytes(r, 16);
		break;
	case DW_FORM_block:
		pyro_reader_bytes(r, pyro_reader_uleb(r));
		break;
	default:
		return false;
	}
	return true;
}

/* Version 5: a table that says what its columns are. */
static int read_names(struct pyro_reader *r, bool is_wide,
		      struct pyro_line_name **names, size_t *count, size_t *cap)
{
	uint64_t type[FORMATS_MAX], form[FORMATS_MAX], entries;
	unsigned formats = pyro_reader_u8(r);
	int err = 0;

	if (formats > FORMATS_MAX)
		return -ENOTSUP;
	for (unsigned i = 0; i < formats; i++) {
		type[i] = pyro_reader_uleb(r);
		form[i] = pyro_reader_uleb(r);
	}
	entries = pyro_reader_uleb(r);
	/* Each takes a byte at least. */
	if (entries > pyro_reader_left(r) || (entries && !formats))
		return -EBADMSG;
	for (uint64_t n = 0; n < entries && !err && !r->failed; n++) {
		struct pyro_line_name name = {.kind = PYRO_LINE_TEXT_NONE};
		struct value v;

		for (unsigned i = 0; i < formats; i++) {
			if (!read_form(r, form[i], is_wide, &v))
				return -ENOTSUP;
			if (type[i] == DW_LNCT_path) {
				name.kind = v.kind;
				name.text = v.text;
				name.offset = v.number;
			} else if (type[i] == DW_LNCT_directory_index) {
				name.dir = v.number;
			}
		}
		err = add_name(names, count, cap, &name);
	}
	return err;
}

/* From the minimum length of an instruction on. */
static int read_opcodes(struct pyro_line_program *p, struct pyro_reader *r)
{
	p->min_length = pyro_reader_u8(r);
	if (p->version >= 4 && pyro_reader_u8(r) > 1)
		return -ENOTSUP;
	pyro_reader_u8(r); /* is each row a statement at first? */
	p->line_base = (int8_t)pyro_reader_u8(r);
	p->line_range = pyro_reader_u8(r);
	p->opcode_base = pyro_reader_u8(r);
	if (p->opcode_base == 0 || p->line_range == 0)
		return -EBADMSG;
	p->operands = pyro_reader_bytes(r, p->opcode_base - 1U);
	return r->failed ? -EBADMSG : 0;
}

int pyro_line_program_open(struct pyro_line_program *program,
			   const unsigned char *data, size_t len)
{
	struct pyro_line_program *p = program;
	struct pyro_reader r = {data, data + len, false};
	uint64_t size = pyro_reader_u32(&r), header;
	bool is_wide = size == UINT32_MAX;
	int err;

	p->dir_count = p->file_count = 0;
	if (is_wide)
		size = pyro_reader_u64(&r);
	if (size > pyro_reader_left(&r))
		return -EBADMSG;
	r.end = r.at + size;
	p->version = pyro_reader_u16(&r);
	if (r.failed)
		return -EBADMSG;
	if (p->version < 2 || p->version > 5)
		return -ENOTSUP;
	if (p->version == 5)
		pyro_reader_u16(&r); /* sizes of addresses and selectors */
	header = read_offset(&r, is_wide);
	if (r.failed || header > pyro_reader_left(&r))
		return -EBADMSG;
	p->code = (struct pyro_reader){r.at + header, r.end, false};
	r.end = p->code.at;

	err = read_opcodes(p, &r);
	if (!err && p->version < 5)
		err = read_old_names(p, &r);
	if (!err && p->version == 5)
		err = read_names(&r, is_wide, &p->dir, &p->dir_count,
				 &p->dir_cap);
	if (!err && p->version == 5)
		err = read_names(&r, is_wide, &p->file, &p->file_count,
				 &p->file_cap);
	return !err && r.failed ? -EBADMSG : err;
}

void pyro_line_program_free(struct pyro_line_program *program)
{
	pyro_pages_free(program->dir, program->dir_cap * sizeof(*program->dir));
	pyro_pages_free(program->file,
			program->file_cap * sizeof(*program->file));
	*program = (struct pyro_line_program){.version = 0};
}

struct machine {
	const struct pyro_line_program *program;
	struct pyro_reader code;
	/* The state, but for what nobody asks for. */
	uint64_t address, file, line;
	/* The row before, which reaches to the next one. */
	struct pyro_line_row last;
	bool has_last;
	bool is_discarded; /* code that the linker left out, at address 0 */
	/* Who asks: addresses[next] is the first that is not below last. */
	const uint64_t *addresses;
	size_t count, next;
	struct pyro_line_row *rows;
};

static size_t first_from(const struct machine *m, uint64_t address)
{
	size_t from = 0, to = m->count;

	while (from < to) {
		size_t mid = from + (to - from) / 2;

		if (m->addresses[mid] < address)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

/* The row before ends where the next one begins. */
static void end_row(struct machine *m, uint64_t end)
{
	for (; m->next < m->count && m->addresses[m->next] < end; m->next++) {
		struct pyro_line_row *row = &m->rows[m->next];

		if (!row->found || row->address <= m->last.address)
			*row = m->last;
	}
}

static void add_row(struct machine *m, bool ends_sequence)
{
	if (m->is_discarded)
		return;
	if (m->has_last && m->address > m->last.address)
		end_row(m, m->address);
	else if (!m->has_last || m->address < m->last.address)
		m->next = first_from(m, m->address);
	m->last = (struct pyro_line_row){
		.address = m->address,
		.file = m->file,
		.line = m->line <= INT32_MAX ? (uint32_t)m->line : 0,
		.found = true,
	};
	m->has_last = !ends_sequence;
}

static void begin_sequence(struct machine *m)
{
	m->address = 0;
	m->file = m->line = 1;
	m->has_last = m->is_discarded = false;
}

static void advance(struct machine *m, uint64_t instructions)
{
	m->address += instructions * m->program->min_length;
}

static void extended(struct machine *m)
{
	uint64_t len = pyro_reader_uleb(&m->code);
	const unsigned char *operands = pyro_reader_bytes(&m->code, len);

	if (m->code.failed || len == 0)
		return;
	switch (operands[0]) {
	case DW_LNE_end_sequence:
		add_row(m, true);
		begin_sequence(m);
		break;
	case DW_LNE_set_address:
		m->address = 0;
		memcpy(&m->address, operands + 1, pyro_min(len - 1, 8));
		m->is_discarded = m->address == 0;
		break;
	default:
		break;
	}
}

static void standard(struct machine *m, uint8_t opcode)
{
	const struct pyro_line_program *p = m->program;

	switch (opcode) {
	case DW_LNS_copy:
		add_row(m, false);
		return;
	case DW_LNS_advance_pc:
		advance(m, pyro_reader_uleb(&m->code));
		return;
	case DW_LNS_advance_line:
		m->line += (uint64_t)pyro_reader_sleb(&m->code);
		return;
	case DW_LNS_set_file:
		m->file = pyro_reader_uleb(&m->code);
		return;
	case DW_LNS_const_add_pc:
		advance(m, (255U - p->opcode_base) / p->line_range);
		return;
	case DW_LNS_fixed_advance_pc:
		m->address += pyro_reader_u16(&m->code);
		return;
	default:
		for (uint8_t n = p->operands[opcode - 1]; n > 0; n--)
			pyro_reader_uleb(&m->code);
	}
}

void pyro_line_program_find(const struct pyro_line_program *program,
			    const uint64_t *addresses, size_t count,
			    struct pyro_line_row *rows)
{
	struct machine m = {
		.program = program,
		.code = program->code,
		.addresses = addresses,
		.count = count,
		.rows = rows,
	};

	for (size_t i = 0; i < count; i++)
		rows[i] = (struct pyro_line_row){.found = false};
	begin_sequence(&m);
	while (pyro_reader_left(&m.code) > 0) {
		uint8_t opcode = pyro_reader_u8(&m.code);

		if (opcode >= program->opcode_base) {
			opcode = (uint8_t)(opcode - program->opcode_base);
			advance(&m, opcode / program->line_range);
			m.line +=
				(uint64_t)(int64_t)(program->line_base +
						    opcode %
							    program->line_range);
			add_row(&m, false);
		} else if (opcode == 0) {
			extended(&m);
		} else {
			standard(&m, opcode);
		}
	}
}
