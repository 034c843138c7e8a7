#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cli_heap.sh - pyro record of programs whose heap is known: all is sampled at an
# interval of 1 byte, so counts are exact; at a larger one they hold within four
# standard deviations
. "$(dirname "$0")/_cli.sh"
export PYTHONPATH=${SOURCE_DIR:?}/tests
leaky=${PROGRAMS_DIR:?}/heap_leaks

# of FUNCTION FILE: alloc_objects, alloc_space, inuse_objects, inuse_space of
# stacks with this function, "-" where the profile does not have one
of()
{
	python3 -c '
import pprof, sys
p = pprof.load(sys.argv[2])
names = [t for t, _ in p.sample_types]
for n in "alloc_objects alloc_space inuse_objects inuse_space".split():
    print(sum(s.values[names.index(n)] for s in p.samples
              if any(f.name == sys.argv[1] for f in s.frames))
          if n in names else "-", end=" ")' "$1" "$2" | sed 's/ $//'
}

## Counts
run "$pyro" record -t heap --heap-interval 1 -o h.pb.gz -- \
	"$leaky" 100 churn fork late
is "the program's code and output" "7 done" "$rc $(cat out)"
is "kept" "100 100000 100 100000" "$(of keep_early h.pb.gz)"
is "kept until just before the end" "30 60000 30 60000" "$(of keep_late h.pb.gz)"
is "freed" "200 100000 0 0" "$(of churn h.pb.gz)"
is "kept by a child" "50 15000 50 15000" "$(of keep_in_child h.pb.gz)"
has "summary: heap" '^pyro: heap: .* allocated; .* in use at exit' err
has "summary: where" '^pyro: +[0-9.]+ KiB  block \(heap_leaks\)' err
# What was allocated before there were tables has a stack of one frame.
has "summary: losses" 'losses: (none|[0-9]+ stacks? cut short)' err
run "$pyro" top -t inuse_objects --cum -n 0 h.pb.gz
has "top" ' +100 +[0-9.]+% +100 +97.66 KiB +97.66 KiB  keep_early' out

## Both profiles
run "$pyro" record -t cpu,heap --heap-interval 1 -o both.pb.gz -- \
	"$leaky" 100 churn
is "beside CPU time" "7 done" "$rc $(cat out)"
is "beside CPU time: the heap" "200 100000 0 0" "$(of churn both.heap.pb.gz)"
run "$pyro" top both.pb.gz
has "beside CPU time: CPU time" '^cpu \(nanoseconds\)' out
run "$pyro" record -t alloc_space --heap-interval 1 -o one.pb.gz -- "$leaky"
is "one value" "- 100000 - -" "$(of keep_early one.pb.gz)"

## Leaks
run "$pyro" record --leaks=2s --heap-interval 1 -o leaks.pb.gz -- \
	"$leaky" 100 churn wait late
is "leaks: the program's code and output" "7 done" "$rc $(cat out)"
is "leaks: old" "- - 100 100000" "$(of keep_early leaks.pb.gz)"
is "leaks: young" "- - 0 0" "$(of keep_late leaks.pb.gz)"
has "leaks: told" '97.66 KiB in 100 objects, oldest 2 s or more:' err
is "leaks: the stack" "block keep_early main" "$(sed -n \
	'/in 100 objects, oldest/,/pyro: [^ ]/s/^pyro:     \(.*\) (heap_leaks)/\1/p' \
	err | grep -v _start | xargs)"
has "leaks: left out" 'left out: .* younger objects' err
run "$pyro" record --leaks --heap-interval 1 -o short.pb.gz -- "$leaky" 100
is "leaks of a short run" "- - 100 100000" "$(of keep_early short.pb.gz)"

## Growth
run "$pyro" record -q -t heap --heap-interval 1 -o more.pb.gz -- \
	"$leaky" 160 churn fork late
run "$pyro" diff -t inuse_objects --cum h.pb.gz more.pb.gz
has "diff" ' \+60 +\+[0-9.]+%  keep_early \(heap_leaks\)' out
is "diff: nothing else of the program" 1 \
	"$(grep -c 'keep_\|churn' out)"

## How programs end
run "$pyro" record -t heap --heap-interval 1 -o x.pb.gz -- "$leaky" 100 exec
is "executed another: in use is that one's" "0 0" \
	"$(of keep_early x.pb.gz | cut -d ' ' -f 3-)"
run "$pyro" record -t heap --heap-interval 1 -o x.pb.gz -- "$leaky" 100 wait kill
has "killed: said" '1 last window' err

## Statistics
cat >within.py <<'EOF2'
import math, pprof, sys
p = pprof.load(sys.argv[1])
names = [t for t, _ in p.sample_types]
for name in ("alloc_space", "inuse_space"):
    at = names.index(name)
    got = sum(s.values[at] for s in p.samples
              if any(f.name == "keep_early" for f in s.frames))
    want = 60000 * 1000
    sd = math.sqrt(want * (p.period + 1000))
    print("yes" if abs(got - want) <= 4 * sd else
          "%s %d, sd %d" % (name, got, sd))
EOF2
run "$pyro" record -q -t heap --heap-interval 32k -o many.pb.gz -- "$leaky" 60000
is "60 MB in blocks of 1000 at 32 KiB" "yes yes" \
	"$(python3 within.py many.pb.gz | xargs)"
no_leftovers "end"
finish
