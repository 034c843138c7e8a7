#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# full.sh - what a folder does not take for a while is in later profiles, with the time
# that it is of; what it never will is counted
. "$(dirname "$0")/_cli.sh"
export PYTHONPATH=${SOURCE_DIR:?}/tests
export PYROSCOPE_OUTPUT_DIR=$work/profiles PYROSCOPE_UPLOAD_INTERVAL=60s
mkdir "$PYROSCOPE_OUTPUT_DIR"
run "${PROGRAMS_DIR:?}/full" "$PYROSCOPE_OUTPUT_DIR"
is "the program's code" 0 $rc
lines "one line" 1 1 err
has "which tells" 'a profile could not be written: no such file' err
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/full.py" out \
	"$PYROSCOPE_OUTPUT_DIR" || failed=1
finish
