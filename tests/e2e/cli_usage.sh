#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cli_usage.sh - help, versions, wrong options, top and view on files
. "$(dirname "$0")/_cli.sh"

# usage WHAT PATTERN COMMAND...: code 2 and one line on stderr, none on stdout
usage()
{
	local what=$1 pattern=$2
	shift 2
	run "$pyro" "$@"
	is "$what: exit code" 2 $rc
	lines "$what: one line" 1 1 err
	has "$what: says so" "$pattern" err
	is "$what: nothing on stdout" "" "$(cat out)"
}

for word in version --version; do
	run "$pyro" $word
	is "$word" 0 $rc
	has "$word" '^pyro [0-9]+\.[0-9]+\.[0-9]+$' out
done
for words in help --help 'record --help' 'exec --help' 'top --help' 'diff --help' \
	'view --help' 'record -h'; do
	run "$pyro" $words
	is "$words: exit code" 0 $rc
	is "$words: nothing on stderr" "" "$(cat err)"
	has "$words: an example" '^  pyro ' out
	is "$words: fits a terminal" 0 "$(grep -c '.\{81\}' out)"
done
run "$pyro"
is "nothing: exit code" 2 $rc
has "nothing: help" 'pyro record' err

usage "unknown verb" 'unknown verb recrod' recrod
usage "unknown option" 'unknown option --frobnicate' --frobnicate
usage "exec: unknown option" 'exec: unknown option --output' \
	exec --output x -- true
usage "record: unknown option" 'record: unknown option --server' \
	record --server http://x -- true
usage "record: no program" 'which program' record -o x.pb.gz
usage "exec: no program" 'which program' exec --
usage "record: no value" '-o needs a value' record -o
for rate in 0 1001 -5 10x '' 99999999999999999999; do
	usage "rate '$rate'" 'rate is 1 to 1000' record --rate "$rate" -- true
done
usage "an empty name" 'name is 1 to 255' exec --name '' -- true
usage "a long name" 'name is 1 to 255' exec \
	--name "$(printf '%0256d' 0)" -- true
usage "top: no file" 'which profile' top
usage "top: not a number" 'is a number' top -n many x
usage "view: no file" 'which one profile' view
usage "view: two files" 'which one profile' view a b

# An option of the program is none of pyro's.
run "$pyro" record -q sh -c 'echo "$@"' -- -o --help
is "options of the program" "-o --help" "$(cat out)"
run "$pyro" help >/dev/full
"$pyro" help >/dev/full 2>err
is "standard output full" 1 $?

## Files
burn='i=0; while [ $i -lt 100000 ]; do i=$((i + 1)); done'
run "$pyro" record -q -o a.pb.gz -- bash -c "$burn"
run "$pyro" record -q -o b.pb.gz -- bash -c "$burn"
run "$pyro" top -n 3 a.pb.gz
lines "top: three rows" 6 6 out
run "$pyro" top --cum -n 0 a.pb.gz b.pb.gz
is "top of two files" 0 $rc
has "top of two files: main below nearly all" '9[0-9]\.[0-9]%  main \(bash\)' out
gzip -dc a.pb.gz >raw.pb
run "$pyro" top raw.pb
is "top of an unpacked file" 0 $rc
run "$pyro" top none.pb.gz
is "top of no file" 1 $rc
has "top of no file" 'none.pb.gz: No such file' err
head -c 200 a.pb.gz >half.pb.gz
for file in half.pb.gz /dev/null "$0" /; do
	run "$pyro" top "$file"
	is "top of what is no profile: $file" 1 $rc
	lines "top of what is no profile: $file" 1 1 err
done

run "$pyro" view a.pb.gz
is "view" 0 $rc
is "view: beside the profile" 1 "$(test -s a.html; echo $((! $?)))"
has "view: whole" '^</html>$' a.html
is "view: needs nothing else" 0 "$(grep -Ec '(src|href)=|https?:' a.html)"
has "view: may fetch nothing" 'default-src &#39;none&#39;' a.html
run "$pyro" view -o none/x.html a.pb.gz
is "view: no such folder" 1 $rc
run "$pyro" view half.pb.gz
is "view of what is no profile" "1 no" \
	"$rc $(test -e half.html && echo yes || echo no)"
no_leftovers "end"
finish
