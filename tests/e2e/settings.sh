#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# settings.sh - code, option, environment, file, default: which one wins, for each
# pair; and what is wrong with a file is one line and harms nobody
. "$(dirname "$0")/_cli.sh"

source=${SOURCE_DIR:-$(dirname "$0")/../..}
library=$BUILD_DIR/libpyroscope.so
export PYTHONPATH=$source/tests

# app RATE: profiles itself with this rate in its code, 0 for none there, in 300
# calls of a function.
cat >app.c <<'EOF2'
#include <pyroscope/pyroscope.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

__attribute__((noipa)) static int deep(int n)
{
	volatile int below = n > 0 ? deep(n - 1) + 1 : 0;

	while (n == 0 && clock() < CLOCKS_PER_SEC / 10)
		;
	return below;
}

int main(int argc, char **argv)
{
	struct pyroscope_config config = PYROSCOPE_CONFIG_INIT;

	/* Under pyro exec it is on already. */
	pyroscope_stop(0);
	config.sample_rate = argc > 1 ? (uint32_t)atoi(argv[1]) : 0;
	printf("%d\n", pyroscope_start(&config));
	if (deep(300) != 300)
		return 3;
	return pyroscope_stop(10000) != 0;
}
EOF2
gcc -O2 -I"$source/include" app.c -o app "$library" -Wl,-rpath,"$BUILD_DIR" || {
	fail "the program cannot be built"
	finish
}

# rate COMMAND...: the rate of the last profile that the command's program wrote
rate()
{
	rm -rf drop
	mkdir drop
	run "$@"
	python3 - drop/*[0-9].pb.gz <<-'EOP'
		import gzip, os, pprof, sys
		last = max(sys.argv[1:], key=os.path.getmtime)
		for number, value in pprof.fields(gzip.open(last).read()):
		    if number == 12:
		        print(10 ** 9 // value)
	EOP
}

printf 'output_dir = %s/drop\n' "$work" >plain.conf
printf 'output_dir = %s/drop\nsample_rate = 20\n' "$work" >rate.conf
plain=(env PYROSCOPE_CONFIGURATION_FILE="$work/plain.conf")
file=(env PYROSCOPE_CONFIGURATION_FILE="$work/rate.conf")
variable=PYROSCOPE_SAMPLE_RATE=25
option=("$pyro" exec --rate 40)
is "default" 100 "$(rate "${plain[@]}" ./app)"
is "file over default" 20 "$(rate "${file[@]}" ./app)"
is "environment over default" 25 "$(rate "${plain[@]}" $variable ./app)"
is "environment over file" 25 "$(rate "${file[@]}" $variable ./app)"
is "option over default" 40 "$(rate "${plain[@]}" "${option[@]}" ./app)"
is "option over file" 40 "$(rate "${file[@]}" "${option[@]}" ./app)"
is "option over environment" 40 \
	"$(rate "${plain[@]}" $variable "${option[@]}" ./app)"
is "code over default" 50 "$(rate "${plain[@]}" ./app 50)"
is "code over file" 50 "$(rate "${file[@]}" ./app 50)"
is "code over environment" 50 "$(rate "${plain[@]}" $variable ./app 50)"
is "code over option" 50 "$(rate "${plain[@]}" "${option[@]}" ./app 50)"
is "the file as an option" 20 \
	"$(rate "$pyro" exec --config rate.conf -- ./app)"
is "the option over the variable" 20 \
	"$(rate "${plain[@]}" "$pyro" exec --config rate.conf -- ./app)"

## The folder of exec: the user's, but not that of a recording around it
is "exec keeps the user's folder" 100 \
	"$(rate env PYROSCOPE_OUTPUT_DIR="$work/drop" "$pyro" exec -- ./app)"
run env PYROSCOPE_OUTPUT_DIR="$work/drop" "$pyro" exec -- \
	sh -c 'echo "$PYROSCOPE_OUTPUT_DIR"'
is "as it is" "$work/drop" "$(cat out)"
run "$pyro" record -q -o outer.pb.gz -- "$pyro" exec -- \
	sh -c 'echo "folder: $PYROSCOPE_OUTPUT_DIR"'
is "exec in a recording has none" "folder: " "$(cat out)"

## How deep stacks are: the deepest, and whether any is cut off
# deep COMMAND...
deep()
{
	rate "$@" >/dev/null
	python3 - drop/*[0-9].pb.gz <<-'EOP'
		import pprof, sys
		stacks = [[f.name for f in s.frames] for path in sys.argv[1:]
		          for s in pprof.load(path).samples
		          if s.frames[0].name == "deep" or len(s.frames) > 2]
		print(max(map(len, stacks)), any("[truncated]" in s for s in stacks))
	EOP
}
is "128 frames, and a root that says so" "129 True" "$(deep "${plain[@]}" ./app)"
is "8 frames" "9 True" \
	"$(deep "${plain[@]}" PYROSCOPE_HEAP_STACK_DEPTH=8 ./app)"
got=$(deep "${plain[@]}" PYROSCOPE_STACK_DEPTH=512 ./app)
[ "${got%% *}" -gt 301 ] && got="all ${got##* }"
is "512 are enough for all" "all False" "$got"

## Names of files without their folders, as of strings in the profile
paths()
{
	rate "$@" >/dev/null
	gzip -dc drop/*[0-9].pb.gz | grep -ac "$work/app"
}
[ "$(paths "${plain[@]}" ./app)" -gt 0 ]
is "a path" 0 $?
is "no path" 0 "$(paths "${plain[@]}" PYROSCOPE_STRIP_FILENAMES=1 ./app)"
has "but a name" app <(gzip -dc drop/*[0-9].pb.gz | strings)

## Switched off
printf 'profiling_enabled = no\n' >off.conf
for off in PYROSCOPE_PROFILING_ENABLED=0 \
	PYROSCOPE_CONFIGURATION_FILE="$work/off.conf"; do
	run env "$off" ./app
	is "${off%=*}: -ECANCELED" "0 -125" "$rc $(cat out)"
	lines "${off%=*}: nothing is said" 0 0 err
	run env "$off" LD_PRELOAD="$library" sh -c 'ls /proc/$$/task | wc -l'
	is "${off%=*}: preloaded, no thread" 1 "$(cat out)"
done

## Files that are none
export PYROSCOPE_OUTPUT_DIR=$work/drop
# refused WHAT FILE PATTERN: one line, and the program is profiled all the same
refused()
{
	local got
	got=$(rate env PYROSCOPE_CONFIGURATION_FILE="$2" ./app)
	is "$1: profiled" 100 "$got"
	lines "$1: one line" 1 1 err
	has "$1" "$3" err
}
refused "no file" none.conf 'none.conf is not used: there is none'
refused "a folder" "$work" 'it is a folder'
mkfifo pipe
refused "a pipe" pipe 'it is no file'
refused "a device" /dev/zero 'it is no file'
head -c 70000 /dev/zero | tr '\0' '#' >large.conf
refused "a large one" large.conf 'more than 64 KiB'
head -c 60000 /dev/urandom | tr -d '\n' >random.conf
refused "random bytes" random.conf 'random.conf:1: control characters: not used'
printf 'sample_rate = 20\n\n# x\nsample-rte = 1\n' >typing.conf
is "the rest applies" 20 \
	"$(rate env PYROSCOPE_CONFIGURATION_FILE=typing.conf ./app)"
has "by its number" 'typing.conf:4: no setting of this version: not used' err
printf 'sample_rate = 2000\nsymbols = lines\n' >value.conf
refused "a bad value" value.conf \
	'value.conf:1: sample_rate=2000 is not 1 to 1000: not used'
no_leftovers "end"
finish
