#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# reload.sh - two libraries take each other's place, and no sample of one has a
# name of the other: the function that called it, in the executable, tells which
# it was
. "$(dirname "$0")/_life.sh"

seed=${SEED:-$RANDOM}
echo "SEED=$seed"

cat >plugin.c <<'EOF2'
#include <time.h>

#define CAT_(a, b) a##b
#define CAT(a, b) CAT_(a, b)

__attribute__((noinline)) static long CAT(NAME, _inner)(long n)
{
	for (long i = 0; i < 2000; i++)
		__asm__ volatile("" : "+r"(n));
	return n + 1;
}

long CAT(NAME, _burn)(double until)
{
	struct timespec ts;
	long n = 0;

	do {
		n += CAT(NAME, _inner)(n);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	} while ((double)ts.tv_sec + (double)ts.tv_nsec / 1e9 < until);
	return n;
}
EOF2
# The same code but for names: one's rules lead out of the other, to the caller
# that gives a wrong name away.
for library in alpha beta gamma; do
	${CC:-cc} -O2 -fomit-frame-pointer -shared -fPIC -DNAME=$library \
		plugin.c -o $library.so || exit 1
done

# number NAME: of the line that the program printed
number()
{
	sed -n "s/.*\b$1=\(-\{0,1\}[0-9]*\).*/\1/p" out
}

# check WHAT: most were mapped where the other had been; no name is wrong
check()
{
	succeeded "$1"
	sed 's/^/   /' out
	[ "$(number same)" -ge $(($(number turns) / 2)) ] ||
		fail "$1: the libraries do not take each other's place"
	is "$1: names of the other library" "0 0 0 0" "$(profile "' '.join(
		str(mixed(caller, alien)) for caller, alien in (
			('call_alpha', 'beta_'), ('call_alpha', 'gamma_'),
			('call_beta', 'alpha_'), ('call_beta', 'gamma_')))" \
		drop/*[0-9].pb.gz 2>&1)"
	is "$1: whole stacks without their caller" "0 0" "$(profile "' '.join(
		str(without(caller, name)) for caller, name in (
			('call_alpha', 'alpha_'), ('call_beta', 'beta_')))" \
		drop/*[0-9].pb.gz 2>&1)"
}

mkdir calm busy
cp alpha.so beta.so calm
cp alpha.so beta.so gamma.so busy

# Far longer than it takes to see them, most samples have their name.
run linked "$programs/reload" "$seed" 8 2000 "$work/calm"
check "each for 1 s"
wanted=$((($(number alpha_ms) + $(number beta_ms)) / 2))
has_samples "each for 1 s" $wanted call_

# Far shorter, with and without a third: names are lost, and not mixed up.
run linked "$programs/reload" "$seed" 4 6 "$work/calm"
check "each for 3 ms"
run linked "$programs/reload" "$seed" 8 60 "$work/busy"
check "each for 30 ms beside a third"
[ "$(number grown)" -le 1024 ] ||
	fail "memory grew by $(number grown) KiB"
finish
