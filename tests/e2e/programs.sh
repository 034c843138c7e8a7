#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# programs.sh [NAME...] - real programs under load do and say the same with pyro
# record as without, and their profiles are whole
set -u
here=$(cd "$(dirname "$0")" && pwd)
pyro=${BUILD_DIR:?}/pyro
work=$(mktemp -d /tmp/pyro-programs.XXXXXX)
failed=0
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
cd "$work" || exit 1
unset LD_PRELOAD ${!PYROSCOPE_@}
export LC_ALL=C HOME=$work TZ=UTC

fail()
{
	echo "FAIL $*"
	failed=1
}

wanted()
{
	[ ${#names[@]} = 0 ] || [[ " ${names[*]} " == *" $1 "* ]]
}
names=("$@")

# inspect NAME MODULE COMPLETE [LEAST]: the profile in NAME.pb.gz
inspect()
{
	/usr/bin/python3 -B "$here/programs.py" "$1" "$1.pb.gz" "$2" "${4:-400}" "$3" ||
		failed=1
}

# same NAME MODULE COMPLETE COMMAND...: output and exit code are as without, and
# on stderr there is nothing new but lines of pyro
same()
{
	local name=$1 module=$2 complete=$3 plain
	shift 3
	wanted "$name" || return 0
	timeout 120 "$@" >plain.out 2>plain.err </dev/null
	plain=$?
	timeout 240 "$pyro" record --rate 250 -o "$name.pb.gz" -- "$@" \
		>out 2>err </dev/null
	local rc=$?
	[ $rc = $plain ] || fail "$name: exit code $rc, without $plain"
	cmp -s out plain.out || fail "$name: another output"
	grep '^pyro: ' err >own
	grep -v '^pyro: ' err | cmp -s - plain.err ||
		fail "$name: another stderr: $(head -c 300 err)"
	[ "$(wc -l <own)" -le 8 ] || fail "$name: $(wc -l <own) lines of pyro"
	inspect "$name" "$module" "$complete" "${least:-}"
}

# A text that compresses like one, and is always the same.
awk 'BEGIN {
	srand(1)
	for (i = 0; i < 3000; i++) {
		w = ""
		for (j = 2 + rand() * 8; j > 0; j--)
			w = w sprintf("%c", 97 + 26 * rand() * rand())
		word[i] = w
	}
	for (i = 0; i < 1500000; i++)
		printf "%s%s", word[int(3000 * rand() * rand())],
			rand() < 0.1 ? "\n" : " "
}' >text

cat >work.sql <<'EOF2'
CREATE TABLE t(id INTEGER PRIMARY KEY, k INT, s TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200000)
INSERT INTO t SELECT i, i * 7919 % 10007, printf('%08x', i * 2654435761) FROM n;
CREATE INDEX by_k ON t(k, s);
SELECT count(*), max(s), min(s) FROM t;
SELECT k % 10, count(*), sum(length(s)), max(s) FROM t WHERE s LIKE '%a%'
GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM t a JOIN t b ON a.k = b.k AND a.s < b.s WHERE a.id < 500000;
SELECT upper(s) FROM t ORDER BY substr(s, 5), s DESC LIMIT 20;
EOF2
same sqlite3 libsqlite3 0.999 sqlite3 -batch :memory: ".read work.sql"

cat >work.lua <<'EOF2'
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
print(fib(36))
local t = {}
for i = 1, 1000000 do t[i] = (i * 7919) % 100003 end
table.sort(t)
local words = {}
for i = 1, 800000 do
	local w = string.format("%x-%d", i * 31, t[i])
	words[#words + 1] = w:gsub("(%d)", "<%1>"):upper()
end
print(#table.concat(words, ","))
EOF2
same lua5.4 lua5.4 0.999 lua5.4 work.lua

cat >work.py <<'EOF2'
import collections, json, re
words = collections.Counter()
for line in open("text"):
    words.update(re.findall("[a-m]+", line))
print(words.most_common(10))
data = [{"i": i, "s": str(i * i), "l": list(range(i % 10))} for i in range(250000)]
print(hash(tuple(len(json.dumps(d, sort_keys=True)) for d in data)))
print(sum(sorted(i * 7919 % 100003 for i in range(1500000))[::7]))
class Node:
    def __init__(self, depth):
        self.next = [Node(depth - 1) for _ in range(2)] if depth else []
    def count(self):
        return 1 + sum(n.count() for n in self.next)
print(Node(20).count())
EOF2
same python3 python3 0.999 /usr/bin/python3 work.py

cat >work.pl <<'EOF2'
my %count;
open my $in, "<", "text";
while (<$in>) {
	$count{lc $1}++ while /\b([a-z]+?)\b/g;
	s/([aeiou])/uc $1/ge;
}
my @top = (sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count)[0 .. 9];
print join(",", map { "$_=$count{$_}" } @top), "\n";
my $x = 0;
$x = ($x * 31 + $_) % 1000003 for 1 .. 70000000;
print "$x\n";
EOF2
same perl perl 0.999 perl work.pl

same xz liblzma 0.999 xz -5 -c text
same gzip gzip 0.999 gzip -9 -c text text text text text text text text

# Output to the terminal, figures of speed: not the same twice.
if wanted openssl; then
	openssl enc -aes-256-cbc -pbkdf2 -iter 500000 -S 0102030405060708 \
		-k word -in text -out plain.enc 2>/dev/null
	timeout 120 "$pyro" record -q --rate 250 -o enc.pb.gz -- openssl enc \
		-aes-256-cbc -pbkdf2 -iter 500000 -S 0102030405060708 -k word \
		-in text -out rec.enc 2>err || fail "openssl enc: $? $(cat err)"
	cmp -s plain.enc rec.enc || fail "openssl enc: another result"
	timeout 120 "$pyro" record -q --rate 250 -o openssl.pb.gz -- openssl \
		speed -seconds 1 -bytes 4096 sha256 aes-256-cbc rsa2048 \
		>out 2>err || fail "openssl speed: $?"
	grep -q '^rsa 2048' out || fail "openssl speed: $(tail -n 3 err)"
	# Written by hand in assembler, some of it without a word on its frames.
	inspect openssl libcrypto 0.95 200
fi

# 600 commits, each of 7 of 20 files of 300 lines, by git's own import.
awk 'BEGIN {
	srand(2)
	for (c = 1; c <= 600; c++) {
		print "commit refs/heads/main\ncommitter A <a@b> " 1e9 + c " +0000"
		print "data 2\nc\n"
		for (f = 1 + c % 3; f <= 20; f += 3) {
			body = ""
			for (l = 0; l < 300; l++) {
				if (c < 4 || rand() < 0.05)
					line[f, l] = int(rand() * 1e6) * 7919 \
						" and " int(rand() * 100)
				body = body line[f, l] "\n"
			}
			print "M 644 inline file" f "\ndata " length(body)
			print body
		}
	}
}' >import
git init -q -b main repo 2>/dev/null
git -C repo fast-import --quiet <import
# One thread: the same pack each time.
same git git 0.999 git -C repo -c pack.threads=1 pack-objects -q --all \
	--stdout --no-reuse-delta --window=150 --depth=50
least=50 same git-log git 0.999 git -C repo log -p -w --word-diff=color main

awk 'BEGIN {
	print "#include <stdio.h>\n#include <string.h>"
	for (i = 0; i < 900; i++) {
		print "int f" i "(int a, const char *s) { int r = " i ";"
		print "for (int i = 0; s[i]; i++) { switch (s[i] ^ a) {"
		for (j = 0; j < 12; j++)
			print "case " j * 7 + i % 5 ": r = r * " j + 3 \
				" + (a << " j ") % (i + 1); break;"
		print "default: r ^= (int)strlen(s) + a; } }"
		print "printf(\"%d\\n\", r); return r; }"
	}
}' >large.c
same gcc cc1 0.999 sh -c 'gcc -O2 -c -o large.o large.c && sha256sum large.o'

# redis NAME COMMAND...: a server with load, which it is asked to end
redis()
{
	local name=$1 socket=$work/redis.sock rc
	shift
	rm -f "$socket"
	"$@" redis-server --port 0 --unixsocket "$socket" --save '' \
		--daemonize no --logfile '' >"$name.out" 2>"$name.err" &
	server=$!
	for _ in $(seq 100); do
		[ -S "$socket" ] && break
		sleep 0.1
	done
	redis-benchmark -s "$socket" -q -n 150000 -P 4 -d 100 -r 10000 \
		-t set,get,incr,lpush,lpop,zadd,hset,lrange_100 \
		>"$name.bench" 2>&1 || fail "$name: redis-benchmark: $?"
	redis-cli -s "$socket" flushall >/dev/null
	redis-cli -s "$socket" eval 'for i = 1, 200000 do
		redis.call("zadd", "z", i * 7919 % 10007, i) end
		return redis.call("zrange", "z", 0, 40)' 0 >"$name.answer"
	redis-cli -s "$socket" shutdown nosave >/dev/null 2>&1
	wait $server
	rc=$?
	server=
	[ $rc = 0 ] || fail "$name: exit code $rc"
}
if wanted redis; then
	redis plain timeout 240
	redis redis timeout 240 "$pyro" record --rate 250 -o redis.pb.gz --
	cmp -s plain.answer redis.answer || fail "redis: another answer"
	[ "$(grep -c requests redis.bench)" = "$(grep -c requests plain.bench)" ] ||
		fail "redis: $(tail -c 300 redis.bench)"
	grep -v '^pyro: ' redis.err | cmp -s - plain.err ||
		fail "redis: another stderr: $(head -c 300 redis.err)"
	inspect redis redis 0.999
fi
exit $failed
