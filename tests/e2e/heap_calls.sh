#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# heap_calls.sh - each function of the allocator is counted, once, where it was
# called: an interval of 1 byte samples all
. "$(dirname "$0")/_life.sh"
export PYROSCOPE_PROFILE_TYPES=heap PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES=1

# counts WHAT: the profile says of each function what the program says
counts()
{
	succeeded "$1"
	PYTHONPATH=$here/.. python3 "$here/heap_calls.py" \
		drop/*.heap.pb.gz <out && ok "$1: counts" || fail "$1: counts"
}

run linked "$programs/heap_calls"
counts linked
run preloaded "$programs/heap_calls"
counts preloaded
finish
