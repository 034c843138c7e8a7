#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cli_target.sh - programs into which no library can be preloaded: one line says
# why, they run, and their result is their own
. "$(dirname "$0")/_cli.sh"

cat >app.c <<'EOF2'
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
	const char *preload = getenv("LD_PRELOAD");

	printf("%s %s\n", argv[0], preload ? preload : "nothing");
	return argc;
}
EOF2
gcc -o app app.c && gcc -static -o static app.c &&
	gcc -static-pie -o static-pie app.c && musl-gcc -o musl app.c || {
	fail "compiling"
	finish
}
chmod 755 "$work"

# unprofiled WHAT WHY COMMAND...: by both verbs
unprofiled()
{
	local what=$1 why=$2 verb
	shift 2
	for verb in exec record; do
		run "$pyro" $verb -- "$@"
		is "$what, $verb: exit code" $# $rc
		is "$what, $verb: ran without" "$1 nothing" "$(cat out)"
		lines "$what, $verb: one line" 1 1 err
		has "$what, $verb: why" "runs without being profiled: $why" err
	done
	run "$pyro" top pyro.pb.gz
	is "$what: the profile is empty, but sound" 0 $rc
}

profiled()
{
	local what=$1 verb
	shift
	for verb in exec 'record -q'; do
		run "$pyro" $verb -- "$@"
		has "$what, $verb" 'libpyroscope' out
		is "$what, $verb: no message" "" "$(cat err)"
	done
}

profiled "a program" ./app
unprofiled "a static program" "it is statically linked" ./static x
unprofiled "a static PIE" "it is statically linked" ./static-pie x y
unprofiled "a musl program" "it uses another libc" ./musl x

## Scripts are what their interpreter is
printf '#!%s/app word\n' "$work" >script
printf '#!%s/script\n' "$work" >script-of-script
printf '#! %s/static\n' "$work" >static-script
chmod +x script script-of-script static-script
profiled "a script" ./script
profiled "a script of a script" ./script-of-script
run "$pyro" record -- ./static-script
has "a script of a static interpreter" 'statically linked' err
ln -s script link
profiled "a link to a script" ./link

## PATH
mkdir -p bin1/app bin2 bin3
cp app bin3/tool
printf 'no program' >bin2/tool
PATH=$work/bin1:$work/bin2:$PATH:$work/bin3 run "$pyro" exec tool
has "PATH: what cannot be executed is passed over" '^tool .*libpyro' out
PATH=$work/bin2:$PATH run "$pyro" exec tool
is "PATH: found, but not executable" 126 $rc
run env PATH= "$pyro" exec app
has "PATH: empty is the current folder" '^app .*libpyro' out
cp static bin3/still
PATH=$PATH:$work/bin3 run "$pyro" exec still
has "PATH: static" 'statically linked' err

## Other machines: patched headers; only the message can be tested
patched()
{
	cp app "$1"
	printf "$2" | dd of="$1" bs=1 seek="$3" conv=notrunc status=none
	run "$pyro" exec -- "./$1"
	lines "$1: lines" 1 2 err
	has "$1: why" "without being profiled: $4" err
}
patched class32 '\001' 4 'it is a 32-bit program, or'
patched arm '\267' 18 'it is a 32-bit program, or'
head -c 100 app >cut
chmod +x cut
run "$pyro" exec -- ./cut
has "a cut file: why" 'no ELF file that pyro understands' err
cut=$rc
run env ./cut
is "a cut file: as without" $rc $cut

## More rights than the caller
if [ "$(id -u)" = 0 ]; then
	mkdir -m 777 public
	cp app public/setuid && chown 65534 public/setuid &&
		chmod 4755 public/setuid
	cp app public/setgid && chgrp 65534 public/setgid &&
		chmod 2755 public/setgid
	cp app public/own && chmod 6755 public/own
	cp app public/caps
	# CAP_NET_RAW, permitted and effective: setcap is not on each system.
	python3 -c 'import os, struct; os.setxattr("public/caps",
		"security.capability",
		struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))'
	unprofiled "setuid to another" "it is setuid" public/setuid
	unprofiled "setgid to another" "it is setgid" public/setgid
	profiled "setuid to oneself" public/own
	profiled "capabilities, run by root" public/caps
	user="setpriv --reuid 65534 --regid 65534 --clear-groups"
	cp -L "$pyro" "$BUILD_DIR/libpyroscope.so.0" public
	for file in own:setuid caps:capabilities; do
		run $user public/pyro exec "public/${file%:*}"
		has "as a user: ${file%:*}" "profiled: it .*${file#*:}" err
		is "as a user: ${file%:*} runs" 1 $rc
	done
	run $user --no-new-privs public/pyro exec public/own
	is "no_new_privs: nothing is gained, so profiled" "" "$(cat err)"
else
	fail "more rights: this test is to be run as root"
fi

## The library
mkdir "with space" alone
cp -L "$pyro" "$BUILD_DIR/libpyroscope.so.0" "with space"
run "with space/pyro" exec ./app
is "a path that LD_PRELOAD cannot hold: runs" "1 ./app nothing" \
	"$rc $(cat out)"
has "a path that LD_PRELOAD cannot hold: why" 'has a space or colon' err
cp "$pyro" alone
run alone/pyro exec ./app
has "no library: why" 'libpyroscope.so.0 is not where' err
is "no library: runs" 1 $rc
mkdir -p prefix/bin prefix/lib
cp "$pyro" prefix/bin
cp -L "$BUILD_DIR/libpyroscope.so.0" prefix/lib
run prefix/bin/pyro exec ./app
has "installed: ../lib" "$work/prefix/lib/libpyroscope.so.0\$" out
gcc -shared -fPIC -o other.so -x c /dev/null
LD_PRELOAD=$work/other.so run "$pyro" exec ./app
has "the user's own LD_PRELOAD is kept behind" \
	"libpyroscope[^:]*:$work/other.so\$" out
run "$pyro" record -q -- "$pyro" exec -- ./app
is "pyro under pyro: preloaded once" 1 "$(grep -o libpyroscope out | wc -l)"

## What exec tells the library
run "$pyro" exec --server http://127.0.0.1:9 --name shop --rate 250 \
	--no-children -- sh -c 'exec env'
is "no children: not preloaded into them" "" "$(grep LD_PRELOAD out)"
has "server" '^PYROSCOPE_SERVER_ADDRESS=http://127.0.0.1:9$' out
has "name" '^PYROSCOPE_APPLICATION_NAME=shop$' out
has "rate" '^PYROSCOPE_SAMPLE_RATE=250$' out
has "no log" '^PYROSCOPE_LOG_FILE=$' out
run "$pyro" exec --log-file log -- sh -c 'exec env'
has "log file, absolute" "^PYROSCOPE_LOG_FILE=$work/log\$" out
for address in 4040 localhost localhost:4040 ftp://server:4040 \
	http://127.0.0.1:99999 ://; do
	run "$pyro" exec --server "$address" -- ./app
	is "bad address $address: runs" "1 ./app nothing" "$rc $(cat out)"
	lines "bad address $address: one line" 1 1 err
	has "bad address $address: why" 'bad server address' err
done
PYROSCOPE_SERVER_ADDRESS=junk run "$pyro" exec -- ./app
has "bad address from the environment: why" \
	'^pyroscope: PYROSCOPE_SERVER_ADDRESS=junk is not an address' err
has "bad address from the environment: profiled all the same" libpyroscope out
PYROSCOPE_SAMPLE_RATE=x PYROSCOPE_AP_WHAT=1 PYROSCOPE_SYMBOLS=lines \
	run "$pyro" exec -- ./app
lines "bad settings: a line each" 2 2 err
has "bad settings: the value" 'SAMPLE_RATE=x is not 1 to 1000: not used$' err
has "bad settings: the name" 'not used: PYROSCOPE_AP_WHAT$' err

no_leftovers "end"
finish
