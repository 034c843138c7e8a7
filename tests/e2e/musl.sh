#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# musl.sh - the library and the command, built for musl: static programs, programs
# that link the shared library, and those that pyro starts. musl has no CFI: stacks
# through it are walked by what its instructions say
build=${BUILD_DIR:?}/musl
cc=musl-gcc
. "$(dirname "$0")/_static.sh"

cmake -S "$SOURCE_DIR" -B "$build" -G Ninja -DPYROSCOPE_TESTS=OFF \
	-DPYROSCOPE_WERROR=ON --toolchain "$SOURCE_DIR/tools/musl.cmake" \
	>cmake.log 2>&1 && ninja -C "$build" >ninja.log 2>&1 || {
	fail "building: $(tail -n 20 cmake.log ninja.log)"
	finish
}
ok "built for musl"
library=$build/libpyroscope.so

## Static
roots='_start|__clone'
build static "$sources/shares.c" begin.c -static
build no-pie "$sources/shares.c" begin.c -static -no-pie -fno-pic
for program in static no-pie; do
	truth $program "$roots" ./$program
	features $program $((cpu + resolver)) ./$program
done
build inlibc "$sources/inlibc.c" begin.c -static
inside "inside a static program's musl" ./inlibc
sends ./static 127.0.0.1
cannot ./static https://127.0.0.1:9 'libcurl, which a static program cannot'
cannot ./static http://name.invalid 'no such host'
waits
lives

## Dynamic: musl's own library is stripped, so its clone has no name.
roots='_start|ld-musl.*|libc\.so.*'
compile dynamic "$sources/shares.c" begin.c -L"$build" -lpyroscope \
	-Wl,-rpath,"$build"
compile plain "$sources/shares.c"
compile inmusl "$sources/inlibc.c" begin.c -L"$build" -lpyroscope \
	-Wl,-rpath,"$build"
truth dynamic "$roots" ./dynamic
inside "inside musl's own library" ./inmusl
features dynamic $((cpu + https + lines + resolver)) ./dynamic
PYROSCOPE_SAMPLE_RATE=1000 timeout -s KILL 60 "$build/pyro" record -q \
	-o recorded.pb.gz -- ./plain 1.5 2 >out 2>err
rc=$?
succeeded "pyro record"
PYTHONPATH=$here/.. python3 "$here/_static.py" "pyro record" "$roots" \
	recorded.pb.gz <out || failed=1

## Locks: calls give back what they do without the library, and waits are told
compile locks_calls "$sources/locks_calls.c"
compile contend "$sources/contend.c" -L"$build" -lpyroscope -Wl,-rpath,"$build"
timeout -s KILL 60 ./locks_calls | sort >without
for types in block cpu,heap,mutex,block,threads; do
	timeout -s KILL 60 "$build/pyro" record -q -t $types -o calls.pb.gz -- \
		./locks_calls >out 2>err
	rc=$?
	succeeded "locks_calls with $types"
	is "locks_calls with $types: the same" "" "$(sort out | diff without -)"
done
for kind in n r c w s d; do
	timeout -s KILL 60 "$build/pyro" record -q -t mutex -o mutex.pb.gz -- \
		./contend $kind 4 50 10 >out 2>err
	rc=$?
	succeeded "locks, $kind"
	PYTHONPATH=$here/.. python3 "$here/locks.py" out mutex.pb.gz || failed=1
done

## Linked by a library of the program: libc comes first, and calls are redirected.
cat >spawn.c <<'EOF2'
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void *worker(void *arg)
{
	void *caller = __builtin_return_address(0);
	Dl_info info;

	(void)arg;
	return dladdr(caller, &info) && strstr(info.dli_fname, "libpyroscope")
		       ? caller
		       : NULL;
}

int main(void)
{
	void *seen = NULL;
	pthread_t thread;

	for (int i = 0; i < 1000 && !seen; i++) {
		if (pthread_create(&thread, NULL, worker, NULL) != 0)
			return 1;
		pthread_join(thread, &seen);
		usleep(10000);
	}
	puts(seen ? "seen" : "not seen");
	return 0;
}
EOF2
compile libbegin.so -shared -fPIC begin.c -L"$build" -lpyroscope
for how in now,-z,relro now,-z,norelro; do
	compile spawn spawn.c -Wl,-z,$how -L. -lbegin \
		-Wl,-rpath-link,"$build" -Wl,-rpath,"$work:$build"
	run linked ./spawn
	succeeded "linked by a library, $how"
	is "linked by a library, $how: pthread_create" seen "$(cat out)"
done

## Installed
cmake --install "$build" --prefix prefix >install.log 2>&1 || fail install
PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name pyroscope.pc)")
export PKG_CONFIG_PATH
compile by-pkg-config "$SOURCE_DIR/tests/consumer/main.c" \
	$(pkg-config --cflags --libs pyroscope) \
	-Wl,-rpath,"$(pkg-config --variable=libdir pyroscope)"
is "pkg-config" on "$(./by-pkg-config 2>err)"
compile by-pkg-config-static -static "$SOURCE_DIR/tests/consumer/main.c" \
	$(pkg-config --static --cflags --libs pyroscope)
is "pkg-config --static" on "$(./by-pkg-config-static 2>err)"

"$build/pyro" exec -- xz --version >out 2>err
is "a program of glibc: why not" 1 "$(grep -c 'uses another libc' err)"
finish
