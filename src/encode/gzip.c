// SPDX-License-Identifier: Apache-2.0
/* gzip.c - whole buffers through libdeflate
 *
 * libdeflate 1.14 takes its memory from one pair of functions for the whole
 * library. Our copy of it is linked statically and hidden, so setting them to
 * pages concerns nobody else, and the program's malloc is never called. */
#include "encode/gzip.h"

#include <errno.h>
#include <string.h>

#include <libdeflate.h>

#include "base/arena.h"

/* On real profiles level 6 is 0 to 12 % smaller and takes two to seven times as
 * long, of the profiled program's CPU time. */
#define LEVEL 1

/* In front of what libdeflate gets; keeps it 16-aligned. */
struct head {
	size_t size;
	size_t unused;
};

static void *pages_malloc(size_t size)
{
	struct head *head;

	if (size > SIZE_MAX - sizeof(*head))
		return NULL;
	head = pyro_pages_alloc(size + sizeof(*head));
	if (!head)
		return NULL;
	head->size = size + sizeof(*head);
	return head + 1;
}

static void pages_free(void *p)
{
	if (p) {
		struct head *head = (struct head *)p - 1;

		pyro_pages_free(head, head->size);
	}
}

/* Before any thread can compress: the pair must not change while something
 * that came from the other one is in use. */
__attribute__((constructor(101))) static void use_pages(void)
{
	libdeflate_set_memory_allocator(pages_malloc, pages_free);
}

int pyro_gzip(const unsigned char *data, size_t len, struct pyro_buf *out)
{
	struct libdeflate_compressor *c = libdeflate_alloc_compressor(LEVEL);

	if (!c)
		return -ENOMEM;

	size_t room = libdeflate_gzip_compress_bound(c, len);
	unsigned char *to = pyro_buf_reserve(out, room);

	if (to)
		out->len += libdeflate_gzip_compress(c, data, len, to, room);
	libdeflate_free_compressor(c);
	return to ? 0 : -ENOMEM;
}

bool pyro_is_gzip(const unsigned char *data, size_t len)
{
	return len >= 2 && data[0] == 0x1f && data[1] == 0x8b;
}

/* How much a member may hold is known only behind it, and hostile input lies:
 * try with what room there is, and double that until it is enough. */
static int gunzip_member(struct libdeflate_decompressor *d,
			 const unsigned char *data, size_t len, size_t most,
			 size_t *used, struct pyro_buf *out)
{
	for (;;) {
		size_t room = pyro_min(out->cap - out->len, most), got = 0;
		unsigned char *to = pyro_buf_reserve(out, room);

		if (!to)
			return -ENOMEM;
		switch (libdeflate_gzip_decompress_ex(d, data, len, to, room,
						      used, &got)) {
		case LIBDEFLATE_SUCCESS:
			out->len += got;
			return 0;
		case LIBDEFLATE_INSUFFICIENT_SPACE:
			break;
		default:
			return -EBADMSG;
		}
		if (room == most)
			return -EFBIG;
		if (!pyro_buf_reserve(out, room + 1))
			return -ENOMEM;
	}
}

int pyro_gunzip(const unsigned char *data, size_t len, size_t limit,
		struct pyro_buf *out)
{
	struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
	size_t before = out->len;
	int err = d ? 0 : -ENOMEM;

	/* Profiles shrink to a third or a quarter. */
	if (!err && len < limit / 4 && !pyro_buf_reserve(out, len * 4))
		err = -ENOMEM;
	do {
		size_t used = 0;

		if (!err)
			err = gunzip_member(d, data, len,
					    limit - (out->len - before), &used,
					    out);
		if (err)
			break;
		data += used;
		len -= used;
	} while (len);
	libdeflate_free_decompressor(d);
	if (err)
		out->len = before;
	return err;
}
