#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# heap_storm.sh - 64 threads allocate, reallocate and free each other's blocks, die
# in any way and fork, and ten million objects live at once, sampled each 4 KiB and
# with the CPU profiled 1000 times a second: no block is lost or changed, and in
# the end nothing is in use. With glibc, Debian's jemalloc, tcmalloc and mimalloc,
# and in static programs of glibc and musl. HEAP_STORM_SECONDS is taken from the
# environment.
. "$(dirname "$0")/_life.sh"
seconds=${HEAP_STORM_SECONDS:-30}
source=${SOURCE_DIR:?}/tests/programs/heap_storm.c
export PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES=4k PYROSCOPE_PROFILE_TYPES=cpu,heap
run_seconds=$((seconds + 120))
ours=$library

# in_use WHAT FILE: of its blocks, nothing is in use; what a thread's end allocates
# may be, in a static program libgcc's table
in_use()
{
	is "$1: in use at the end" 0 "$(profile "sum(s.values[2] for s in samples()
		if is_of(s.frames[0].name, 'storm_'))" "$2" 2>&1)"
}

# storms WHAT HOW PROGRAM ARG...: with all that is asked for
storms()
{
	local what=$1 how=$2 pid last got
	shift 2
	run "$how" "$@"
	succeeded "$what: $(head -n 1 out)"
	is "$what" ok "$(tail -n 2 out | head -n 1)"
	pid=$(sed -n 's/^pid=//p' out)
	last=$(find drop -name "$pid-*.heap.pb.gz" | sort -V | tail -n 1)
	if [ -z "$last" ]; then
		fail "$what: no heap profile"
		return
	fi
	in_use "$what" "$last"
	got=$(profile "sum(p.counter('samples') for p in profiles)" \
		drop/"$pid"-*.heap.pb.gz 2>&1)
	[ "$got" -ge 100 ] && ok "$what: $got samples" ||
		fail "$what: $got samples"
}

storms glibc preloaded "$programs/heap_storm" storm "$seconds"
for other in jemalloc.so.2 tcmalloc_minimal.so.4 mimalloc.so.2; do
	library=$ours:lib$other
	storms "$other" preloaded "$programs/heap_storm" storm \
		$((seconds / 5))
done
library=$ours

# many WHAT HOW PROGRAM MILLIONS: what is in use is right while it is, within four
# standard deviations of what was said
many()
{
	local what=$1 how=$2 told found
	shift 2
	PYROSCOPE_UPLOAD_INTERVAL=1s storms "$what" "$how" "$@"
	told=$(sed -n 's/^live [0-9]* //p' out)
	found=$(profile "max((sum(s.values[3] for s in p.samples if
		s.frames[0].name == 'storm_object'), p.period)
		for p in profiles)" \
		drop/"$(sed -n 's/^pid=//p' out)"-*.heap.pb.gz 2>&1)
	if [ "$(python3 -c "got, period = $found
print(abs(got - $told) < 4 * (period * $told) ** .5)" 2>&1)" = True ]; then
		ok "$what: $told bytes in use, bytes and period: $found"
	else
		fail "$what: $told bytes in use, bytes and period: $found"
	fi
}
many "ten million objects" preloaded "$programs/heap_storm" live 10

## Static
cat >begin.c <<'EOF2'
#include <pyroscope/pyroscope.h>
__attribute__((constructor)) static void begin(void)
{
	pyroscope_load("");
}
EOF2
# static CC BUILD: heap_storm of this libc
static()
{
	"$1" -static -O2 -g -D_GNU_SOURCE -I"$SOURCE_DIR/include" \
		-I"$SOURCE_DIR/tests/programs" "$source" begin.c \
		@"$2/pyroscope.wrap" "$2/libpyroscope.a" -o "static-$1" \
		>messages 2>&1 || fail "static, $1: $(head -c 600 messages)"
	[ ! -x "static-$1" ] || storms "static, $1" linked "./static-$1" \
		storm $((seconds / 5))
}
static gcc "$BUILD_DIR"
cmake -S "$SOURCE_DIR" -B "$BUILD_DIR/musl" -G Ninja -DPYROSCOPE_TESTS=OFF \
	--toolchain "$SOURCE_DIR/tools/musl.cmake" >cmake.log 2>&1 &&
	ninja -C "$BUILD_DIR/musl" >ninja.log 2>&1 ||
	fail "building for musl: $(tail -n 5 cmake.log ninja.log)"
static musl-gcc "$BUILD_DIR/musl"
finish
