#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# listener.sh - profiles that are fetched: what is in them, and what clients that
# ask wrongly get
. "$(dirname "$0")/_cli.sh"
export PYTHONPATH=${SOURCE_DIR:?}/tests
programs=${PROGRAMS_DIR:?}
# Many are fetched in a short time.
export PYROSCOPE_OVERHEAD_PERMILLE=1000
export PYROSCOPE_FORMAT=none PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES=16k \
	PYROSCOPE_PROFILE_TYPES=cpu,heap,mutex,block,threads
program=
trap '[ -z "$program" ] || kill "$program" 2>/dev/null; rm -rf "$work"' EXIT

# begin: the program, with its input open until end; its port in $port
begin()
{
	port=$(/usr/bin/python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
	mkfifo input
	"$programs/serve" "127.0.0.1:$port" written.pb.gz <input >out 2>err &
	program=$!
	exec 9>input
	rm input
	for _ in $(seq 200); do
		grep -q ^again out && break
		sleep 0.05
	done
}

end()
{
	exec 9>&-
	wait $program
	is "$1: exit code" 0 $?
	program=
}

begin
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/listener.py" "$port" || failed=1
printf p >&9
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/listener.py" "$port" paused ||
	failed=1
printf r >&9
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/listener.py" "$port" resumed ||
	failed=1
has "what it wrote itself" "burn" <("$pyro" top written.pb.gz)
printf w >&9
for _ in $(seq 400); do
	grep -q ^wall out && break
	sleep 0.05
done
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/listener.py" "$port" wall out \
	written.pb.gz || failed=1
end "the program"
is "what its calls gave" \
	"listen 0 again -114 write 0 kind -22 p 0 r 0 fork 0 _Fork 0 stop 0 bad -22 port -22" \
	"$(grep -v ^wall out | xargs)"
is "no lines" "" "$(cat err)"

export PYROSCOPE_PPROF_TOKEN=a-secret
begin
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/listener.py" "$port" a-secret ||
	failed=1
end "with a token"
export PYROSCOPE_PPROF_TOKEN
PYROSCOPE_PPROF_TOKEN=$(printf %04096d 7)
begin
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/listener.py" "$port" \
	"$PYROSCOPE_PPROF_TOKEN" >long || fail "the longest token: $(cat long)"
end "with the longest token"
# A bad one is not as if there were none: everybody could read.
PYROSCOPE_PPROF_TOKEN+=x
begin
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/listener.py" "$port" index \
	>index 2>/dev/null && fail "it listens without a token: $(cat index)"
end "with a bad token"
has "a bad token: code" '^listen -22$' out
has "a bad token: told" \
	"not listening at 127.0.0.1:$port: pprof_token is not 1 to 4096 bytes" err

# Threads by the other name, be it sent or not.
unset PYROSCOPE_PPROF_TOKEN
for format in none push; do
	PYROSCOPE_FORMAT=$format PYROSCOPE_PROFILE_TYPES=goroutines \
		PYROSCOPE_SERVER_ADDRESS=http://127.0.0.1:1 begin
	/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/listener.py" "$port" \
		threads || failed=1
	end "goroutines, $format"
done

# By a setting, and where the address is taken.
export PYROSCOPE_PPROF_ADDRESS=:$port PYROSCOPE_PROFILE_TYPES=cpu
PYROSCOPE_PPROF_TOKEN=another "$pyro" exec -- sleep 30 >out 2>err &
program=$!
for _ in $(seq 100); do
	/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/listener.py" "$port" \
		index >index 2>/dev/null && break
	sleep 0.05
done
/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/listener.py" "$port" another ||
	failed=1
kill $program
wait $program 2>/dev/null
"$pyro" exec -- sleep 5 >out 2>err &
program=$!
for _ in $(seq 100); do
	/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/listener.py" "$port" \
		index >index 2>/dev/null && break
	sleep 0.05
done
has "a page by setting" "/debug/pprof/profile" index
is "what is not profiled is not shown" 0 "$(grep -c mutex\? index)"
run env PYROSCOPE_LOG_FILE="$work/log" "$pyro" exec -- sleep 0.2
is "where the address is taken: code" 0 $rc
has "where the address is taken: a line" "not listening at :$port: the address is in use" log
for address in 127.0.0.1 example.com:80; do
	run env PYROSCOPE_LOG_FILE="$work/log" \
		PYROSCOPE_PPROF_ADDRESS=$address "$pyro" exec -- sleep 0.2
	is "$address: code" 0 $rc
	has "$address: a line" "not listening at $address: that is no address like 127.0.0.1:6060" log
done
run env PYROSCOPE_LOG_FILE="$work/log" PYROSCOPE_PPROF_ADDRESS=192.0.2.1:6060 \
	"$pyro" exec -- sleep 0.2
has "somebody else's address: a line" "not listening at 192.0.2.1:6060: no address of this host" log
kill $program
wait $program 2>/dev/null
program=
finish
