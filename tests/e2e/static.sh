#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# static.sh - libpyroscope.a in static programs of glibc: profiles are as true as
# with the shared library, and what is missing is told
cc=gcc
build=${BUILD_DIR:?}
. "$(dirname "$0")/_static.sh"

roots='_start|(__)?clone3?'
build static "$sources/shares.c" begin.c -static
build no-pie "$sources/shares.c" begin.c -static -no-pie -fno-pic
build static-pie "$sources/shares.c" begin.c -static-pie
for program in static no-pie static-pie; do
	truth $program "$roots" ./$program
	features $program $cpu ./$program
done
strip -o stripped static
run linked ./stripped 0.3 2
succeeded stripped
has_samples stripped 300

# A static C++ program brings the demangler.
cat >cxx.cc <<'EOF2'
#include <pyroscope/pyroscope.h>
#include <ctime>
#include <iostream>

namespace app {
__attribute__((noinline)) unsigned work(std::clock_t end)
{
	unsigned x = 1;

	while (std::clock() < end)
		x = x * 69069 + 1;
	return x;
}
}

int main()
{
	pyroscope_load("");
	std::cout << app::work(CLOCKS_PER_SEC / 2) << std::endl;
}
EOF2
cc=g++ build cxx cxx.cc -static
run linked ./cxx
succeeded "C++"
has_samples "C++" 300 app::work

# getaddrinfo is there when the program has it, and ld warns of that itself.
cat >names.c <<'EOF2'
#include <netdb.h>
int (*volatile used)(const char *, const char *, const struct addrinfo *,
		     struct addrinfo **) = getaddrinfo;
EOF2
"$cc" -o names -O2 -D_GNU_SOURCE -I"$SOURCE_DIR/include" "$sources/shares.c" \
	begin.c names.c -static @"$build/pyroscope.wrap" \
	"$build/libpyroscope.a" 2>/dev/null
features names $((cpu + resolver)) ./names

sends ./static 127.0.0.1
sends ./static LocalHost
sends ./static-pie '[::ffff:127.0.0.1]'
cannot ./static https://127.0.0.1:9 'libcurl, which a static program cannot'
cannot ./static http://name.invalid 'resolves no names'

waits
lives
finish
