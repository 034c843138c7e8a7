// SPDX-License-Identifier: Apache-2.0
/* system_files.h - programs and libraries that a Debian 12 has once ./dev has
 * installed what the tests need: C, C++, assembler, small and large */
#ifndef PYRO_TESTS_SYSTEM_FILES_H
#define PYRO_TESTS_SYSTEM_FILES_H

#define SYSTEM_LIBRARY(name) "/lib/x86_64-linux-gnu/" name

static const char *const system_files[] = {
	SYSTEM_LIBRARY("libc.so.6"),
	SYSTEM_LIBRARY("libm.so.6"),
	"/lib64/ld-linux-x86-64.so.2",
	SYSTEM_LIBRARY("libstdc++.so.6"),
	SYSTEM_LIBRARY("libgcc_s.so.1"),
	SYSTEM_LIBRARY("libcrypto.so.3"),
	SYSTEM_LIBRARY("libssl.so.3"),
	SYSTEM_LIBRARY("libcurl.so.4"),
	SYSTEM_LIBRARY("libsqlite3.so.0"),
	SYSTEM_LIBRARY("libz.so.1"),
	SYSTEM_LIBRARY("libzstd.so.1"),
	SYSTEM_LIBRARY("liblzma.so.5"),
	SYSTEM_LIBRARY("libunwind.so.8"),
	SYSTEM_LIBRARY("libgmp.so.10"),
	SYSTEM_LIBRARY("libbfd-2.40-system.so"),
	SYSTEM_LIBRARY("libcmocka.so.0"),
	"/usr/bin/git",
	"/usr/bin/gdb",
	"/usr/bin/python3.11",
	"/usr/bin/perl",
	"/usr/bin/redis-server",
	"/usr/bin/lua5.4",
};

#endif
