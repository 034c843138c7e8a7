// SPDX-License-Identifier: Apache-2.0
/* target.c - can this program be profiled by preloading a library?
 *
 * Only ld.so of the same libc and machine loads our library, and not into a
 * program that runs with more rights than its caller. ld.so would complain on
 * the program's own stderr, or ignore us without a word; so we look first. */
#include "cli/target.h"

#include <elf.h>
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
#include "base/loadable.h"

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

/* 1 for an ELF file, 0 for another, -1 when it cannot be read. */
static int is_elf(const char *path)
{
	char magic[SELFMAG];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -1;

	int err = pyro_pread_all(fd, magic, sizeof(magic), 0);

	close(fd);
	return !err && memcmp(magic, ELFMAG, SELFMAG) == 0;
}

static const char *explain(enum pyro_loadable loadable)
{
	switch (loadable) {
	case PYRO_LOADABLE_YES:
		return NULL;
	case PYRO_LOADABLE_STATIC:
		return "it is statically linked, which takes libpyroscope.a";
	case PYRO_LOADABLE_MACHINE:
		return "it is a 32-bit program, or for another machine";
	case PYRO_LOADABLE_OTHER_LIBC:
		return "it uses another libc than libpyroscope.so";
	case PYRO_LOADABLE_UNKNOWN:
		break;
	}
	return "it is no ELF file that pyro understands";
}

static const char *check_file(const char *path)
{
	enum pyro_loadable loadable = pyro_loadable(path);
	int elf = is_elf(path);

	if (elf < 0)
		return "its file cannot be read";
	/* What the kernel refuses without being an ELF file, execvp gives to
	 * the shell. */
	if (loadable == PYRO_LOADABLE_UNKNOWN && !elf)
		loadable = pyro_loadable("/bin/sh");
	if (loadable != PYRO_LOADABLE_YES)
		return explain(loadable);
	/* A script gives no rights. */
	return elf ? privileged(path) : NULL;
}

void pyro_target_check(const char *name, struct pyro_target *target)
{
	target->path[0] = '\0';
	target->why_not = NULL;
	target->exec_errno = resolve(name, target->path);
	if (!target->exec_errno)
		target->why_not = check_file(target->path);
}
