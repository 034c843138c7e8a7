#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# threads.sh - the threads profile against threads that stand in known places; and
# that no call of theirs is interrupted by it
. "$(dirname "$0")/_cli.sh"
export PYTHONPATH=${SOURCE_DIR:?}/tests
program=${PROGRAMS_DIR:?}/threads
export PYROSCOPE_UPLOAD_INTERVAL=60s # the program says when

## A thousand, and those that run, a hundred times in a row
run "$pyro" record -t threads -o t.pb.gz -- "$program" 250 100
is "the program's code" 0 $rc
has "no call is interrupted" '^interrupted 0$' out
has "summary" '^pyro: threads: 10[0-9][0-9]\.[0-9] on average, at 100 moments' err
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/threads.py" out t.pb.gz || failed=1

## Beside all others, which have their signals meanwhile
run "$pyro" record -t cpu,heap,block,threads -o all.pb.gz -- "$program" 50 20
is "the program's code" 0 $rc
has "no call is interrupted" '^interrupted 0$' out
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/threads.py" out all.threads.pb.gz || failed=1
is "a file of each kind" "all.block.pb.gz all.heap.pb.gz all.pb.gz all.threads.pb.gz" \
	"$(echo all*)"

## Ten thousand, or as many as there may be
run "$pyro" record -t threads -o many.pb.gz -- "$program" 2500 3 parked
is "the program's code" 0 $rc
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/threads.py" out many.pb.gz || failed=1
grep 'ms CPU' out

## By who has created them
run "$pyro" record -t threads,thread_creation -o c.pb.gz -- "$PROGRAMS_DIR/births"
is "the program's code" 0 $rc
run "$pyro" top -n 20 c.creation.pb.gz
has "of one creator" '^ +10 +.*create_many' out
has "of one by C11" '^ +2 +.*create_c11' out
has "of the other" '^ +4 +.*create_few' out
is "none of those that have ended" "" "$(grep create_and_join out)"
is "all are seen" "" "$(grep 'not seen' out)"

## Frames that are found by frame pointers, of which the kernel does not tell
for how in -O0 '-O1 -fno-omit-frame-pointer' '-O2 -fno-omit-frame-pointer' -O2; do
	# shellcheck disable=SC2086
	${CC:-cc} $how -D_GNU_SOURCE "$SOURCE_DIR/tests/programs/raw_waits.c" \
		-o raw_waits -lpthread || exit 1
	run "$pyro" record -t threads -o r.pb.gz -- ./raw_waits
	has "all are whole with $how" '^pyro: losses: none' err
	run "$pyro" top -n 20 r.pb.gz
	has "those that pause with $how" '^ +4 .* pause ' out
	has "those that wait with $how" ' 8 +[0-9.]+% +wait_below ' out
	has "their threads with $how" ' 8 +[0-9.]+% +start_thread ' out
done

## Each second, where nobody says when
unset PYROSCOPE_UPLOAD_INTERVAL
run "$pyro" record -t threads -o s.pb.gz -- sleep 2.5
has "once a second" '^pyro: threads: 1\.0 on average, at 2 moments' err
has "where" '^pyro: +2  clock_nanosleep' err

## The end, where there is nothing else
run "$pyro" record -t threads -o s.pb.gz -- true
has "a short program's" '^pyro: threads: 1\.0 on average, at 1 moment;' err
no_leftovers threads
finish
