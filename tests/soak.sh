#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# soak.sh [MINUTES] - what is too long for every change: Debian's packages, truth and the comparison
# with perf by ten thousands of samples, walks at every instruction of more
# programs and against gdb's and libunwind's, a storm of all that changes stacks
# for twice MINUTES (5) and one of the heap's for MINUTES, ten thousand forks, servers
# that fork, the heap of programs that
# allocate GiB, shared tables under ThreadSanitizer, Python's own tests profiled, each fuzz target for MINUTES,
# a server under load whose memory must not grow, a server of profiles that is
# dead for ten minutes. More than an hour.
set -uo pipefail
cd "$(dirname "$0")/.."
minutes=${1:-5}
export LONG=1 SOURCE_DIR=$PWD
export BUILD_DIR=${BUILD_DIR:?} PROGRAMS_DIR=$BUILD_DIR/tests/programs
failed=()

part()
{
	echo "## $*"
	"$@" || failed+=("$*")
}

fuzz()
{
	local found status=0
	found=$(mktemp -d)
	# What it finds stays there; the corpus is only read.
	"$1" -max_total_time=$((minutes * 60)) -timeout=20 -rss_limit_mb=1024 \
		-artifact_prefix="$found/" -print_final_stats=1 "$found" \
		"fuzz/corpus/$(basename "$1" | sed s/^fuzz_//)" >"$found.log" \
		2>&1 || status=1
	grep -E 'stat::number_of_exec|ERROR|SUMMARY' "$found.log"
	[ $status = 0 ] && rm -r "$found" "$found.log"
	return $status
}

fuzz_all()
{
	local target status=0
	cmake -S . -B build-fuzz -G Ninja -DCMAKE_C_COMPILER=clang \
		-DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-O1 \
		-DPYROSCOPE_TESTS=OFF -DPYROSCOPE_FUZZ=ON \
		-DPYROSCOPE_SANITIZE=address,undefined >/dev/null &&
		cmake --build build-fuzz >/dev/null || return 1
	for target in build-fuzz/fuzz/fuzz_*; do
		[ -f "$target" ] && [ -x "$target" ] || continue
		echo "# $(basename "$target")"
		fuzz "$target" || status=1
	done
	return $status
}

# storm FOLDER: twice MINUTES of tests/e2e/storm.sh with the library built there
storm()
{
	STORM_SECONDS=$((minutes * 120)) BUILD_DIR=$PWD/$1 \
		PROGRAMS_DIR=$PWD/$1/tests/programs bash tests/e2e/storm.sh
}

# The same with a library that traps where its behaviour is undefined. Under ASan
# and Valgrind it does not start: their stacks and signals are not the kernel's.
storm_checked()
{
	local options=-fsanitize=undefined
	options+=' -fsanitize-undefined-trap-on-error'
	cmake -S . -B build-trap -G Ninja -DPYROSCOPE_TESTS=ON \
		-DCMAKE_C_FLAGS="$options" >/dev/null &&
		cmake --build build-trap --target pyroscope_shared \
			program_storm >/dev/null && storm build-trap
}

# Tables that hooks and handlers share without locks, under ThreadSanitizer.
tables()
{
	local test status=0
	local tests=(test_slots test_lock_waiters test_lock_names
		test_heap_live test_labels)
	cmake -S . -B build-tsan -G Ninja -DPYROSCOPE_TESTS=ON \
		-DPYROSCOPE_SANITIZE=thread >/dev/null &&
		cmake --build build-tsan --target "${tests[@]}" >/dev/null ||
		return 1
	for test in "${tests[@]}"; do
		build-tsan/tests/$test >/dev/null || {
			echo "$test failed"
			status=1
		}
	done
	return $status
}

# Private memory of a process, in KiB.
private_kib()
{
	awk '/^Private_/ { sum += $2 } END { print sum }' \
		"/proc/$1/smaps_rollup"
}

load()
{
	redis-benchmark -s "$1/sock" -q -n 200000 -P 8 -r 1000 \
		-t set,get,lpush,lpop,zadd >/dev/null &&
		redis-cli -s "$1/sock" flushall >/dev/null
}

# The first minute settles; from then on a MiB is the most.
flat_memory()
{
	local dir server end status=0 first='' last=''
	dir=$(mktemp -d)
	mkdir "$dir/drop"
	LD_PRELOAD=$BUILD_DIR/libpyroscope.so.0 PYROSCOPE_COMMAND=record \
		PYROSCOPE_OUTPUT_DIR=$dir/drop PYROSCOPE_SAMPLE_RATE=1000 \
		redis-server --port 0 --unixsocket "$dir/sock" --save '' \
		>/dev/null &
	server=$!
	for _ in $(seq 100); do
		[ -S "$dir/sock" ] && break
		sleep 0.1
	done
	end=$((SECONDS + 60 + minutes * 60))
	while [ $SECONDS -lt $end ] && [ $status = 0 ]; do
		load "$dir" || status=1
		last=$(private_kib $server)
		[ $SECONDS -gt $((end - minutes * 60)) ] && : "${first:=$last}"
	done
	redis-cli -s "$dir/sock" shutdown nosave >/dev/null 2>&1 ||
		kill $server
	wait $server || status=1
	echo "${first:-?} KiB after a minute, $last KiB after $minutes more," \
		"$(find "$dir/drop" -name '*.pb.gz' | wc -l) profiles"
	rm -r "$dir"
	[ $status = 0 ] && [ $((last - first)) -lt 1024 ]
}

part bash tests/debian.sh
part bash tests/e2e/truth.sh
part bash tests/e2e/perf_compare.sh
part bash tests/e2e/oracle.sh
part bash tests/e2e/cross.sh
part bash tests/e2e/suites.sh
part bash tests/e2e/heap_programs.sh
HEAP_STORM_SECONDS=$((minutes * 60)) part bash tests/e2e/heap_storm.sh
FORK_STORM=10000 part bash tests/e2e/fork_storm.sh
part bash tests/e2e/prefork.sh
part storm build
part storm_checked
part tables
part flat_memory
CHAOS_DEAD=600 part bash tests/e2e/chaos.sh
part fuzz_all
[ ${#failed[@]} = 0 ] || printf 'FAIL %s\n' "${failed[@]}"
[ ${#failed[@]} = 0 ]
