// SPDX-License-Identifier: Apache-2.0
/* loads.c - the loader's list of objects, and what each of them is
 *
 * dl_iterate_phdr holds the loader's lock while it calls back, so the callback
 * only copies plain data into room made before; when the room is too small it
 * is made larger outside, and all is copied again. Files are compared with what
 * is mapped before they are believed: a package upgrade replaces files under
 * running programs. Program headers and build ID have to be the same; without a
 * build ID two builds may look alike, and the inode has to be the mapped one. (Not
 * the device: file systems that stand on others tell different ones.) */
#include "image/loads.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/os.h"
#include "base/sync.h"
#include "base/table.h"

#define SELF_EXE "/proc/self/exe"
#define MAPS_MAX ((size_t)64 << 20)

static int see_counters(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct pyro_loads *now = arg;

	(void)size;
	now->adds = info->dlpi_adds;
	now->subs = info->dlpi_subs;
	return 1;
}

bool pyro_loads_changed(const struct pyro_loads *loads)
{
	struct pyro_loads now = {0};

	pyro_mutex_lock(&pyro_loader_lock);
	dl_iterate_phdr(see_counters, &now);
	pyro_mutex_unlock(&pyro_loader_lock);
	return now.adds != loads->adds || now.subs != loads->subs;
}

/* Copy if there is room; in any case add up what room is needed. */
static int copy_load(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct pyro_loads *l = arg;
	size_t name_len = strlen(info->dlpi_name) + 1;

	(void)size;
	l->adds = info->dlpi_adds;
	l->subs = info->dlpi_subs;
	if (l->count < l->cap && l->names_len + name_len <= l->names_cap &&
	    l->phdr_count + info->dlpi_phnum <= l->phdr_cap) {
		l->item[l->count] = (struct pyro_load){
			.bias = info->dlpi_addr,
			.name = l->names_len,
			.phdr = l->phdr_count,
			.phdr_count = info->dlpi_phnum,
		};
		memcpy(l->names + l->names_len, info->dlpi_name, name_len);
		memcpy(l->phdrs + l->phdr_count, info->dlpi_phdr,
		       info->dlpi_phnum * sizeof(*l->phdrs));
	}
	l->count++;
	l->names_len += name_len;
	l->phdr_count += info->dlpi_phnum;
	return 0;
}

static int make_room(struct pyro_loads *l)
{
	struct pyro_load *item =
		pyro_array_grow(l->item, &l->cap, l->count + 1, sizeof(*item));

	if (!item)
		return -ENOMEM;
	l->item = item;

	char *names =
		pyro_array_grow(l->names, &l->names_cap, l->names_len + 1, 1);

	if (!names)
		return -ENOMEM;
	l->names = names;

	Elf64_Phdr *phdrs = pyro_array_grow(l->phdrs, &l->phdr_cap,
					    l->phdr_count + 1, sizeof(*phdrs));

	if (!phdrs)
		return -ENOMEM;
	l->phdrs = phdrs;
	return 0;
}

/* musl's list lacks the vdso in static programs. */
static void add_vdso(struct pyro_loads *l)
{
	uintptr_t header = getauxval(AT_SYSINFO_EHDR);
	const Elf64_Ehdr *ehdr = (const Elf64_Ehdr *)header;

	for (size_t i = 0; i < pyro_min(l->count, l->cap); i++)
		if (l->item[i].bias == header)
			return;
	if (!header)
		return;

	struct dl_phdr_info info = {
		.dlpi_addr = header,
		.dlpi_name = "",
		.dlpi_phdr = (const Elf64_Phdr *)(header + ehdr->e_phoff),
		.dlpi_phnum = ehdr->e_phnum,
		.dlpi_adds = l->adds,
		.dlpi_subs = l->subs,
	};

	copy_load(&info, sizeof(info), l);
}

int pyro_loads_copy(struct pyro_loads *loads)
{
	do {
		int err = make_room(loads);

		if (err)
			return err;
		loads->count = loads->names_len = loads->phdr_count = 0;
		pyro_buf_free(&loads->maps);
		pyro_mutex_lock(&pyro_loader_lock);
		dl_iterate_phdr(copy_load, loads);
		pyro_mutex_unlock(&pyro_loader_lock);
		add_vdso(loads);
	} while (loads->count > loads->cap ||
		 loads->names_len > loads->names_cap ||
		 loads->phdr_count > loads->phdr_cap);
	return 0;
}

void pyro_loads_free(struct pyro_loads *loads)
{
	pyro_pages_free(loads->item, loads->cap * sizeof(*loads->item));
	pyro_pages_free(loads->names, loads->names_cap);
	pyro_pages_free(loads->phdrs, loads->phdr_cap * sizeof(*loads->phdrs));
	pyro_buf_free(&loads->maps);
	*loads = (struct pyro_loads){0};
}

bool pyro_build_id_equal(const struct pyro_build_id *a,
			 const struct pyro_build_id *b)
{
	return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

static uint64_t hash_phdrs(const Elf64_Phdr *phdr, size_t count)
{
	return pyro_hash(phdr, count * sizeof(*phdr), count);
}

static uintptr_t find_header(const struct pyro_object *o)
{
	for (size_t i = 0; i < o->phdr_count; i++)
		if (o->phdr[i].p_type == PT_LOAD && o->phdr[i].p_offset == 0)
			return o->bias + o->phdr[i].p_vaddr;
	return 0;
}

static void set_path(struct pyro_object *o, const char *path)
{
	size_t len = pyro_min(strlen(path), sizeof(o->path) - 1);

	memcpy(o->path, path, len);
	o->path[len] = '\0';
}

static void set_executable_path(struct pyro_object *o)
{
	static const char deleted[] = " (deleted)";
	int saved = errno;
	ssize_t n = readlink(SELF_EXE, o->path, sizeof(o->path) - 1);
	size_t len = n > 0 ? (size_t)n : 0;
	size_t tail = sizeof(deleted) - 1;

	errno = saved;
	if (len > tail && memcmp(o->path + len - tail, deleted, tail) == 0)
		len -= tail;
	o->path[len] = '\0';
}

/* The lines of the map: "lo-hi mode offset device inode path". */
static uint64_t inode_at(const char *line, uintptr_t address)
{
	while (line && *line) {
		char *at;
		uintptr_t lo = strtoul(line, &at, 16);
		uintptr_t hi = *at == '-' ? strtoul(at + 1, &at, 16) : 0;
		unsigned long long inode;

		if (address >= lo && address < hi)
			return sscanf(at, "%*s %*s %*s %llu", &inode) == 1
				       ? inode
				       : 0;
		line = strchr(line, '\n');
		line += line ? 1 : 0;
	}
	return 0;
}

static uint64_t mapped_inode(struct pyro_loads *loads, uintptr_t address)
{
	struct pyro_buf *maps = &loads->maps;

	if (maps->len == 0) {
		pyro_read_file("/proc/self/maps", MAPS_MAX, maps);
		pyro_buf_put(maps, "", 1);
	}
	return maps->failed ? 0 : inode_at((const char *)maps->data, address);
}

void pyro_object_look(struct pyro_object *object, struct pyro_loads *loads,
		      size_t i)
{
	struct pyro_object *o = object;
	struct pyro_identity *id = &o->identity;
	const char *name = loads->names + loads->item[i].name;
	struct pyro_elf memory;

	o->phdr = loads->phdrs + loads->item[i].phdr;
	o->phdr_count = loads->item[i].phdr_count;
	o->bias = loads->item[i].bias;
	o->header = find_header(o);
	*id = (struct pyro_identity){.path = o->path};
	if (o->header && o->header == getauxval(AT_SYSINFO_EHDR)) {
		id->kind = PYRO_OBJECT_VDSO;
		set_path(o, "[vdso]");
	} else if (i == 0) { /* "" in glibc, in musl any name of the file */
		id->kind = PYRO_OBJECT_EXECUTABLE;
		set_executable_path(o);
	} else {
		set_path(o, name);
	}
	id->phdr_hash = hash_phdrs(o->phdr, o->phdr_count);
	if (o->header && pyro_elf_open_memory(&memory, o->header) == 0) {
		pyro_elf_build_id(&memory, &id->build_id);
		pyro_elf_close(&memory);
	}
	if (id->build_id.len == 0 && id->kind == PYRO_OBJECT_FILE && o->header)
		id->mapped_inode = mapped_inode(loads, o->header);
}

/* The executable's is opened by what is mapped, not by a path. */
static bool is_mapped_file(const struct pyro_identity *identity,
			   const struct stat *st)
{
	return identity->build_id.len > 0 ||
	       identity->kind == PYRO_OBJECT_EXECUTABLE ||
	       st->st_ino == identity->mapped_inode;
}

static bool is_identical(const struct pyro_elf *elf,
			 const struct pyro_identity *identity)
{
	struct pyro_build_id id;

	if (hash_phdrs(elf->phdr, elf->ehdr.e_phnum) != identity->phdr_hash)
		return false;
	pyro_elf_build_id(elf, &id);
	return pyro_build_id_equal(&id, &identity->build_id);
}

static bool open_file(struct pyro_identity *identity, struct pyro_elf *elf)
{
	struct stat st;

	if (identity->kind == PYRO_OBJECT_VDSO)
		return false;

	/* A path may lead to a FIFO or a terminal. */
	int fd = pyro_fd_high(
		open(identity->kind == PYRO_OBJECT_EXECUTABLE ? SELF_EXE
							      : identity->path,
		     O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));

	if (fd < 0)
		return false;
	if (fstat(fd, &st) != 0 || pyro_elf_open_file(elf, fd) != 0) {
		close(fd);
		return false;
	}
	if (!is_mapped_file(identity, &st) || !is_identical(elf, identity)) {
		pyro_object_close(elf);
		return false;
	}
	identity->dev = st.st_dev;
	identity->inode = st.st_ino;
	identity->size = (uint64_t)st.st_size;
	identity->mtime_ns = (uint64_t)st.st_mtim.tv_sec * PYRO_NS_PER_SEC +
			     (uint64_t)st.st_mtim.tv_nsec;
	return true;
}

int pyro_object_open(struct pyro_identity *identity, uintptr_t header,
		     struct pyro_elf *elf, bool *file_matches)
{
	int saved = errno;
	int err = -ENOENT;

	*file_matches = open_file(identity, elf);
	if (*file_matches) {
		err = 0;
	} else if (header && pyro_elf_open_memory(elf, header) == 0) {
		/* Something else may have been loaded there since. */
		err = is_identical(elf, identity) ? 0 : -ENOENT;
		if (err)
			pyro_elf_close(elf);
	}
	errno = saved;
	return err;
}

void pyro_object_close(struct pyro_elf *elf)
{
	int saved = errno;
	int fd = elf->fd;

	pyro_elf_close(elf);
	if (fd >= 0)
		close(fd);
	errno = saved;
}
