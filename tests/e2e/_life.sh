# SPDX-License-Identifier: Apache-2.0
# _life.sh - what the scripts about a profiled program's life share: a folder of
# their own, ways to start a program profiled, and what its profiles hold
set -u
library=${BUILD_DIR:?}/libpyroscope.so
programs=${PROGRAMS_DIR:?}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d /tmp/pyro-life.XXXXXX)
failed=0
trap 'rm -rf "$work"' EXIT
chmod 755 "$work"
cd "$work" || exit 1
unset LD_PRELOAD HOSTNAME ${!PYROSCOPE_@}
# More of both kinds than by default, and than the budget allows. Files of the heap
# end in .heap.pb.gz.
export PYROSCOPE_SAMPLE_RATE=1000 PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES=16k \
	PYROSCOPE_OVERHEAD_PERMILLE=1000

ok()
{
	echo "ok $*"
}

fail()
{
	echo "FAIL $*"
	failed=1
}

# run HOW PROGRAM ARG...: linked or preloaded, profiles into the folder drop;
# streams in out and err, exit code in $rc. At most $run_seconds, or 60.
run()
{
	local how=$1 preload=()
	shift
	rm -rf drop
	mkdir drop
	chmod 777 drop
	[ "$how" = linked ] || preload=(LD_PRELOAD="$library")
	timeout -s KILL "${run_seconds:-60}" "${as_user[@]}" env "${preload[@]}" \
		PYROSCOPE_OUTPUT_DIR="$work/drop" "$@" >out 2>err </dev/null
	rc=$?
}
as_user=()

# succeeded WHAT [LINES]: exit code 0, and so many lines of ours on descriptor
# 2 (by default none, "-" for any), and none of anybody else
succeeded()
{
	local count others
	count=$(grep -c '^pyroscope: ' err)
	others=$(grep -vc '^pyroscope: ' err)
	if [ "$rc" != 0 ]; then
		fail "$1: exit code $rc: $(head -c 600 out err)"
	elif [ "${2:-0}" != - ] && [ "$count" != "${2:-0}" ]; then
		fail "$1: $count lines, not ${2:-0}: $(head -c 600 err)"
	elif [ "$others" != 0 ]; then
		fail "$1: $(head -c 600 err)"
	else
		ok "$1"
	fi
}

# profile EXPRESSION FILE...: what a Python expression over all samples gives;
# see _profile.py
profile()
{
	PYTHONPATH=$here/.. python3 "$here/_profile.py" "$@"
}

# has_samples WHAT MINIMUM [FUNCTION]: all files of drop are valid profiles and
# hold so many ticks (of stacks with the function)
has_samples()
{
	local got
	got=$(profile "ticks('${3:-}')" drop/*[0-9].pb.gz 2>&1)
	if [ "${got:-0}" -ge "$2" ] 2>/dev/null; then
		ok "$1: $got ticks${3:+ of $3}"
	else
		fail "$1: $got ticks${3:+ of $3}, wanted $2"
	fi
}

# sampled WHAT PERCENT [FUNCTION]: at least this share of the CPU time is
# explained by samples (of stacks with the function)
sampled()
{
	local got
	got=$(profile "round(ticks('${3:-}') / 10 / seconds())" \
		drop/*[0-9].pb.gz 2>&1)
	if [ "${got:-0}" -ge "$2" ] 2>/dev/null; then
		ok "$1: $got %${3:+ in $3}"
	else
		fail "$1: $got %${3:+ in $3}, wanted $2"
	fi
}

# is WHAT WANTED GOT
is()
{
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		fail "$1: wanted '$2', got '$3'"
	fi
}

finish()
{
	exit $failed
}
