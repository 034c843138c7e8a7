#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# ends.sh - the last window is sent by exit, quick_exit and return from main, and
# never by _exit; the exit code stays
. "$(dirname "$0")/_life.sh"

for how in linked preloaded; do
	for end in exit return quick_exit thread; do
		run $how "$programs/ends" $end
		is "$end, $how: exit code" 7 "$rc"
		is "$end, $how: says nothing" "" "$(cat err)"
		has_samples "$end, $how" 200 work
	done
	for end in _exit:7 _Exit:7 abort:134; do
		run $how "$programs/ends" "${end%:*}" 2>aborted
		is "$end, $how: exit code" "${end#*:}" "$rc"
		is "$end, $how: nothing is sent" "" "$(ls drop | grep gz)"
	done
done
finish
