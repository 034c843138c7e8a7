#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check_man.sh BUILD - the manual pages are installed, well formed, and have every
# verb, setting and function, and whatever else the header says a word of
set -euo pipefail
build=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

bad()
{
	echo "$*" >&2
	status=1
}

# has PAGE PATTERN
has()
{
	grep -q -e "$2" "$1" || bad "$(basename "$1") has no $2"
}

cmake --install "$build" --prefix "$work" >/dev/null
man=$(dirname "$(dirname "$(find "$work" -name pyro.1)")")
for page in man1/pyro.1 man3/pyroscope.3 man7/pyroscope.7; do
	# Only a release has a date.
	mandoc -T lint -W warning "$man/$page" >"$work/lint" || true
	! grep -v 'missing date' "$work/lint" || bad "$page: mandoc"
	# Where there is man-db, groff, which most systems show pages with.
	[ -z "$(man --warnings -l "$man/$page" 2>&1 >"$work/shown")" ] ||
		bad "$page: groff"
done

for verb in exec record top view diff; do
	has "$man/man1/pyro.1" "^.SS $verb$"
	"$build/pyro" $verb --help | grep -o '^  --\?[a-z-]*' | tr -d ' ' |
		sed 's/-/\\\\-/g' >"$work/options"
	while read -r option; do
		has "$man/man1/pyro.1" "^\.B ${option}"
	done <"$work/options"
done
"$build/pyro" help settings | sed -n 's/^| `\([a-z_]*\)` .*/\1/p' \
	>"$work/settings"
[ "$(wc -l <"$work/settings")" -gt 30 ] || bad "settings were not found"
while read -r setting; do
	has "$man/man7/pyroscope.7" "^\.B $setting$"
done <"$work/settings"
nm -D --defined-only "$build/libpyroscope.so" |
	sed -n 's/.* \(pyroscope_[a-z_]*\)@.*/\1/p' >"$work/functions"
while read -r function; do
	has "$man/man3/pyroscope.3" "^\.SS .*\<$function\>"
	[ "$(cat "$man/man3/$function.3")" = ".so man3/pyroscope.3" ] ||
		bad "$function(3) is not there"
done <"$work/functions"
# Types, structs and their fields, and macros.
header=$(dirname "$0")/../include/pyroscope/pyroscope.h
sed '/^#if PYROSCOPE_ENABLED/,$d' "$header" >"$work/header"
sed -n -e 's/^struct \(pyroscope_[a-z_]*\) {.*/\1/p' \
	-e 's/^typedef .*\(pyroscope_[a-z_]*\)[(;].*/\1/p' \
	-e 's/^#define \(PYROSCOPE_[A-Z_]*[A-Z]\)[ (].*/\1/p' "$work/header" |
	grep -v -x PYROSCOPE_API | sort -u >"$work/names"
[ "$(wc -l <"$work/names")" -gt 20 ] || bad "names were not found"
while read -r name; do
	has "$man/man3/pyroscope.3" "^\.SS .*\<$name\>"
	[ -e "$man/man3/$name.3" ] || bad "$name(3) is not there"
done <"$work/names"
sed -n '/^struct /,/^};/s/^\t[a-z][^(]*[ *]\([a-z_]*\);.*/\1/p' \
	"$work/header" >"$work/fields"
[ "$(wc -l <"$work/fields")" -gt 60 ] || bad "fields were not found"
while read -r field; do
	has "$man/man3/pyroscope.3" "^\.B .*\<$field\>"
done <"$work/fields"
exit $status
