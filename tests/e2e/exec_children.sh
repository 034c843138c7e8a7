#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# exec_children.sh - what a profiled program executes is followed into the merged
# profile, by whatever way it is started; what is short costs little
. "$(dirname "$0")/_cli.sh"
tests=${SOURCE_DIR:?}/tests
programs=${PROGRAMS_DIR:?}

# ms_in FILE FUNCTION...: CPU milliseconds of stacks that have all of them
ms_in()
{
	/usr/bin/python3 -B -c '
import sys
sys.path.insert(0, sys.argv[1])
import pprof
print(sum(s.values[1] for s in pprof.load(sys.argv[2]).samples
          if set(sys.argv[3:]) <= {f.name for f in s.frames}) // 1000000)
' "$tests" "$@"
}

# between WHAT FROM TO VALUE
between()
{
	if [ "$4" -ge "$2" ] && [ "$4" -le "$3" ]; then
		ok "$1: $4"
	else
		fail "$1: $4, wanted $2 to $3"
	fi
}

# A program that starts another: the time of it is in the profile, whole stacks
# of it, and the exit code is the script's.
followed()
{
	local what=$1 from=$2 to=$3
	shift 3
	run "$pyro" record -o children.pb.gz -- "$@"
	is "$what: exit code" 7 $rc
	between "$what: milliseconds in it" $from $to \
		"$(ms_in children.pb.gz run spin)"
}

shares=$programs/shares
followed "a pipeline" 2400 3600 sh -c "'$shares' 1 1 | cat; '$shares' 1 2 |
	sed s/^/x/ | cat; exit 7"
between "a pipeline: of these in f50" 1150 1850 \
	"$(ms_in children.pb.gz f50)"
printf '#!/bin/sh\n%s 0.5 1\n(exec %s 0.5 1)\nexit 7\n' "$shares" "$shares" \
	>script
chmod +x script
followed "a script" 750 1350 ./script
followed "env and nice" 750 1350 \
	env X=1 nice -n 1 sh -c "nice '$shares' 1 1; exit 7"
followed "xargs" 750 1350 sh -c "echo 0.5 0.5 |
	xargs -n 1 -P 2 -I@ '$shares' 0.5 1; '$shares' 0.5 1; exit 7"
cat >start.py <<'EOF2'
import os, subprocess, sys
shares = [sys.argv[1], "0.5", "1"]
subprocess.run(shares, check=True)
os.waitpid(os.posix_spawn(shares[0], shares, os.environ), 0)
if os.fork() == 0:
    os.execv(shares[0], shares)
os.wait()
os.system(" ".join(shares))
sys.exit(7)
EOF2
followed "python's four ways" 1500 2650 /usr/bin/python3 start.py "$shares"

# What was sampled before exec is lost at most; the new image is not.
run "$pyro" record -o execs.pb.gz -- sh -c "exec '$shares' 0.5 1"
between "exec in place" 350 700 "$(ms_in execs.pb.gz run spin)"

run "$pyro" record --no-children -o alone.pb.gz -- \
	sh -c "'$shares' 0.5 1; exit 7"
is "not followed if not wanted" 0 "$(ms_in alone.pb.gz spin)"
run "$pyro" record -o bare.pb.gz -- \
	sh -c "env -i '$shares' 0.5 1; exit 7"
is "an empty environment: exit code" 7 $rc
is "an empty environment: stderr is pyro's" "" "$(grep -v '^pyro: ' err)"

# A name without a slash is a file here, but for the calls that look for it in PATH.
# Here is one of another libc, which must not have us; there one that must.
cat >told.c <<'EOF2'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(void)
{
	const char *list = getenv("LD_PRELOAD");

	puts(list && strstr(list, "libpyroscope") ? "with" : "without");
}
EOF2
cat >start.c <<'EOF2'
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static char *argv[] = {"told", NULL};

static void start(int how)
{
	pid_t pid;

	switch (how) {
	case 0:
		execve("told", argv, environ);
		break;
	case 1:
		execv("told", argv);
		break;
	case 2:
		execl("told", "told", (char *)NULL);
		break;
	case 3:
		execle("told", "told", (char *)NULL, environ);
		break;
	case 4:
		posix_spawn(&pid, "told", NULL, NULL, argv, environ);
		waitpid(pid, NULL, 0);
		break;
	case 5:
		execvp("told", argv);
		break;
	case 6:
		execlp("told", "told", (char *)NULL);
		break;
	case 7:
		execvpe("told", argv, environ);
		break;
	case 8:
		posix_spawnp(&pid, "told", NULL, NULL, argv, environ);
		waitpid(pid, NULL, 0);
	}
}

int main(void)
{
	char *volatile none = NULL;

	printf("%d ", execve(none, argv, environ) < 0 && errno == EFAULT);
	printf("%d\n", posix_spawn(NULL, none, NULL, NULL, argv, environ) ==
				  EFAULT);
	fflush(stdout);
	for (int how = 0; how <= 8; how++) {
		if (fork() == 0) {
			start(how);
			_exit(0);
		}
		wait(NULL);
	}
	return 7;
}
EOF2
mkdir there
cc -D_GNU_SOURCE -Wno-nonnull -o start start.c && cc -o there/told told.c &&
	musl-gcc -o told told.c || fail "compiling"
PATH=$work/there:$PATH run "$pyro" record -q -o starts.pb.gz -- ./start
is "calls that start programs: exit code" 7 $rc
is "calls that start programs: what they start" \
	"1 1 $(printf 'without %.0s' 1 2 3 4 5)with with with with" \
	"$(tr '\n' ' ' <out | sed 's/ $//')"
is "calls that start programs: nothing else" "" "$(cat err)"

# 200 short commands. The figure is for reading: nothing finer than seconds is
# asserted here.
cat >many <<'EOF2'
i=0
while [ $i -lt 200 ]; do
	/bin/true
	i=$((i + 1))
done
EOF2
now_ms()
{
	echo $(($(date +%s%N) / 1000000))
}
begin=$(now_ms)
sh many
plain=$(($(now_ms) - begin))
begin=$(now_ms)
run "$pyro" record -q -o many.pb.gz -- sh many
recorded=$(($(now_ms) - begin))
is "200 commands: exit code" 0 $rc
between "200 commands: milliseconds, $plain without" 0 $((plain + 10000)) \
	$recorded
echo "   200 times true: $plain ms, recorded $recorded ms: x" \
	"$(awk "BEGIN { printf \"%.2f\", $recorded / $plain }")," \
	"$(awk "BEGIN { printf \"%.1f\", ($recorded - $plain) / 200 }") ms each"
no_leftovers "children"
finish
