#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cli_heap_files.sh - heap profiles of known content through the command: what
# is summed over windows and processes and what is not, leaks by age, growth
. "$(dirname "$0")/_cli.sh"
here=${SOURCE_DIR:?}/tests
export PYTHONPATH=$here
heap="python3 $here/e2e/_heap.py"
sum()
{
	python3 -c '
import pprof, sys
p = pprof.load(sys.argv[1])
names = [t for t, _ in p.sample_types]
print(*["%s=%d" % (n, sum(s.values[i] for s in p.samples))
        for i, n in enumerate(names)])' "$1"
}

# The library itself is off: processes put these files, and no others.
export PYROSCOPE_PROFILING_ENABLED=0

## What processes drop
cat >drops.sh <<EOF2
cd "\$PYROSCOPE_OUTPUT_DIR" || exit
# Two windows of one process: allocated adds up, in use is the last one's.
# As numbers 10 is behind 9.
$heap 100-5-9.heap.pb.gz "f;main 10 1000 7 700 1" "g;main 3 300 3 300 0"
$heap 100-5-10.heap.pb.gz "f;main 0 0 2 200 4" "f;main 10 1000 1 50 0"
# Another process.
$heap 200-5-0.heap.pb.gz "f;main 10 1000 9 900 64"
# One that executed another program, which never told.
$heap 300-5-0.heap.pb.gz "old;main 1 10 1 10 64"
touch 300-6.open
# CPU profiles and rubbish beside them.
touch 400-5-0.heap.pb.gz 400-5-0.heap.pb.gz.tmp 1-2-3-4.heap.pb.gz
exit 3
EOF2
run "$pyro" record -t heap -o h.pb.gz -- sh drops.sh
is "the program's exit code" 3 $rc
is "allocated of all windows, in use of the last ones" \
	"alloc_objects=34 alloc_space=3310 inuse_objects=12 inuse_space=1150" \
	"$(sum h.pb.gz)"
has "summary: heap" \
	'heap: 3.23 KiB in 34 objects allocated; 1.12 KiB in 12 objects in use' err
has "summary: where most is" '^pyro:   1.12 KiB  f \(app\)' err
has "summary: rubbish" '1 dropped file unreadable' err
has "summary: next" 'wrote h.pb.gz; next: pyro top h.pb.gz' err
is "nothing on the program's output" "" "$(cat out)"

run "$pyro" record -t heap,cpu -o both.pb.gz -- sh drops.sh
is "two profiles: the heap's beside the other" \
	"alloc_objects=34 alloc_space=3310 inuse_objects=12 inuse_space=1150" \
	"$(sum both.heap.pb.gz)"
is "two profiles: CPU time" "samples cpu" \
	"$(sum both.pb.gz | sed 's/=[0-9]*//g')"
has "two profiles: said" 'wrote both.heap.pb.gz; next: pyro top' err
rm -f both.*
run "$pyro" record -q -o both.pb.gz -- sh drops.sh
is "the heap only if asked for" "both.pb.gz" "$(echo both*)"
run env PYROSCOPE_PROFILE_TYPES=heap "$pyro" record -q -o h2.pb.gz -- \
	sh drops.sh
is "the variable for -t" "$(sum h.pb.gz)" "$(sum h2.pb.gz)"
run "$pyro" record -q -t heap -- true
is "no heap at all: a sound profile" \
	"alloc_objects=0 alloc_space=0 inuse_objects=0 inuse_space=0" \
	"$(sum pyro.pb.gz)"

run "$pyro" record -t cpu,heap -o /dev/null -- sh -c 'echo ran'
is "two profiles into what is no file" "2 " "$rc $(cat out)"
has "two profiles into what is no file" 'takes one profile' err
for words in '-t cpu,hep' '-t ' '--heap-interval 0' '--heap-interval 2g' \
	'--heap-interval 1kb' '--leaks=soon' '--leaks -t cpu' \
	'--leaks -t inuse_space' '--leaks=-1'; do
	run "$pyro" record $words ${words:+-q} -- sh -c 'echo ran'
	is "record $words" "2 " "$rc $(cat out)"
done
run env PYROSCOPE_PROFILE_TYPES=all "$pyro" record -- true
has "a bad variable" 'PYROSCOPE_PROFILE_TYPES=all is not a list of cpu, heap' err

## What the program's environment says
show='echo $PYROSCOPE_PROFILE_TYPES $PYROSCOPE_HEAP_INTERVAL \
	$PYROSCOPE_HEAP_AGES'
run "$pyro" record -q -- sh -c "$show"
is "environment: default" cpu "$(cat out)"
run "$pyro" record -q -t cpu,heap --heap-interval 64K -- sh -c "$show"
is "environment: types and interval" "cpu,heap 64K" "$(cat out)"
run "$pyro" record -q --leaks --heap-interval 1g -- sh -c "$show"
is "environment: leaks" "heap 1g 1" "$(cat out)"
run "$pyro" exec -t inuse_space --heap-interval 4096 -- sh -c "$show"
is "environment: exec" "inuse_space 4096" "$(cat out)"

## Leaks
run "$pyro" record --leaks=5s -o leaks.pb.gz -- sh drops.sh
is "leaks: the program's exit code" 3 $rc
is "leaks: only what is old" "inuse_objects=11 inuse_space=1100" \
	"$(sum leaks.pb.gz)"
has "leaks: of which age" \
	'leaks: 1.07 KiB in 11 objects in use at exit, 4 s old or older' err
has "leaks: one" '1.07 KiB in 11 objects, oldest 64 s or more:' err
is "leaks: its stack" "f (app) main (app)" \
	"$(sed -n 's/^pyro:     \([a-z]\)/\1/p' err | xargs)"
has "leaks: what is left out" 'left out: 50 B in 1 younger objects' err
run "$pyro" record --leaks=0 -o leaks.pb.gz -- sh drops.sh
is "leaks: of any age" "inuse_objects=12 inuse_space=1150" "$(sum leaks.pb.gz)"
run "$pyro" record -q --leaks=1h -o leaks.pb.gz -- sh drops.sh
is "leaks: none" "inuse_objects=0 inuse_space=0" "$(sum leaks.pb.gz)"
is "leaks: quiet" "" "$(cat err)"
run "$pyro" view leaks.pb.gz
is "leaks: none, viewed" 0 $rc

## Tables
$heap a.pb.gz "leak;main 10 10240 2 2048" "big;work;main 5 5000 1 1000"
$heap b.pb.gz "leak;main 20 20480 12 12288" "big;work;main 5 5000 1 1000" \
	"new;main 1 100 1 100"
run "$pyro" top a.pb.gz
has "top: in use" '^inuse_space \(bytes\): 2.98 KiB in 2 stacks' out
has "top: all values" \
	'^  2.00 KiB  67.2%   2.00 KiB  67.2% +10 +10.00 KiB +2  leak' out
run "$pyro" top -n 1 -t alloc_objects --cum a.pb.gz
has "top: a chosen value" '^ +0   0.0% +15 100.0% .*  main' out
run "$pyro" top -t cpu a.pb.gz
is "top: no such value" 1 $rc
has "top: no such value" 'no values cpu; there are alloc_objects, alloc' err
$heap freed.pb.gz "f;main 10 10240 0 0"
run "$pyro" top freed.pb.gz
has "top: nothing in use" '^alloc_space \(bytes\): 10.00 KiB' out

run "$pyro" diff a.pb.gz b.pb.gz
is "diff" 0 $rc
has "diff: totals" '^inuse_space \(bytes\): 2.98 KiB, then 13.07 KiB' out
is "diff: what changed, the most first" "leak new main" \
	"$(sed -n 's/.*  \([a-z]*\) (app)/\1/p' out | xargs)"
has "diff: by how much" '^  \+10.00 KiB  \+336.0%' out
cp out diffed
run "$pyro" top --base a.pb.gz b.pb.gz
is "top --base is diff" "" "$(diff out diffed)"
run "$pyro" diff -o back.pb.gz b.pb.gz a.pb.gz
is "diff as a profile" "alloc_objects=-11 alloc_space=-10340 \
inuse_objects=-11 inuse_space=-10340" "$(sum back.pb.gz)"
run "$pyro" view back.pb.gz
has "diff: a flame graph of it" '"difference":true' back.html
run "$pyro" diff a.pb.gz a.pb.gz
has "diff: none" '^ +0 B +\+0.0% +growth of all' out
run "$pyro" record -q -o cpu.pb.gz -- true
run "$pyro" diff cpu.pb.gz a.pb.gz
is "diff of other kinds" 1 $rc
has "diff of other kinds" 'other kinds of values' err
run "$pyro" diff a.pb.gz
is "diff of one" 2 $rc
run "$pyro" diff a.pb.gz none.pb.gz
has "diff of no file" 'none.pb.gz: No such file' err
run "$pyro" diff -o none/x.pb.gz a.pb.gz b.pb.gz
is "diff into no folder" 1 $rc

run "$pyro" view -t alloc_space a.pb.gz
is "view: all values, the chosen one first" "alloc_space alloc_objects \
inuse_objects inuse_space" \
	"$(sed -n 's/.*{"type":"\([a-z_]*\)".*/\1/p' a.html | xargs)"
run "$pyro" view -t none a.pb.gz
is "view: no such value" 1 $rc
## Folders, as a library's own PYROSCOPE_OUTPUT_DIR
mkdir folder
PYROSCOPE_OUTPUT_DIR=folder sh drops.sh
run "$pyro" top folder
has "top of a folder" '^inuse_space \(bytes\): 1.12 KiB' out
has "top of a folder: rubbish" 'folder: 1 unreadable file left out' err
run env PYROSCOPE_PROFILING_ENABLED=1 "$pyro" record -q -o folder/1-1-1.pb.gz -- bash -c \
	'i=0; while [ $i -lt 50000 ]; do i=$((i + 1)); done'
run "$pyro" top folder
has "top of a folder: CPU time" '^cpu \(nanoseconds\)' out
run "$pyro" top -t alloc_space folder
has "top of a folder: the heap if asked for" '^alloc_space \(bytes\): 3.23' out
run "$pyro" view -t inuse_space folder/
is "view of a folder" "0 yes" "$rc $(test -s folder.html && echo yes)"
mkdir empty
run "$pyro" top empty
has "top of an empty folder" 'empty: no profiles in this folder' err
no_leftovers "end"
finish
