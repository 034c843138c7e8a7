#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# servers.sh - servers that are dead, refuse, hang, answer 500 or drip: the
# program keeps its output and exit code, ends soon after its own end, and does
# not grow; what a good server gets at exit and at SIGTERM
. "$(dirname "$0")/_life.sh"

harm=$programs/harm
export PYROSCOPE_SAMPLE_RATE=100 PYROSCOPE_UPLOAD_INTERVAL=1s PYROSCOPE_PROFILE_TYPES=cpu

servers=()
trap 'kill "${servers[@]}" 2>/dev/null; rm -rf "$work"' EXIT

# server MODE NAME: start one, its address in $address, its profiles in NAME.in
server()
{
	mkdir -p "$2.in"
	python3 "$here/_server.py" "$1" "$2.port" "$2.in" 2>"$2.err" &
	servers+=($!)
	for _ in $(seq 200); do
		[ -s "$2.port" ] && break
		sleep 0.05
	done
	address=http://127.0.0.1:$(cat "$2.port")
}

# How long a program may outlive its own end, in seconds: 2, and as much again
# for a machine that is busy.
guard=4

## At once, for the memory needs its time
bad="closed reset hang 500 drip full"
for mode in $bad; do
	server $mode $mode
	(
		begin=$(date +%s.%N)
		PYROSCOPE_SERVER_ADDRESS=$address timeout -s KILL 90 \
			"$harm" memory 24 >$mode.out 2>$mode.lines
		echo "$? $begin $(date +%s.%N)" >$mode.end
	) &
	echo $! >$mode.pid
done
for mode in $bad; do
	wait "$(cat $mode.pid)"
	read -r code begin end <$mode.end
	late=$(echo "$begin $end" | awk '{ printf "%.1f", $2 - $1 - 24 }')
	is "$mode server: exit code and output" "0 ok" \
		"$code $(cat $mode.out)"
	lines=$(grep -c '^pyroscope: ' $mode.lines)
	if [ "$lines" -le 2 ]; then
		ok "$mode server: $lines lines," \
			"$(grep -v ^pyroscope $mode.lines), ended ${late} s late"
	else
		fail "$mode server: $(head -c 600 $mode.lines)"
	fi
	awk -v late="$late" -v guard=$guard 'BEGIN { exit late > guard }' ||
		fail "$mode server: ended $late s late"
done

## Short programs, which have one window and end
for mode in $bad; do
	port=$(cat $mode.port)
	begin=$(date +%s.%N)
	PYROSCOPE_SERVER_ADDRESS=http://127.0.0.1:$port timeout -s KILL 60 \
		"$harm" plain 0.3 >out 2>err
	rc=$?
	late=$(echo "$begin $(date +%s.%N)" |
		awk '{ printf "%.1f", $2 - $1 - 0.3 }')
	is "$mode server, short program: exit code and output" "0 ok" \
		"$rc $(cat out)"
	awk -v late="$late" -v guard=$guard 'BEGIN { exit late > guard }' &&
		ok "$mode server, short program: ended $late s late" ||
		fail "$mode server, short program: ended $late s late"
done

## A good one
server ok good
export PYROSCOPE_SERVER_ADDRESS=$address PYROSCOPE_UPLOAD_INTERVAL=60s
# received WHAT MINIMUM FUNCTION: ticks of it in what came since the last call
received()
{
	local got
	got=$(profile "ticks('$3')" good.in/*.pb.gz 2>&1)
	[ "${got:-0}" -ge "$2" ] 2>/dev/null && ok "$1: $got ticks of $3" ||
		fail "$1: $got ticks of $3, wanted $2"
}
forget()
{
	rm -f good.in/*
}

"$harm" plain 0.5 >out 2>err
rc=$?
succeeded "a good server"
received "the last window comes at exit" 5 burn
forget

for host in "a-host" "" unset; do
	want=$(hostname)
	case $host in
	unset) "$harm" plain 0.2 >out 2>err ;;
	"") HOSTNAME= "$harm" plain 0.2 >out 2>err ;;
	*)
		HOSTNAME=$host "$harm" plain 0.2 >out 2>err
		want=$host
		;;
	esac
	rc=$?
	succeeded "HOSTNAME '$host'"
	is "HOSTNAME '$host': labels" "hostname=$want service_name=harm" \
		"$(grep -hE '^(hostname|service_name|pid)=' good.in/*.labels |
			sort -u | xargs)"
	forget
done

# Forked children say who they are.
PYROSCOPE_SAMPLE_RATE=1000 "$programs/forks" fork >out 2>err
rc=$?
succeeded "forked children"
is "forked children: pid labels" 3 \
	"$(grep -hs '^pid=' good.in/*.labels | sort -u | wc -l)"
received "forked children" 20 in_late_child
forget

## SIGTERM
# ended_by WHAT MODE SIGNAL WANTED_CODE COMMAND_WORD: start it preloaded as pyro
# would, send the signal when it runs
ended_by()
{
	: >out
	env LD_PRELOAD="$library" PYROSCOPE_COMMAND="$5" "$harm" "$2" \
		>out 2>err &
	local pid=$!
	for _ in $(seq 200); do
		grep -q running out && break
		sleep 0.05
	done
	sleep 0.5
	kill -"$3" $pid
	wait $pid 2>/dev/null
	is "$1" "$4" $?
}
ended_by "SIGTERM under pyro kills" forever TERM 143 exec
received "SIGTERM under pyro: the last window" 3 burn
forget
ended_by "SIGHUP under pyro kills" forever HUP 129 exec
received "SIGHUP under pyro: the last window" 3 burn
forget
ended_by "SIGKILL under pyro kills" forever KILL 137 exec
forget
ended_by "SIGTERM that the program handles" own-sigterm TERM 0 exec
is "SIGTERM that the program handles: its words" \
	"running the program's own way to end ok" "$(xargs -d '\n' <out)"
forget
ended_by "SIGTERM without pyro kills" forever TERM 143 ""
is "SIGTERM without pyro: nothing is flushed" "" "$(ls good.in)"
export PYROSCOPE_SERVER_ADDRESS=http://127.0.0.1:$(cat hang.port)
begin=$(date +%s)
ended_by "SIGTERM under pyro, the server hangs" forever TERM 143 exec
[ $(($(date +%s) - begin)) -le 8 ] || fail "it took $(($(date +%s) - begin)) s"
finish
