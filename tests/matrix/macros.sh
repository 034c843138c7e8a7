#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# macros.sh - the rows of the build matrix, as macros on the command line
#
# For gcc and clang, C and C++, -O0 and -O2: each row compiles without warnings,
# links and runs. On rows name the library's functions; off rows link without
# the library, have no undefined symbol of it, and .text, .data and .rodata of
# the object are those of the same program with the calls deleted.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
include=$here/../../include
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

# The bytes of the sections that the loader maps, by name.
sections()
{
	local name
	for name in $(objdump -h "$1" | awk '$2 ~ /^\.(text|data|rodata)/ &&
		$3 != "00000000" { print $2 }' | sort); do
		echo "$name"
		objcopy -O binary --only-section="$name" \
			--set-section-flags "$name=alloc" "$1" "$work/bytes"
		sha256sum <"$work/bytes"
	done
}

# build_row WANTED FLAGS...: in all compilers and levels
build_row()
{
	local wanted=$1 compiler level
	shift
	for compiler in "gcc -std=c99" "gcc -std=gnu17" "clang -std=c99" \
		"g++ -x c++ -std=c++98" "clang++ -x c++ -std=c++17"; do
		for level in -O0 -O2; do
			one "$wanted" "$compiler $level" "$@"
		done
	done
}

one()
{
	local wanted=$1 cc=$2 what="$2 $*"
	local base="$cc -Wall -Wextra -Wpedantic -Wundef -Werror -I$include"
	shift 2
	$base "$@" -c "$here/on_off.c" -o "$work/row.o" || fail "$what: compile"
	$base "$@" -DUSE_RESULTS -c "$here/on_off.c" -o "$work/results.o" ||
		fail "$what: compile with results"
	local used
	used=$(nm -u "$work/row.o" "$work/results.o" | grep -c pyro || true)
	if [ "$wanted" = on ]; then
		[ "$used" -gt 10 ] || fail "$what: on, but calls are missing"
		${cc%% *} "$work/results.o" -o "$work/program" \
			-L"$BUILD_DIR" -Wl,-rpath,"$BUILD_DIR" -lpyroscope ||
			fail "$what: link"
	else
		[ "$used" = 0 ] || fail "$what: off, but names the library"
		${cc%% *} "$work/results.o" -o "$work/program" ||
			fail "$what: link without the library"
		same "$what" "$base" "$@"
	fi
	(cd "$work" && timeout -k 5 20 ./program >output 2>errors) ||
		fail "$what: run: $(cat "$work/errors")"
	[ "$(tail -n 1 "$work/output")" = few ] || fail "$what: output"
	rows=$((rows + 1))
}

# An off row against the calls deleted, and against their results being 0.
same()
{
	local what=$1 base=$2 name
	shift 2
	$base "$@" -DCALLS_DELETED -Wno-unused -c "$here/on_off.c" \
		-o "$work/deleted_row.o"
	$base "$@" -DCALLS_DELETED -DUSE_RESULTS -Wno-unused \
		-c "$here/on_off.c" -o "$work/deleted_results.o"
	for name in row results; do
		sections "$work/$name.o" >"$work/ours"
		sections "$work/deleted_$name.o" >"$work/deleted"
		grep -q '^\.text' "$work/ours" || fail "$what: no .text"
		cmp -s "$work/ours" "$work/deleted" ||
			fail "$what: $name differs from the calls deleted"
	done
}

rows=0
build_row on
build_row off -DRELEASE
build_row on -DRELEASE -DPYROSCOPE
build_row off -DPYROSCOPE_DISABLE
build_row off -DPYROSCOPE_DISABLE -DPYROSCOPE
build_row off -DRELEASE -DPYROSCOPE -DPYROSCOPE_DISABLE

# scopes WANTED FLAGS...: the objects of the C++ header, of which nothing is left
# where off, once there is optimization.
scopes()
{
	local wanted=$1 compiler standard base what link=()
	shift
	[ "$wanted" = off ] || link=(-L"$BUILD_DIR" -Wl,-rpath,"$BUILD_DIR"
		-lpyroscope)
	for compiler in g++ clang++; do
		for standard in c++11 c++20; do
			what="scopes: $compiler $standard $*"
			base="$compiler -std=$standard -O2 -Wall -Wextra"
			base+=" -Wpedantic -Wshadow -Werror -I$include $*"
			$base -c "$here/scopes.cpp" -o "$work/row.o" ||
				fail "$what: compile"
			$compiler "$work/row.o" -o "$work/program" \
				"${link[@]}" || fail "$what: link"
			[ "$(timeout -k 5 20 "$work/program")" = few ] ||
				fail "$what: run"
			$base -DCALLS_DELETED -Wno-unused -c \
				"$here/scopes.cpp" -o "$work/deleted.o"
			sections "$work/row.o" >"$work/ours"
			sections "$work/deleted.o" >"$work/deleted"
			[ "$wanted" = on ] || cmp -s "$work/ours" \
				"$work/deleted" ||
				fail "$what: differs from the calls deleted"
			[ "$wanted" = off ] || ! cmp -s "$work/ours" \
				"$work/deleted" || fail "$what: no calls"
			rows=$((rows + 1))
		done
	done
}
scopes on
scopes off -DRELEASE
scopes on -DRELEASE -DPYROSCOPE
scopes off -DPYROSCOPE_DISABLE

# The headers alone, in every language that they promise.
strict="-Wall -Wextra -Wpedantic -pedantic-errors -Wshadow -Wundef
	-Wconversion -Werror -fsyntax-only"
for flags in "" -DRELEASE; do
	echo '#include <pyroscope/pyroscope.h>' >"$work/header.c"
	for standard in c99 c11 c2x; do
		for compiler in gcc clang; do
			$compiler -std=$standard $strict -Wstrict-prototypes \
				-I"$include" $flags "$work/header.c" ||
				fail "header: $compiler $standard $flags"
		done
	done
	for header in h hpp; do
		echo "#include <pyroscope/pyroscope.$header>" >"$work/h.cpp"
		for standard in c++11 c++14 c++17 c++20; do
			for compiler in g++ clang++; do
				$compiler -std=$standard $strict \
					-Wold-style-cast -I"$include" $flags \
					"$work/h.cpp" || fail \
					"$header: $compiler $standard $flags"
			done
		done
	done
done

# The comparison can fail: the on row is not the same as the calls deleted.
gcc -O2 -I"$include" -c "$here/on_off.c" -o "$work/a.o"
gcc -O2 -I"$include" -DCALLS_DELETED -w -c "$here/on_off.c" -o "$work/b.o"
[ "$(sections "$work/a.o")" != "$(sections "$work/b.o")" ] ||
	fail "the comparison sees no difference"

# Off still checks types.
echo '#include <pyroscope/pyroscope.h>
int main(void) { pyroscope_load(1.5); return 0; }' >"$work/bad.c"
! gcc -DRELEASE -I"$include" -c "$work/bad.c" -o "$work/bad.o" 2>/dev/null ||
	fail "off accepts a wrong argument"
echo "$rows rows"
