# SPDX-License-Identifier: Apache-2.0
# _cli.sh - what the tests of the pyro command share: a folder of their own,
# checks that say "ok" or "FAIL", an exit code in the end
set -u
pyro=${BUILD_DIR:?}/pyro
work=$(mktemp -d /tmp/pyro-test.XXXXXX)
failed=0
# Private folders of pyro record go here, and must not stay.
export TMPDIR=$work/tmp
mkdir -p "$TMPDIR"
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
unset LD_PRELOAD ${!PYROSCOPE_@}

ok()
{
	echo "ok $*"
}

fail()
{
	echo "FAIL $*"
	failed=1
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

# has WHAT PATTERN FILE: a line of the file matches the extended expression
has()
{
	if grep -Eq -- "$2" "$3"; then
		ok "$1"
	else
		fail "$1: no '$2' in: $(head -c 600 "$3")"
	fi
}

# lines WHAT FROM TO FILE
lines()
{
	local count
	count=$(wc -l <"$4")
	if [ "$count" -ge "$2" ] && [ "$count" -le "$3" ]; then
		ok "$1"
	else
		fail "$1: $count lines: $(head -c 600 "$4")"
	fi
}

# run COMMAND...: at most 60 seconds; its streams in out and err, code in $rc
run()
{
	timeout 60 "$@" >out 2>err </dev/null
	rc=$?
}

no_leftovers()
{
	is "nothing is left in TMPDIR ($1)" "" "$(ls -A "$TMPDIR")"
}

finish()
{
	exit $failed
}
