#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# debian.sh - Debian's packages: twice the same, without a complaint of lintian, with
# the files that they should have, and of use once they are unpacked
#
# The tests of debian/tests/ run by programs of the machine, as if the packages'
# tree were its own.
set -euo pipefail
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
machine=$(dpkg-architecture -qDEB_HOST_MULTIARCH)

fail()
{
	echo "FAILED: $*" >&2
	exit 1
}

# build FOLDER
build()
{
	mkdir -p "$1/source"
	tar -c --exclude='./build*' --exclude=./.git . | tar -x -C "$1/source"
	(cd "$1/source" && dpkg-buildpackage -us -uc -b) >"$1/log" 2>&1 ||
		fail "dpkg-buildpackage: $(tail -n 30 "$1/log")"
}

build "$work/first"
(umask 027 && TZ=Asia/Tokyo build "$work/second/elsewhere")
for package in "$work"/first/*.deb; do
	cmp "$package" "$work/second/elsewhere/$(basename "$package")" ||
		fail "two builds differ"
done
lintian --display-info --fail-on error,warning,info "$work"/first/*.changes ||
	fail lintian

for package in libpyroscope0 libpyroscope-dev pyroscope-c; do
	dpkg-deb -x "$work/first/${package}"_*.deb "$work/$package"
	mkdir -p "$work/root"
	cp -a "$work/$package/." "$work/root"
	(cd "$work/$package" && find . -type f -o -type l) |
		sed "s,^\./,$package: ,; s,/$machine/,/MACHINE/,
			s,\.so\.[0-9.]*$,.so.VERSION," |
		grep -v -e /man3/pyroscope_ -e /man3/PYROSCOPE_ -e '/changelog.gz$' \
			-e '/copyright$'
done | LC_ALL=C sort >"$work/files"
LC_ALL=C sort <<-EOF | diff - "$work/files" || fail "other files"
	libpyroscope-dev: usr/include/pyroscope/pyroscope.h
	libpyroscope-dev: usr/include/pyroscope/pyroscope.hpp
	libpyroscope-dev: usr/lib/MACHINE/cmake/pyroscope/pyroscope-config.cmake
	libpyroscope-dev: usr/lib/MACHINE/cmake/pyroscope/pyroscope-config-version.cmake
	libpyroscope-dev: usr/lib/MACHINE/cmake/pyroscope/pyroscope-switch.cmake
	libpyroscope-dev: usr/lib/MACHINE/cmake/pyroscope/pyroscope-targets.cmake
	libpyroscope-dev: usr/lib/MACHINE/cmake/pyroscope/pyroscope-targets-relwithdebinfo.cmake
	libpyroscope-dev: usr/lib/MACHINE/libpyroscope.a
	libpyroscope-dev: usr/lib/MACHINE/libpyroscope.so
	libpyroscope-dev: usr/lib/MACHINE/pkgconfig/pyroscope.pc
	libpyroscope-dev: usr/lib/MACHINE/pyroscope.wrap
	libpyroscope-dev: usr/share/doc/libpyroscope-dev/examples/hello.c
	libpyroscope-dev: usr/share/man/man3/pyroscope.3.gz
	libpyroscope0: usr/lib/MACHINE/libpyroscope.so.VERSION
	libpyroscope0: usr/lib/MACHINE/libpyroscope.so.VERSION
	pyroscope-c: usr/bin/pyro
	pyroscope-c: usr/share/doc/pyroscope-c/NEWS.md.gz
	pyroscope-c: usr/share/doc/pyroscope-c/README.md.gz
	pyroscope-c: usr/share/doc/pyroscope-c/configuration.md.gz
	pyroscope-c: usr/share/man/man1/pyro.1.gz
	pyroscope-c: usr/share/man/man7/pyroscope.7.gz
EOF

libdir=$work/root/usr/lib/$machine
export PATH=$work/root/usr/bin:$PATH PKG_CONFIG_PATH=$libdir/pkgconfig
export CMAKE_PREFIX_PATH=$work/root/usr LD_LIBRARY_PATH=$libdir
for test in library command; do
	mkdir "$work/$test"
	AUTOPKGTEST_TMP=$work/$test timeout -k 5 120 debian/tests/$test \
		>"$work/$test.log" 2>&1 ||
		fail "debian/tests/$test: $(tail -n 20 "$work/$test.log")"
done
echo "3 packages"
