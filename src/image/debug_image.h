// SPDX-License-Identifier: Apache-2.0
/* debug_image.h - the DWARF sections of a file, read into memory as needed
 *
 * libdw wants a whole file in memory. Mapping it would raise SIGBUS in the
 * user's process if somebody truncates it, reading it whole takes its size. So
 * it gets an ELF image of our own, of debug sections alone, in zeroed pages of
 * which only those are read from the file that are asked for here first: what
 * was forgotten reads as zeros. Collector only. */
#ifndef PYRO_IMAGE_DEBUG_IMAGE_H
#define PYRO_IMAGE_DEBUG_IMAGE_H

#include "image/elf.h"

enum pyro_debug_section {
	/* Read in parts. */
	PYRO_DEBUG_INFO,
	PYRO_DEBUG_LINE,
	PYRO_DEBUG_STR,
	/* Read whole at the start. */
	PYRO_DEBUG_ABBREV,
	PYRO_DEBUG_LINE_STR,
	PYRO_DEBUG_RANGES,
	PYRO_DEBUG_RNGLISTS,
	PYRO_DEBUG_ADDR,
	PYRO_DEBUG_STR_OFFSETS,
	PYRO_DEBUG_SECTIONS
};

struct pyro_debug_part {
	unsigned char *data; /* in the image; NULL: the file has none */
	size_t len;
	uint64_t file_offset;
	bool is_packed; /* compressed in the file; read whole */
};

struct pyro_debug_image {
	int fd; /* borrowed */
	unsigned char *base;
	size_t size;     /* of the image: address space, not memory */
	uint64_t *there; /* a bit for each page: it was read */
	size_t there_bytes;
	size_t resident; /* bytes of pages read */
	size_t limit;    /* of resident */
	bool failed;     /* something could not be read, or the limit was met */
	struct pyro_debug_part part[PYRO_DEBUG_SECTIONS];
};

/* elf is a file and stays open as long. 0, -ENOENT without debug sections,
 * -EFBIG when what is needed at once is above limit, or -errno. */
int pyro_debug_image_open(struct pyro_debug_image *image,
			  const struct pyro_elf *elf, size_t limit);
void pyro_debug_image_close(struct pyro_debug_image *image);

/* Read what is not there yet of len bytes of a section, cut at its end. False
 * if that failed or the limit was met. */
bool pyro_debug_image_fill(struct pyro_debug_image *image,
			   enum pyro_debug_section section, size_t offset,
			   size_t len);
/* A string in the image, read up to its end; "" when it cannot be, or is longer
 * than anybody wants to see. What lies elsewhere is returned as it is. */
const char *pyro_debug_image_string(struct pyro_debug_image *image,
				    const char *s);
/* Give back the pages of len bytes of a section; they read as zeros. */
void pyro_debug_image_drop(struct pyro_debug_image *image,
			   enum pyro_debug_section section, size_t offset,
			   size_t len);

#endif
