// SPDX-License-Identifier: Apache-2.0
/* test_elf.c - the ELF reader against readelf, and on broken images
 *
 * Whatever can be opened is also searched for CFI and symbols. */
#include "image/elf.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <link.h>
#include <sys/stat.h>

#include "image/cfi.h"
#include "image/symbols.h"
#include "image_util.h"

/* The names that the linker gives to the first and a later byte. */
extern const char __ehdr_start[];

static void read_build_id(const char *path, char text[2 * PYRO_BUILD_ID_MAX])
{
	FILE *in = output_of("readelf -nW '%s' | sed -n 's/.*Build ID: *//p'",
			     path);

	if (fscanf(in, "%127s", text) != 1)
		text[0] = '\0';
	assert_int_equal(pclose(in), 0);
}

static void check_build_id(const struct pyro_elf *elf, const char *path)
{
	char want[2 * PYRO_BUILD_ID_MAX], got[2 * PYRO_BUILD_ID_MAX + 1] = "";
	struct pyro_build_id id;

	read_build_id(path, want);
	pyro_elf_build_id(elf, &id);
	for (size_t i = 0; i < id.len; i++)
		sprintf(got + 2 * i, "%02x", id.bytes[i]);
	assert_string_equal(got, want);
}

/* Every section that readelf lists is found with its bytes. */
static void check_sections(const struct pyro_elf *elf, const char *path)
{
	char line[512], name[128], type[32];
	uint64_t addr, offset, size;
	unsigned seen = 0;

	FILE *in = output_of("readelf -SW '%s' | "
			     "sed -n 's/^ *\\[ *[1-9][0-9]*\\] *//p'",
			     path);

	while (fgets(line, sizeof(line), in)) {
		if (sscanf(line, "%127s %31s %" SCNx64 " %" SCNx64 " %" SCNx64,
			   name, type, &addr, &offset, &size) != 5)
			continue;

		const Elf64_Shdr *s = pyro_elf_section(elf, name);
		unsigned char *data, *there;
		size_t len;

		if (strcmp(type, "NOBITS") == 0) {
			assert_null(s);
			continue;
		}
		assert_non_null(s);
		assert_int_equal(s->sh_addr, addr);
		assert_int_equal(s->sh_offset, offset);
		assert_int_equal(s->sh_size, size);
		assert_int_equal(pyro_elf_read_section(elf, s, &data, &len), 0);
		assert_int_equal(len, size);
		there = malloc(len + 1);
		assert_int_equal(pread(elf->fd, there, len, (off_t)offset),
				 (ssize_t)len);
		assert_memory_equal(data, there, len);
		free(there);
		pyro_pages_free(data, len);
		seen++;
	}
	assert_int_equal(pclose(in), 0);
	assert_in_range(seen, 10, 1000);
}

static void test_files(void **state)
{
	char self[PATH_MAX];
	const char *const paths[] = {self, "/bin/ls", "/usr/bin/gcc"};

	(void)state;
	assert_non_null(realpath("/proc/self/exe", self));
	for (size_t i = 0; i < PYRO_COUNT_OF(paths); i++) {
		const char *path = paths[i];
		struct pyro_elf elf;
		int fd = open_file(path);

		assert_int_equal(pyro_elf_open_file(&elf, fd), 0);
		check_build_id(&elf, path);
		check_sections(&elf, path);
		assert_null(pyro_elf_section(&elf, ".no-such-section"));
		assert_null(pyro_elf_section(&elf, ""));
		pyro_elf_close(&elf);
		assert_true(fcntl(fd, F_GETFD) >= 0);
		close(fd);
	}
}

/* This program in memory and in its file are the same. */
static void test_memory(void **state)
{
	struct pyro_elf file, memory;
	struct pyro_build_id a, b;
	uint64_t lo, hi, offset;
	unsigned char *in_file, *in_memory;
	int fd = open_file("/proc/self/exe");

	(void)state;
	assert_int_equal(pyro_elf_open_file(&file, fd), 0);
	assert_int_equal(pyro_elf_open_memory(&memory, (uintptr_t)__ehdr_start),
			 0);
	assert_int_equal(memory.ehdr.e_phnum, file.ehdr.e_phnum);
	assert_memory_equal(memory.phdr, file.phdr,
			    file.ehdr.e_phnum * sizeof(Elf64_Phdr));
	pyro_elf_build_id(&file, &a);
	pyro_elf_build_id(&memory, &b);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.bytes, b.bytes, a.len);

	assert_true(pyro_elf_text_range(file.phdr, file.ehdr.e_phnum, &lo, &hi,
					&offset));

	uintptr_t here = (uintptr_t)&test_memory - memory.bias;

	assert_in_range(here, lo, hi - 1);
	assert_int_equal(pyro_elf_room(&file, here),
			 pyro_elf_room(&memory, here));
	assert_int_equal(pyro_elf_read_vaddr(&file, here, 64, &in_file), 0);
	assert_int_equal(pyro_elf_read_vaddr(&memory, here, 64, &in_memory), 0);
	assert_memory_equal(in_file, in_memory, 64);
	assert_memory_equal(in_file, (const void *)(uintptr_t)&test_memory, 64);
	pyro_pages_free(in_file, 64);
	pyro_pages_free(in_memory, 64);

	/* Not more than is there. */
	size_t room = pyro_elf_room(&file, lo);

	assert_int_equal(pyro_elf_read_vaddr(&file, lo, room + 1, &in_file),
			 -EBADMSG);
	assert_int_equal(pyro_elf_read_vaddr(&memory, lo, room + 1, &in_file),
			 -EBADMSG);
	assert_int_equal(pyro_elf_read_vaddr(&file, UINT64_MAX, 1, &in_file),
			 -EBADMSG);
	assert_int_equal(pyro_elf_room(&file, UINT64_MAX - 4), 0);
	pyro_elf_close(&memory);
	pyro_elf_close(&file);
	close(fd);
	assert_int_not_equal(pyro_elf_open_memory(&memory, 16), 0);
}

/* -- broken images --------------------------------------------------------- */

static unsigned char *small;
static size_t small_len;

static int make_small(void **state)
{
	char *dir = make_dir();
	char path[128];
	struct stat st;

	(void)state;
	snprintf(path, sizeof(path), "%s/a.c", dir);
	write_text(path, "int f(int n); int g(int n);\n"
			 "int f(int n) { return n ? g(n - 1) : 0; }\n"
			 "int g(int n) { return n + f(n / 2); }\n");
	snprintf(path, sizeof(path), "%s/a.so", dir);
	run("cc -shared -fPIC -nostdlib -O1 -Wl,--build-id -Wl,-z,"
	    "max-page-size=512 -Wl,-z,norelro -o '%s' '%s/a.c'",
	    path, dir);

	int fd = open_file(path);

	assert_int_equal(fstat(fd, &st), 0);
	small_len = (size_t)st.st_size;
	assert_in_range(small_len, 1000, 20000);
	small = malloc(small_len);
	assert_int_equal(read(fd, small, small_len), (ssize_t)small_len);
	close(fd);
	remove_dir(dir);
	return 0;
}

static int free_small(void **state)
{
	(void)state;
	free(small);
	return 0;
}

/* Ask everything of an open image; nothing may hang or read elsewhere. */
static void use(const struct pyro_elf *elf, bool *has_id, bool *has_table,
		bool *has_symbol)
{
	struct pyro_unwind_table *table = NULL;
	struct pyro_symbols *symbols = NULL;
	struct pyro_symbol symbol;
	struct pyro_build_id id;
	int err;

	pyro_elf_build_id(elf, &id);
	assert_true(id.len <= PYRO_BUILD_ID_MAX);
	*has_id = id.len > 0;
	err = pyro_cfi_build(elf, &table);
	assert_true(err == 0 || err == -ENOENT || err == -EBADMSG);
	*has_table = table != NULL;
	assert_int_equal(pyro_symbols_open(elf, &id, "", &symbols), 0);
	*has_symbol = false;
	for (uint64_t at = 0; at < 0x2000; at += 16)
		if (pyro_symbols_find(symbols, at, &symbol)) {
			assert_true(at >= symbol.lo && at < symbol.hi);
			assert_in_range(strlen(symbol.name), 1, 10000);
			*has_symbol = true;
		}
	pyro_symbols_free(symbols);
	pyro_cfi_free(table);
}

static void test_truncated(void **state)
{
	int fd = memory_file(small, small_len);
	bool has_id = false, has_table = false, has_symbol = false;

	(void)state;
	for (size_t n = small_len + 1; n-- > 0;) {
		struct pyro_elf elf;

		assert_int_equal(ftruncate(fd, (off_t)n), 0);

		int err = pyro_elf_open_file(&elf, fd);

		if (n < sizeof(Elf64_Ehdr))
			assert_int_equal(err, -ENOEXEC);
		else
			assert_true(err == 0 || err == -EBADMSG);
		if (err == 0)
			use(&elf, &has_id, &has_table, &has_symbol);
		pyro_elf_close(&elf);
		if (n == small_len)
			assert_true(has_id && has_table && has_symbol);
	}
	close(fd);
}

/* As if mapped, up to an unreadable page. */
static void test_truncated_memory(void **state)
{
	bool has_id, has_table, has_symbol;

	(void)state;
	for (size_t n = small_len + 1; n-- > 0;) {
		struct pyro_elf elf;
		unsigned char *header = guarded(small, n);
		int err = pyro_elf_open_memory(&elf, (uintptr_t)header);

		assert_true(err == 0 || err == -EFAULT || err == -ENOEXEC ||
			    err == -EBADMSG);
		if (err == 0)
			use(&elf, &has_id, &has_table, &has_symbol);
		pyro_elf_close(&elf);
	}
}

/* Numbers of headers are replaced: the interesting ones, and any. */
static void mutate(unsigned char *bytes, uint64_t *random)
{
	static const uint64_t numbers[] = {
		0,
		1,
		0xffff,
		0x7fffffff,
		0xffffffff,
		INT64_MAX,
		UINT64_MAX,
		UINT64_MAX - 7,
		UINT64_C(1) << 40,
		UINT64_C(1) << 30,
	};
	const Elf64_Ehdr *h = (const void *)small;
	uint64_t value = next_random(random);
	size_t at;

	switch (next_random(random) % 4) {
	case 0:
		at = 16 + next_random(random) % 48;
		break;
	case 1:
		at = h->e_phoff +
		     next_random(random) % (h->e_phnum * sizeof(Elf64_Phdr));
		break;
	case 2:
		at = h->e_shoff +
		     next_random(random) % (h->e_shnum * sizeof(Elf64_Shdr));
		break;
	default:
		at = next_random(random) % small_len;
	}
	if (value % 2)
		value = numbers[value / 2 % PYRO_COUNT_OF(numbers)];
	memcpy(bytes + at, &value, pyro_min(small_len - at, value % 3 ? 1 : 8));
}

static void test_mutated(void **state)
{
	unsigned char *copy = malloc(small_len);
	int fd = memory_file(small, small_len);
	bool has_id, has_table, has_symbol;
	uint64_t random = 362436069362436069u;
	unsigned opened = 0;

	(void)state;
	for (unsigned i = 0; i < 8000; i++) {
		struct pyro_elf elf;

		memcpy(copy, small, small_len);
		for (unsigned n = 0; n <= i % 3; n++)
			mutate(copy, &random);
		assert_int_equal(pwrite(fd, copy, small_len, 0),
				 (ssize_t)small_len);
		if (pyro_elf_open_file(&elf, fd) == 0) {
			use(&elf, &has_id, &has_table, &has_symbol);
			pyro_elf_close(&elf);
			opened++;
		}
		if (pyro_elf_open_memory(
			    &elf, (uintptr_t)guarded(copy, small_len)) == 0) {
			use(&elf, &has_id, &has_table, &has_symbol);
			pyro_elf_close(&elf);
		}
	}
	assert_true(opened > 2000);
	close(fd);
	free(copy);
}

static int open_changed(size_t at, uint64_t value, size_t len)
{
	unsigned char *copy = malloc(small_len);
	struct pyro_elf elf;

	memcpy(copy, small, small_len);
	memcpy(copy + at, &value, len);

	int fd = memory_file(copy, small_len);
	int err = pyro_elf_open_file(&elf, fd);

	pyro_elf_close(&elf);
	close(fd);
	free(copy);
	return err;
}

static void test_not_elf(void **state)
{
	struct pyro_elf elf;
	int fd = memory_file("#!/bin/sh\n", 10);

	(void)state;
	assert_int_equal(pyro_elf_open_file(&elf, fd), -ENOEXEC);
	close(fd);
	fd = open_file("/");
	assert_int_equal(pyro_elf_open_file(&elf, fd), -ENOEXEC);
	close(fd);
	assert_int_equal(pyro_elf_open_file(&elf, -1), -EBADF);
	assert_int_equal(open_changed(0, 0x7f, 1), 0);
	assert_int_equal(open_changed(0, 0x7e, 1), -ENOEXEC);
	assert_int_equal(open_changed(EI_CLASS, ELFCLASS32, 1), -ENOEXEC);
	assert_int_equal(open_changed(EI_DATA, ELFDATA2MSB, 1), -ENOEXEC);
	assert_int_equal(
		open_changed(offsetof(Elf64_Ehdr, e_phnum), PN_XNUM, 2),
		-EBADMSG);
	assert_int_equal(
		open_changed(offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX, 8),
		-EBADMSG);
	assert_int_equal(open_changed(offsetof(Elf64_Ehdr, e_phentsize), 57, 2),
			 -EBADMSG);
	/* Nobody but us would look at the sections. */
	assert_int_equal(
		open_changed(offsetof(Elf64_Ehdr, e_shoff), UINT64_MAX, 8), 0);
}

/* More sections than the header has room for are counted in the first one. */
static void test_extended_numbers(void **state)
{
	unsigned char *copy = malloc(small_len);
	Elf64_Ehdr *h = (void *)copy;
	struct pyro_elf elf;

	(void)state;
	memcpy(copy, small, small_len);

	Elf64_Shdr *first = (void *)(copy + h->e_shoff);

	first->sh_size = h->e_shnum;
	first->sh_link = h->e_shstrndx;
	h->e_shnum = 0;
	h->e_shstrndx = SHN_XINDEX;

	int fd = memory_file(copy, small_len);

	assert_int_equal(pyro_elf_open_file(&elf, fd), 0);
	assert_int_equal(elf.shnum, first->sh_size);
	assert_non_null(pyro_elf_section(&elf, ".text"));
	pyro_elf_close(&elf);
	close(fd);
	free(copy);
}

static void test_lying_section(void **state)
{
	int fd = memory_file(small, small_len);
	struct pyro_elf elf;
	unsigned char *data;
	size_t len;

	(void)state;
	assert_int_equal(pyro_elf_open_file(&elf, fd), 0);

	Elf64_Shdr s = *pyro_elf_section(&elf, ".text");

	s.sh_size = UINT64_MAX;
	assert_int_equal(pyro_elf_read_section(&elf, &s, &data, &len),
			 -EBADMSG);
	s.sh_size = small_len - s.sh_offset + 1;
	assert_int_equal(pyro_elf_read_section(&elf, &s, &data, &len),
			 -EBADMSG);
	s.sh_size = 4;
	s.sh_offset = UINT64_MAX - 2;
	assert_int_equal(pyro_elf_read_section(&elf, &s, &data, &len),
			 -EBADMSG);
	s.sh_offset = 0;
	s.sh_flags |= SHF_COMPRESSED;
	assert_int_equal(pyro_elf_read_section(&elf, &s, &data, &len),
			 -ENOTSUP);
	s.sh_flags = 0;
	s.sh_size = 0;
	assert_int_equal(pyro_elf_read_section(&elf, &s, &data, &len), 0);
	assert_int_equal(len, 0);
	pyro_elf_close(&elf);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_truncated_memory),
		cmocka_unit_test(test_mutated),
		cmocka_unit_test(test_not_elf),
		cmocka_unit_test(test_extended_numbers),
		cmocka_unit_test(test_lying_section),
	};

	return cmocka_run_group_tests(tests, make_small, free_small);
}
