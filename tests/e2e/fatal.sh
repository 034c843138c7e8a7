#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# fatal.sh - signals that kill: a program dies of them, and sees their handlers, as
# without us, and its last profile is sent
. "$(dirname "$0")/_cli.sh"
program=${PROGRAMS_DIR:?}/fatal
here=$SOURCE_DIR/tests/e2e
# bash ignores SIGINT in what it starts beside itself.
standard="import os, signal, sys
for s in signal.SIGHUP, signal.SIGINT, signal.SIGTERM:
	signal.signal(s, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])"
run_plainly()
{
	run /usr/bin/python3 -c "$standard" "$@"
}

# serve MODE: sets $server, $profiled
serve()
{
	rm -rf in port
	mkdir in
	/usr/bin/python3 "$here/_server.py" "$1" port in 2>server.err &
	server=$!
	trap 'kill $server; rm -rf "$work"' EXIT
	for _ in $(seq 200); do
		[ -s port ] && break
		sleep 0.05
	done
	profiled=("$pyro" exec --server "http://127.0.0.1:$(cat port)" --)
}

## What the program sees
run_plainly "$program" sees
is "dies of SIGINT without us" 130 $rc
mv out without
run_plainly "$pyro" record -o a.pb.gz -- "$program" sees
is "dies of SIGINT" 130 $rc
is "and has seen the same" "$(cat without)" "$(cat out)"
has "the last window is there" '^pyro: .* 0\.[3-9]. of 0\.[3-9]. CPU seconds' err

## What CPython makes of it
interrupted='
import os, signal
print(*map(signal.getsignal, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))
try:
	os.kill(os.getpid(), signal.SIGINT)
	signal.pause()
except KeyboardInterrupt:
	print("interrupted")
finally:
	print("finally")'
run_plainly /usr/bin/python3 -c "$interrupted"
has "CPython without us" '^interrupted' out
mv out without
serve ok
run_plainly "${profiled[@]}" /usr/bin/python3 -c "$interrupted"
is "CPython has seen the same" "$(cat without)" "$(cat out)"
kill "$server"

## While it dies: the server never answers, for a while it is waited for
serve hang
run_plainly "${profiled[@]}" "$program" twice
is "dies of the first of two" 143 $rc
run_plainly "${profiled[@]}" "$program" forks
is "dies beside a fork" 143 $rc
# The child has the output, too.
run_plainly bash -c '"$@" | cat' - "${profiled[@]}" "$program" forks
is "the child dies of its own" "0 " "$rc $(cat out)"

## As the first process of a container
alone=(unshare --pid --fork --kill-child)
[ "$(id -u)" = 0 ] || alone+=(--user --map-root-user)
run_plainly timeout -s KILL 20 "${alone[@]}" "${profiled[@]}" "$program" first
is "the first process lives on" "0 goes on" "$rc $(cat out)"
no_leftovers "all"
finish
