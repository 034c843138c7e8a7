// SPDX-License-Identifier: Apache-2.0
/* daemon.c - daemon soon|late|slow: becomes two daemons, which live until their input
 * ends
 *
 * soon: as the first thing that it does; late: when its listener, if it has one, has
 * had its time; slow: and the parents wait for a second before they exit. */
#include <pyroscope/pyroscope.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forking.h"

static void leave(const char *how)
{
	if (strcmp(how, "slow") == 0)
		sleep(1);
	_exit(0);
}

static void live(void)
{
	char byte;

	for (int i = 0; i < 20; i++) {
		allocate(100000);
		usleep(10000);
	}
	while (read(0, &byte, 1) > 0)
		allocate(100000);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	pyroscope_load("");
	if (strcmp(argv[1], "soon") != 0 && pyroscope_flush(0) != 0)
		return 1;
	for (int i = 0; i < 2; i++) {
		if (fork() != 0)
			continue;
		setsid();
		if (fork() != 0)
			leave(argv[1]);
		live();
		return 0;
	}
	leave(argv[1]);
}
