// SPDX-License-Identifier: Apache-2.0
/* loadable.c - look into an executable as the kernel and ld.so will
 *
 * A program of another word size or libc that finds us in LD_PRELOAD complains
 * on its own stderr (glibc) or dies of unresolved symbols (musl). */
#include "base/loadable.h"

#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/syscall.h"

#define SCRIPT_DEPTH_MAX 4
#define PHDRS_MAX 32

#if defined(__x86_64__)
#define OWN_MACHINE EM_X86_64
#else
#define OWN_MACHINE EM_AARCH64
#endif

#if defined(__GLIBC__)
#define OWN_LOADER "ld-linux"
#else
#define OWN_LOADER "ld-musl"
#endif

static long read_at(int fd, void *to, size_t len, uint64_t offset)
{
	return pyro_syscall4(SYS_pread64, fd, (long)to, (long)len,
			     (long)offset);
}

/* Is name's last part a loader of our libc? path is not NUL-terminated within
 * its len bytes unless it is sound. */
static bool is_own_loader(const char *path, size_t len)
{
	const char *name = path;

	for (size_t i = 0; i < len && path[i]; i++)
		if (path[i] == '/')
			name = path + i + 1;
	return (size_t)(path + len - name) > sizeof(OWN_LOADER) &&
	       memcmp(name, OWN_LOADER, sizeof(OWN_LOADER) - 1) == 0;
}

static enum pyro_loadable check_elf(int fd, const Elf64_Ehdr *ehdr)
{
	Elf64_Phdr ph[PHDRS_MAX] = {{0}};
	char path[256] = "";
	size_t count = pyro_min(ehdr->e_phnum, PHDRS_MAX);

	if (ehdr->e_ident[EI_CLASS] != ELFCLASS64 ||
	    ehdr->e_ident[EI_DATA] != ELFDATA2LSB ||
	    ehdr->e_machine != OWN_MACHINE)
		return PYRO_LOADABLE_MACHINE;
	if (ehdr->e_phentsize != sizeof(ph[0]) ||
	    read_at(fd, ph, count * sizeof(ph[0]), ehdr->e_phoff) !=
		    (long)(count * sizeof(ph[0])))
		return PYRO_LOADABLE_UNKNOWN;
	for (size_t i = 0; i < count; i++) {
		size_t len = pyro_min(ph[i].p_filesz, sizeof(path));

		if (ph[i].p_type != PT_INTERP)
			continue;
		if (read_at(fd, path, len, ph[i].p_offset) != (long)len)
			return PYRO_LOADABLE_UNKNOWN;
		return is_own_loader(path, len) ? PYRO_LOADABLE_YES
						: PYRO_LOADABLE_OTHER_LIBC;
	}
	return PYRO_LOADABLE_STATIC;
}

/* "#! interpreter [argument]": the interpreter, cut out in place; line has room
 * for one byte behind len. */
static const char *script_interpreter(char *line, size_t len)
{
	size_t from = 2;

	while (from < len && (line[from] == ' ' || line[from] == '\t'))
		from++;

	size_t to = from;

	while (to < len && line[to] != ' ' && line[to] != '\t' &&
	       line[to] != '\n')
		to++;
	if (to == from)
		return NULL;
	line[to] = '\0';
	return line + from;
}

enum pyro_loadable pyro_loadable(const char *path)
{
	union {
		Elf64_Ehdr ehdr;
		char line[256];
	} head[2] = {0};
	enum pyro_loadable result = PYRO_LOADABLE_UNKNOWN;

	for (int depth = 0; depth <= SCRIPT_DEPTH_MAX && path; depth++) {
		/* Two buffers in turn: the next path lies in the last one. */
		char *line = head[depth % 2].line;
		int fd = (int)pyro_syscall4(SYS_openat, AT_FDCWD, (long)path,
					    O_RDONLY | O_CLOEXEC | O_NONBLOCK,
					    0);

		if (fd < 0)
			return PYRO_LOADABLE_UNKNOWN;

		/* One less: a line may end with the file. */
		long n = read_at(fd, line, sizeof(head[0].line) - 1, 0);

		path = NULL;
		if (n >= (long)sizeof(Elf64_Ehdr) &&
		    memcmp(line, ELFMAG, SELFMAG) == 0)
			result = check_elf(fd, &head[depth % 2].ehdr);
		else if (n > 2 && line[0] == '#' && line[1] == '!')
			path = script_interpreter(line, (size_t)n);
		pyro_syscall4(SYS_close, fd, 0, 0, 0);
	}
	return result;
}
