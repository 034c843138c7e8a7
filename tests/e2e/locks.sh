#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# locks.sh - the mutex profile against the waiters' own clocks, and what calls that
# lock give back with the library and without
. "$(dirname "$0")/_cli.sh"
export PYTHONPATH=${SOURCE_DIR:?}/tests
programs=${PROGRAMS_DIR:?}

## Truth: normal, recursive, errorcheck, robust, PI, timed, mtx, rwlock, spin,
## condition, its own
for kind in n r e o i t c w s d x; do
	run "$pyro" record -t mutex -o m.pb.gz -- "$programs/contend" $kind 4 50 10
	is "the program's code, $kind" 0 $rc
	/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/locks.py" out m.pb.gz || failed=1
done
for waiters in 2 16 64; do
	run "$pyro" record -t mutex -o m.pb.gz -- \
		"$programs/contend" n $waiters 100 5
	/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/locks.py" out m.pb.gz || failed=1
done

## C++
c++ -std=c++17 -O2 -g -pthread -o locks_cpp \
	"$SOURCE_DIR/tests/programs/locks_cpp.cpp" || exit 1
run "$pyro" record -t mutex -o m.pb.gz -- ./locks_cpp
is "the program's code, C++" 0 $rc
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/locks.py" out m.pb.gz || failed=1

## Calls. Threads print in any order.
run "$programs/locks_calls"
is "code without the library" 0 $rc
sort out >without
for types in mutex block cpu,heap,mutex,block; do
	run "$pyro" record -q -t $types -o c.pb.gz -- "$programs/locks_calls"
	is "code with $types" 0 $rc
	is "the same with $types" "" "$(sort out | diff without -)"
done
finish
