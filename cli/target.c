// SPDX-License-Identifier: Apache-2.0
/* target.c - can this program be profiled by preloading a library?
 *
 * Only ld.so of the same libc and machine loads our library, and not into a
 * program that runs with more rights than its caller. ld.so would complain on
 * the program's own stderr, or ignore us without a word; so we look first. */
#include "cli/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/os.h"
#include "image/elf.h"

/* As the kernel: a script's interpreter may be a script, four times. */
#define SCRIPT_DEPTH_MAX 4
#define SCRIPT_LINE_MAX 255

/* 0 when path is a file that may be executed, else errno. */
static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

static int join(char *to, const char *dir, size_t dir_len, const char *name)
{
	/* An empty entry of PATH is the current folder. */
	int n = dir_len ? snprintf(to, PATH_MAX, "%.*s/%s", (int)dir_len, dir,
				   name)
			: snprintf(to, PATH_MAX, "%s", name);

	return n >= PATH_MAX ? ENAMETOOLONG : 0;
}

/* As execvp: a name with a slash is a path, else the first of PATH that can be
 * executed; EACCES if some could not and none could, else ENOENT. */
static int resolve(const char *name, char *path)
{
	char standard[256];
	const char *dirs = getenv("PATH");
	int err = ENOENT;

	if (strchr(name, '/')) {
		err = join(path, "", 0, name);
		return err ? err : executable(path);
	}
	if (!*name)
		return ENOENT;
	if (!dirs) {
		confstr(_CS_PATH, standard, sizeof(standard));
		dirs = standard;
	}
	for (;;) {
		size_t len = strcspn(dirs, ":");
		int tried = join(path, dirs, len, name);

		if (!tried)
			tried = executable(path);
		if (!tried)
			return 0;
		if (tried == EACCES)
			err = EACCES;
		if (!dirs[len])
			return err;
		dirs += len + 1;
	}
}

/* More rights than its caller: ld.so then ignores LD_PRELOAD. */
static const char *privileged(const char *path)
{
	struct stat st;
	struct statvfs fs;

	if (stat(path, &st) < 0 || statvfs(path, &fs) < 0)
		return NULL;
	/* Both make the kernel ignore the bits and capabilities. */
	if ((fs.f_flag & ST_NOSUID) || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))
		return NULL;
	if ((st.st_mode & S_ISUID) && st.st_uid != getuid())
		return "it is setuid";
	if ((st.st_mode & S_ISGID) && (st.st_mode & S_IXGRP) &&
	    st.st_gid != getgid())
		return "it is setgid";
	if (getuid() != 0 && getxattr(path, "security.capability", NULL, 0) > 0)
		return "it has file capabilities";
	return NULL;
}

enum libc {
	LIBC_NONE,
	LIBC_GLIBC,
	LIBC_MUSL,
	LIBC_OTHER
};

static enum libc libc_of(const char *interpreter)
{
	const char *slash = strrchr(interpreter, '/');
	const char *name = slash ? slash + 1 : interpreter;

	if (strncmp(name, "ld-musl", 7) == 0)
		return LIBC_MUSL;
	if (strncmp(name, "ld-linux", 8) == 0 || strncmp(name, "ld-2", 4) == 0)
		return LIBC_GLIBC;
	return LIBC_OTHER;
}

/* The path of an executable's interpreter (ld.so) into to; "" if it has none.
 * 0 or -errno. */
static int interpreter(const struct pyro_elf *elf, char to[PATH_MAX])
{
	to[0] = '\0';
	for (size_t i = 0; i < elf->ehdr.e_phnum; i++) {
		const Elf64_Phdr *ph = &elf->phdr[i];

		if (ph->p_type != PT_INTERP)
			continue;
		if (ph->p_filesz == 0 || ph->p_filesz >= PATH_MAX)
			return -EBADMSG;
		to[ph->p_filesz] = '\0';
		return pyro_pread_all(elf->fd, to, ph->p_filesz, ph->p_offset);
	}
	return 0;
}

/* ld.so called as a program honours LD_PRELOAD although it has no ld.so. */
static bool is_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static const char *check_dynamic(int fd, const char *own)
{
	struct pyro_elf elf;
	char theirs[PATH_MAX];

	if (pyro_elf_open_file(&elf, fd) < 0)
		return "it is no ELF file that pyro understands";

	int err = interpreter(&elf, theirs);

	pyro_elf_close(&elf);
	if (err)
		return "it is no ELF file that pyro understands";
	if (!*theirs)
		return is_file(fd, own) ? NULL : "it is statically linked";
	if (libc_of(theirs) == libc_of(own))
		return NULL;
	return libc_of(theirs) == LIBC_MUSL
		       ? "it uses musl, libpyroscope.so another libc"
		       : "it uses another libc than libpyroscope.so";
}

static const char *check_elf(int fd, const unsigned char *ident)
{
	static const char unknown[] = "pyro cannot read its own executable";
	uint16_t machine, own_machine;
	unsigned char own_ident[EI_NIDENT];
	char own[PATH_MAX];
	struct pyro_elf elf;
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	if (self < 0 || pyro_elf_open_file(&elf, self) < 0) {
		if (self >= 0)
			close(self);
		return unknown;
	}

	int err = interpreter(&elf, own);

	own_machine = elf.ehdr.e_machine;
	memcpy(own_ident, elf.ehdr.e_ident, EI_NIDENT);
	pyro_elf_close(&elf);
	close(self);
	if (err)
		return unknown;
	if (ident[EI_CLASS] != own_ident[EI_CLASS])
		return "it is a 32-bit program";
	if (ident[EI_DATA] != own_ident[EI_DATA] ||
	    pyro_pread_all(fd, &machine, sizeof(machine),
			   offsetof(Elf64_Ehdr, e_machine)) < 0 ||
	    machine != own_machine)
		return "it is for another kind of machine";
	return check_dynamic(fd, own);
}

/* The interpreter of a script's first line into path. False if there is none. */
static bool script_interpreter(const char *line, char *path)
{
	line += 2; /* "#!" */
	line += strspn(line, " \t");

	size_t len = strcspn(line, " \t\n");

	if (len == 0 || len >= PATH_MAX)
		return false;
	memcpy(path, line, len);
	path[len] = '\0';
	return true;
}

/* One step: *why is set when path is no script; else path becomes its
 * interpreter and the result is true. */
static bool step(char *path, const char **why)
{
	char line[SCRIPT_LINE_MAX + 1] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		/* A missing interpreter is for the kernel to tell. */
		*why = errno == ENOENT ? NULL : "its file cannot be read";
		return false;
	}

	ssize_t n = pread(fd, line, sizeof(line) - 1, 0);
	bool again = false;

	if (n >= EI_NIDENT && memcmp(line, ELFMAG, SELFMAG) == 0) {
		*why = check_elf(fd, (const unsigned char *)line);
	} else if (n > 2 && memcmp(line, "#!", 2) == 0) {
		again = script_interpreter(line, path);
	} else {
		/* Neither: the kernel refuses, and execvp asks the shell. */
		memcpy(path, "/bin/sh", sizeof("/bin/sh"));
		again = true;
	}
	close(fd);
	return again;
}

void pyro_target_check(const char *name, struct pyro_target *target)
{
	char path[PATH_MAX];

	target->path[0] = '\0';
	target->why_not = NULL;
	target->exec_errno = resolve(name, target->path);
	if (target->exec_errno)
		return;
	memcpy(path, target->path, sizeof(path));
	for (int depth = 0; depth <= SCRIPT_DEPTH_MAX; depth++) {
		/* Scripts have no privileges of their own, ELF files do. */
		if (!step(path, &target->why_not)) {
			if (!target->why_not)
				target->why_not = privileged(path);
			return;
		}
	}
}
