#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh - a real program under real load, profiled without a line of its own
#
# Debian's redis-server under redis-benchmark, its CPU time and its heap recorded
# by `pyro record`: two tables here, and in demo-out two profiles and two pages to
# look at. About 15 seconds; called by ./dev demo, which sets BUILD_DIR.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
pyro=${BUILD_DIR:?}/pyro
out=$PWD/demo-out
seconds=12
work=$(realpath "$(mktemp -d)")
server=
bench=

clean_up()
{
	local pid
	for pid in $bench $server; do
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

cli()
{
	timeout 5 redis-cli -h 127.0.0.1 -p "$port" "$@"
}

# The process that answers is ours: the port was free a moment ago, no more.
ours()
{
	[ "$(cli config get dir 2>/dev/null | tail -n 1)" = "$work" ]
}

# Start a recorded server on a free port, within three tries.
start_server()
{
	local _
	port=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
	"$pyro" record -t cpu,heap -o "$out/redis.pb.gz" --name redis -- \
		redis-server --bind 127.0.0.1 --port "$port" --dir "$work" \
		--save "" --appendonly no >"$work/server.log" 2>"$work/pyro.log" &
	server=$!
	for _ in $(seq 100); do
		ours && return
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	kill "$server" 2>/dev/null || true
	wait "$server" || true
	server=
	return 1
}

mkdir -p "$out"
rm -f "$out"/redis.*
echo "redis-server under redis-benchmark, $seconds seconds ..."
start_server || start_server || start_server || {
	echo "demo: redis-server does not start:" >&2
	cat "$work/server.log" "$work/pyro.log" >&2
	exit 1
}
# More requests than it can do in that time.
timeout "$seconds" redis-benchmark -h 127.0.0.1 -p "$port" -q -l -P 16 -c 50 \
	-r 100000 -t set,get,lpush,lrange_100,zadd,mset >"$work/bench.log" 2>&1 &
bench=$!
wait "$bench" || [ $? = 124 ]
bench=
cli shutdown nosave >/dev/null 2>&1 || true
code=0
wait "$server" || code=$?
server=
cat "$work/pyro.log"
[ "$code" = 0 ] || {
	echo "demo: redis-server ended with code $code" >&2
	exit 1
}
[ -s "$out/redis.pb.gz" ] || exit 1
[ -s "$out/redis.heap.pb.gz" ] || exit 1

echo
"$pyro" top -n 15 "$out/redis.pb.gz"
echo
"$pyro" top -n 10 "$out/redis.heap.pb.gz"
echo
"$pyro" view "$out/redis.pb.gz" 2>/dev/null
"$pyro" view "$out/redis.heap.pb.gz" 2>/dev/null
echo "flame graphs: file://$out/redis.html"
echo "              file://$out/redis.heap.html"
