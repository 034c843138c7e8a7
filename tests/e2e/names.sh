#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# names.sh - names of functions as a user sees them: C++ and Rust
. "$(dirname "$0")/_cli.sh"
tests=${SOURCE_DIR:?}/tests

# check WHAT FILE NAME[=SYSTEM_NAME]...
check()
{
	/usr/bin/python3 -B "$tests/e2e/names.py" "${@:2}" >said 2>&1 &&
		ok "$1" || fail "$1: $(cat said)"
}

v0=_RINvNtCs1234_7mycrate4work4spinhE
legacy='_ZN7mycrate4work12old$LT$T$GT$17h0123456789abcdefE'
area=_ZNK5shape4areaImE2ofEmPSt6vectorImSaImEE
flags="-O2 -g -fomit-frame-pointer $tests/names/readable.cpp"
# shellcheck disable=SC2086
g++ $flags -o readable && g++ $flags -static-libstdc++ -static-libgcc \
	-o alone || fail "g++"

run "$pyro" record -o simple.pb.gz -- ./readable
check "simplified, if nothing is said" simple.pb.gz "shape::area::of=$area" \
	"mycrate::work::spin=$v0" "mycrate::work::old=$legacy"
run "$pyro" record --demangle full -o full.pb.gz -- ./readable
check "full" full.pb.gz "mycrate::work::spin::<u8>=$v0" \
	"mycrate::work::old<T>=$legacy" "shape::area<unsigned long>::of(unsigned \
long, std::vector<unsigned long, std::allocator<unsigned long> >*) const=$area"
PYROSCOPE_DEMANGLE=none run "$pyro" record -o none.pb.gz -- ./readable
check "none" none.pb.gz "$area" "$v0" "$legacy"
run "$pyro" record --demangle nice -o bad.pb.gz -- ./readable
is "a bad --demangle: exit code" 2 $rc
has "a bad --demangle is said" 'simplified, full or none, not nice' err

# A program that has no C++ runtime library to show gets one for C++ names only.
export PYROSCOPE_UPLOAD_INTERVAL=1s
run "$pyro" record -o alone.pb.gz -- ./alone 2
check "with a C++ library of its own" alone.pb.gz "shape::area::of=$area"
has "libstdc++ is loaded for C++ names" '^loaded' out
run "$pyro" record -o rust.pb.gz -- ./alone 2 rust
check "Rust's names alone" rust.pb.gz "mycrate::work::spin=$v0" \
	"mycrate::work::old=$legacy"
has "libstdc++ is not loaded for Rust's names" '^absent' out
unset PYROSCOPE_UPLOAD_INTERVAL
no_leftovers names
finish
