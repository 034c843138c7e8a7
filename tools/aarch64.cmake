# SPDX-License-Identifier: Apache-2.0
# aarch64.cmake - build for aarch64 on another machine, and run there
#
#   cmake -S . -B build-aarch64 --toolchain tools/aarch64.cmake
#
# Debian's cross compiler, libraries of its arm64 packages (multiarch), and
# qemu-user for what is built; -cpu max has pointer authentication.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
# Headers that are the same everywhere, and that the other one has not (curl's).
execute_process(COMMAND gcc -print-multiarch OUTPUT_VARIABLE host
  OUTPUT_STRIP_TRAILING_WHITESPACE)
set(CMAKE_C_FLAGS_INIT "-idirafter /usr/include/${host}")
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -cpu max)
