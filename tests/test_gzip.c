// SPDX-License-Identifier: Apache-2.0
/* test_gzip.c - gzip(1) reads what we write, and we what it writes */
#include "tests/profile_util.h"

#include "encode/gzip.h"

/* Text that compresses, with a few random bytes. */
static struct pyro_buf sample_bytes(size_t len, uint64_t seed)
{
	struct pyro_buf buf = {0};

	while (buf.len < len)
		if (rnd(&seed) % 5)
			pyro_buf_puts(&buf, "main;handle_request;parse ");
		else
			pyro_buf_printf(&buf, "%" PRIx64, rnd(&seed));
	buf.len = len;
	return buf;
}

static void check_back(const struct pyro_buf *packed,
		       const struct pyro_buf *want)
{
	struct guarded g = guarded_new(packed->len);
	struct pyro_buf out = {0};

	pyro_buf_puts(&out, "xyz");
	assert_int_equal(pyro_gunzip(guarded_put(&g, packed->data, packed->len),
				     packed->len, want->len, &out),
			 0);
	assert_int_equal(out.len, want->len + 3);
	assert_memory_equal(out.data, "xyz", 3);
	assert_memory_equal(out.data + 3, want->data, want->len);
	pyro_buf_free(&out);
	guarded_free(&g);
}

static void test_gzip_reads_ours(void **state)
{
	static const size_t lens[] = {0, 1, 17, 4095, 70000, 3000000};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(lens); i++) {
		struct pyro_buf data = sample_bytes(lens[i], i);
		struct pyro_buf packed = {0}, out = {0};

		assert_int_equal(pyro_gzip(data.data, data.len, &packed), 0);
		assert_true(pyro_is_gzip(packed.data, packed.len));
		if (data.len > 1000)
			assert_true(packed.len < data.len / 2);
		check_back(&packed, &data);
		run_on("gzip -dc < \"$IN\"", packed.data, packed.len, &out);
		assert_int_equal(out.len, data.len);
		if (out.len)
			assert_memory_equal(out.data, data.data, data.len);
		pyro_buf_free(&data);
		pyro_buf_free(&packed);
		pyro_buf_free(&out);
	}
}

static void test_we_read_gzips(void **state)
{
	static const char *const commands[] = {
		"gzip -1c < \"$IN\"", "gzip -9c < \"$IN\"",
		/* with its name and time in the header */
		"gzip -Nc \"$IN\""};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(commands); i++) {
		struct pyro_buf data = sample_bytes(1 << (8 + 6 * i), i);
		struct pyro_buf packed = {0};

		run_on(commands[i], data.data, data.len, &packed);
		check_back(&packed, &data);
		pyro_buf_free(&data);
		pyro_buf_free(&packed);
	}
}

static void test_members(void **state)
{
	struct pyro_buf data = {0}, packed = {0}, out = {0};

	(void)state;
	for (size_t i = 0; i < 40; i++) {
		struct pyro_buf part = sample_bytes(i * i * 50, i);

		pyro_buf_put(&data, part.data, part.len);
		if (i % 2)
			run_on("gzip -c < \"$IN\"", part.data, part.len,
			       &packed);
		else
			assert_int_equal(
				pyro_gzip(part.data, part.len, &packed), 0);
		pyro_buf_free(&part);
	}
	check_back(&packed, &data);
	run_on("gzip -dc < \"$IN\"", packed.data, packed.len, &out);
	assert_int_equal(out.len, data.len);
	pyro_buf_free(&out);

	/* What is behind the last member is no gzip. */
	pyro_buf_put(&packed, "x", 1);
	assert_int_equal(pyro_gunzip(packed.data, packed.len, 1 << 30, &out),
			 -EBADMSG);
	assert_int_equal(out.len, 0);
	pyro_buf_free(&out);
	pyro_buf_free(&data);
	pyro_buf_free(&packed);
}

static void test_limit(void **state)
{
	static const size_t lens[] = {1, 100, 4096, 4097, 1000000};

	(void)state;
	for (size_t i = 0; i < PYRO_COUNT_OF(lens); i++) {
		struct pyro_buf data = {0}, packed = {0}, out = {0};

		memset(pyro_buf_reserve(&data, lens[i]), 'a', lens[i]);
		data.len = lens[i];
		assert_int_equal(pyro_gzip(data.data, data.len, &packed), 0);
		check_back(&packed, &data);
		for (size_t limit = 0; limit < lens[i];
		     limit += pyro_max(lens[i] / 4, 1))
			assert_int_equal(pyro_gunzip(packed.data, packed.len,
						     limit, &out),
					 -EFBIG);
		assert_int_equal(
			pyro_gunzip(packed.data, packed.len, lens[i] - 1, &out),
			-EFBIG);
		assert_int_equal(out.len, 0);
		/* Two members, each within the limit. */
		pyro_buf_put(&packed, packed.data, packed.len);
		assert_int_equal(pyro_gunzip(packed.data, packed.len,
					     2 * lens[i] - 1, &out),
				 -EFBIG);
		assert_int_equal(
			pyro_gunzip(packed.data, packed.len, 2 * lens[i], &out),
			0);
		pyro_buf_free(&out);
		pyro_buf_free(&data);
		pyro_buf_free(&packed);
	}
}

static void test_broken(void **state)
{
	struct pyro_buf data = sample_bytes(500, 1), packed = {0}, out = {0};
	struct guarded g = guarded_new(1000);
	uint64_t s = 1;

	(void)state;
	assert_int_equal(pyro_gzip(data.data, data.len, &packed), 0);
	for (size_t n = 0; n < packed.len; n++)
		assert_int_equal(pyro_gunzip(guarded_put(&g, packed.data, n), n,
					     1000, &out),
				 -EBADMSG);
	for (size_t i = 0; i < 50 * packed.len; i++) {
		unsigned char *at = guarded_put(&g, packed.data, packed.len);

		at[i % packed.len] ^= (unsigned char)(1 + rnd(&s) % 255);

		int err = pyro_gunzip(at, packed.len, 1000, &out);

		/* The header's time and system are not checked. */
		assert_true(err == -EBADMSG || err == -EFBIG ||
			    (err == 0 && i % packed.len < 10));
		out.len = 0;
	}
	assert_false(pyro_is_gzip((const unsigned char *)"\x1f", 1));
	assert_false(pyro_is_gzip((const unsigned char *)"\x1f\x8c", 2));
	assert_false(pyro_is_gzip(NULL, 0));
	pyro_buf_free(&out);
	pyro_buf_free(&data);
	pyro_buf_free(&packed);
	guarded_free(&g);
}

/* Room for the result is there, so what fails is libdeflate's own memory: it
 * does come from pages. */
static void test_out_of_memory(void **state)
{
	struct pyro_buf data = sample_bytes(5000, 1), packed = {0}, out = {0};
	long mapped;

	(void)state;
	pyro_buf_reserve(&packed, 100000);
	pyro_buf_reserve(&out, 100000);
	mapped = mapped_bytes;
	fail_memory_at(0);
	assert_int_equal(pyro_gzip(data.data, data.len, &packed), -ENOMEM);
	fail_memory_at(-1);
	assert_int_equal(pyro_gzip(data.data, data.len, &packed), 0);
	fail_memory_at(0);
	assert_int_equal(pyro_gunzip(packed.data, packed.len, 5000, &out),
			 -ENOMEM);
	fail_memory_at(-1);
	assert_int_equal(pyro_gunzip(packed.data, packed.len, 5000, &out), 0);
	assert_int_equal(mapped_bytes, mapped);

	/* And the other way round. */
	pyro_buf_free(&out);
	fail_memory_at(1);
	assert_int_equal(pyro_gunzip(packed.data, packed.len, 5000, &out),
			 -ENOMEM);
	fail_memory_at(1);
	pyro_buf_free(&packed);
	assert_int_equal(pyro_gzip(data.data, data.len, &packed), -ENOMEM);
	fail_memory_at(-1);
	pyro_buf_free(&out);
	pyro_buf_free(&packed);
	pyro_buf_free(&data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gzip_reads_ours),
		cmocka_unit_test(test_we_read_gzips),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_out_of_memory),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
