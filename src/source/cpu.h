// SPDX-License-Identifier: Apache-2.0
/* cpu.h - CPU sampling: one timer a thread on that thread's own CPU clock
 *
 * timer_create(thread CPU clock, SIGEV_THREAD_ID). The kernel looks at such a
 * timer at the scheduler's tick, so a thread gets at most HZ signals a second;
 * what it missed comes as si_overrun, and a sample stands for
 * (1 + overrun) x period. The first expiry is random in (0, period], so that
 * threads shorter than a period are seen in proportion. setitimer is never
 * used: it survives exec and kills the new image. */
#ifndef PYRO_SOURCE_CPU_H
#define PYRO_SOURCE_CPU_H

#include <signal.h>

#include "capture/registry.h"

/* Choose a signal and install the handler. rate in Hz; at 0 no thread will be
 * sampled, and no signal is needed without shots. 0, or -EBUSY when the program
 * uses every signal that would do for sampling. Nothing is armed yet. */
int pyro_cpu_start(uint32_t rate, bool shots);
/* Disarm every timer; the handler stays (a late signal must find it). */
void pyro_cpu_stop(void);
/* While it is paused no thread has a timer: those there are go, and none is armed.
 * After it the next scan arms all. */
void pyro_cpu_pause(bool paused);
/* Of the timers that are armed now. */
uint64_t pyro_cpu_period_ns(void);
/* Halve the rate so many times from what was asked for, at most seven times: all
 * timers are armed anew. Samples that are under way keep their weight. Collector. */
void pyro_cpu_set_halvings(unsigned halvings);
/* In a forked child, where no timer exists. */
void pyro_cpu_forked(void);

/* Arm the timer of a claimed entry for thread tid. 0; -EAGAIN when the limit of
 * pending signals, which all processes of a user share, is near; else -errno:
 * the thread is gone. Registry lock held. Makes system
 * calls only: a forked child may use it in its fork handler. */
int pyro_cpu_arm(struct pyro_thread *thread, pid_t tid);
void pyro_cpu_disarm(struct pyro_thread *thread);

/* Have one record of PYRO_KIND_THREADS made by thread tid when it next runs: a
 * timer on its CPU clock that expires once, which, unlike any other signal,
 * interrupts no call in which it waits. 0 and the timer's number for
 * pyro_cpu_shot_end(), or -errno as above. Records are made between
 * pyro_cpu_shots(true) and (false); one that was under way may come later.
 * Collector. */
int pyro_cpu_shot(pid_t tid, int *timer);
/* Once more with the same timer, of whose signal one at the most is pending. 0 or
 * -errno. */
int pyro_cpu_shot_again(int timer);
void pyro_cpu_shot_end(int timer);
void pyro_cpu_shots(bool on);

/* Let the calling thread, which begins, get our signal: programs start threads
 * with everything blocked, and then none of their time would be seen. */
void pyro_cpu_unblock_signal(void);

/* Look at /proc/self/task: arm threads that nobody announced, release entries
 * of those that died unannounced. False when a thread was left out because it
 * may be about to announce itself: look again soon. */
bool pyro_cpu_scan(void);

/* Has the program taken our signal for itself, or is there none yet? Then another one
 * is taken at once; false when there is none left. */
bool pyro_cpu_check_signal(void);

/* The signal that timers send; 0: none yet. */
int pyro_cpu_signal(void);

/* The program reads these signals from a descriptor: ours, if it is among them, is
 * another from now on. Any thread. */
void pyro_cpu_leave_signals(const sigset_t *signals);

/* Threads that the last scan could not arm. */
uint64_t pyro_cpu_unarmed(void);

#endif
