# SPDX-License-Identifier: Apache-2.0
# _static.sh - what the tests of libpyroscope.a share, for any libc: who reads this
# has set $cc, the compiler, and $build, the folder of the library
. "$(dirname "$0")/_life.sh"
sources=${SOURCE_DIR:?}/tests/programs
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

# Starts profiling in a program that does not by itself.
cat >begin.c <<'EOF2'
#include <pyroscope/pyroscope.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void begin(void)
{
	if (getenv("FEATURES")) {
		printf("%u\n", (unsigned)pyroscope_features());
		exit(0);
	}
	pyroscope_load("");
	/* By the clock that ticks, what begins now has begun before that. */
	if (getenv("NAP"))
		usleep(50000);
}
EOF2

# compile OUT OPTION...: an optimized program; compiler and linker say nothing
compile()
{
	local out=$1
	shift
	"$cc" -o "$out" -O2 -g -fomit-frame-pointer -D_GNU_SOURCE \
		-I"$SOURCE_DIR/include" "$@" >messages 2>&1 || rm -f "$out"
	is "$out: compiled without a message" "" "$(head -c 600 messages)"
}

# build OUT SOURCE OPTION...: with the static library
build()
{
	compile "$@" @"$build/pyroscope.wrap" "$build/libpyroscope.a"
}

# truth WHAT ROOTS COMMAND...: shares, totals and stacks are as they should be
truth()
{
	local what=$1 roots=$2
	shift 2
	run linked "$@" 1.5 2
	succeeded "$what"
	PYTHONPATH=$here/.. python3 "$here/_static.py" "$what" "$roots" \
		drop/*[0-9].pb.gz <out || failed=1
}

# inside WHAT COMMAND...: stacks through the C library lead to main
inside()
{
	local what=$1
	shift
	run linked "$@" 2
	succeeded "$what"
	has_samples "$what" 500
	is "$what: per mille of incomplete stacks" 0 \
		"$(profile "round(incomplete() * 1000 / ticks())" drop/*[0-9].pb.gz)"
	is "$what: per mille that leads to main" 1000 \
		"$(profile "round(ticks('main') * 1000 / ticks())" \
			drop/*[0-9].pb.gz)"
}

# features WHAT WANTED COMMAND...: the sum of the bits
cpu=17 https=2 lines=4 resolver=8 # and the heap
features()
{
	is "$1: features" "$2" "$(FEATURES=1 "$3" 0 1 2>&1)"
}

# waits: each is told of once, also where libc's call makes another that is hooked
waits()
{
	local kind types
	build waits "$sources/waits.c" begin.c -static
	NAP=1 PYROSCOPE_PROFILE_TYPES=block PYROSCOPE_BLOCK_CLASSES=sync,io,sleep \
		PYROSCOPE_UPLOAD_INTERVAL=60s run linked ./waits
	succeeded "waits"
	PYTHONPATH=$here/.. python3 "$here/waits.py" sleep out \
		drop/*.block.pb.gz || failed=1
	build contend "$sources/contend.c" begin.c -static
	for kind in n c d; do
		for types in mutex block,mutex; do
			PYROSCOPE_PROFILE_TYPES=$types \
				PYROSCOPE_UPLOAD_INTERVAL=60s run linked \
				./contend $kind 4 50 10
			succeeded "locks, $kind, $types"
			PYTHONPATH=$here/.. python3 "$here/locks.py" out \
				drop/*.mutex.pb.gz || failed=1
		done
	done
}

# sends PROGRAM HOST: the profile reaches a server by this name
sends()
{
	if [ -z "$server" ]; then
		mkdir pushed
		python3 "$here/_server.py" ok port pushed 2>server.err &
		server=$!
		for _ in $(seq 200); do
			[ -s port ] && break
			sleep 0.05
		done
	fi
	rm -f pushed/*
	PYROSCOPE_PROFILE_TYPES=cpu \
	PYROSCOPE_SERVER_ADDRESS=http://$2:$(cat port) timeout -s KILL 60 \
		"$1" 0.3 2 >out 2>err
	rc=$?
	succeeded "$1 to $2"
	is "$1 to $2: in f50" True \
		"$(profile "ticks('f50') > 50" pushed/*.pb.gz 2>&1)"
}

# cannot PROGRAM ADDRESS REASON: one line says why nothing is sent
cannot()
{
	PYROSCOPE_SERVER_ADDRESS=$2 timeout -s KILL 60 "$1" 0.3 1 >out 2>err
	rc=$?
	succeeded "$1 to $2" -
	is "$1 to $2: says why" 1 "$(grep -c "$3" err)"
}

# lives: children, exits, signals, users of static programs
lives()
{
	local mode file files=0
	build forks "$sources/forks.c" -static
	build fork_storm "$sources/fork_storm.c" -static -DSTATIC
	build harm "$sources/harm.c" -static
	printf '%s\n' '#include <pyroscope/pyroscope.h>' \
		'int main(void) { pyroscope_load(""); return 7; }' >status.c
	build status status.c -static
	run linked ./fork_storm 200
	succeeded "fork_storm"
	is "fork_storm" ok "$(tail -n 1 out)"
	run linked ./forks spawn
	succeeded "forks spawn"
	is "forks spawn" ok "$(tail -n 1 out)"
	run linked ./forks fork
	succeeded "forks fork"
	for file in drop/*[0-9].pb.gz; do
		[ "$(profile "ticks('in_late_child') > 0" "$file")" = True ] &&
			files=$((files + 1))
	done
	is "forks fork: files of the children" 3 $files
	for mode in errno threads; do
		run linked ./harm $mode 1
		succeeded "harm $mode" -
		is "harm $mode" ok "$(tail -n 1 out)"
	done
	PYROSCOPE_OUTPUT_DIR=$work/drop ./status 2>err
	is "exit code" 7 $?
	is "exit code: says nothing" "" "$(cat err)"
}
