// SPDX-License-Identifier: Apache-2.0
/* test_file.c - files appear whole or not at all, and nothing else is left */
#include "transport/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sched.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[] = "/tmp/test_file.XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) && chmod(dir, 0755) == 0 ? 0 : -1;
}

static void in_dir(char *path, const char *name)
{
	sprintf(path, "%s/%s", dir, name);
}

/* Entries of a folder, hidden ones included. */
static int count_files(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	int count = 0;

	assert_non_null(d);
	while ((e = readdir(d)))
		count += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
	closedir(d);
	return count;
}

static int remove_dir(void **state)
{
	char path[128];

	(void)state;
	in_dir(path, "one");
	unlink(path);
	return rmdir(dir);
}

static void check_content(const char *want, size_t len)
{
	char path[128], got[64];
	struct stat st;

	in_dir(path, "one");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, len);
	assert_int_equal(st.st_mode, S_IFREG | 0600);

	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_int_equal(read(fd, got, sizeof(got)), len);
	assert_memory_equal(got, want, len);
	close(fd);
}

static void test_write(void **state)
{
	mode_t mask = umask(0777);

	(void)state;
	assert_int_equal(pyro_file_write(dir, "one", "a\0b", 3), 0);
	check_content("a\0b", 3);
	umask(0);
	assert_int_equal(pyro_file_write(dir, "one", "", 0), 0);
	check_content("", 0);
	assert_int_equal(pyro_file_write(dir, "one", "longer", 6), 0);
	check_content("longer", 6);
	umask(mask);
	assert_int_equal(count_files(dir), 1);
}

static void test_bad_names(void **state)
{
	char name[300];

	(void)state;
	assert_int_equal(pyro_file_write(dir, "", "x", 1), -EINVAL);
	assert_int_equal(pyro_file_write(dir, "../x", "x", 1), -EINVAL);
	memset(name, 'n', sizeof(name));
	name[299] = '\0';
	assert_int_equal(pyro_file_write(dir, name, "x", 1), -ENAMETOOLONG);
	assert_int_equal(count_files(dir), 1);
}

static void test_bad_dirs(void **state)
{
	char path[128];

	(void)state;
	in_dir(path, "none");
	assert_int_equal(pyro_file_write(path, "x", "x", 1), -ENOENT);
	assert_int_equal(pyro_file_write("", "x", "x", 1), -ENOENT);
	in_dir(path, "one");
	assert_int_equal(pyro_file_write(path, "x", "x", 1), -ENOTDIR);
	/* A folder of that name cannot be replaced by a file. */
	in_dir(path, "folder");
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(pyro_file_write(dir, "folder", "x", 1), -EISDIR);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(count_files(dir), 1);
}

/* Run in a child, whose result is its exit code: 77 is "cannot be tried". */
static void check_in_child(int (*run)(void))
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(run());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static int write_as_stranger(void)
{
	if (geteuid() != 0)
		return pyro_file_write("/", "x", "x", 1) == -EACCES ? 0 : 1;
	if (setuid(65534) < 0)
		return 77;
	return pyro_file_write(dir, "x", "x", 1) == -EACCES ? 0 : 1;
}

static void test_no_right(void **state)
{
	(void)state;
	check_in_child(write_as_stranger);
	assert_int_equal(count_files(dir), 1);
}

static char large[1 << 20];

/* The first bytes are written, then it fails. */
static int write_over_limit(void)
{
	struct rlimit limit = {.rlim_cur = 4096, .rlim_max = 4096};

	signal(SIGXFSZ, SIG_IGN);
	if (setrlimit(RLIMIT_FSIZE, &limit) < 0)
		return 77;
	return pyro_file_write(dir, "x", large, sizeof(large)) == -EFBIG ? 0
									 : 1;
}

static void test_too_large(void **state)
{
	(void)state;
	check_in_child(write_over_limit);
	assert_int_equal(count_files(dir), 1);
	check_content("longer", 6);
}

static int write_to_full_disk(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir, "tmpfs", 0, "size=64k") < 0)
		return 77;
	if (pyro_file_write(dir, "x", large, sizeof(large)) != -ENOSPC)
		return 1;
	if (count_files(dir) != 0)
		return 2;
	/* What was written has been given back. */
	return pyro_file_write(dir, "x", large, 32768) ? 3 : 0;
}

static void test_full_disk(void **state)
{
	(void)state;
	check_in_child(write_to_full_disk);
}

static _Atomic bool stop;

static void *replace_often(void *arg)
{
	static char fill[2][65536];

	(void)arg;
	memset(fill[1], 1, sizeof(fill[1]));
	for (unsigned i = 0; !stop; i++)
		pyro_file_write(dir, "one", fill[i % 2], sizeof(fill[0]));
	return NULL;
}

/* A reader sees one of the two files, never a mixture or a part. */
static void test_atomic(void **state)
{
	static char got[65536 + 1];
	char path[128];
	pthread_t writer;

	(void)state;
	in_dir(path, "one");
	unlink(path);
	assert_int_equal(pthread_create(&writer, NULL, replace_often, NULL), 0);
	for (int seen = 0, tries = 0; seen < 300 && tries < 1000000; tries++) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			continue;
		assert_int_equal(read(fd, got, sizeof(got)), 65536);
		assert_int_equal(got[0], got[65535]);
		close(fd);
		seen++;
	}
	stop = true;
	pthread_join(writer, NULL);
	assert_int_equal(count_files(dir), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_bad_dirs),
		cmocka_unit_test(test_no_right),
		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_atomic),
	};

	alarm(60);
	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
