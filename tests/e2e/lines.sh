#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# lines.sh - what is sampled of programs with debug information, wherever that
# lies, has the names, files, lines and inlined functions that addr2line has
. "$(dirname "$0")/_cli.sh"
tests=${SOURCE_DIR:?}/tests
sources=$tests/lines

check()
{
	/usr/bin/python3 -B "$tests/e2e/lines.py" "$2" "$1.pb.gz" "$3" "$4" \
		>said 2>&1 && ok "$1: $(head -n 1 said)" || fail "$1: $(cat said)"
}

# As root of a namespace, /usr/lib/debug can be the folder "debug" of the test.
namespace="unshare --user --map-root-user --mount"
$namespace true || namespace=

# profile NAME HOW COMMAND...
profile()
{
	local name=$1 how=$2 bind=true
	shift 2
	[ -z "$namespace" ] || bind="mount --bind debug /usr/lib/debug"
	run $namespace sh -c "$bind"' && exec "$@"' sh \
		"$pyro" record --demangle full --symbols "$how" \
		-o "$name.pb.gz" -- "$@"
	is "$name: exit code" 0 $rc
}

# Each of them repeats its work as often as it has arguments.
work=$(pwd)
long=$(seq 60)
python=$(realpath /usr/bin/python3.11-dbg)
mkdir debug
gcc -O2 -g "$sources/sums.c" -o c
g++ -O2 -g "$sources"/{words,shapes}.cpp -o cxx
clang++ -O2 -gdwarf-4 "$sources"/{words,shapes}.cpp -o clang
g++ -O2 -g -gsplit-dwarf "$sources"/{words,shapes}.cpp -o split
for program in c cxx clang; do
	profile $program lines "./$program" $long
	check $program lines "$work/$program" "$work/$program"
done
profile split lines ./split $long
check split lines "$work/split" "$work/cxx"
profile python lines "$python" -S -c '
import re
for i in range(40):
    table = {str(n): re.sub("[0-7]", "x", str(n * i)) for n in range(2000)}
    sorted(table.items(), key=lambda item: item[1])'
check python lines "$python" "$python"

# Stripped, and what was stripped in a folder by build ID, as distributions have
# it; or beside the program, by .gnu_debuglink.
by_build_id()
{
	local id
	id=$(readelf -n cxx | awk '/Build ID/ { print $3 }')
	mkdir -p "debug/.build-id/${id:0:2}"
	objcopy --only-keep-debug cxx "debug/.build-id/${id:0:2}/${id:2}.debug"
	objcopy --strip-all cxx stripped
	for how in lines names; do
		profile stripped $how ./stripped $long
		check stripped $how "$work/stripped" "$work/cxx"
	done
}

if [ -n "$namespace" ]; then
	by_build_id
else
	echo "no user namespaces here: nothing in a folder by build ID"
fi
g++ -O2 -g -Wl,--build-id=none "$sources"/{words,shapes}.cpp -o noid
objcopy --only-keep-debug noid noid.debug
objcopy --strip-all --add-gnu-debuglink=noid.debug noid linked
profile linked lines ./linked $long
check linked lines "$work/linked" "$work/noid"
no_leftovers "lines"
finish
