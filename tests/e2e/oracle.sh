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

# follow START TOP OUTER COMPILER SOURCE OPTION...: from the marker (-m) or from
# the first instruction; limits in walks of a million, wrong at the top and
# further out.
follow()
{
	local start=$1 top=$2 outer=$3 compiler=$4 source=$5 status=0
	shift 5
	echo "# $compiler $source $*"
	"$compiler" -w -o "$out/program" "$corpus/$source" "$@" || status=$?
	[ $status != 0 ] || "$oracle" ${start:+"$start"} -t "$top" -o "$outer" \
		-x tests/oracle/masked.txt "$out/program" || status=$?
	[ $status = 0 ] || failed+=("$compiler $source $*")
}

# What compilers make: 0.02 % at the top, 0.05 % further out.
compiled()
{
	follow -m 200 500 "$@"
}

# From ld.so's first instruction to the last one, crt files without CFI
# included. Lazy binding, musl without any CFI, and static glibc's IPLT.
whole()
{
	follow '' 200 500 gcc shapes.c -O2 -Wl,-z,lazy -lm
	follow '' 200 500 gcc shapes.c -O2 -static -lm
	follow '' 500 500 musl-gcc shapes.c -O2 -static
	follow '' 1000 500 musl-gcc shapes.c -O2
}

short()
{
	compiled gcc shapes.c -O0 -lm
	compiled gcc shapes.c -O2 -flto -no-pie -lm
	compiled clang shapes.c -Os -lm
	compiled gcc shapes.c -O3 -mstackrealign -Wl,-z,now -lm
	compiled gcc signals.c -O2
	compiled gcc spawn.c -O2
	compiled g++ cxx.cc -O2
	follow -m 0 0 gcc assembler.S
	follow -m 200 5000 gcc crypto.c -O2 -lcrypto
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
whole
[ -z "${LONG:-}" ] || long
[ ${#failed[@]} = 0 ] || printf 'FAIL %s\n' "${failed[@]}"
[ ${#failed[@]} = 0 ]
