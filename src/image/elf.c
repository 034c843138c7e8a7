// SPDX-License-Identifier: Apache-2.0
/* elf.c - bounds-checked reader of one ELF64 little-endian image
 *
 * Every size that an image states is compared with what is there before memory
 * is asked for, and nothing larger than READ_MAX is read at once. Section
 * headers are optional: the kernel and the loader do not look at them, so an
 * image with unreadable ones is treated as having none. */
#include "image/elf.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/os.h"

#define READ_MAX (UINT64_C(1) << 30)
#define NOTES_MAX (UINT64_C(1) << 20)
#define ADDRESS_MAX (UINT64_C(1) << 56)

static bool inside(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

/* len bytes at an offset of the file, or of the image in memory, whose first
 * pages are those of the file. */
static int read_at(const struct pyro_elf *elf, uint64_t offset, void *to,
		   size_t len)
{
	if (!inside(offset, len, elf->file_size))
		return -EBADMSG;
	if (elf->fd >= 0)
		return pyro_pread_all(elf->fd, to, len, offset);
	if (elf->bytes) {
		memcpy(to, elf->bytes + offset, len);
		return 0;
	}
	return pyro_read_memory((const char *)elf->memory + offset, to, len)
		       ? 0
		       : -EFAULT;
}

static int read_pages(const struct pyro_elf *elf, uint64_t offset, size_t len,
		      unsigned char **data)
{
	*data = NULL;
	if (len == 0)
		return 0;
	if (len > READ_MAX || !inside(offset, len, elf->file_size))
		return -EBADMSG;
	*data = pyro_pages_alloc(len);
	if (!*data)
		return -ENOMEM;

	int err = read_at(elf, offset, *data, len);

	if (err) {
		pyro_pages_free(*data, len);
		*data = NULL;
	}
	return err;
}

static int read_ehdr(struct pyro_elf *elf)
{
	Elf64_Ehdr *h = &elf->ehdr;
	int err = read_at(elf, 0, h, sizeof(*h));

	if (err == -EBADMSG || err == -EIO)
		return -ENOEXEC;
	if (err)
		return err;
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) != 0 ||
	    h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	/* 65535 would mean that the number is elsewhere. */
	if (h->e_phnum == PN_XNUM ||
	    (h->e_phnum && h->e_phentsize != sizeof(Elf64_Phdr)))
		return -EBADMSG;
	return 0;
}

static int read_phdrs(struct pyro_elf *elf)
{
	size_t len = elf->ehdr.e_phnum * sizeof(Elf64_Phdr);

	if (len == 0)
		return 0;
	if (!inside(elf->ehdr.e_phoff, len, elf->file_size))
		return -EBADMSG;
	elf->phdr = pyro_arena_alloc(&elf->arena, len);
	if (!elf->phdr)
		return -ENOMEM;
	return read_at(elf, elf->ehdr.e_phoff, elf->phdr, len);
}

static int read_shdrs(struct pyro_elf *elf)
{
	const Elf64_Ehdr *h = &elf->ehdr;
	Elf64_Shdr first;

	if (h->e_shoff == 0 || h->e_shentsize != sizeof(Elf64_Shdr) ||
	    !inside(h->e_shoff, sizeof(first), elf->file_size))
		return 0;

	int err = read_at(elf, h->e_shoff, &first, sizeof(first));

	if (err)
		return err;

	/* Numbers that do not fit the header are in the first section. */
	uint64_t count = h->e_shnum ? h->e_shnum : first.sh_size;
	uint64_t names =
		h->e_shstrndx == SHN_XINDEX ? first.sh_link : h->e_shstrndx;

	if (count == 0 || count > READ_MAX / sizeof(first) ||
	    !inside(h->e_shoff, count * sizeof(first), elf->file_size))
		return 0;
	elf->shdr = pyro_arena_alloc(&elf->arena, count * sizeof(first));
	if (!elf->shdr)
		return -ENOMEM;
	err = read_at(elf, h->e_shoff, elf->shdr, count * sizeof(first));
	if (err)
		return err;
	elf->shnum = count;

	if (names >= count || elf->shdr[names].sh_type != SHT_STRTAB)
		return 0;

	const Elf64_Shdr *s = &elf->shdr[names];

	if (s->sh_size > READ_MAX ||
	    !inside(s->sh_offset, s->sh_size, elf->file_size))
		return 0;
	elf->shstrtab = pyro_arena_alloc(&elf->arena, s->sh_size + 1);
	if (!elf->shstrtab)
		return -ENOMEM;
	elf->shstrtab_len = s->sh_size;
	return read_at(elf, s->sh_offset, elf->shstrtab, s->sh_size);
}

static int read_headers(struct pyro_elf *elf)
{
	int err = read_ehdr(elf);

	if (!err)
		err = read_phdrs(elf);
	if (!err)
		err = read_shdrs(elf);
	if (err)
		pyro_elf_close(elf);
	return err;
}

int pyro_elf_open_file(struct pyro_elf *elf, int fd)
{
	struct stat st;

	*elf = (struct pyro_elf){.fd = fd};
	if (fstat(fd, &st) != 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	elf->file_size = (uint64_t)st.st_size;
	return read_headers(elf);
}

int pyro_elf_open_bytes(struct pyro_elf *elf, const unsigned char *bytes,
			size_t len)
{
	*elf = (struct pyro_elf){.fd = -1, .bytes = bytes, .file_size = len};
	return read_headers(elf);
}

/* End of the last PT_LOAD and address of the one that holds the ELF header. */
static int measure_memory(struct pyro_elf *elf)
{
	uint64_t end = 0, header = 0;
	bool have_header = false;

	for (size_t i = 0; i < elf->ehdr.e_phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_vaddr > ADDRESS_MAX || p->p_memsz > ADDRESS_MAX)
			return -EBADMSG;
		if (p->p_vaddr + p->p_memsz > end)
			end = p->p_vaddr + p->p_memsz;
		if (!have_header && p->p_offset == 0) {
			header = p->p_vaddr;
			have_header = true;
		}
	}
	if (!have_header)
		return -EBADMSG;
	elf->bias = elf->memory - header;
	elf->file_size = end - header;
	return 0;
}

int pyro_elf_open_memory(struct pyro_elf *elf, uintptr_t header)
{
	*elf = (struct pyro_elf){.fd = -1, .memory = header};
	/* Until the segments are known. */
	elf->file_size = READ_MAX;

	int err = read_ehdr(elf);

	if (!err)
		err = read_phdrs(elf);
	if (!err)
		err = measure_memory(elf);
	if (err)
		pyro_elf_close(elf);
	return err;
}

void pyro_elf_close(struct pyro_elf *elf)
{
	pyro_arena_free(&elf->arena);
	*elf = (struct pyro_elf){.fd = -1};
}

const Elf64_Shdr *pyro_elf_section(const struct pyro_elf *elf, const char *name)
{
	for (size_t i = 1; i < elf->shnum; i++) {
		const Elf64_Shdr *s = &elf->shdr[i];

		/* The string table has a NUL behind its last byte. */
		if (s->sh_name < elf->shstrtab_len &&
		    strcmp(elf->shstrtab + s->sh_name, name) == 0)
			return s->sh_type == SHT_NOBITS ? NULL : s;
	}
	return NULL;
}

int pyro_elf_read_section(const struct pyro_elf *elf, const Elf64_Shdr *section,
			  unsigned char **data, size_t *len)
{
	*data = NULL;
	*len = 0;
	if (section->sh_type == SHT_NOBITS)
		return -EBADMSG;
	if (section->sh_flags & SHF_COMPRESSED)
		return -ENOTSUP;
	*len = section->sh_size;
	return read_pages(elf, section->sh_offset, section->sh_size, data);
}

/* The segment that holds vaddr; *room is what it has from there on. */
static const Elf64_Phdr *segment_of(const struct pyro_elf *elf, uint64_t vaddr,
				    uint64_t *room)
{
	for (size_t i = 0; i < elf->ehdr.e_phnum; i++) {
		const Elf64_Phdr *p = &elf->phdr[i];
		uint64_t size = elf->memory ? p->p_memsz : p->p_filesz;

		if (p->p_type == PT_LOAD && vaddr >= p->p_vaddr &&
		    vaddr - p->p_vaddr < size) {
			*room = size - (vaddr - p->p_vaddr);
			return p;
		}
	}
	*room = 0;
	return NULL;
}

uint64_t pyro_elf_room(const struct pyro_elf *elf, uint64_t vaddr)
{
	uint64_t room;
	const Elf64_Phdr *p = segment_of(elf, vaddr, &room);

	if (!p || elf->memory)
		return room;

	uint64_t skip = vaddr - p->p_vaddr;

	if (p->p_offset > elf->file_size || skip > elf->file_size - p->p_offset)
		return 0;
	return pyro_min(room, elf->file_size - p->p_offset - skip);
}

int pyro_elf_read_vaddr(const struct pyro_elf *elf, uint64_t vaddr, size_t len,
			unsigned char **data)
{
	uint64_t room;
	const Elf64_Phdr *p = segment_of(elf, vaddr, &room);

	*data = NULL;
	if (!p || len > room || len > READ_MAX)
		return -EBADMSG;
	if (!elf->memory) {
		if (p->p_offset > elf->file_size)
			return -EBADMSG;
		return read_pages(elf, p->p_offset + (vaddr - p->p_vaddr), len,
				  data);
	}
	*data = pyro_pages_alloc(len);
	if (!*data)
		return len ? -ENOMEM : 0;
	/* A hostile address is unreadable at worst. */
	if (!pyro_read_memory((const void *)(uintptr_t)(elf->bias + vaddr),
			      *data, len)) {
		pyro_pages_free(*data, len);
		*data = NULL;
		return -EFAULT;
	}
	return 0;
}

bool pyro_elf_text_range(const Elf64_Phdr *phdr, size_t count, uint64_t *lo,
			 uint64_t *hi, uint64_t *offset)
{
	*lo = UINT64_MAX;
	*hi = 0;
	*offset = 0;
	for (size_t i = 0; i < count; i++) {
		const Elf64_Phdr *p = &phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) ||
		    p->p_memsz == 0)
			continue;
		if (p->p_vaddr > ADDRESS_MAX || p->p_memsz > ADDRESS_MAX)
			return false;
		if (p->p_vaddr < *lo) {
			*lo = p->p_vaddr;
			*offset = p->p_offset;
		}
		if (p->p_vaddr + p->p_memsz > *hi)
			*hi = p->p_vaddr + p->p_memsz;
	}
	return *lo < *hi;
}

/* Look for the build ID in a run of notes, which are aligned to 4 or 8. */
static bool find_build_id(const unsigned char *data, size_t len, size_t align,
			  struct pyro_build_id *id)
{
	size_t at = 0;

	while (inside(at, sizeof(Elf64_Nhdr), len)) {
		Elf64_Nhdr note;

		memcpy(&note, data + at, sizeof(note));
		at += sizeof(note);
		if (note.n_namesz > len || note.n_descsz > len)
			return false;

		size_t name = at;
		size_t desc = pyro_align_up(name + note.n_namesz, align);

		if (!inside(desc, note.n_descsz, len))
			return false;
		if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
		    memcmp(data + name, "GNU", 4) == 0 && note.n_descsz > 0 &&
		    note.n_descsz <= PYRO_BUILD_ID_MAX) {
			memcpy(id->bytes, data + desc, note.n_descsz);
			id->len = (uint8_t)note.n_descsz;
			return true;
		}
		at = pyro_align_up(desc + note.n_descsz, align);
	}
	return false;
}

static bool build_id_of_segment(const struct pyro_elf *elf, const Elf64_Phdr *p,
				struct pyro_build_id *id)
{
	unsigned char *data;
	size_t len = elf->memory ? p->p_memsz : p->p_filesz;
	int err;

	if (len > NOTES_MAX)
		return false;
	if (elf->memory)
		err = pyro_elf_read_vaddr(elf, p->p_vaddr, len, &data);
	else
		err = read_pages(elf, p->p_offset, len, &data);
	if (err)
		return false;

	bool found = find_build_id(data, len, p->p_align == 8 ? 8 : 4, id);

	pyro_pages_free(data, len);
	return found;
}

void pyro_elf_build_id(const struct pyro_elf *elf, struct pyro_build_id *id)
{
	*id = (struct pyro_build_id){.len = 0};
	for (size_t i = 0; i < elf->ehdr.e_phnum; i++)
		if (elf->phdr[i].p_type == PT_NOTE &&
		    build_id_of_segment(elf, &elf->phdr[i], id))
			return;

	/* Separate debug files may have lost what their segments point to. */
	const Elf64_Shdr *s = pyro_elf_section(elf, ".note.gnu.build-id");
	unsigned char *data;
	size_t len;

	if (!s || s->sh_size > NOTES_MAX ||
	    pyro_elf_read_section(elf, s, &data, &len) != 0)
		return;
	find_build_id(data, len, 4, id);
	pyro_pages_free(data, len);
}
