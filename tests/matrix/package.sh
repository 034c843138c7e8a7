#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# package.sh - the rows of the build matrix, through the installed package
#
# Installs the build into a folder of its own, moves that folder, and builds
# tests/consumer against it by CMake in each configuration, and by pkg-config.
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

cmake --install "$BUILD_DIR" --prefix "$work/first" >/dev/null
mv "$work/first" "$work/prefix"
prefix=$work/prefix
[ -x "$prefix/bin/pyro" ] || fail "pyro is not installed"

# row WANTED CONFIGURATION OPTION...
row()
{
	local wanted=$1 configuration=$2 dir=$work/build program
	shift 2
	rm -rf "$dir"
	cmake -S "$source_dir/tests/consumer" -B "$dir" -G Ninja \
		-DCMAKE_PREFIX_PATH="$prefix" \
		-DCMAKE_BUILD_TYPE="$configuration" "$@" >"$work/log" 2>&1 &&
		cmake --build "$dir" >>"$work/log" 2>&1 ||
		fail "$configuration $*: $(cat "$work/log")"
	for program in consumer consumer_cxx; do
		[ "$(timeout -k 5 20 "$dir/$program")" = "$wanted" ] ||
			fail "$configuration $*: $program is not $wanted"
		if [ "$wanted" = off ]; then
			[ "$( (readelf -d "$dir/$program" &&
				nm "$dir/$program") | grep -c pyro)" = 0 ] ||
				fail "$configuration $*: names the library"
		else
			[ "$(readelf -d "$dir/$program" |
				grep -c 'NEEDED.*libpyroscope.so.0]')" = 1 ] ||
				fail "$configuration $*: links no library"
		fi
	done
	[ "$(timeout -k 5 20 "$dir/consumer_static")" = on ] ||
		fail "$configuration: static"
}

row on Debug
row off Release
row on Release -DPYROSCOPE=ON
row off Debug -DPYROSCOPE=OFF
row on Debug -DPYROSCOPE=AUTO
row off Release -DPYROSCOPE=AUTO

# pkg-config, from where the tree was moved to.
pc=$(find "$prefix" -name pkgconfig -type d)
export PKG_CONFIG_PATH=$pc
libdir=$(dirname "$pc")
gcc "$source_dir/tests/consumer/main.c" -o "$work/shared" \
	$(pkg-config --cflags --libs pyroscope) -Wl,-rpath,"$libdir"
[ "$(timeout -k 5 20 "$work/shared")" = on ] || fail "pkg-config: shared"
gcc -static "$source_dir/tests/consumer/main.c" -o "$work/static" \
	$(pkg-config --static --cflags --libs pyroscope)
[ "$(timeout -k 5 20 "$work/static")" = on ] || fail "pkg-config: static"
grep -q "^Version: $(sed -n 's/.*VERSION_STRING "\(.*\)"/\1/p' \
	"$prefix/include/pyroscope/pyroscope.h")$" "$pc/pyroscope.pc" ||
	fail "pkg-config: version"
echo "6 rows, pkg-config"
