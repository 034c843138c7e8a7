// SPDX-License-Identifier: Apache-2.0
/* test_image_memory.c - the readers of images when memory runs out: each says
 * so, or does without, and gives back what it had */
#include <fcntl.h>

#include "image/cfi.h"
#include "image/modules.h"
#include "image/symbols.h"
#include "profile_util.h"

static int read_all(int fd)
{
	struct pyro_unwind_table *table = NULL;
	struct pyro_symbols *symbols = NULL;
	struct pyro_build_id id;
	struct pyro_elf elf;
	int err = pyro_elf_open_file(&elf, fd);

	if (err)
		return err;
	pyro_elf_build_id(&elf, &id);
	err = pyro_cfi_build(&elf, &table);
	assert_true((err == 0) == (table != NULL));
	if (!err) {
		err = pyro_symbols_open(&elf, &id, "/usr/lib/debug", &symbols);
		assert_true((err == 0) == (symbols != NULL));
	}
	pyro_symbols_free(symbols);
	pyro_cfi_free(table);
	pyro_elf_close(&elf);
	return err;
}

static void test_readers(void **state)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int err = -ENOMEM;

	(void)state;
	assert_true(fd >= 0);
	for (long n = 0; err == -ENOMEM; n++) {
		long before = mapped_bytes;

		assert_in_range(n, 0, 10000);
		fail_memory_at(n);
		err = read_all(fd);
		fail_memory_at(-1);
		assert_int_equal(mapped_bytes, before);
	}
	assert_int_equal(err, 0);
	close(fd);
}

static void test_modules(void **state)
{
	struct pyro_symbol s;
	bool is_complete = false;

	(void)state;
	for (long n = 0; !is_complete; n++) {
		long before = mapped_bytes;

		assert_in_range(n, 0, 10000);
		fail_memory_at(n);

		struct pyro_modules *m = pyro_modules_new("/usr/lib/debug");
		int err = m ? pyro_modules_refresh(m) : -ENOMEM;

		if (err == 1)
			pyro_modules_symbol(m, 1, 0x2000, &s);
		is_complete = mmap_calls <= n;
		fail_memory_at(-1);
		assert_true(err == 1 || err == -ENOMEM);
		/* It tries again, and then has a snapshot. */
		if (m && err != 1) {
			assert_int_equal(pyro_modules_refresh(m), 1);
			assert_non_null(pyro_modules_current());
		}
		pyro_modules_free(m);
		assert_null(pyro_modules_current());
		assert_int_equal(mapped_bytes, before);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_readers),
		cmocka_unit_test(test_modules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
