#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ways.sh - a program on top of the library's sources, and of what is installed
# without help of CMake or pkg-config
#
# tests/consumer takes the source tree into its own by add_subdirectory and by
# FetchContent, on and off; and a plain compiler line links the installed library.
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

# says WANTED PROGRAM
says()
{
	[ "$(timeout -k 5 20 "$2")" = "$1" ] || fail "${2#"$work/"} is not $1"
}

# Distributions compile with more, which has functions of its own for some that
# the library hooks.
release='-O1 -D_FORTIFY_SOURCE=2 -fstack-protector-strong'

# sources WAY CONFIGURATION
sources()
{
	dir=$work/$1-$2
	cmake -S "$source_dir/tests/consumer" -B "$dir" -G Ninja -DWAY="$1" \
		-DSOURCES="$source_dir" -DCMAKE_BUILD_TYPE="$2" \
		-DCMAKE_C_FLAGS_RELEASE="$release" >"$work/log" 2>&1 ||
		fail "$1 $2: $(cat "$work/log")"
	cmake --build "$dir" --target "${@:3}" >"$work/log" 2>&1 ||
		fail "$1 $2: $(tail -n 20 "$work/log")"
}

sources add_subdirectory Debug consumer consumer_cxx consumer_static
for program in consumer consumer_cxx consumer_static; do
	says on "$dir/$program"
done
[ "$(nm "$dir/consumer_static" | grep -c ' __wrap_pthread_create$')" = 1 ] ||
	fail "add_subdirectory: the static program is not wrapped"
# The program's own installation is not the library's.
cmake --install "$dir" --prefix "$work/prefix-of-program" >/dev/null
[ ! -e "$work/prefix-of-program" ] ||
	fail "add_subdirectory: the library installs itself"

# Off: nothing of the library is built, let alone linked.
sources FetchContent Release consumer consumer_cxx
for program in consumer consumer_cxx; do
	says off "$dir/$program"
	[ "$( (nm "$dir/$program" && readelf -d "$dir/$program") |
		grep -c pyro)" = 0 ] || fail "Release names the library"
done
[ -z "$(find "$dir" -name 'libpyroscope*')" ] ||
	fail "Release builds the library"
cmake "$dir" -DPYROSCOPE=ON >/dev/null
cmake --build "$dir" --target consumer >"$work/log" 2>&1 ||
	fail "FetchContent, ON: $(tail -n 20 "$work/log")"
says on "$dir/consumer"

# By hand, with what README says.
cmake --install "$BUILD_DIR" --prefix "$work/prefix" >/dev/null
libdir=$(dirname "$(find "$work/prefix" -name libpyroscope.so)")
export C_INCLUDE_PATH=$work/prefix/include CPLUS_INCLUDE_PATH=$work/prefix/include
export LIBRARY_PATH=$libdir LD_LIBRARY_PATH=$libdir
gcc "$source_dir/tests/consumer/main.c" -o "$work/plain" -lpyroscope
says on "$work/plain"
g++ "$source_dir/tests/consumer/main.cpp" -o "$work/cxx" -lpyroscope
says on "$work/cxx"
gcc -static "$source_dir/tests/consumer/main.c" -o "$work/static" \
	@"$libdir/pyroscope.wrap" -lpyroscope
says on "$work/static"
gcc -DRELEASE "$source_dir/tests/consumer/main.c" -o "$work/release"
says off "$work/release"
echo "add_subdirectory, FetchContent, plain"
