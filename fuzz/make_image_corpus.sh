#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the seeds of the fuzz targets of images in fuzz/corpus from small programs
# that it compiles: run it in the source folder when a new form is wanted.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p fuzz/corpus/elf fuzz/corpus/cfi fuzz/corpus/symbols \
	fuzz/corpus/debug_image fuzz/corpus/dwarf fuzz/corpus/dynamic
# Debug information says nothing of where it was made.
anywhere="-ffile-prefix-map=$work=/src -ffile-prefix-map=$PWD=/src"

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

# Kind, length of the symbols, symbols, strings.
objcopy --dump-section .dynsym="$work/symbols" \
	--dump-section .dynstr="$work/strings" "$work/O2.so" "$work/copy"
len=$(stat -c %s "$work/symbols")
for kind in 0 1; do
	# shellcheck disable=SC2059
	{ printf "\\00$kind\\$(printf %03o $((len % 256)))\\$(printf %03o \
		$((len / 256)))"; cat "$work/symbols" "$work/strings"; } \
		> fuzz/corpus/symbols/table_$kind
done
# Dynamic section, symbols, strings, hash tables: at 0x200, 0x400, ...
cat > "$work/mapped.S" <<'END'
	.quad 6, 0x400, 5, 0x500, 10, 16
which:	.quad 4, 0x600, 0, 0
	.org 0x200
	.quad 0, 0, 0, 0x1001200000001, 0x1010, 0x20, 0x1001200000006, 0x1020, 0
	.org 0x300
	.ascii "\0func\0other\0"
	.org 0x400
	.long 1, 3, 1, 0, 2, 0
	.org 0x500
	.long 1, 1, 1, 0
	.quad -1
	.long 1, 0x10, 0x11
END
cc -c -o "$work/mapped.o" "$work/mapped.S"
sed 's/^which:.*/	.quad 0x6ffffef5, 0x700, 0, 0/' "$work/mapped.S" > "$work/gnu.S"
cc -c -o "$work/gnu.o" "$work/gnu.S"
for hash in mapped gnu; do
	objcopy -O binary -j .text "$work/$hash.o" "$work/$hash"
	{ printf '\002'; cat "$work/$hash"; } > "fuzz/corpus/symbols/$hash"
done

# Where the dynamic section is, and the object as it lies in memory.
cat > "$work/d.c" <<'END'
int target(int n) { return n + 1; }
int other(int), weak(int) __attribute__((weak));
int (*variable)(int) = other, (*own)(int) = target;
int caller(int n)
{
	return target(n) + other(n) + (weak ? weak(n) : 0) + variable(n) + own(n);
}
END
echo 'V1 { target; }; V2 { caller; };' > "$work/d.map"
for how in sysv-lazy gnu-lazy gnu-now; do
	version=
	[ ${how#*-} = lazy ] || version=-Wl,--version-script=$work/d.map
	# shellcheck disable=SC2086
	cc $flags -O1 -Wl,--hash-style=${how%-*} -Wl,-z,${how#*-} $version \
		-Wl,--build-id=none -o "$work/d.so" "$work/d.c"
	objcopy -O binary "$work/d.so" "$work/d"
	at=$(readelf -lW "$work/d.so" | awk '$1 == "DYNAMIC" { print $3 }')
	first=$(readelf -SW "$work/d.so" | awk '/ A / { print $5; exit }')
	# shellcheck disable=SC2059
	{ printf "\\$(printf %03o $((at % 256)))\\$(printf %03o $((at / 256)))"
		head -c $((0x$first)) /dev/zero; cat "$work/d"; } \
		> fuzz/corpus/dynamic/$how
done

# What libdw is shown of a file; packed, and of all forms.
# shellcheck disable=SC2086
for version in 4 5; do
	cc -c -g -gdwarf-$version $anywhere -O2 -w \
		-o fuzz/corpus/debug_image/dwarf$version "$work/a.c"
done
objcopy --compress-debug-sections=zlib fuzz/corpus/debug_image/dwarf5 \
	fuzz/corpus/debug_image/packed
objcopy --only-section=.debug_str fuzz/corpus/debug_image/dwarf5 \
	fuzz/corpus/debug_image/strings

# Lines and inlined functions, by two compilers.
cat > "$work/b.c" <<'END'
static inline __attribute__((always_inline)) int b(int n) { return n * 7 ^ 3; }
static inline __attribute__((always_inline)) int a(int n)
{
	int s = 0;

	for (int i = 0; i < n; i++)
		s += b(i);
	return s;
}
int f(int n) { return n < 2 ? a(n) : f(n - 1) + f(n - 2); }
__attribute__((cold)) void g(void) { f(3); }
END
# shellcheck disable=SC2086
for version in 4 5; do
	for cc in gcc clang; do
		$cc $flags $anywhere -g -gdwarf-$version -O2 \
			-Wl,-z,noseparate-code \
			-o "fuzz/corpus/dwarf/$cc$version" "$work/b.c"
	done
done
objcopy --compress-debug-sections=zlib fuzz/corpus/dwarf/gcc5 \
	fuzz/corpus/dwarf/packed
