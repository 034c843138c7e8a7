#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# symbols.sh - names, lines or addresses, as wanted, by option and by variable
. "$(dirname "$0")/_cli.sh"
tests=${SOURCE_DIR:?}/tests
program=${PROGRAMS_DIR:?}/inlined

check()
{
	/usr/bin/python3 -B "$tests/e2e/symbols.py" "$1" "$2" \
		"$(realpath "$program")" "$tests/programs/inlined.c" >said 2>&1 &&
		ok "$3" || fail "$3: $(cat said)"
}

for how in names lines server; do
	run "$pyro" record --symbols $how -o $how.pb.gz -- "$program"
	is "$how: exit code" 0 $rc
	check $how $how.pb.gz "by --symbols $how"
done
PYROSCOPE_SYMBOLS=lines run "$pyro" record -o variable.pb.gz -- "$program"
check lines variable.pb.gz "by PYROSCOPE_SYMBOLS"
run "$pyro" record -o default.pb.gz -- "$program"
check names default.pb.gz "names, if nothing is said"

# The table and the flame graph have inlined functions of their own.
run "$pyro" top lines.pb.gz
has "pyro top shows an inlined function" '%.* innermost' out
run "$pyro" view -o lines.html lines.pb.gz
has "pyro view shows an inlined function" 'innermost' lines.html

run "$pyro" record --symbols all -o all.pb.gz -- "$program"
is "a bad --symbols: exit code" 2 $rc
has "a bad --symbols is said" 'names, lines or server, not all' err
PYROSCOPE_SYMBOLS=all run "$pyro" record -o bad.pb.gz -- "$program"
is "a bad PYROSCOPE_SYMBOLS: exit code" 0 $rc
has "a bad PYROSCOPE_SYMBOLS is said" 'is not names, lines or server' err
check names bad.pb.gz "a bad PYROSCOPE_SYMBOLS: names"
no_leftovers "symbols"
finish
