// SPDX-License-Identifier: Apache-2.0
/* profile_util.h - what the tests of profiles and their encodings share:
 * random profiles, profiles as text, guard pages, failing memory */
#ifndef PYRO_TESTS_PROFILE_UTIL_H
#define PYRO_TESTS_PROFILE_UTIL_H

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "profile/profile.h"

#define UNUSED_OK __attribute__((unused))

/* --- memory that fails and is counted: mmap and so on of this program --- */

static long mmap_calls;
static long mmap_fails_at = -1; /* this call and all that follow */
static long mapped_bytes;

static bool memory_fails(void)
{
	return mmap_calls++ >= mmap_fails_at && mmap_fails_at >= 0;
}

UNUSED_OK static void fail_memory_at(long call)
{
	mmap_calls = 0;
	mmap_fails_at = call;
}

static long whole_pages(size_t len)
{
	return (long)((len + 4095) & ~(size_t)4095);
}

void *mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
	if (memory_fails()) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	mapped_bytes += whole_pages(len);
	return (void *)syscall(SYS_mmap, at, len, prot, flags, fd, offset);
}

void *mremap(void *at, size_t old, size_t len, int flags, ...)
{
	if (memory_fails()) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	mapped_bytes += whole_pages(len) - whole_pages(old);
	return (void *)syscall(SYS_mremap, at, old, len, flags, NULL);
}

int munmap(void *at, size_t len)
{
	mapped_bytes -= whole_pages(len);
	return (int)syscall(SYS_munmap, at, len);
}

/* --- bytes that end, or begin, where no page is --- */

struct guarded {
	unsigned char *pages;
	size_t size;
};

UNUSED_OK static struct guarded guarded_new(size_t max)
{
	struct guarded g = {.size = (max + 2 * 4096) & ~(size_t)4095};

	g.pages = mmap(NULL, g.size + 4096, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(g.pages != MAP_FAILED);
	assert_int_equal(mprotect(g.pages + g.size, 4096, PROT_NONE), 0);
	return g;
}

/* A copy of len bytes whose end is the page's end. */
UNUSED_OK static unsigned char *guarded_put(struct guarded *g, const void *data,
					    size_t len)
{
	unsigned char *at = g->pages + g->size - len;

	if (len)
		memcpy(at, data, len);
	return at;
}

UNUSED_OK static void guarded_free(struct guarded *g)
{
	munmap(g->pages, g->size + 4096);
}

/* --- random --- */

UNUSED_OK static uint64_t rnd(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

UNUSED_OK static uint32_t rnd_string(struct pyro_profile *p, uint64_t *s,
				     const char *prefix, unsigned int different)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%u", prefix,
		 (unsigned int)(rnd(s) % different));
	return pyro_profile_string(p, text);
}

/* Any number that an int64 field may hold, small ones more often. */
UNUSED_OK static int64_t rnd_number(uint64_t *s)
{
	return (int64_t)(rnd(s) >> (rnd(s) % 64));
}

UNUSED_OK static uint32_t rnd_location(struct pyro_profile *p, uint64_t *s)
{
	struct pyro_line lines[3];
	size_t count = rnd(s) % 4;
	uint32_t mapping = 0;

	if (rnd(s) % 4) {
		uint64_t n = rnd(s) % 5;
		struct pyro_mapping m = {
			.start = 0x1000 * n,
			.limit = 0x1000 * n + 0x800,
			.offset = 0x100 * n,
			.has_functions = n & 1,
			.has_filenames = n & 2,
			.has_line_numbers = n & 1,
			.has_inline_frames = n & 2,
		};
		char text[32];

		snprintf(text, sizeof(text), "/lib/%u.so", (unsigned int)n);
		m.filename = pyro_profile_string(p, text);
		snprintf(text, sizeof(text), "abcdef%02u", (unsigned int)n);
		m.build_id = n ? pyro_profile_string(p, text) : 0;
		mapping = pyro_profile_mapping(p, &m);
	}
	for (size_t i = 0; i < count; i++) {
		struct pyro_function f = {
			.name = rnd_string(p, s, "f", 300),
			.system_name = rnd_string(p, s, "_Z1f", 2),
			.filename = rnd_string(p, s, "src/", 3),
			.start_line = (int64_t)(rnd(s) % 3),
		};

		lines[i].function = pyro_profile_function(p, &f);
		lines[i].line = (int64_t)(rnd(s) % 100);
	}
	return pyro_profile_location(p, rnd(s) % 1000, mapping, lines, count);
}

UNUSED_OK static void rnd_sample(struct pyro_profile *p, uint64_t *s,
				 bool any_value)
{
	int64_t values[PYRO_PROFILE_TYPES_MAX];
	struct pyro_label labels[3] = {{0}};
	size_t depth = rnd(s) % 12, label_count = rnd(s) % 4;
	uint32_t stack[12];

	for (size_t i = 0; i < depth; i++)
		stack[i] = rnd_location(p, s);
	for (size_t i = 0; i < label_count; i++) {
		labels[i].key = rnd_string(p, s, "key", 3);
		if (rnd(s) % 2) {
			labels[i].str = rnd_string(p, s, "value", 5);
		} else {
			labels[i].num = rnd_number(s);
			labels[i].num_unit = rnd_string(p, s, "unit", 2);
		}
	}
	for (size_t i = 0; i < p->type_count; i++)
		values[i] =
			any_value ? rnd_number(s) : (int64_t)(rnd(s) % 1000000);
	pyro_profile_sample(p, stack, depth, labels, label_count, values);
}

UNUSED_OK static void rnd_comment(struct pyro_profile *p, uint64_t *s)
{
	uint32_t *all = pyro_array_grow(p->comments, &p->comments_cap,
					p->comments_count + 1, sizeof(*all));

	assert_non_null(all);
	p->comments = all;
	all[p->comments_count++] = rnd_string(p, s, "comment", 1000);
}

UNUSED_OK static struct pyro_profile *
rnd_profile(uint64_t seed, size_t types, size_t samples, bool any_value)
{
	struct pyro_profile *p = pyro_profile_new();
	uint64_t s = seed;

	assert_non_null(p);
	for (size_t i = 0; i < types; i++) {
		char name[16];

		snprintf(name, sizeof(name), "type%u", (unsigned int)i);
		pyro_profile_add_type(p, name, "count");
	}
	p->period_type.type = pyro_profile_string(p, "cpu");
	p->period_type.unit = pyro_profile_string(p, "nanoseconds");
	p->period = (int64_t)(rnd(&s) % 1000);
	if (types % 2)
		p->default_type = p->type[types / 2].type;
	p->time_ns = 1700000000000000000 + (int64_t)(rnd(&s) % 1000000);
	p->duration_ns = (int64_t)(rnd(&s) % 1000000);
	for (size_t i = rnd(&s) % 5; i > 0; i--)
		rnd_comment(p, &s);
	for (size_t i = 0; i < samples; i++)
		rnd_sample(p, &s, any_value);
	assert_int_equal(pyro_profile_error(p), 0);
	return p;
}

/* --- profiles as text, numbers resolved --- */

UNUSED_OK static int64_t total(const struct pyro_profile *p, size_t type)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < p->samples_count; i++)
		sum += (uint64_t)p->samples[i].value[type];
	return (int64_t)sum;
}

UNUSED_OK static void describe_location(const struct pyro_profile *p,
					uint32_t id, struct pyro_buf *out)
{
	const struct pyro_location *l = &p->locations[id - 1];

	pyro_buf_printf(out, " %" PRIx64, l->address);
	if (l->mapping) {
		const struct pyro_mapping *m = &p->mappings[l->mapping - 1];

		pyro_buf_printf(
			out,
			"@%s,%s,%" PRIx64 "-%" PRIx64 "+%" PRIx64 "%d%d%d%d",
			pyro_profile_text(p, m->filename),
			pyro_profile_text(p, m->build_id), m->start, m->limit,
			m->offset, m->has_functions, m->has_filenames,
			m->has_line_numbers, m->has_inline_frames);
	}
	for (size_t i = 0; i < l->line_count; i++) {
		const struct pyro_line *line = &p->lines[l->first_line + i];
		const struct pyro_function *f =
			&p->functions[line->function - 1];

		pyro_buf_printf(out, "{%s,%s,%s:%" PRId64 ":%" PRId64 "}",
				pyro_profile_text(p, f->name),
				pyro_profile_text(p, f->system_name),
				pyro_profile_text(p, f->filename),
				f->start_line, line->line);
	}
}

UNUSED_OK static void describe_sample(const struct pyro_profile *p,
				      const struct pyro_sample *sample,
				      struct pyro_buf *out)
{
	for (size_t i = 0; i < sample->location_count; i++)
		describe_location(
			p, p->location_ids[sample->first_location + i], out);
	for (size_t i = 0; i < sample->label_count; i++) {
		const struct pyro_label *l =
			&p->labels[sample->first_label + i];

		pyro_buf_printf(out, " [%s=%s|%" PRId64 " %s]",
				pyro_profile_text(p, l->key),
				pyro_profile_text(p, l->str), l->num,
				pyro_profile_text(p, l->num_unit));
	}
	for (size_t i = 0; i < p->type_count; i++)
		pyro_buf_printf(out, " =%" PRId64, sample->value[i]);
}

UNUSED_OK static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* All of it as one text, owned (free); samples sorted, if asked. */
UNUSED_OK static char *describe(const struct pyro_profile *p, bool sorted)
{
	struct pyro_buf out = {0};
	char **lines = calloc(p->samples_count + 1, sizeof(*lines));

	assert_non_null(lines);
	for (size_t i = 0; i < p->samples_count; i++) {
		struct pyro_buf line = {0};

		describe_sample(p, &p->samples[i], &line);
		pyro_buf_put(&line, "", 1);
		lines[i] = strdup((char *)line.data);
		pyro_buf_free(&line);
	}
	if (sorted)
		qsort(lines, p->samples_count, sizeof(*lines), by_text);
	for (size_t i = 0; i < p->type_count; i++)
		pyro_buf_printf(&out, "%s/%s ",
				pyro_profile_text(p, p->type[i].type),
				pyro_profile_text(p, p->type[i].unit));
	if (p->default_type)
		pyro_buf_printf(&out, "(%s) ",
				pyro_profile_text(p, p->default_type));
	pyro_buf_printf(&out, "%s/%s %" PRId64 " %" PRId64 "+%" PRId64 "\n",
			pyro_profile_text(p, p->period_type.type),
			pyro_profile_text(p, p->period_type.unit), p->period,
			p->time_ns, p->duration_ns);
	for (size_t i = 0; i < p->comments_count; i++)
		pyro_buf_printf(&out, "# %s\n",
				pyro_profile_text(p, p->comments[i]));
	for (size_t i = 0; i < p->samples_count; i++) {
		pyro_buf_printf(&out, "%s\n", lines[i]);
		free(lines[i]);
	}
	free(lines);
	pyro_buf_put(&out, "", 1);
	assert_false(out.failed);

	char *text = strdup((char *)out.data);

	pyro_buf_free(&out);
	return text;
}

UNUSED_OK static void assert_same(const struct pyro_profile *a,
				  const struct pyro_profile *b, bool sorted)
{
	char *text_a = describe(a, sorted);
	char *text_b = describe(b, sorted);

	assert_string_equal(text_a, text_b);
	free(text_a);
	free(text_b);
}

/* --- other programs --- */

/* Run a shell command with data in file "$IN"; append what it prints. */
UNUSED_OK static void run_on(const char *command, const void *data, size_t len,
			     struct pyro_buf *out)
{
	char path[] = "/tmp/pyro_test_XXXXXX";
	char chunk[4096];
	size_t n;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_true(len == 0 || write(fd, data, len) == (ssize_t)len);
	close(fd);
	setenv("IN", path, 1);

	FILE *pipe = popen(command, "r");

	assert_non_null(pipe);
	while ((n = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		pyro_buf_put(out, chunk, n);
	assert_int_equal(pclose(pipe), 0);
	unlink(path);
	assert_false(out->failed);
}

#endif
