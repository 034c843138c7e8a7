// SPDX-License-Identifier: Apache-2.0
/* test_lines_budget.c - what reading debug information costs, is kept
 *
 * python3.11-dbg, once for each of many modules, is more work than there is CPU
 * time for: what batches take is compared with what was earned, by the thread's
 * CPU clock. Memory is measured in a process of its own, as the kernel counts
 * it. */
#include "tests/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/log.h"
#include "base/os.h"
#include "image/debug_file.h"
#include "image/libdw.h"
#include "image/lines.h"

#define PROGRAM "/usr/bin/python3.11-dbg"
#define ADDRESSES 2000
#define MIB ((size_t)1 << 20)
#define SECOND PYRO_NS_PER_SEC
#define BURST (SECOND / 2)
#define PERMILLE 10

static uint64_t address[ADDRESSES];
static const char *program = PROGRAM;

static uint64_t cpu_ns(void)
{
	return pyro_clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

/* arg: CPU time to spend in it, or NULL. */
static int open_program(void *arg, uint32_t module, struct pyro_elf *elf)
{
	int fd = open(program, O_RDONLY | O_CLOEXEC);
	uint64_t end = cpu_ns() + (arg ? *(uint64_t *)arg : 0);

	(void)module;
	assert_true(fd >= 0);
	while (cpu_ns() < end)
		;
	return pyro_elf_open_file(elf, fd);
}

/* All over the code. */
static int set_up(void **state)
{
	const Elf64_Shdr *text;
	struct pyro_elf elf;

	(void)state;
	assert_int_equal(open_program(NULL, 1, &elf), 0);
	text = pyro_elf_section(&elf, ".text");
	assert_non_null(text);
	for (size_t i = 0; i < ADDRESSES; i++)
		address[i] = text->sh_addr + text->sh_size / ADDRESSES * i;
	pyro_debug_file_close(&elf);
	return 0;
}

static void want(struct pyro_lines *lines, uint32_t modules)
{
	for (uint32_t id = 1; id <= modules; id++)
		for (size_t i = 0; i < ADDRESSES; i++)
			pyro_lines_want(lines, id, address[i], 1);
}

/* How many of a module's addresses have a line. */
static size_t known(const struct pyro_lines *lines, uint32_t module)
{
	struct pyro_source s[PYRO_SOURCES_MAX];
	size_t all = 0, count;

	for (size_t i = 0; i < ADDRESSES; i++)
		all += pyro_lines_find(lines, module, address[i], s, &count) ==
			       PYRO_LINES_KNOWN &&
		       s[0].line > 0;
	return all;
}

/* One batch; returns what it took. */
static uint64_t batch(struct pyro_lines *lines, uint64_t *open_ns, size_t *left)
{
	uint64_t begin = cpu_ns();

	*left = pyro_lines_resolve(lines, open_program, open_ns, UINT64_MAX);
	return cpu_ns() - begin;
}

/* Opening alone takes four times what is earned from batch to batch: most have
 * to wait until it is paid. */
static void test_cpu(void **state)
{
	struct pyro_lines *lines = pyro_lines_new("", 64 * MIB, PERMILLE);
	uint64_t open_ns = 40 * PYRO_NS_PER_MS, spent = 0, most, took;
	size_t left, before;

	(void)state;
	assert_non_null(lines);
	want(lines, 40);
	/* What the first took beyond its burst is a debt. */
	took = batch(lines, &open_ns, &before);
	most = took > BURST ? took - BURST : 0;
	assert_true(before > 0);
	left = before;
	for (uint64_t i = 1; i <= 60; i++) {
		pyro_lines_earn(lines, SECOND);
		took = batch(lines, &open_ns, &left);
		spent += took;
		most = took > most ? took : most;
		if (spent > i * SECOND * PERMILLE / 1000 + most)
			fail_msg("%llu ms in %llu s",
				 (unsigned long long)(spent / PYRO_NS_PER_MS),
				 (unsigned long long)i);
	}
	/* What there is, is used. */
	assert_true(left < before);
	assert_true(spent > 60 * SECOND * PERMILLE / 1000 / 2);
	pyro_lines_free(lines);
}

/* Nothing is saved up beyond the burst, and a batch has a limit of its own. */
static void test_cpu_at_once(void **state)
{
	struct pyro_lines *lines = pyro_lines_new("", 64 * MIB, PERMILLE);
	size_t left, again;

	(void)state;
	assert_non_null(lines);
	for (int i = 0; i < 100000; i++)
		pyro_lines_earn(lines, SECOND);
	want(lines, 60);
	assert_true(batch(lines, NULL, &left) < 2 * BURST);
	assert_true(left > 0);
	assert_true(batch(lines, NULL, &again) < BURST);
	assert_int_equal(again, left);

	pyro_lines_earn(lines, UINT64_MAX);
	left = pyro_lines_resolve(lines, open_program, NULL, SECOND / 100);
	assert_in_range(left, 1, again - 1);
	pyro_lines_free(lines);
}

/* A budget that is always too small still comes to an end. */
static void test_progress(void **state)
{
	struct pyro_lines *lines = pyro_lines_new("", 64 * MIB, 1000);
	size_t left = 1, before;

	(void)state;
	assert_non_null(lines);
	want(lines, 1);
	for (int i = 0; i < 10000 && left; i++) {
		before = left;
		pyro_lines_earn(lines, UINT64_MAX);
		left = pyro_lines_resolve(lines, open_program, NULL, 1);
		assert_true(i == 0 || left < before);
	}
	assert_int_equal(left, 0);
	assert_true(known(lines, 1) > ADDRESSES / 2);
	pyro_lines_free(lines);
}

/* What is packed has to be unpacked as a whole: where that is too much, there
 * are no lines, and one log line says why. */
static void test_too_large(void **state)
{
	char folder[] = "/tmp/pyro-budget-XXXXXX", path[64], log[64], text[256];
	struct pyro_lines *lines = pyro_lines_new("", 8 * MIB, 1000);
	FILE *f;

	(void)state;
	assert_non_null(lines);
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/packed", folder);
	snprintf(log, sizeof(log), "%s/log", folder);
	snprintf(text, sizeof(text),
		 "objcopy --compress-debug-sections=zlib " PROGRAM " %s", path);
	assert_int_equal(system(text), 0);
	assert_int_equal(close(open(log, O_CREAT | O_WRONLY, 0600)), 0);
	pyro_log_to(log);
	program = path;
	want(lines, 2);
	assert_int_equal(
		pyro_lines_resolve(lines, open_program, NULL, UINT64_MAX), 0);
	assert_int_equal(known(lines, 1), 0);
	assert_int_equal(known(lines, 2), 0);
	program = PROGRAM;
	f = fopen(log, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	assert_non_null(strstr(text, "too large for lines_memory_mib"));
	assert_null(fgets(text, sizeof(text), f));
	fclose(f);
	unlink(log);
	unlink(path);
	rmdir(folder);
	pyro_lines_free(lines);
}

#if !UNDER_ASAN
static size_t status_bytes(const char *key)
{
	FILE *f = fopen("/proc/self/status", "r");
	size_t kib = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			kib = strtoul(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return kib << 10;
}

struct memory {
	size_t peak, after, known;
};

/* In a forked process, whose high-water mark begins here. */
static void measure(size_t limit, struct memory *m)
{
	struct pyro_lines *lines = pyro_lines_new("", limit, 1000);
	size_t resident, before, after;

	pyro_libdw();
	want(lines, 1);
	pyro_lines_earn(lines, UINT64_MAX);
	resident = status_bytes("VmRSS:");
	before = status_bytes("RssAnon:");
	pyro_lines_resolve(lines, open_program, NULL, UINT64_MAX);
	m->peak = status_bytes("VmHWM:") - resident;
	/* The kernel adds its counters up a few pages late. */
	after = status_bytes("RssAnon:");
	m->after = after > before ? after - before : 0;
	m->known = known(lines, 1);
}

static void check_memory(size_t limit, size_t least_known)
{
	struct memory m = {0};
	int to[2], status;
	pid_t pid;

	assert_int_equal(pipe(to), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		measure(limit, &m);
		_exit(write(to[1], &m, sizeof(m)) != sizeof(m));
	}
	close(to[1]);
	assert_int_equal(read(to[0], &m, sizeof(m)), sizeof(m));
	close(to[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	print_message("%zu MiB: %.1f at most, %.1f after, %zu lines\n",
		      limit / MIB, (double)m.peak / MIB, (double)m.after / MIB,
		      m.known);
	assert_in_range(m.peak, 1, limit);
	/* Of what malloc keeps, the pages at which blocks begin. */
	assert_in_range(m.after, 0, limit / 8 + MIB);
	assert_in_range(m.known, least_known, ADDRESSES);
}

static void test_memory(void **state)
{
	(void)state;
	check_memory(64 * MIB, ADDRESSES * 9 / 10);
	check_memory(16 * MIB, ADDRESSES * 3 / 4);
	check_memory(8 * MIB, 1);
}
#endif

/* libdw, but that its memory ends in a unit. */
static struct pyro_libdw *libdw;
static struct pyro_libdw real;
static Dwarf_OOM on_out_of_memory;
static char *image;
static size_t opened;

static Dwarf_OOM note_handler(Dwarf *dwarf, Dwarf_OOM handler)
{
	on_out_of_memory = handler;
	return real.new_oom_handler(dwarf, handler);
}

static Dwarf_Line *no_memory(Dwarf_Die *cudie, Dwarf_Addr at)
{
	(void)cudie;
	(void)at;
	on_out_of_memory();
	return NULL;
}

static int open_counted(void *arg, uint32_t module, struct pyro_elf *elf)
{
	opened++;
	return open_program(arg, module, elf);
}

static Elf *note_image(char *at, size_t size)
{
	image = at;
	return real.elf_memory(at, size);
}

static size_t count_files(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

/* Files and the image are given back, and libdw is not tried again. To be the
 * last test. */
static void test_out_of_memory(void **state)
{
	struct pyro_lines *lines = pyro_lines_new("", 64 * MIB, 1000);
	size_t files;

	(void)state;
	assert_non_null(lines);
	libdw = (struct pyro_libdw *)(uintptr_t)pyro_libdw();
	assert_non_null(libdw);
	real = *libdw;
	libdw->new_oom_handler = note_handler;
	libdw->elf_memory = note_image;
	libdw->getsrc_die = no_memory;
	files = count_files();
	for (uint32_t id = 1; id <= 3; id++) {
		pyro_lines_want(lines, id, address[ADDRESSES / 2], 1);
		pyro_lines_earn(lines, UINT64_MAX);
		assert_int_equal(pyro_lines_resolve(lines, open_counted, NULL,
						    UINT64_MAX),
				 0);
		assert_int_equal(known(lines, id), 0);
		assert_int_equal(count_files(), files);
		assert_int_equal(opened, 1);
		assert_non_null(image);
		/* Not mapped. */
		assert_int_equal(msync(image, 4096, MS_ASYNC), -1);
	}
	*libdw = real;
	pyro_lines_free(lines);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cpu),
		cmocka_unit_test(test_cpu_at_once),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_too_large),
#if !UNDER_ASAN
		cmocka_unit_test(test_memory),
#endif
		cmocka_unit_test(test_out_of_memory),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
