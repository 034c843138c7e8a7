#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# daemons.sh - profiles are fetched from a daemon, too: who served when it was forked
# is gone
. "$(dirname "$0")/_cli.sh"
export PYTHONPATH=${SOURCE_DIR:?}/tests
export PYROSCOPE_FORMAT=none PYROSCOPE_UPLOAD_INTERVAL=1s

for how in soon late slow; do
	port=$(/usr/bin/python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
	mkfifo input
	PYROSCOPE_PPROF_ADDRESS=:$port "${PROGRAMS_DIR:?}/daemon" $how \
		<input >out 2>err &
	exec 9>input
	rm input
	wait $!
	is "$how: exit code" 0 $?
	: >index
	for _ in $(seq 200); do
		/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/listener.py" \
			"$port" index >index 2>/dev/null && break
		sleep 0.05
	done
	has "$how: one of two daemons serves" /debug/pprof/profile index
	is "$how: no lines" "" "$(cat err)"
	exec 9>&-
	serves=yes
	for _ in $(seq 200); do
		/usr/bin/python3 -B "$SOURCE_DIR/tests/e2e/listener.py" \
			"$port" index >index 2>/dev/null || serves=
		[ -n "$serves" ] || break
		sleep 0.05
	done
	is "$how: until it ends" "" "$serves"
done
finish
