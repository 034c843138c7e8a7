// SPDX-License-Identifier: Apache-2.0
/* fuzz_debug_image.c - a file's DWARF sections, read in parts
 *
 * The input is the file; its last bytes also say what is asked of the image, in
 * steps of four: what, which section, where, how much. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/debug_image.h"

#define STEPS 24
#define STEP_BYTES 4
#define LIMIT ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was read is what the file has there. */
static void compare(const struct pyro_debug_part *part, const uint8_t *file,
		    size_t size, size_t offset, size_t len)
{
	if (part->is_packed || !part->data || offset >= part->len)
		return;
	len = pyro_min(len, part->len - offset);
	if (part->file_offset + offset + len > size ||
	    memcmp(part->data + offset, file + part->file_offset + offset,
		   len) != 0)
		abort();
}

static void step(struct pyro_debug_image *image, const uint8_t *how,
		 const uint8_t *file, size_t size)
{
	enum pyro_debug_section section = how[1] % PYRO_DEBUG_SECTIONS;
	const struct pyro_debug_part *part = &image->part[section];
	size_t offset = (size_t)how[2] * 37, len = (size_t)how[3] * 41;
	const char *s;

	switch (how[0] % 4) {
	case 0:
		pyro_debug_image_drop(image, section, offset, len);
		break;
	case 1:
		if (part->len == 0)
			break;
		/* Also behind the section's end. */
		s = pyro_debug_image_string(
			image, (const char *)part->data +
				       offset % pyro_align_up(part->len, 4096));
		if (strlen(s) > ((size_t)64 << 10) + 4096)
			abort();
		break;
	default:
		if (pyro_debug_image_fill(image, section, offset, len))
			compare(part, file, size, offset, len);
	}
	if (image->resident > LIMIT)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct pyro_debug_image image;
	struct pyro_elf elf;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (size >= STEPS * STEP_BYTES && pyro_elf_open_file(&elf, fd) == 0) {
		const uint8_t *how = data + size - STEPS * STEP_BYTES;

		if (pyro_debug_image_open(&image, &elf, LIMIT) == 0) {
			for (size_t i = 0; i < STEPS; i++)
				step(&image, how + i * STEP_BYTES, data, size);
			pyro_debug_image_close(&image);
		}
		pyro_elf_close(&elf);
	}
	close(fd);
	return 0;
}
