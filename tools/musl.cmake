# SPDX-License-Identifier: Apache-2.0
# musl.cmake - build for musl with Debian's musl-gcc
#
#   cmake -S . -B build-musl --toolchain tools/musl.cmake
#
# musl-gcc has no libraries and no kernel headers: both are the host's, libdeflate
# among them, of which nothing depends on the libc. libcurl and libdw are loaded
# when they are there.
set(CMAKE_C_COMPILER musl-gcc)
execute_process(COMMAND gcc -print-multiarch OUTPUT_VARIABLE host
  OUTPUT_STRIP_TRAILING_WHITESPACE)
set(CMAKE_LIBRARY_ARCHITECTURE ${host})
set(CMAKE_C_FLAGS_INIT "-idirafter /usr/include -idirafter /usr/include/${host}")
