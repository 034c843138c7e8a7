#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# debugdata.sh - names of a stripped program from .gnu_debugdata
. "$(dirname "$0")/_cli.sh"
program=${PROGRAMS_DIR:?}/inlined

# As find-debuginfo.sh of rpm does it.
nm -D "$program" --format=posix --defined-only | awk '{ print $1 }' |
	sort >dynamic
nm "$program" --format=posix --defined-only |
	awk '$2 ~ /[TtD]/ { print $1 }' | sort >all
comm -13 dynamic all >keep
objcopy --only-keep-debug "$program" debug
objcopy -S --remove-section .gdb_index --remove-section .comment \
	--keep-symbols=keep debug mini
xz -k mini
strip -o stripped "$program"
objcopy --add-section .gnu_debugdata=mini.xz stripped with

# shown NAME PROGRAM: records it, and writes the table into NAME.top
shown()
{
	run "$pyro" record -o "$1.pb.gz" -- "$2"
	is "$1: exit code" 0 $rc
	cp err "$1.err"
	"$pyro" top "$1.pb.gz" >"$1.top" 2>&1
}

shown stripped ./stripped
has "stripped: addresses" 'stripped\+0x' stripped.top
shown with ./with
has "with .gnu_debugdata: names" ' outer \(with\)' with.top
is "with .gnu_debugdata: no addresses" "" "$(grep 'with+0x' with.top)"

# A library of that name that is none.
mkdir none
: >none/liblzma.so.5
LD_LIBRARY_PATH=$PWD/none shown without ./with
has "without liblzma: addresses" 'with\+0x' without.top
is "without liblzma: one line" 1 "$(grep -c 'liblzma' without.err)"
echo "no xz file" >broken
objcopy --add-section .gnu_debugdata=broken stripped torn
shown torn ./torn
has "broken: addresses" 'torn\+0x' torn.top
is "broken: one line" 1 "$(grep -c 'gnu_debugdata that is broken' torn.err)"
no_leftovers "debugdata"
finish
