#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the seeds of fuzz_elf and fuzz_cfi in fuzz/corpus from small programs
# that it compiles: run it in the source folder when a new form is wanted.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p fuzz/corpus/elf fuzz/corpus/cfi

cat > "$work/a.c" <<'END'
#include <alloca.h>
void use(void *p);
int f(int n);
void use(void *p) { __asm__ volatile("" : : "r"(p)); }
int f(int n)
{
	int v[8] __attribute__((aligned(64)));
	char *p = alloca(n);

	use(v);
	use(p);
	return n < 2 ? v[0] : f(n - 1) + f(n - 2) + p[0];
}
int weak(void) __attribute__((weak));
int weak(void) { return f(3); }
END

# section KIND NAME FILE SECTION: the kind's byte and the section's bytes
section() {
	objcopy --dump-section "$4=$work/section" "$3" "$work/copy"
	# shellcheck disable=SC2059
	{ printf "\\$(printf %03o "$1")"; cat "$work/section"; } \
		> "fuzz/corpus/cfi/$2"
}

flags="-w -shared -fPIC -nostdlib -Wl,-z,norelro -Wl,-z,max-page-size=512"
# shellcheck disable=SC2086
for kind in O0 O2 Os; do
	cc $flags -$kind -Wl,--build-id -o "$work/$kind.so" "$work/a.c"
	section 0 "eh_$kind" "$work/$kind.so" .eh_frame
done
# shellcheck disable=SC2086
{
	cc $flags -O2 -g -fno-asynchronous-unwind-tables -fno-unwind-tables \
		-o "$work/debug.so" "$work/a.c"
	section 1 debug "$work/debug.so" .debug_frame
	cc $flags -O1 -Wl,-z,lazy -fplt -Wl,--hash-style=sysv \
		-o "$work/plt.so" "$work/a.c"
	section 0 eh_plt "$work/plt.so" .eh_frame
}
cp "$work/O2.so" fuzz/corpus/elf/full
cp "$work/plt.so" fuzz/corpus/elf/sysv_hash
strip -o fuzz/corpus/elf/stripped "$work/O2.so"
# Without section headers: e_shoff, e_shnum and e_shstrndx are 0.
cp fuzz/corpus/elf/stripped fuzz/corpus/elf/no_sections
printf '\0\0\0\0\0\0\0\0' | dd of=fuzz/corpus/elf/no_sections bs=1 seek=40 \
	conv=notrunc status=none
printf '\0\0\0\0\0\0' | dd of=fuzz/corpus/elf/no_sections bs=1 seek=58 \
	conv=notrunc status=none
objcopy --only-keep-debug "$work/O2.so" fuzz/corpus/elf/debug_file
# As find-debuginfo.sh of rpm does it: what .dynsym has not, packed.
nm -D --format=posix "$work/O2.so" | awk '{ print $1 }' | sort > "$work/dynamic"
nm --format=posix "$work/O2.so" | awk '{ print $1 }' | sort > "$work/all"
comm -13 "$work/dynamic" "$work/all" > "$work/keep"
objcopy -S --keep-symbols="$work/keep" fuzz/corpus/elf/debug_file "$work/mini"
xz -c "$work/mini" > "$work/mini.xz"
objcopy --add-section .gnu_debugdata="$work/mini.xz" fuzz/corpus/elf/stripped \
	fuzz/corpus/elf/minidebug
