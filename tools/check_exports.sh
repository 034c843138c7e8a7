#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check_exports.sh BUILD - what the built libraries show and need
#
# libpyroscope.so exports the functions of the public header, versioned, and
# the names of hooks.txt, unversioned, and nothing else; it needs libc alone;
# it is never unloaded and never resolved lazily. libpyroscope.a defines no
# global name outside our prefixes but the hooks. pyro needs libc alone, too.
set -euo pipefail
build=$1
tools=$(dirname "$0")
header=$tools/../include/pyroscope/pyroscope.h
so=$build/libpyroscope.so
status=0

# compare WHAT WANTED FOUND
compare()
{
	if [ "$2" != "$3" ]; then
		echo "$1: wanted < and found > differ" >&2
		diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") >&2 || true
		status=1
	fi
}

hooks=$(grep -v '^#' "$tools/hooks.txt" | sort)
public=$(grep '^PYROSCOPE_API' "$header" |
	grep -o 'pyroscope_[a-z_]*(' | tr -d '(' | sort)
exported=$(nm -D --defined-only "$so" | awk '$2 != "A" { print $3 }' | sort)
compare "versioned exports" \
	"$(sed 's/$/@@PYROSCOPE_0.1/' <<<"$public")" \
	"$(grep @ <<<"$exported" || true)"
compare "unversioned exports" "$hooks" "$(grep -v @ <<<"$exported" || true)"

dynamic=$(readelf -dW "$so")
needed()
{
	readelf -dW "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}
compare "DT_NEEDED of libpyroscope.so" libc.so.6 "$(needed "$so")"
compare "DT_NEEDED of pyro" libc.so.6 "$(needed "$build/pyro")"
compare SONAME "libpyroscope.so.0" \
	"$(sed -n 's/.*(SONAME).*\[\(.*\)\]/\1/p' <<<"$dynamic")"
for flag in NOW NODELETE; do
	grep -q "FLAGS.*\<$flag\>" <<<"$dynamic" || {
		echo "libpyroscope.so: flag $flag is not set" >&2
		status=1
	}
done
compare "executable stack" "" "$(readelf -lW "$so" | grep GNU_STACK | grep E ||
	true)"

stray=$(nm -g --defined-only "$build/libpyroscope.a" |
	awk 'NF == 3 { print $3 }' | grep -vE '^(pyro|pyroscope)_' |
	grep -vxFf <(printf '%s\n' "$hooks") | sort -u) || true
compare "global names of libpyroscope.a" "" "$stray"
exit $status
