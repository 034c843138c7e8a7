#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# stats.sh - what pyroscope_stats() counts is what the profiles show
. "$(dirname "$0")/_life.sh"

run linked "$programs/stats"
sed 's/^/   /' out
succeeded "counters hold"
counted()
{
	sed -n "s/^$1=//p" out
}

# matches NAME FRAME: as many samples have that frame at the root
matches()
{
	is "$1" "$(profile "root('$2')" drop/*[0-9].pb.gz 2>&1)" "$(counted "$1")"
}

matches truncated_depth '[truncated]'
matches truncated_gap '[truncated: no unwind information]'
matches truncated_expression '[truncated: rule not understood]'
matches truncated_register '[truncated: register not known]'
matches truncated_bounds '[truncated: stack not readable]'
matches truncated_progress '[truncated: broken stack]'
matches truncated_unmapped '[truncated: code of no object]'
matches truncated_pending '[truncated: tables not built yet]'
matches truncated_unloaded '[truncated: code unloaded since]'
matches lost '[lost]'
matches overflow '[overflow]'
is samples "$(profile "ticks()" drop/*[0-9].pb.gz)" "$(counted samples)"
is complete "$(profile "ticks() - incomplete()" drop/*[0-9].pb.gz)" \
	"$(counted complete)"
is profiles_sent "$(profile "files()" drop/*.pb.gz)" "$(counted profiles_sent)"
for reason in depth bounds progress unmapped; do
	[ "$(counted truncated_$reason)" -gt 20 ] ||
		fail "the program has no stack that ends by $reason"
done
finish
