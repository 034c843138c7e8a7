// SPDX-License-Identifier: Apache-2.0
/* elf.h - bounds-checked reader of one ELF64 little-endian image
 *
 * From a file (by pread: a mapping would raise SIGBUS in the user's process if
 * somebody truncates it), from a file's bytes, or as the loader has mapped it in
 * this process (by pyro_read_memory: it cannot fault if the object is unloaded
 * meanwhile). All input is hostile. */
#ifndef PYRO_IMAGE_ELF_H
#define PYRO_IMAGE_ELF_H

#include <elf.h>

#include "base/arena.h"

#define PYRO_BUILD_ID_MAX 64

struct pyro_build_id {
	uint8_t bytes[PYRO_BUILD_ID_MAX];
	uint8_t len; /* 0: none */
};

struct pyro_elf {
	int fd;                     /* of a file, else -1. Borrowed */
	const unsigned char *bytes; /* of a file, else NULL. Borrowed */
	uintptr_t memory;   /* address of the mapped ELF header, else 0 */
	uint64_t file_size; /* bytes that can be asked for */
	uintptr_t bias;     /* mapped images: run-time - ELF address */
	Elf64_Ehdr ehdr;
	Elf64_Phdr *phdr; /* ehdr.e_phnum of them, checked */
	Elf64_Shdr *shdr; /* shnum of them, or NULL (memory has none) */
	size_t shnum;
	char *shstrtab;
	size_t shstrtab_len;
	struct pyro_arena arena; /* holds the above */
};

/* Read and check headers. fd is borrowed until pyro_elf_close. 0, -ENOEXEC
 * when it is not an ELF64 of this machine's byte order, -EBADMSG when it is
 * broken, or -errno. */
int pyro_elf_open_file(struct pyro_elf *elf, int fd);
/* The same of a file's bytes, which are borrowed as long. */
int pyro_elf_open_bytes(struct pyro_elf *elf, const unsigned char *bytes,
			size_t len);
/* header: address of the ELF header in this process. */
int pyro_elf_open_memory(struct pyro_elf *elf, uintptr_t header);
void pyro_elf_close(struct pyro_elf *elf);

/* Section by name; NULL when absent (or SHT_NOBITS). */
const Elf64_Shdr *pyro_elf_section(const struct pyro_elf *elf,
				   const char *name);
/* Bytes of a section, of a program header's segment, or at an ELF virtual
 * address, into pages. Returns owned (pyro_pages_free(*data, *len)); compressed
 * sections are not inflated here (-ENOTSUP). 0 or -errno. */
int pyro_elf_read_section(const struct pyro_elf *elf, const Elf64_Shdr *section,
			  unsigned char **data, size_t *len);
int pyro_elf_read_vaddr(const struct pyro_elf *elf, uint64_t vaddr, size_t len,
			unsigned char **data);
/* How many bytes from vaddr on can be read with pyro_elf_read_vaddr. */
uint64_t pyro_elf_room(const struct pyro_elf *elf, uint64_t vaddr);
/* ELF addresses [*lo, *hi) of the executable segments, and the file offset of
 * *lo. False when there are none, or no sane ones. */
bool pyro_elf_text_range(const Elf64_Phdr *phdr, size_t count, uint64_t *lo,
			 uint64_t *hi, uint64_t *offset);
/* The GNU build ID of PT_NOTE (or .note.gnu.build-id); len 0 when absent. */
void pyro_elf_build_id(const struct pyro_elf *elf, struct pyro_build_id *id);

#endif
