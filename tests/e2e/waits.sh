#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# waits.sh - the block profile against the waiting threads' own clocks, and calls
# that wait with the library and without
. "$(dirname "$0")/_cli.sh"
export PYTHONPATH=${SOURCE_DIR:?}/tests
programs=${PROGRAMS_DIR:?}

## Truth
PYROSCOPE_BLOCK_CLASSES=sync,io,sleep run "$pyro" record -t block -o w.pb.gz -- \
	"$programs/waits"
is "the program's code" 0 $rc
has "summary: how long" '^pyro: block: waited [0-9.]+ s' err
has "summary: where" '^pyro: +[0-9.]+ (m?s) +wait_' err
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/waits.py" sleep out w.pb.gz || failed=1

run "$pyro" record -t block_duration -o d.pb.gz -- "$programs/waits"
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/waits.py" - out d.pb.gz || failed=1

run "$pyro" record -t cpu,heap,block -o all.pb.gz -- "$programs/waits"
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/waits.py" - out all.block.pb.gz || failed=1
is "a file of each kind" "all.block.pb.gz all.heap.pb.gz all.pb.gz" \
	"$(echo all*)"
no_leftovers waits

## Calls
run "$programs/waits_calls"
is "code without the library" 0 $rc
cp out without
for types in block cpu,heap,block; do
	for classes in sync,io,sleep ''; do
		PYROSCOPE_BLOCK_CLASSES=$classes run "$pyro" record -q \
			-t $types -o c.pb.gz -- "$programs/waits_calls"
		is "code with $types $classes" 0 $rc
		is "the same with $types $classes" "" "$(diff without out)"
	done
done
finish
