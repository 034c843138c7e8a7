#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# binding.sh - calls reach the library's functions however it gets into the process
# and however the callers were linked. A thread whose pthread_create was seen has a
# function of the library below its own
. "$(dirname "$0")/_life.sh"

source=${SOURCE_DIR:-$here/../..}
build=$(cd "$(dirname "$library")" && pwd)
cc=(${CC:-cc} -O2 -g -D_GNU_SOURCE -Wall -Wextra -Werror -I"$source/include")

# How the library starts.
cat >begin.c <<'EOF2'
#include <pyroscope/pyroscope.h>

void begin(void);
void begin(void)
{
	pyroscope_load("");
}
EOF2
cat >begin_dlopen.c <<'EOF2'
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

void begin(void);
void begin(void)
{
	void *lib = dlopen("libpyroscope.so.0", RTLD_NOW);
	void (*load)(const char *) = NULL;

	if (!lib) {
		puts(dlerror());
		exit(1);
	}
	*(void **)&load = dlsym(lib, "pyroscope_load");
	load("");
}
EOF2
cat >begin_not.c <<'EOF2'
void begin(void);
void begin(void)
{
}
EOF2

# What starts threads: linked with a caller, a different one in each object.
cat >spawn.h <<'EOF2'
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static void *worker(void *arg)
{
	void *caller = __builtin_return_address(0);
	Dl_info info;

	(void)arg;
	return dladdr(caller, &info) && strstr(info.dli_fname, "libpyroscope")
		       ? caller
		       : NULL;
}

static int is_seen(int (*create)(pthread_t *, const pthread_attr_t *,
				 void *(*)(void *), void *))
{
	void *seen = NULL;
	pthread_t thread;

	if (create(&thread, NULL, worker, NULL) != 0)
		return 0;
	pthread_join(thread, &seen);
	return seen != NULL;
}
EOF2
cat >spawn.c <<'EOF2'
#include "spawn.h"

static int (*variable)(pthread_t *, const pthread_attr_t *, void *(*)(void *),
		       void *) = pthread_create;

/* Called, through a variable, through an address known at run time: how many
 * of the three are seen. */
int spawn(void);
int spawn(void)
{
	int (*volatile address)(pthread_t *, const pthread_attr_t *,
				void *(*)(void *), void *) = pthread_create;
	void *seen = NULL;
	pthread_t thread;

	if (pthread_create(&thread, NULL, worker, NULL) != 0)
		return 0;
	pthread_join(thread, &seen);
	return (seen != NULL) + is_seen(variable) + is_seen(address);
}
EOF2

cat >program.c <<'EOF2'
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void begin(void);
int spawn(void);

/* The most that is seen within ten seconds. */
static int most(int (*fn)(void))
{
	time_t end = time(NULL) + 10;
	int seen = fn();

	while (seen < 3 && time(NULL) < end) {
		usleep(10000);
		seen = fn();
	}
	return seen;
}

static int opened(const char *name, int flags)
{
	void *lib = dlopen(name, flags);
	int (*fn)(void) = NULL;

	if (!lib) {
		puts(dlerror());
		exit(1);
	}
	*(void **)&fn = dlsym(lib, "spawn");
	return most(fn);
}

int main(void)
{
	void *early = dlopen("./early.so", RTLD_LAZY | RTLD_DEEPBIND);

	if (!early)
		return 1;
	begin();
	printf("%d %d %d %d %d\n", most(spawn),
	       opened("./early.so", RTLD_LAZY), opened("./lazy.so", RTLD_LAZY),
	       opened("./now.so", RTLD_NOW),
	       opened("./deep.so", RTLD_LAZY | RTLD_DEEPBIND));
	return 0;
}
EOF2
for name in early lazy now deep; do
	how=-Wl,-z,lazy
	[ $name != now ] || how=-Wl,-z,now
	"${cc[@]}" -shared -fPIC spawn.c -o $name.so $how -lpthread
done
flags=(-L"$build" -Wl,-rpath,"$build")
"${cc[@]}" -shared -fPIC begin.c -o libbegin.so "${flags[@]}" -lpyroscope

# link WAY OUT OPTION...: a program into which the library gets that way
link()
{
	local way=$1 out=$2
	shift 2
	case $way in
	linked) set -- "$@" begin.c "${flags[@]}" -lpyroscope ;;
	libc_first) set -- "$@" begin.c "${flags[@]}" -Wl,--no-as-needed -lc \
		-lpyroscope ;;
	indirect) set -- "$@" -L. -Wl,-rpath,"$work:$build" \
		-Wl,-rpath-link,"$build" -lbegin ;;
	opened) set -- "$@" begin_dlopen.c -Wl,-rpath,"$build" ;;
	preloaded) set -- "$@" begin_not.c ;;
	esac
	"${cc[@]}" program.c spawn.c -o "$out" "$@" -lpthread -ldl
}

# The library by each way, the program linked by each kind.
declare -A kind=(
	[plain]=
	[lazy]="-Wl,-z,lazy -Wl,-z,norelro"
	[relro]="-Wl,-z,now -Wl,-z,relro"
	[noplt]=-fno-plt
	[nopie]="-no-pie -fno-pie -Wl,-z,lazy"
	[nopie_now]="-no-pie -fno-pie -Wl,-z,now"
)
for way in linked libc_first indirect opened preloaded; do
	for name in "${!kind[@]}"; do
		how=linked
		[ $way != preloaded ] || how=preloaded
		link $way program ${kind[$name]}
		run $how ./program
		succeeded "$way, $name"
		is "$way, $name: calls seen" "3 3 3 3 3" "$(cat out)"
	done
done

## A program that interposes a function itself, and forwards to the next: to us.
cat >interposer.c <<'EOF2'
#include <dlfcn.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <pyroscope/pyroscope.h>

ssize_t read(int fd, void *to, size_t n)
{
	ssize_t (*next)(int, void *, size_t) = NULL;

	*(void **)&next = dlsym(RTLD_NEXT, "read");
	return next(fd, to, n);
}

int main(void)
{
	const char *error = dlerror();
	char byte;
	int fd[2];

	pyroscope_load("");
	while (pyroscope_flush(0) != 0)
		;
	if (pipe(fd) != 0 || write(fd[1], "x", 1) != 1)
		return 1;

	ssize_t got = read(fd[0], &byte, 1);

	printf("%s %d\n", error ? error : "no error", (int)got);
	return 0;
}
EOF2
"${cc[@]}" interposer.c -o interposer "${flags[@]}" -lpyroscope
run linked ./interposer
succeeded "a program that interposes read()"
is "a program that interposes read(): reads" "no error 1" "$(cat out)"

## Objects come and go while calls are redirected. Children are forked meanwhile,
## which find the loader's locks free: not while another of the program's threads
## is in dlopen, which glibc does not allow.
cat >churn.c <<'EOF2'
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void begin(void);
int spawn(void);

static time_t end;

static void use(const char *name)
{
	void *lib = dlopen(name, RTLD_LAZY);
	int (*fn)(void) = NULL;

	if (!lib)
		abort();
	*(void **)&fn = dlsym(lib, "spawn");
	fn();
	dlclose(lib);
}

static void *load(void *name)
{
	while (time(NULL) < end)
		use(name);
	return NULL;
}

static int look(struct dl_phdr_info *info, size_t size, void *arg)
{
	(void)info;
	(void)size;
	(void)arg;
	return 0;
}

static int fork_children(void)
{
	int status = 0;

	while (time(NULL) < end && status == 0) {
		use("./now.so");

		pid_t pid = fork();

		if (pid == 0) {
			alarm(20);
			_exit(dl_iterate_phdr(look, NULL));
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 1;
	}
	return status;
}

int main(int argc, char **argv)
{
	static char *const name[] = {"./lazy.so", "./now.so", "./deep.so"};
	pthread_t thread[3];

	(void)argv;
	begin();
	end = time(NULL) + 3;
	if (argc > 1)
		return fork_children();
	for (int i = 0; i < 3; i++)
		pthread_create(&thread[i], NULL, load, name[i]);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	return spawn() == 0;
}
EOF2
for how in linked opened; do
	begin=begin.c
	[ $how = linked ] || begin=begin_dlopen.c
	"${cc[@]}" churn.c spawn.c $begin -o churn "${flags[@]}" \
		-Wl,--as-needed -lpyroscope -lpthread -ldl
	run linked ./churn
	succeeded "objects come and go, $how" -
	run linked ./churn fork
	succeeded "children are forked, $how" -
done
finish
