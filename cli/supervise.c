// SPDX-License-Identifier: Apache-2.0
/* supervise.c - run a program as a child as if it had been run directly
 *
 * No signal handlers: what may come is blocked before the fork and taken with
 * sigwaitinfo, which also tells who sent it. The child gets the original mask
 * and dispositions back before exec. A signal that somebody sent to the whole
 * process group reaches the child twice, by the group and by us: that cannot be
 * told apart from one sent to us alone, which must not get lost. */
#include "cli/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/os.h"

/* What a terminal sends to all of its foreground group, us and the child. */
static bool from_terminal(const siginfo_t *info)
{
	switch (info->si_signo) {
	case SIGHUP:
		/* A hangup goes to the session's leader alone. */
		return info->si_code == SI_KERNEL && getsid(0) != getpid();
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGWINCH:
		return info->si_code == SI_KERNEL;
	default:
		return false;
	}
}

static sigset_t taken_signals(void)
{
	/* Faults are our own, and a background process that touches the
	 * terminal is to be stopped. */
	static const int left[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
				   SIGTRAP, SIGABRT, SIGSYS, SIGXFSZ,
				   SIGXCPU, SIGTTIN, SIGTTOU};
	sigset_t set;

	sigfillset(&set);
	for (size_t i = 0; i < PYRO_COUNT_OF(left); i++)
		sigdelset(&set, left[i]);
	return set;
}

/* What the child must find as we found it. */
struct inherited {
	sigset_t mask;
	struct sigaction on_child;
};

static void block(const sigset_t *set, struct inherited *inherited)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};

	sigprocmask(SIG_BLOCK, set, &inherited->mask);
	/* Ignored, as some parents leave it, the kernel would keep no status
	 * for us. */
	sigaction(SIGCHLD, &standard, &inherited->on_child);
}

static void restore(const struct inherited *inherited)
{
	sigaction(SIGCHLD, &inherited->on_child, NULL);
	sigprocmask(SIG_SETMASK, &inherited->mask, NULL);
}

static _Noreturn void become(char **argv, void (*in_child)(void),
			     const struct inherited *inherited, int report)
{
	if (in_child)
		in_child();
	restore(inherited);
	execvp(argv[0], argv);

	int err = errno;

	(void)pyro_write_all(report, &err, sizeof(err));
	_exit(127);
}

/* Without this a writer into our standard input would never see that the
 * program closed it, nor a reader of our standard output. */
static void let_go_of_streams(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, 0);
	dup2(null, 1);
	if (null > 1)
		close(null);
}

static bool is_stopped(pid_t child, int *signal)
{
	siginfo_t info = {0};

	/* WNOWAIT: the answer is the same until the child goes on. */
	if (waitid(P_PID, (id_t)child, &info, WSTOPPED | WNOHANG | WNOWAIT) < 0)
		return false;
	*signal = info.si_status;
	return info.si_pid == child;
}

/* A shell that looks at us is to see the job stop. Nobody would continue us
 * where no terminal is. */
static void stop_too(int signal)
{
	sigset_t set, before;
	int terminal = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (terminal < 0)
		return;
	close(terminal);
	sigemptyset(&set);
	sigaddset(&set, signal);
	raise(signal);
	sigprocmask(SIG_UNBLOCK, &set, &before); /* stops here */
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/* Take note of children that ended or stopped. True when the child ended. */
static bool reap(pid_t child, struct pyro_outcome *outcome)
{
	int signal;

	/* All, not just the child: as a container's first process we inherit
	 * orphans. */
	for (;;) {
		siginfo_t info = {0};

		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG) < 0 ||
		    info.si_pid == 0)
			break;
		if (info.si_pid != child)
			continue;
		if (info.si_code == CLD_EXITED)
			outcome->exit_code = info.si_status;
		else
			outcome->signal = info.si_status;
		return true;
	}
	if (is_stopped(child, &signal))
		stop_too(signal);
	return false;
}

static void pass_on(pid_t child, const siginfo_t *info)
{
	int signal;

	/* A timer does not outlive exec: it is a profiler's, in this process. */
	if (from_terminal(info) || info->si_code == SI_TIMER)
		return;
	if (info->si_code <= 0 && info->si_pid == child)
		return;
	/* A continue for the group came to the child as well. */
	if (info->si_signo == SIGCONT && !is_stopped(child, &signal))
		return;
	if (info->si_code == SI_QUEUE)
		sigqueue(child, info->si_signo, info->si_value);
	else
		kill(child, info->si_signo);
}

static void wait_for(pid_t child, const sigset_t *set,
		     struct pyro_outcome *outcome)
{
	siginfo_t info;

	for (;;) {
		int signal = sigwaitinfo(set, &info);

		if (signal == SIGCHLD) {
			if (reap(child, outcome))
				return;
		} else if (signal > 0) {
			pass_on(child, &info);
		}
	}
}

static uint64_t children_cpu_ns(void)
{
	struct rusage use;

	if (getrusage(RUSAGE_CHILDREN, &use) < 0)
		return 0;
	return (uint64_t)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) *
		       PYRO_NS_PER_SEC +
	       (uint64_t)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) * 1000;
}

int pyro_supervise(char **argv, void (*in_child)(void),
		   struct pyro_outcome *outcome)
{
	struct inherited inherited;
	sigset_t set = taken_signals();
	uint64_t cpu_before = children_cpu_ns();
	int report[2];

	*outcome = (struct pyro_outcome){0};
	if (pipe2(report, O_CLOEXEC) < 0)
		return -errno;
	block(&set, &inherited);

	pid_t child = fork();

	if (child == 0)
		become(argv, in_child, &inherited, report[1]);

	int err = child < 0 ? errno : 0;

	close(report[1]);
	if (child > 0) {
		/* The pipe ends at exec. */
		while (read(report[0], &outcome->exec_errno, sizeof(int)) < 0 &&
		       errno == EINTR)
			;
		let_go_of_streams();
		wait_for(child, &set, outcome);
		outcome->cpu_ns = children_cpu_ns() - cpu_before;
	} else {
		restore(&inherited);
	}
	close(report[0]);
	return -err;
}

int pyro_die_by(int signal)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};
	struct rlimit none = {0, 0};
	sigset_t set;

	setrlimit(RLIMIT_CORE, &none);
	/* A core pattern that is a pipe does not ask for the limit. */
	prctl(PR_SET_DUMPABLE, 0);
	sigaction(signal, &standard, NULL);
	sigemptyset(&set);
	sigaddset(&set, signal);
	raise(signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 128 + signal;
}
