#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# suites.sh [MODULE...] - Python's own tests give the same results profiled, CPU
# and heap, as not profiled. A module whose results differ is run profiled once
# more, for some depend on time. With LONG=1 all of multiprocessing's and what
# else deals with memory, threads and processes.
. "$(dirname "$0")/_life.sh"
export PYROSCOPE_HEAP_SAMPLING_INTERVAL_BYTES=16k PYTHONDONTWRITEBYTECODE=1
unset PYROSCOPE_SAMPLE_RATE
run_seconds=900
modules=(json re pickle threading subprocess multiprocessing_fork)
# What they find open is a file that the library's thread reads at that moment.
ignored=(-i test_close_fds -i test_pass_fds -i test_pass_fds_redirected)
# Classes of multiprocessing's; all are three minutes.
some=(-m '*WithProcessesTestQueue*' -m '*WithProcessesTestLock*'
	-m '*WithProcessesTestProcess*' -m '*WithProcessesTestHeap*')
[ -z "${LONG:-}" ] || {
	some=()
	modules+=(multiprocessing_spawn multiprocessing_forkserver
		multiprocessing_main_handling concurrent_futures asyncio
		sqlite3 zlib bz2 lzma ctypes thread threading_local
		threadsignals signal posix os fork1 wait3 wait4 mmap io
		memoryio memoryview gc weakref faulthandler ssl socket
		selectors zipfile tarfile unicode set dict list)
}
[ $# = 0 ] || modules=("$@")

# suite HOW MODULE: its results, sorted, in HOW.MODULE
suite()
{
	local how=$1 module=$2 only=()
	[ "$module" != multiprocessing_fork ] || only=("${some[@]}")
	mkdir -p "$work/$how.dir"
	rm -rf "$how.xml"
	(
		cd "$work/$how.dir" || exit 1
		if [ "$how" = profiled ]; then
			export LD_PRELOAD=$library
			export PYROSCOPE_OUTPUT_DIR=$work/drop
		fi
		TMPDIR=$PWD timeout -s KILL $run_seconds /usr/bin/python3 \
			-m test "test_$module" "${only[@]}" \
			"${ignored[@]}" \
			--junit-xml "$work/$how.xml"
	) >"$how.$module.out" 2>&1 </dev/null
	/usr/bin/python3 - "$how.xml" >"$how.$module" 2>&1 <<'EOF2'
import sys
import xml.etree.ElementTree as tree

for case in sorted(tree.parse(sys.argv[1]).iter("testcase"),
                   key=lambda c: c.get("name")):
    kinds = [e.tag for e in case if e.tag in ("failure", "error", "skipped")]
    print(case.get("name"), " ".join(kinds) or case.get("result"))
EOF2
}

mkdir drop
chmod 777 drop # for tests that change their user
for module in "${modules[@]}"; do
	# Side by side: most of the time they wait.
	suite plain "$module" &
	suite profiled "$module"
	wait $!
	cmp -s "plain.$module" "profiled.$module" || suite profiled "$module"
	if ! cmp -s "plain.$module" "profiled.$module"; then
		fail "$module: $(diff "plain.$module" "profiled.$module" |
			head -n 20)"
		tail -n 60 "profiled.$module.out"
	elif [ "$(wc -l <"plain.$module")" -lt 5 ]; then
		fail "$module: $(cat "plain.$module")" "$(tail "plain.$module.out")"
	else
		ok "$module: $(wc -l <"plain.$module") cases," \
			"$(grep -Ec " (failure|error)$" "plain.$module") fail"
	fi
done
written=$(find drop -name '*.pb.gz' | wc -l)
[ "$written" -ge 10 ] && ok "$written profiles" || fail "$written profiles"
finish
