#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# chaos.sh - servers that fall ill and recover, all at once, each with a program
# of its own: all that can be delivered is, at least once, byte for byte the same
# each time, with one time for each window; memory is bounded, and the program
# ends when it ends. CHAOS_DEAD: seconds that a dead server is dead.
. "$(dirname "$0")/_life.sh"

dead=${CHAOS_DEAD:-6}
seconds=$((dead > 60 ? dead + 100 : 24))
export PYROSCOPE_SAMPLE_RATE=100 PYROSCOPE_PROFILE_TYPES=cpu,heap
export PYROSCOPE_UPLOAD_INTERVAL=$((dead > 60 ? 2 : 1))s
unset http_proxy all_proxy ALL_PROXY https_proxy HTTPS_PROXY
# Seconds that a program may outlive its end: 2, and as much for a busy machine.
guard=4

servers=()
trap 'kill "${servers[@]}" 2>/dev/null; rm -rf "$work"' EXIT

for name in good bad; do
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout $name.key \
		-out $name.pem -subj /CN=localhost \
		-addext subjectAltName=DNS:localhost 2>openssl.log ||
		fail "openssl: $(cat openssl.log)"
done
export SSL_CERT_FILE=$work/good.pem

# start NAME STEPS [FORMAT [SCHEME]]: a server that is ill by these steps, and a program
start()
{
	python3 "$here/_chaos.py" serve "$2" $1.port $1.log 2>$1.err &
	servers+=($!)
	for _ in $(seq 200); do
		[ -s $1.port ] && break
		sleep 0.05
	done
	(
		begin=$(date +%s.%N)
		PYROSCOPE_SERVER_ADDRESS=${4:-http}://localhost:$(cat $1.port) \
			PYROSCOPE_FORMAT=${3:-push} \
			timeout -s KILL $((seconds + 60)) \
			env LD_PRELOAD="$library" "$programs/trickle" $seconds \
			>$1.out 2>$1.lines
		echo "$? $begin $(date +%s.%N)" >$1.end
	) &
	echo $! >$1.pid
}

# ended NAME LINES: its program is well, its log has so many lines (-: any), and
# the server has all
ended()
{
	local code begin end used grown longest late lines found
	wait "$(cat $1.pid)"
	read -r code begin end <$1.end
	read -r used grown longest <$1.out
	late=$(echo "$begin $end $seconds" | awk '{ printf "%.1f", $2 - $1 - $3 }')
	lines=$(grep -c '^pyroscope: ' $1.lines)
	is "$1: exit code, other lines" "0 0" \
		"$code $(grep -vc '^pyroscope: ' $1.lines)"
	awk -v late="$late" -v guard=$guard 'BEGIN { exit late > guard }' ||
		fail "$1: ended $late s late"
	# A turn of the program takes 50 ms; nobody may hold it up for a server.
	awk -v longest="$longest" 'BEGIN { exit longest > 2 }' ||
		fail "$1: held up for $longest s"
	[ "$2" = - ] || [ "$lines" = "$2" ] || fail "$1: $(cat $1.lines)"
	[ "$grown" -le $((3072 + dead * 16)) ] || fail "$1: grew by $grown KiB"
	if found=$(python3 "$here/_chaos.py" check $1.log "$used" 2>&1); then
		ok "$1: $found, $grown KiB more, $lines lines, $late s late,\
 $longest s at a time"
	else
		fail "$1: $found"
		cat $1.err
	fi
}

# after: was what the server put off sent again, and no sooner than it said?
after()
{
	python3 - <<-'END'
		import json
		lines = [json.loads(line) for line in open("after.log")]
		for step, wait in (("429:3", 3), ("503:d4", 4)):
		    first = [t for t in lines if t["step"] == step][0]
		    again = [t["at"] - first["at"] for t in lines
		             if t["hash"] == first["hash"] and t is not first]
		    print(len(again) > 0 and again[0] > wait - 0.2, end=" ")
	END
}

# silent NAME SECONDS: was there a time of these without a request?
silent()
{
	python3 - "$@" <<-'END'
		import json, sys
		at = [json.loads(line)["at"] for line in open(sys.argv[1] + ".log")]
		print(max(b - a for a, b in zip(at, at[1:])) >
		      float(sys.argv[2]) - 0.5)
	END
}

if [ "$dead" -le 60 ]; then
	start answers 503,ok,500,502,ok,504,408,ok,429,ok,half,reset,ok,cut,ok
	start ingest 503,ok,400,ok,422,ok,half,reset,ok,429,ok ingest
	start refusals 400,401,ok,413,422,404,ok,301,ok
	start hang ok,hang,ok
	start drip ok,drip,ok
	start after ok,429:3,ok,503:d4,ok
	start full ok,full:6,ok
	start tls tls,ok,badcert,badcert,ok push https
fi
start dead ok,refuse:$dead,ok

if [ "$dead" -le 60 ]; then
	ended answers 2
	ended ingest 3
	ended refusals 6
	for name in hang drip after tls; do
		ended $name 2
	done
	is "Retry-After is kept to" "True True " "$(after)"
	ended full -
	is "full: nothing came for a while" True "$(silent full 6)"
fi
ended dead 2
is "dead: nothing came for a while" True "$(silent dead "$dead")"
finish
