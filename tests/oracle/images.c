// SPDX-License-Identifier: Apache-2.0
/* images.c - the tracee's mappings, with tables as the library makes them */
#include "tests/oracle/images.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "image/cfi.h"

#define DEBUG_ROOT "/usr/lib/debug"

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "oracle: cannot read %s\n", what);
	exit(2);
}

static void read_image(struct image *image, const struct pyro_elf *elf)
{
	struct pyro_build_id id;
	uint64_t hi, offset;

	if (!pyro_elf_text_range(elf->phdr, elf->ehdr.e_phnum,
				 &image->text_vaddr, &hi, &offset))
		die(image->path);
	pyro_cfi_build(elf, &image->table);
	pyro_elf_build_id(elf, &id);
	pyro_symbols_open(elf, &id, DEBUG_ROOT, &image->symbols);
}

/* The vdso is every process's: ours is the tracee's. */
static void open_image(struct image *image)
{
	bool is_vdso = strcmp(image->path, "[vdso]") == 0;
	int fd = is_vdso ? -1 : open(image->path, O_RDONLY | O_CLOEXEC);
	struct pyro_elf elf;
	int err =
		is_vdso ? pyro_elf_open_memory(&elf, getauxval(AT_SYSINFO_EHDR))
			: pyro_elf_open_file(&elf, fd);

	if (err)
		die(image->path);
	read_image(image, &elf);
	pyro_elf_close(&elf);
	if (fd >= 0)
		close(fd);
}

static uint32_t find_image(struct images *images, const char *path)
{
	for (size_t i = 0; i < images->count; i++)
		if (strcmp(images->image[i].path, path) == 0)
			return (uint32_t)i;
	if (images->count == IMAGES_MAX)
		die(path);

	struct image *image = &images->image[images->count];
	const char *slash = strrchr(path, '/');

	snprintf(image->path, sizeof(image->path), "%s", path);
	image->name = image->path + (slash ? slash + 1 - path : 0);
	open_image(image);
	return (uint32_t)images->count++;
}

static void add_map(struct images *images, uintptr_t lo, uintptr_t hi,
		    const char *path)
{
	struct pyro_snapshot *s = images->with_memo;
	uint32_t i = find_image(images, path);
	const struct image *image = &images->image[i];

	if (s->count == IMAGES_MAX)
		die(path);
	s->map[s->count++] = (struct pyro_map){
		.lo = lo,
		.hi = hi,
		.bias = lo - (image->text_vaddr & ~(uint64_t)4095),
		.table = image->table,
		.module = i + 1,
	};
}

static struct pyro_snapshot *new_snapshot(struct pyro_snapshot *old)
{
	size_t bytes = sizeof(*old) + IMAGES_MAX * sizeof(old->map[0]);

	if (old) {
		free(old->memo);
		free(old);
	}
	old = calloc(1, bytes);
	if (!old)
		die("memory");
	old->generation = 1;
	old->bytes = bytes;
	return old;
}

static void read_line(struct images *images, const char *line)
{
	unsigned long lo, hi;
	char path[512], mode[5];

	if (sscanf(line, "%lx-%lx %4s %*s %*s %*s %511s", &lo, &hi, mode,
		   path) != 4)
		return;
	/* The kernel lets it grow down to its limit. */
	if (strcmp(path, "[stack]") == 0)
		images->stack = (struct pyro_stack){hi - (8 << 20), hi};
	if (mode[2] == 'x' && (path[0] == '/' || strcmp(path, "[vdso]") == 0))
		add_map(images, lo, hi, path);
}

void images_refresh(struct images *images, pid_t pid)
{
	char name[64], line[1024];
	size_t memos = (size_t)1 << PYRO_MEMO_BITS;

	images->with_memo = new_snapshot(images->with_memo);
	images->without_memo = new_snapshot(images->without_memo);
	images->with_memo->memo = calloc(memos, sizeof(struct pyro_memo));
	snprintf(name, sizeof(name), "/proc/%d/maps", (int)pid);

	FILE *maps = fopen(name, "re");

	if (!maps || !images->with_memo->memo)
		die(name);
	while (fgets(line, sizeof(line), maps))
		read_line(images, line);
	fclose(maps);
	images->without_memo->count = images->with_memo->count;
	memcpy(images->without_memo->map, images->with_memo->map,
	       images->with_memo->count * sizeof(struct pyro_map));
}

void images_name(const struct images *images, uintptr_t pc,
		 const char **function, const char **module)
{
	const struct pyro_map *map = pyro_snapshot_find(images->with_memo, pc);
	struct pyro_symbol symbol;

	*function = *module = "?";
	if (!map)
		return;

	const struct image *image = &images->image[map->module - 1];

	*module = image->name;
	if (image->symbols &&
	    pyro_symbols_find(image->symbols, pc - map->bias, &symbol))
		*function = symbol.name;
}
