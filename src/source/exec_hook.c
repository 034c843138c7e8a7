// SPDX-License-Identifier: Apache-2.0
/* exec_hook.c - exec and spawn calls
 *
 * A profiled program's children inherit LD_PRELOAD. Those that run with another
 * libc or word size must not: the calls that start programs look at the file
 * first and pass an environment without our entry. The callers may be vfork
 * children, which share their parent's memory: everything new is on the stack,
 * and there are system calls only. */
#include "source/exec_hook.h"

#include <alloca.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/syscall.h"
#include "base/loadable.h"
#include "source/next.h"

#define PRELOAD "LD_PRELOAD="
#define PRELOAD_LEN (sizeof(PRELOAD) - 1)

const char *pyro_preload_entry(const char *list, size_t *len)
{
	static const char name[] = "libpyroscope.so";

	for (const char *at = list; *at; at += strspn(at, ": ")) {
		*len = strcspn(at, ": ");

		const char *base = at + *len;

		while (base > at && base[-1] != '/')
			base--;
		if (strncmp(base, name, sizeof(name) - 1) == 0)
			return at;
		at += *len;
	}
	return NULL;
}

/* As execvp looks: the first file of PATH that may be executed. */
static const char *find_in_path(const char *file, char room[PATH_MAX])
{
	const char *dirs = getenv("PATH");
	size_t name_len = strlen(file);

	if (strchr(file, '/'))
		return file;
	if (!dirs)
		dirs = "/bin:/usr/bin";
	for (;;) {
		size_t len = strcspn(dirs, ":");

		if (len + name_len + 2 <= PATH_MAX) {
			memcpy(room, dirs, len);
			room[len] = '/';
			memcpy(room + (len ? len + 1 : 0), file, name_len + 1);
			if (pyro_syscall4(SYS_faccessat, AT_FDCWD, (long)room,
					  X_OK, 0) == 0)
				return room;
		}
		if (!dirs[len])
			return file;
		dirs += len + 1;
	}
}

/* The variable of env that names us, if file cannot load us; else NULL. Only those
 * that end in p search for a file without a slash: to others it may be NULL. */
static char *const *unwanted(const char *file, bool search, char *const env[])
{
	char room[PATH_MAX];
	size_t len;

	if (!env)
		return NULL;
	for (; *env; env++) {
		if (strncmp(*env, PRELOAD, PRELOAD_LEN) != 0 ||
		    !pyro_preload_entry(*env + PRELOAD_LEN, &len))
			continue;

		enum pyro_loadable can =
			pyro_loadable(search ? find_in_path(file, room) : file);

		return can == PYRO_LOADABLE_MACHINE ||
				       can == PYRO_LOADABLE_OTHER_LIBC
			       ? env
			       : NULL;
	}
	return NULL;
}

static size_t room_for(char *const env[], char *const *variable)
{
	size_t count = 1;

	while (env[count - 1])
		count++;
	return count * sizeof(char *) + strlen(*variable) + 1;
}

/* A copy of env in room, in which variable lacks our entry. */
static char *const *without_us(char *const env[], char *const *variable,
			       void *room)
{
	const char *value = *variable;
	char **copy = room;
	size_t count = 0, len = 0;

	if (!value)
		return env;

	for (; env[count]; count++)
		copy[count] = env[count];
	copy[count] = NULL;

	char *text = (char *)(copy + count + 1);

	memcpy(text, value, strlen(value) + 1);

	char *entry =
		(char *)(uintptr_t)pyro_preload_entry(text + PRELOAD_LEN, &len);
	if (!entry)
		return env;

	char *rest = entry + len + strspn(entry + len, ": ");

	memmove(entry, rest, strlen(rest) + 1);
	copy[variable - env] = text;
	return copy;
}

/* alloca belongs to the caller's frame: hence a macro. */
#define CLEAN(file, search, env)                                            \
	do {                                                                \
		char *const *variable_ = unwanted(file, search, env);       \
		if (variable_)                                              \
			env = without_us(env, variable_,                    \
					 alloca(room_for(env, variable_))); \
	} while (0)

PYRO_NEXT_SLOT(execve);
PYRO_NEXT_SLOT(execvpe);
PYRO_NEXT_SLOT(posix_spawn);
PYRO_NEXT_SLOT(posix_spawnp);

PYRO_HOOK int execve(const char *path, char *const argv[], char *const envp[])
{
	char *const *env = envp;

	CLEAN(path, false, env);
	return PYRO_NEXT(execve)(path, argv, env);
}

PYRO_HOOK int execv(const char *path, char *const argv[])
{
	char *const *env = environ;

	CLEAN(path, false, env);
	return PYRO_NEXT(execve)(path, argv, env);
}

PYRO_HOOK int execvpe(const char *file, char *const argv[], char *const envp[])
{
	char *const *env = envp;

	CLEAN(file, true, env);
	return PYRO_NEXT(execvpe)(file, argv, env);
}

PYRO_HOOK int execvp(const char *file, char *const argv[])
{
	char *const *env = environ;

	CLEAN(file, true, env);
	return PYRO_NEXT(execvpe)(file, argv, env);
}

/* The variadic calls: their arguments as an array, on the stack. */
static size_t count_args(va_list args)
{
	size_t count = 2; /* the first, and the NULL */

	while (va_arg(args, char *))
		count++;
	return count;
}

static void collect_args(char **argv, const char *first, va_list args)
{
	*argv++ = (char *)(uintptr_t)first;
	while ((*argv++ = va_arg(args, char *)))
		;
}

#define COLLECT(argv, first)                                         \
	do {                                                         \
		va_list args_;                                       \
		va_start(args_, first);                              \
		(argv) = alloca(count_args(args_) * sizeof(char *)); \
		va_end(args_);                                       \
		va_start(args_, first);                              \
		collect_args(argv, first, args_);                    \
		va_end(args_);                                       \
	} while (0)

PYRO_HOOK int execl(const char *path, const char *arg, ...)
{
	char **argv;

	COLLECT(argv, arg);
	return execv(path, argv);
}

PYRO_HOOK int execlp(const char *file, const char *arg, ...)
{
	char **argv;

	COLLECT(argv, arg);
	return execvp(file, argv);
}

PYRO_HOOK int execle(const char *path, const char *arg, ...)
{
	char **argv;
	char *const *env;
	va_list args;

	COLLECT(argv, arg);
	va_start(args, arg);
	while (va_arg(args, char *))
		;
	env = va_arg(args, char *const *);
	va_end(args);
	return execve(path, argv, env);
}

PYRO_HOOK int posix_spawn(pid_t *restrict pid, const char *restrict path,
			  const posix_spawn_file_actions_t *restrict actions,
			  const posix_spawnattr_t *restrict attr,
			  char *const argv[restrict],
			  char *const envp[restrict])
{
	char *const *env = envp;

	CLEAN(path, false, env);
	return PYRO_NEXT(posix_spawn)(pid, path, actions, attr, argv, env);
}

PYRO_HOOK int posix_spawnp(pid_t *restrict pid, const char *restrict file,
			   const posix_spawn_file_actions_t *restrict actions,
			   const posix_spawnattr_t *restrict attr,
			   char *const argv[restrict],
			   char *const envp[restrict])
{
	char *const *env = envp;

	CLEAN(file, true, env);
	return PYRO_NEXT(posix_spawnp)(pid, file, actions, attr, argv, env);
}

#define ALL(XX)    \
	XX(execl)  \
	XX(execle) \
	XX(execlp) \
	XX(execv)  \
	XX(execve) XX(execvp) XX(execvpe) XX(posix_spawn) XX(posix_spawnp)
/* Those that forward to another name's next. */
PYRO_NEXT_SLOT(execl);
PYRO_NEXT_SLOT(execle);
PYRO_NEXT_SLOT(execlp);
PYRO_NEXT_SLOT(execv);
PYRO_NEXT_SLOT(execvp);
#define OWN(name) PYRO_OWN(name);
ALL(OWN)

void pyro_exec_hook_resolve(void)
{
#define HOOKED(name) PYRO_HOOKED(name),
	static const struct pyro_hooked hooked[] = {ALL(HOOKED)};

	pyro_next_resolve(hooked, PYRO_COUNT_OF(hooked));
}
