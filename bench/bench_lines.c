// SPDX-License-Identifier: Apache-2.0
/* bench_lines.c FILE... - source lines and inlined functions of 2000 distinct
 * addresses of each file
 *
 * Ours, addr2line, and libdw as its manual has it: dwfl, dwarf_getscopes and
 * dwfl_module_getsrc for one address after the other. Each way in a process of
 * its own: CPU time, and what resident memory grew by at its highest and in the
 * end, after everything was closed (ours keeps what it found). */
#include <dwarf.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/bench.h"
#include "image/debug_file.h"
#include "image/lines.h"
#include "image/symbols.h"

#define ADDRESSES 2000
#define MEMORY ((size_t)64 << 20)

static const char *path;
static uint64_t address[ADDRESSES];

struct cost {
	double cpu_s;
	long base_kib, peak_kib, after_kib; /* resident */
	size_t found;
};

static long status_kib(const char *key)
{
	FILE *f = fopen("/proc/self/status", "r");
	char line[256];
	long kib = 0;

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, strlen(key)) == 0)
			kib = strtol(line + strlen(key), NULL, 10);
	if (f)
		fclose(f);
	return kib;
}

static double seconds(const struct timeval *t)
{
	return (double)t->tv_sec + (double)t->tv_usec / 1e6;
}

static int open_file(void *arg, uint32_t module, struct pyro_elf *elf)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	(void)arg;
	(void)module;
	return fd < 0 ? -1 : pyro_elf_open_file(elf, fd);
}

static size_t by_us(void)
{
	struct pyro_lines *lines =
		pyro_lines_new("/usr/lib/debug", MEMORY, 1000);
	size_t found = 0;

	for (size_t i = 0; i < ADDRESSES && lines; i++)
		pyro_lines_want(lines, 1, address[i], 1);
	if (!lines)
		return 0;
	pyro_lines_earn(lines, UINT64_MAX);
	if (pyro_lines_resolve(lines, open_file, NULL, UINT64_MAX))
		return 0;
	for (size_t i = 0; i < ADDRESSES; i++) {
		struct pyro_source s[PYRO_SOURCES_MAX];
		size_t count;

		pyro_lines_find(lines, 1, address[i], s, &count);
		found += count > 0 && s[0].line > 0;
	}
	return found;
}

/* The functions around an address, by name. */
static size_t scopes_at(Dwfl_Module *module, Dwarf_Addr at)
{
	Dwarf_Addr bias;
	Dwarf_Die *cu = dwfl_module_addrdie(module, at, &bias), *scopes = NULL;
	int count = cu ? dwarf_getscopes(cu, at - bias, &scopes) : 0;
	size_t named = 0;

	for (int i = 0; i < count; i++) {
		Dwarf_Attribute attr;
		int tag = dwarf_tag(&scopes[i]);

		if (tag == DW_TAG_subprogram ||
		    tag == DW_TAG_inlined_subroutine)
			named +=
				dwarf_formstring(dwarf_attr_integrate(
					&scopes[i], DW_AT_name, &attr)) != NULL;
	}
	free(scopes);
	return named;
}

static size_t by_libdw(void)
{
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_build_id_find_elf,
		.find_debuginfo = dwfl_standard_find_debuginfo,
		.section_address = dwfl_offline_section_address,
	};
	Dwfl *dwfl = dwfl_begin(&callbacks);
	Dwfl_Module *module = dwfl_report_offline(dwfl, "", path, -1);
	Dwarf_Addr bias;
	size_t found = 0;

	dwfl_report_end(dwfl, NULL, NULL);
	if (!module || !dwfl_module_getelf(module, &bias))
		return 0;
	for (size_t i = 0; i < ADDRESSES; i++) {
		Dwfl_Line *line = dwfl_module_getsrc(module, address[i] + bias);
		int number = 0;

		scopes_at(module, address[i] + bias);
		if (line)
			dwfl_lineinfo(line, NULL, &number, NULL, NULL, NULL);
		found += number > 0;
	}
	dwfl_end(dwfl);
	return found;
}

static struct cost in_process(size_t (*way)(void))
{
	struct cost cost = {0};
	struct rusage usage;
	int to[2];

	if (pipe(to) != 0)
		return cost;
	fflush(stdout);
	if (fork() == 0) {
		cost.base_kib = status_kib("VmRSS:");
		cost.found = way();
		getrusage(RUSAGE_SELF, &usage);
		cost.cpu_s =
			seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
		cost.peak_kib = status_kib("VmHWM:");
		cost.after_kib = status_kib("VmRSS:");
		_exit(write(to[1], &cost, sizeof(cost)) != sizeof(cost));
	}
	close(to[1]);
	if (read(to[0], &cost, sizeof(cost)) != sizeof(cost))
		fprintf(stderr, "%s: a way failed\n", path);
	close(to[0]);
	wait(NULL);
	return cost;
}

static struct cost by_addr2line(void)
{
	struct cost cost = {0};
	struct rusage usage;
	int from[2];
	pid_t pid;

	if (pipe(from) != 0)
		return cost;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		dup2(from[0], 0);
		dup2(open("/dev/null", O_WRONLY), 1);
		close(from[1]);
		execlp("addr2line", "addr2line", "-fie", path, (char *)NULL);
		_exit(127);
	}
	close(from[0]);
	for (size_t i = 0; i < ADDRESSES; i++)
		dprintf(from[1], "%#llx\n", (unsigned long long)address[i]);
	close(from[1]);
	wait4(pid, NULL, 0, &usage);
	cost.cpu_s = seconds(&usage.ru_utime) + seconds(&usage.ru_stime);
	cost.peak_kib = usage.ru_maxrss;
	return cost;
}

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* Within functions, each once. */
static bool pick_addresses(void)
{
	uint64_t state = 20260817;
	struct pyro_symbols *symbols;
	struct pyro_symbol symbol;
	struct pyro_build_id id;
	const Elf64_Shdr *text;
	struct pyro_elf elf;
	size_t count = 0;

	if (open_file(NULL, 1, &elf) != 0)
		return false;
	pyro_elf_build_id(&elf, &id);
	text = pyro_elf_section(&elf, ".text");
	if (!text || pyro_symbols_open(&elf, &id, "", &symbols) != 0)
		return false;
	for (int tries = 0; count < ADDRESSES && tries < 1000000; tries++) {
		uint64_t at =
			text->sh_addr + next_random(&state) % text->sh_size;
		size_t i = 0;

		while (i < count && address[i] != at)
			i++;
		if (i == count && pyro_symbols_find(symbols, at, &symbol))
			address[count++] = at;
	}
	pyro_symbols_free(symbols);
	pyro_debug_file_close(&elf);
	return count == ADDRESSES;
}

static void print(const char *way, const struct cost *c, const struct cost *us)
{
	printf("%-14s %8.3f %8.1f %7.1f %8.1f %8.1f %6zu\n", way, c->cpu_s,
	       c->cpu_s * 1e6 / ADDRESSES, c->cpu_s / us->cpu_s,
	       (double)(c->peak_kib - c->base_kib) / 1024,
	       (double)(c->after_kib - c->base_kib) / 1024, c->found);
}

int main(int argc, char **argv)
{
	int bad = 0;

	for (int i = 1; i < argc; i++) {
		struct cost us, libdw, addr2line;

		path = argv[i];
		if (!pick_addresses()) {
			fprintf(stderr, "%s: no addresses\n", path);
			bad = 1;
			continue;
		}
		us = in_process(by_us);
		libdw = in_process(by_libdw);
		addr2line = by_addr2line();
		printf("%s\n%-14s %8s %8s %7s %8s %8s %6s\n", path, "way",
		       "CPU s", "us each", "to ours", "peak MiB", "after MiB",
		       "lines");
		print("pyroscope", &us, &us);
		print("libdw, plainly", &libdw, &us);
		print("addr2line", &addr2line, &us);
		bad |= us.found == 0;
	}
	return bad;
}
