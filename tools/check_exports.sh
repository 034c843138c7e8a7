#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check_exports.sh BUILD - what the built libraries show and need
#
# libpyroscope.so exports the functions of the public header, versioned, and
# the names of hooks.txt, unversioned, and nothing else; it needs libc alone;
# it is never unloaded and never resolved lazily. libpyroscope.a defines the same
# public functions and __wrap_x for each hook that is not for the shared library
# alone, and nothing else. pyro needs libc alone, too.
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

hooks=$(awk '!/^#/ { print $1 }' "$tools/hooks.txt" | sort)
wrapped=$(awk '!/^#/ && NF == 1 { print $1 }' "$tools/hooks.txt" | sort)
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

archive=$build/libpyroscope.a
compare "global names of libpyroscope.a" \
	"$( (sed 's/^/__wrap_/' <<<"$wrapped" && echo "$public") | sort)" \
	"$(nm -g --defined-only "$archive" | awk 'NF == 3 { print $3 }' | sort)"
compare "wrapped by libpyroscope.a" "$wrapped" \
	"$(nm -u "$archive" | sed -n 's/.* __real_//p' | sort)"
compare "wrapped by pyroscope.wrap" "$wrapped" \
	"$(sed -n 's/^-Wl,--wrap=//p' "$build/pyroscope.wrap" | sort)"
exit $status
