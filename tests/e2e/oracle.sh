#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# oracle.sh - at every instruction of small programs, the walk is what the calls
# were (tests/oracle); LONG=1: with all compilers and levels
set -euo pipefail
corpus=$PWD/tests/oracle/corpus
oracle=$BUILD_DIR/tests/oracle
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
failed=()

# follow TOP OUTER COMPILER SOURCE OPTION...: limits in walks of a million,
# wrong at the top and further out.
follow()
{
	local top=$1 outer=$2 compiler=$3 source=$4 status=0
	shift 4
	echo "# $compiler $source $*"
	"$compiler" -w -o "$out/program" "$corpus/$source" "$@" || status=$?
	[ $status != 0 ] || "$oracle" -m -t "$top" -o "$outer" \
		-x tests/oracle/masked.txt "$out/program" || status=$?
	[ $status = 0 ] || failed+=("$compiler $source $*")
}

# What compilers make: 0.02 % at the top, 0.05 % further out.
compiled()
{
	follow 200 500 "$@"
}

short()
{
	compiled gcc shapes.c -O0 -lm
	compiled gcc shapes.c -O2 -flto -no-pie -lm
	compiled gcc shapes.c -O2 -static -lm
	compiled clang shapes.c -Os -lm
	compiled gcc shapes.c -O3 -mstackrealign -Wl,-z,now -lm
	compiled gcc signals.c -O2
	compiled gcc spawn.c -O2
	compiled g++ cxx.cc -O2
	follow 0 0 gcc assembler.S
	follow 200 5000 gcc crypto.c -O2 -lcrypto
}

long()
{
	local level compiler
	for level in -O0 -O1 -O2 -O3 -Os; do
		for compiler in gcc clang; do
			compiled $compiler shapes.c $level -lm
			compiled $compiler signals.c $level
		done
		for compiler in g++ clang++; do
			compiled $compiler cxx.cc $level
		done
	done
	compiled gcc shapes.c -O2 -static-pie -lm
	compiled gcc shapes.c -O2 -fcf-protection -Wl,-z,lazy -lm
	compiled gcc shapes.c -O2 -fno-omit-frame-pointer -lm
	compiled g++ cxx.cc -O2 -flto
	compiled g++ cxx.cc -O2 -static
}

short
[ -z "${LONG:-}" ] || long
[ ${#failed[@]} = 0 ] || printf 'FAIL %s\n' "${failed[@]}"
[ ${#failed[@]} = 0 ]
