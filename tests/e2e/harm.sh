#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# harm.sh - a program sampled 1000 times a second notices nothing: errno, calls
# that wait, its own signal handlers, its threads' ends, its limits
. "$(dirname "$0")/_life.sh"

harm=$programs/harm

for how in linked preloaded; do
	run $how "$harm" errno 1
	succeeded "errno, $how"
	sampled "errno, $how" 50 keep_errno

	run $how "$harm" eintr 2
	succeeded "no EINTR, $how"
	sampled "no EINTR, $how" 35

	run $how "$harm" handlers-before 1
	# Preloaded, the library was there first: as if they were taken later.
	if [ $how = linked ]; then
		succeeded "handlers of the program's own, $how"
		sampled "handlers of the program's own, $how" 60
	fi

	run $how "$harm" handlers-after 1
	succeeded "handlers taken later, $how" 1
	sampled "handlers taken later, $how" 40

	run $how "$harm" signalfd 1
	succeeded "the signal is read from a descriptor, $how"
	sampled "the signal is read from a descriptor, $how" 70 burn_blocked

	run $how "$programs/sigwaits"
	succeeded "waits for signals, $how"

	run $how "$harm" reset-signals 1
	succeeded "all signals reset, $how" -
	sampled "all signals reset, $how" 40

	run $how "$harm" blocked-threads 1
	succeeded "threads with all signals blocked, $how"
	sampled "threads with all signals blocked, $how" 50 burn_blocked
done

## What cannot be profiled runs on, and one line says why
cat >sane.c <<'EOF'
#include <stdio.h>
#include <stdlib.h>
int main(void)
{
	char *volatile p = malloc(10);

	free(p);
	puts("done");
	return 0;
}
EOF
cc -o sane sane.c &&
	clang -o sane-asan -fsanitize=address sane.c || exit 1
for what in asan:./sane-asan "rr:env RUNNING_UNDER_RR=1 ./sane"; do
	# shellcheck disable=SC2086
	run preloaded ${what#*:}
	succeeded "${what%%:*}" 1
	is "${what%%:*}: is told" "done 1" "$(cat out) $(grep -c \
		'not started: the program runs under a' err)"
	is "${what%%:*}: no profile" 0 "$(find drop -type f | wc -l)"
done

## Limits, as a user of their own: queued signals count for the user
if [ "$(id -u)" = 0 ]; then
	as_user=(setpriv --reuid=61234 --regid=61234 --clear-groups)
	# The build may lie where only root can read.
	cp "$harm" "$library" .
	cp -P "$(dirname "$library")"/libpyroscope.so* .
	harm=$work/harm library=$work/libpyroscope.so
	export LD_LIBRARY_PATH=$work
fi
# run_limited HOW COUNT PROGRAM ARG...
run_limited()
{
	local how=$1 before=("${as_user[@]}")
	as_user+=(prlimit --sigpending="$2" --)
	shift 2
	run "$how" "$@"
	as_user=("${before[@]}")
}

for how in linked preloaded; do
	run $how "$harm" storm
	succeeded "10,000 short threads, $how"
	sed 's/^/   /' out

	run $how "$harm" exits
	succeeded "threads end in every way, $how"

	run_limited $how 8 "$harm" threads 2
	succeeded "8 queued signals, $how" 1
	has_samples "8 queued signals, $how" 10

	run_limited $how 0 "$harm" threads 1
	succeeded "no queued signals, $how" 1

	run $how "$harm" small-altstack 1
	succeeded "small alternate stacks, $how"
	sampled "small alternate stacks, $how" 30 on_small_stack
done
as_user=()
run linked "$harm" locked 1
succeeded "mlockall"
sampled "mlockall" 50
for left in 0 16 256 600 1000 1500 2000 3000 5000 9000 20000 50000; do
	run linked "$harm" address-space $left
	# Too little for the library is one line, at most; for a profile, too.
	succeeded "$left KiB of address space" -
	[ "$(wc -l <err)" -le 1 ] || fail "$left KiB: $(cat err)"
done
sampled "50000 KiB of address space" 35
finish
