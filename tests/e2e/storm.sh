#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# storm.sh - dlopen and dlclose, exceptions, longjmp, fork and exec, small
# alternate stacks, coroutines with a broken frame pointer and code made at run
# time, locks, waits, cancellation and the heap, all at once in 64 threads, with all
# profiles, sampled 1000 times a second: the program notices nothing, nothing grows,
# and the profile holds all of its CPU time.
# SEED and STORM_SECONDS are taken from the environment.
. "$(dirname "$0")/_life.sh"

seed=${SEED:-$RANDOM}
seconds=${STORM_SECONDS:-30}
echo "SEED=$seed"

cat >plugin.c <<'EOF2'
int turn(int n)
{
	for (int i = 0; i < 50000; i++)
		__asm__ volatile("" : "+r"(n));
	return n + 1;
}
EOF2
cat >throws.cpp <<'EOF2'
#include <string>

extern "C" int turn(int n)
{
	return n + 1;
}

static int deeper(int depth, const std::string &what)
{
	std::string local = what + "x";

	if (depth == 0)
		throw local;
	return deeper(depth - 1, local) + (int)local.size();
}

extern "C" int throw_and_catch(int n)
{
	try {
		return -deeper(n, "");
	} catch (const std::string &s) {
		return (int)s.size();
	}
}
EOF2
${CC:-cc} -O2 -fomit-frame-pointer -shared -fPIC plugin.c -o plugin.so || exit 1
${CXX:-c++} -O2 -fomit-frame-pointer -shared -fPIC throws.cpp -o throws.so ||
	exit 1

run_seconds=$((seconds + 120))
export PYROSCOPE_PROFILE_TYPES=cpu,heap,mutex,block,threads,thread_creation
# Often, as threads are looked at then.
export PYROSCOPE_UPLOAD_INTERVAL=1s
run linked "$programs/storm" "$seed" "$seconds" "$work"
sed 's/^/   /' out
succeeded "a storm of $seconds s" -
profile "'%d ticks, %d cut short' % (ticks(), incomplete())" drop/*[0-9].pb.gz

# What comes after its own look, and what rounding leaves, is far below 2 %.
cpu_ms=$(sed -n 's/^cpu_ms=\([0-9]*\) .*/\1/p' out)
pid=$(sed -n 's/^cpu_ms=.* pid=//p' out)
total=$(profile "round(seconds() * 1000)" drop/"$pid"-*[0-9].pb.gz 2>&1)
if [ "$total" -ge $((cpu_ms * 98 / 100)) ] &&
	[ "$total" -le $((cpu_ms * 102 / 100)) ]; then
	ok "$total ms of $cpu_ms ms of CPU time"
else
	fail "$total ms of $cpu_ms ms of CPU time"
fi
finish
