// SPDX-License-Identifier: Apache-2.0
/* minidebug.c - unpack .gnu_debugdata by liblzma
 *
 * liblzma is loaded when the first object with such a section is named. It gets
 * memory from here, not from the program's malloc, and as much as files that
 * are packed by "xz -9" need; of what it asks for, it touches what it unpacks.
 * A file that unpacks to more than UNPACKED_MAX is refused on the way there. */
#include "image/minidebug.h"

#include <errno.h>
#include <lzma.h>

#include "base/library.h"
#include "base/log.h"
#include "base/sync.h"

#define PACKED_MAX ((size_t)16 << 20)
#define UNPACKED_MAX ((size_t)64 << 20)
#define DECODER_MAX ((uint64_t)66 << 20)
#define CHUNK ((size_t)64 << 10)

/* Written once under pyro_loader_lock, then constant. */
static struct {
	bool tried, usable;
	lzma_ret (*stream_decoder)(lzma_stream *stream, uint64_t limit,
				   uint32_t flags);
	lzma_ret (*code)(lzma_stream *stream, lzma_action action);
	void (*end)(lzma_stream *stream);
} lzma;

static void load_locked(void)
{
	const struct pyro_library_function wanted[] = {
		{"lzma_stream_decoder", &lzma.stream_decoder},
		{"lzma_code", &lzma.code},
		{"lzma_end", &lzma.end},
	};
	int err = pyro_library_load("liblzma.so.5", wanted,
				    PYRO_COUNT_OF(wanted));

	lzma.tried = true;
	lzma.usable = !err;
	if (err && err != -ENOTSUP)
		PYRO_LOG_ONCE("no names from .gnu_debugdata: they need "
			      "liblzma.so.5; install liblzma5 (Debian, Ubuntu) "
			      "or xz-libs (Fedora)");
}

static bool load(void)
{
	pyro_mutex_lock(&pyro_loader_lock);
	if (!lzma.tried)
		load_locked();
	pyro_mutex_unlock(&pyro_loader_lock);
	return lzma.usable;
}

/* Memory that knows its size, aligned as malloc's. */
struct block {
	size_t size;
	size_t unused;
	unsigned char memory[];
};

static void *take(void *opaque, size_t count, size_t size)
{
	struct block *block = NULL;

	(void)opaque;
	if (!size || count <= (SIZE_MAX - sizeof(*block)) / size) {
		size = count * size + sizeof(*block);
		block = pyro_pages_alloc(size);
	}
	if (!block)
		return NULL;
	block->size = size;
	return block->memory;
}

static void give(void *opaque, void *memory)
{
	(void)opaque;
	if (!memory)
		return;

	struct block *block = (struct block *)((char *)memory -
					       offsetof(struct block, memory));

	pyro_pages_free(block, block->size);
}

/* -EFBIG, -EBADMSG or -ENOMEM. */
static int error_of(lzma_ret ret)
{
	switch (ret) {
	case LZMA_OK:
		return 0;
	case LZMA_MEM_ERROR:
		return -ENOMEM;
	case LZMA_MEMLIMIT_ERROR:
		return -EFBIG;
	default:
		return -EBADMSG;
	}
}

static int unpack(lzma_stream *stream, struct pyro_buf *to)
{
	lzma_ret ret = LZMA_OK;

	while (ret == LZMA_OK) {
		stream->next_out = pyro_buf_reserve(to, CHUNK);
		stream->avail_out = CHUNK;
		if (!stream->next_out)
			return -ENOMEM;
		ret = lzma.code(stream, LZMA_FINISH);
		to->len += CHUNK - stream->avail_out;
		if (to->len > UNPACKED_MAX)
			return -EFBIG;
	}
	return ret == LZMA_STREAM_END ? 0 : error_of(ret);
}

static int unpack_section(struct pyro_buf *to, const unsigned char *data,
			  size_t len)
{
	const lzma_allocator allocator = {take, give, NULL};
	lzma_stream stream = LZMA_STREAM_INIT;

	stream.allocator = &allocator;
	stream.next_in = data;
	stream.avail_in = len;

	int err = error_of(lzma.stream_decoder(&stream, DECODER_MAX, 0));

	if (!err)
		err = unpack(&stream, to);
	lzma.end(&stream);
	return err;
}

static int open_section(struct pyro_minidebug *mini, const struct pyro_elf *elf,
			const Elf64_Shdr *section)
{
	unsigned char *data;
	size_t len;
	int err = section->sh_size > PACKED_MAX
			  ? -EFBIG
			  : pyro_elf_read_section(elf, section, &data, &len);

	if (err)
		return err;
	err = unpack_section(&mini->file, data, len);
	pyro_pages_free(data, len);
	if (!err)
		err = pyro_elf_open_bytes(&mini->elf, mini->file.data,
					  mini->file.len);
	return err;
}

int pyro_minidebug_open(struct pyro_minidebug *mini, const struct pyro_elf *elf)
{
	const Elf64_Shdr *section = pyro_elf_section(elf, ".gnu_debugdata");
	int saved = errno;

	*mini = (struct pyro_minidebug){.elf = {.fd = -1}};
	if (!section || !load()) {
		errno = saved;
		return -ENOENT;
	}

	int err = open_section(mini, elf, section);

	if (err) {
		pyro_buf_free(&mini->file);
		PYRO_LOG_ONCE("no names from a .gnu_debugdata that is %s",
			      err == -EFBIG ? "too large" : "broken");
	}
	errno = saved;
	return err;
}

void pyro_minidebug_close(struct pyro_minidebug *mini)
{
	pyro_elf_close(&mini->elf);
	pyro_buf_free(&mini->file);
}
