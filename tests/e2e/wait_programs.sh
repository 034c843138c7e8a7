#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# wait_programs.sh - real programs that wait do the same with all profiles on, and
# the profiles of waits show where
. "$(dirname "$0")/_cli.sh"
export PYTHONPATH=${SOURCE_DIR:?}/tests LC_ALL=C
here=$SOURCE_DIR/tests/e2e
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

waited()
{
	/usr/bin/python3 -B "$here/wait_programs.py" "$@"
}

# at_least WHAT MINIMUM NUMBER
at_least()
{
	if [ "$3" -ge "$2" ]; then
		ok "$1: $3"
	else
		fail "$1: $3 is less than $2"
	fi
}

# start LOG COMMAND...: a server, until stop; plain or with all profiles
start()
{
	local log=$1
	shift
	if [ "$how" = plain ]; then
		"$@" >"$log" 2>&1 &
	else
		"$pyro" record -q -t cpu,heap,mutex,block -o p.pb.gz -- "$@" \
			>"$log" 2>&1 &
	fi
	server=$!
}

stop()
{
	kill -TERM $server
	wait $server
	is "$1, $how: code" 0 $?
	server=
}

free_port()
{
	/usr/bin/python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

## memcached: conformance, then load
for how in plain profiled; do
	port=$(free_port)
	start memcached.log memcached -u root -l 127.0.0.1 -p "$port" -t 4
	for _ in $(seq 100); do
		memcping --servers="127.0.0.1:$port" 2>/dev/null && break
		sleep 0.1
	done
	run memccapable -h 127.0.0.1 -p "$port" -a
	sort out >capable.$how
	run memcaslap -s "127.0.0.1:$port" -T 2 -c 64 -t 3s
	is "memcached, $how: memcaslap's code" 0 $rc
	has "memcached, $how: answers" '^cmd_get: [1-9]' out
	is "memcached, $how: errors" "" "$(grep -i error err)"
	stop memcached
done
is "memcached: what its protocol can" "" "$(diff capable.plain capable.profiled)"
at_least "memcached: waits for input in libevent" 1000000000 \
	"$(waited within p.block.pb.gz libevent)"
at_least "memcached: who made others wait for locks" 1 \
	"$(waited within p.mutex.pb.gz memcached)"

## redis with threads that read and write
for how in plain profiled; do
	start redis.log redis-server --port 0 --unixsocket "$work/r.sock" \
		--save "" --io-threads 2 --io-threads-do-reads yes
	for _ in $(seq 100); do
		[ -S r.sock ] && break
		sleep 0.1
	done
	run redis-benchmark -s r.sock -q -n 100000 -c 50 -P 16 -d 400 \
		-t set,get,lpush --threads 2
	is "redis, $how: redis-benchmark's code" 0 $rc
	is "redis, $how: errors" "" "$(grep -i error out err)"
	run redis-cli -s r.sock llen mylist
	cp out llen.$how
	stop redis
	rm -f r.sock
done
is "redis: the list's length" "$(cat llen.plain)" "$(cat llen.profiled)"
at_least "redis: waits in the event loop" 1 \
	"$(waited within p.block.pb.gz redis-)"

## python: waits for locks against strace
cat >work.py <<'EOF'
import threading, time
lock = threading.Lock()
total = 0
def work(n):
    global total
    for i in range(100):
        with lock:
            time.sleep(0.002 * n)
            total += n
threads = [threading.Thread(target=work, args=(n,)) for n in (1, 2, 3)]
for t in threads: t.start()
for t in threads: t.join()
print(total)
EOF
run "$pyro" record -q -t cpu,heap,mutex,block -o a.pb.gz -- \
	/usr/bin/python3 work.py
is "python: code and output" "0 600" "$rc $(cat out)"
run strace -f -Y -T -e trace=futex -o trace.log "$pyro" record -q -t block \
	-o t.pb.gz -- /usr/bin/python3 work.py
is "python under strace: code and output" "0 600" "$rc $(cat out)"
truth=$(waited futex trace.log)
got=$(waited sum t.pb.gz sync)
if [ "$got" -gt $((truth * 95 / 100)) ] && [ "$got" -lt $((truth * 105 / 100)) ]
then
	ok "python: waited $got ns, $truth by strace"
else
	fail "python: waited $got ns, $truth by strace"
fi
finish
