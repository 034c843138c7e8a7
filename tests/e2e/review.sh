#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# review.sh - what once went wrong and was found by reading (programs/review.c)
. "$(dirname "$0")/_life.sh"

for case in setuid restart dormant; do
	run linked "$programs/review" "$case"
	succeeded "$case" -
done

# A constructor that waits for a thread whose first call is a hooked one.
cat >constructor.c <<'EOF'
#include <pthread.h>
#include <time.h>
static void *nap(void *arg)
{
	nanosleep(&(struct timespec){0, 1000000}, NULL);
	return arg;
}
__attribute__((constructor)) static void begin(void)
{
	pthread_t thread;
	pthread_create(&thread, NULL, nap, NULL);
	pthread_join(thread, NULL);
}
EOF
cc -shared -fPIC -o constructor.so constructor.c || exit 1
for on in 0 1; do
	run preloaded env PYROSCOPE_PROFILING_ENABLED=$on \
		"$programs/review" dlopen "$work/constructor.so"
	succeeded "dlopen waits for a thread (on: $on)"
done

# At a few samples a second each stands for more than 100 ms, and is in time.
run preloaded env PYROSCOPE_SAMPLE_RATE=5 "$programs/shares" 2 1
if zcat drop/*[0-9].pb.gz | grep -aq 'signal delayed'; then
	fail "5 samples a second: shown as delayed"
else
	ok "5 samples a second"
fi
# libc makes a change of user in every thread, and aborts when ours may not.
if [ "$(id -u)" = 0 ]; then
	for command in exec record; do
		for try in 1 2 3 4 5; do
			run preloaded env PYROSCOPE_COMMAND=$command \
				setpriv --reuid=65534 --regid=65534 \
				--clear-groups id -u
			[ "$rc $(cat out)" = "0 65534" ] && continue
			fail "setpriv under $command: $rc $(cat out err)"
		done
	done
	ok "setpriv"
else
	fail "setpriv: this test is to be run as root"
fi
exit $failed
