#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# made_code.sh - code made at run time: its names, its callers, honest ends
. "$(dirname "$0")/_cli.sh"
tests=${SOURCE_DIR:?}/tests
program=${PROGRAMS_DIR:?}/made

# share PROFILE STACK: percent of the ticks whose stacks begin so, leaf first;
# a name that ends in "*" is any that begins so
share()
{
	PYTHONPATH=$tests /usr/bin/python3 -B - "$1" "$2" <<-'END'
	import sys
	import pprof
	p = pprof.load(sys.argv[1])
	wanted = sys.argv[2].split(";")
	def fits(name, want):
	    return name.startswith(want[:-1]) if want[-1] == "*" else name == want
	def begins(s):
	    names = [f.name for f in s.frames]
	    return len(names) >= len(wanted) and all(map(fits, names, wanted))
	every = sum(s.values[0] for s in p.sampled())
	print(100 * sum(s.values[0] for s in p.sampled() if begins(s)) // every)
	END
}

# path WHAT PROFILE STACK: one of the three that the program takes
path()
{
	local got
	got=$(share "$2" "$3" 2>&1)
	all=$((all + ${got:-0}))
	if [ "${got:-0}" -ge 8 ] 2>/dev/null; then
		ok "$1: $got %"
	else
		fail "$1: $got %: $("$pyro" top "$2" 2>&1 | head -c 900)"
	fi
}

run "$pyro" record -o map.pb.gz -- "$program"
is "exit code" 0 $rc
all=0
map=$(cat out)
rm -f -- "$map"
path "callers through made code" map.pb.gz \
	"called_by_made;JS:*made inner /a/b.js:12:3;made_outer;main;__libc_start*"
path "made code that computes" map.pb.gz "made_loop;main;__libc_start*"
path "made code without a frame is where the stack ends" map.pb.gz \
	"called_by_made;made_without_frame;[truncated: code of no object]"
[ $all -ge 94 ] && ok "nothing else: $all %" || fail "only $all % as it is"
is "nothing is named by lines that are out of date" 0 \
	"$(share map.pb.gz 'called_by_made;before')"

# Without a map: its pages.
run "$pyro" record -o plain.pb.gz -- "$program" plain
is "without a map: exit code" 0 $rc
path "without a map: by page" plain.pb.gz \
	"called_by_made;[anon:0x*;[anon:0x*;main;__libc_start*"
path "without a map: where the stack ends" plain.pb.gz \
	"called_by_made;[anon:0x*;[truncated: code of no object]"
# In a container the file has the number that the program has there.
if unshare --pid --fork --mount-proc true 2>/dev/null; then
	run unshare --pid --fork --mount-proc \
		"$pyro" record -o space.pb.gz -- "$program"
	is "own PIDs: exit code" 0 $rc
	map=$(cat out)
	rm -f -- "$map"
	has "own PIDs: a small one" '^/tmp/perf-[0-9]{1,2}\.map$' out
	path "own PIDs: names" space.pb.gz "made_loop;main;__libc_start*"
fi
no_leftovers "made code"
finish
