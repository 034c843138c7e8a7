#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# pauses.sh - types that are paused: nothing of that time, and all of the rest
. "$(dirname "$0")/_cli.sh"
export PYTHONPATH=${SOURCE_DIR:?}/tests
export PYROSCOPE_OUTPUT_DIR=$work/profiles PYROSCOPE_UPLOAD_INTERVAL=60s
mkdir "$PYROSCOPE_OUTPUT_DIR"
run "${PROGRAMS_DIR:?}/pauses"
is "the program's code" 0 $rc
is "no lines" "" "$(cat err)"
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/pauses.py" out \
	"$PYROSCOPE_OUTPUT_DIR" || failed=1
finish
