#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# prefork.sh - servers that fork their workers, under load through pyro exec: nginx,
# whose workers change their user, PostgreSQL, which forks for each connection, with
# LONG=1 Apache. Each process has its profiles under its pid; no request fails; reload
# and shutdown are as without us
. "$(dirname "$0")/_life.sh"
unset PYROSCOPE_SAMPLE_RATE PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES
seconds=6
[ -z "${LONG:-}" ] || seconds=60
export PATH=$PATH:/usr/sbin PYROSCOPE_LOG_FILE=$work/pyro.log
postgres=$(echo /usr/lib/postgresql/*/bin)

# A build folder may be closed to the users that the servers become.
cp "$BUILD_DIR/pyro" .
cp -P "$(dirname "$library")"/libpyroscope.so* .

# So that nothing of a test that fails stays.
stop_all()
{
	local file
	for file in nginx.pid apache.pid; do
		[ ! -s $file ] || kill -TERM "$(cat $file)" 2>/dev/null
	done
	[ ! -s data/postmaster.pid ] ||
		kill -INT "$(head -1 data/postmaster.pid)" 2>/dev/null
	kill "$server" 2>/dev/null
	rm -rf "$work"
}
mkdir in
python3 "$here/_server.py" ok port in 2>server.err &
server=$!
trap stop_all EXIT
for _ in $(seq 200); do
	[ -s port ] && break
	sleep 0.05
done
profiled=("$work/pyro" exec --server "http://127.0.0.1:$(cat port)" --)

# until_true WHAT COMMAND...: at most 20 seconds
until_true()
{
	local what=$1
	shift
	for _ in $(seq 400); do
		"$@" && return
		sleep 0.05
	done
	fail "$what: it did not come"
}

# children PID: the numbers of its children
children()
{
	ps -o pid= --ppid "$1" | xargs
}

changed()
{
	local now
	now=$(children "$1")
	[ "$(echo "$now" | wc -w)" = 4 ] && [ "$now" != "$2" ]
}

gone()
{
	! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"
}

# all_there WHAT FUNCTION PID...
all_there()
{
	local what=$1 line
	shift
	while read -r line; do
		[ "${line#* }" = ok ] && ok "$what: process ${line%% *}" ||
			fail "$what: process $line"
	done < <(PYTHONPATH=$here/.. python3 "$here/_prefork.py" in "$@")
}

# clean WHAT FILE PATTERN: no line of it has the pattern
clean()
{
	is "$1" "" "$(grep -E "$3" "$2" | head -5)"
}

no_log()
{
	is "$1: the library has nothing to say" "" "$(cat pyro.log 2>/dev/null)"
	rm -f pyro.log in/*
}

## nginx, as a daemon, reloaded under load
mkdir www
head -c 100000 /dev/urandom | base64 >www/page.txt
http=$((20000 + RANDOM % 10000))
user='user www-data;'
[ "$(id -u)" = 0 ] || user=
cat >nginx.conf <<EOF
$user worker_processes 4; pid $work/nginx.pid; error_log $work/nginx.log notice;
events { worker_connections 256; }
http {
	access_log off; gzip on; gzip_types text/plain; gzip_comp_level 5;
	client_body_temp_path $work/t1; proxy_temp_path $work/t2;
	fastcgi_temp_path $work/t3; uwsgi_temp_path $work/t4;
	scgi_temp_path $work/t5;
	server { listen 127.0.0.1:$http; root $work/www; }
}
EOF
nginx=(nginx -e "$work/nginx.log" -c "$work/nginx.conf")

# One connection a request: nginx closes those that are kept when it reloads.
load()
{
	wrk -t2 -c16 -d"$1"s -H 'Accept-Encoding: gzip' \
		-H 'Connection: close' "http://127.0.0.1:$2/page.txt" >wrk.out
}

nothing_failed()
{
	is "$1: requests that failed" "" \
		"$(grep -E 'Socket errors|Non-2xx' wrk.out)"
	grep 'requests in' wrk.out
}

run_nginx()
{
	local master first second
	"${profiled[@]}" "${nginx[@]}" >out 2>&1
	is "nginx starts as a daemon" "0 " "$? $(cat out)"
	until_true "nginx's workers" changed "$(cat nginx.pid)" ''
	master=$(cat nginx.pid)
	first=$(children "$master")
	load "$seconds" "$http" &
	sleep $((seconds / 2))
	"${nginx[@]}" -s reload 2>err
	until_true "nginx's new workers" changed "$master" "$first"
	second=$(children "$master")
	wait $!
	nothing_failed "nginx, reloaded"
	kill -QUIT "$master"
	until_true "nginx's end" gone "$master"
	# shellcheck disable=SC2086
	all_there "nginx" ngx_http_ $first $second
	clean "nginx, reloaded: its log" nginx.log '\[(warn|error|crit|alert|emerg)'
	no_log "nginx, reloaded"
}

# In the foreground, as in a container.
end_nginx()
{
	local pid
	rm -f nginx.log
	"${profiled[@]}" "${nginx[@]}" -g 'daemon off;' >out 2>&1 &
	pid=$!
	until_true "nginx's workers" changed $pid ''
	load 1 "$http"
	kill -"$1" $pid
	wait $pid
	is "nginx ends by $1" "0 " "$? $(cat out)"
	nothing_failed "nginx, before $1"
	clean "nginx ended by $1: its log" nginx.log \
		'\[(warn|error|crit|alert|emerg)'
	no_log "nginx, ended by $1"
}
run_nginx
end_nginx TERM

## PostgreSQL
as=()
[ "$(id -u)" != 0 ] ||
	as=(setpriv --reuid postgres --regid postgres --clear-groups)
pg()
{
	local what=$1
	shift
	"${as[@]}" "$postgres/$what" "$@"
}
mkdir data
[ "$(id -u)" != 0 ] || chown postgres data
pg initdb -D data -A trust -N >initdb.log 2>&1 || fail "$(tail -3 initdb.log)"
cat >>data/postgresql.conf <<EOF
listen_addresses = ''
unix_socket_directories = '$work/data'
fsync = off
autovacuum = off
EOF
export PGHOST=$work/data PGDATABASE=postgres

run_pgbench()
{
	pg pgbench -n -c 4 -j 2 "$@" >bench.out 2>&1
	is "pgbench $*: failed" 0 \
		"$(sed -n 's/.*failed transactions: \([0-9]*\).*/\1/p' bench.out)"
	grep '^tps' bench.out || cat bench.out
}

run_postgres()
{
	local postmaster backends memory
	"${as[@]}" "${profiled[@]}" "$postgres/postgres" -D data \
		>postgres.log 2>&1 &
	postmaster=$!
	until_true "PostgreSQL's start" pg pg_isready -q
	memory=$(awk 'NR == 7 { print $2 }' data/postmaster.pid)
	pg pgbench -i -s 1 -q >bench.out 2>&1
	# So many that each backend is worth a profile, also on a busy machine.
	run_pgbench -t $((seconds * 400)) &
	sleep 1
	backends=$(ps -o pid=,args= --ppid $postmaster |
		awk '/postgres postgres \[local\]/ { print $1 }')
	wait $!
	is "PostgreSQL: backends" 4 "$(echo "$backends" | wc -w)"
	pg pg_ctl reload -D data >/dev/null
	run_pgbench -S -C -T $((seconds / 2))
	pg pg_ctl stop -m fast -D data >/dev/null
	wait $postmaster
	is "PostgreSQL's end" 0 $?
	# shellcheck disable=SC2086
	all_there "PostgreSQL" PostgresMain $backends
	all_there "PostgreSQL's postmaster" PostmasterMain root
	clean "PostgreSQL: its log" postgres.log \
		'WARNING|ERROR|FATAL|PANIC|terminated'
	is "PostgreSQL: shared memory" "" \
		"$(ipcs -m | awk -v id="$memory" '$2 == id')"
	no_log "PostgreSQL"
}
run_postgres

## Apache with mpm_prefork
run_apache()
{
	local master workers
	cat >apache.conf <<-EOF
		ServerRoot $work
		ServerName localhost
		PidFile $work/apache.pid
		ErrorLog $work/apache.log
		Listen 127.0.0.1:$((http + 1))
		LoadModule mpm_prefork_module $modules/mod_mpm_prefork.so
		LoadModule authz_core_module $modules/mod_authz_core.so
		LoadModule filter_module $modules/mod_filter.so
		LoadModule deflate_module $modules/mod_deflate.so
		User www-data
		Group www-data
		StartServers 4
		MaxSpareServers 4
		MaxRequestWorkers 4
		DocumentRoot $work/www
		SetOutputFilter DEFLATE
	EOF
	"${profiled[@]}" apache2 -f "$work/apache.conf" -k start
	is "Apache starts" 0 $?
	until_true "Apache's workers" changed "$(cat apache.pid)" ''
	master=$(cat apache.pid)
	workers=$(children "$master")
	ab -q -c 4 -t $((seconds / 2)) -H 'Accept-Encoding: gzip' \
		"http://127.0.0.1:$((http + 1))/page.txt" >ab.out 2>&1 &
	sleep $((seconds / 4))
	apache2 -f "$work/apache.conf" -k graceful
	wait $!
	is "Apache: requests that failed" 0 \
		"$(sed -n 's/^Failed requests: *//p' ab.out)"
	workers+=" $(children "$master")"
	kill -WINCH "$master"
	until_true "Apache's end" gone "$master"
	# shellcheck disable=SC2086
	all_there "Apache" ap_ $workers
	clean "Apache: its log" apache.log ':(error|crit|alert|emerg)\]' |
		grep -v AH00161
	no_log "Apache"
}
modules=/usr/lib/apache2/modules
[ -z "${LONG:-}" ] || run_apache
finish
