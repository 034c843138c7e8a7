#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# replaced.sh - files that are replaced or removed under a running program: names
# are those of what runs, or none
. "$(dirname "$0")/_cli.sh"
program=${PROGRAMS_DIR:?}/replaced

# library ID WHICH FILE: the old and the new one look alike
library()
{
	cat >lib.c <<-END
	static __attribute__((noinline)) long hidden_$2(long n)
	{
		volatile long sum = 0;
		for (long i = 0; i < n; i++)
			sum += i;
		return sum;
	}
	long shown_$2(long n);
	long shown_$2(long n)
	{
		volatile long sum = hidden_$2(n / 2);
		for (long i = 0; i < n / 2; i++)
			sum += i;
		return sum;
	}
	END
	cc -shared -fPIC -O2 -fno-ipa-icf -Wl,--build-id="$1" -o "$3" lib.c
}

# table WHAT COMMAND...: records it, and its functions go into table
table()
{
	local what=$1
	shift
	run "$pyro" record -o out.pb.gz -- "$@"
	[ $rc = 0 ] || fail "$what: exit code $rc: $(head -c 600 err)"
	"$pyro" top -n 100 out.pb.gz >table 2>&1
	is "$what: nothing of the new file" "" "$(grep _new table)"
	has "$what: the exported function" ' shown_old \(lib.so\)' table
	has "$what: the program's own" ' hidden_in_main ' table
}

for id in sha1 none; do
	library $id old lib.so
	table "build ID $id, untouched" "$program" ./lib.so x =
	has "build ID $id, untouched: by the file" ' hidden_old ' table
	for how in new.so -; do
		library $id old lib.so
		library $id new new.so
		table "build ID $id, $how" "$program" ./lib.so lib.so $how
		has "build ID $id, $how: from memory" ' lib.so\+0x' table
	done
done

# The executable is there as long as it runs.
for how in new -; do
	library sha1 old lib.so
	cp "$program" mine
	cp "$program" new
	objcopy --redefine-sym hidden_in_main=hidden_new new
	table "executable, $how" ./mine ./lib.so mine $how
	has "executable, $how: its name" 'hidden_in_main \(mine\)' table
done
no_leftovers "replaced"
finish
