#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# check_debian.sh BUILD - debian/ says what the sources and the built library do
#
# The version; each public function in the list of symbols, of no version to
# come; the libraries that are loaded on use. tests/debian.sh builds the packages.
set -euo pipefail
build=$1
cd "$(dirname "$0")/.."
status=0

# compare WHAT WANTED FOUND
compare()
{
	if [ "$2" != "$3" ]; then
		echo "debian: $1: wanted < and found > differ" >&2
		diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") >&2 || true
		status=1
	fi
}

version=$(sed -n 's/.*VERSION_STRING "\(.*\)"/\1/p' \
	include/pyroscope/pyroscope.h)
compare "version in changelog" "$version" \
	"$(sed -n '1s/^pyroscope-c (\(.*\)) .*/\1/p' debian/changelog)"

symbols=debian/libpyroscope0.symbols
compare symbols \
	"$(nm -D --defined-only "$build/libpyroscope.so" |
		sed -n 's/.* \(pyroscope_.*@\)@/\1/p' | LC_ALL=C sort)" \
	"$(sed -n 's/^ \(pyroscope_[^ ]*\) .*/\1/p' $symbols | LC_ALL=C sort)"
newest=$( (sed -n 's/^ pyroscope_.* //p' $symbols && echo "$version") |
	sort -V | tail -n 1)
compare "newest version of symbols" "$version" "$newest"

compare "libraries that are loaded on use" \
	"$(sed -n 's/^Recommends: //p' debian/control | tr -d ' ' | tr ',' '\n')" \
	"$(grep -rhoE 'pyro_library_load\("lib[^"]*' src |
		sed 's/.*"//; s/\.so\.//' | grep -v '^libc++abi' |
		LC_ALL=C sort -u)"
exit $status
