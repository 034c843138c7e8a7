// SPDX-License-Identifier: Apache-2.0
/* session.h - what the files of api/ share: one session a process
 *
 *   session.c      start, stop, flush: the state and the public calls
 *   pause.c        types that are paused and resumed
 *   collector.c    the collector thread: sweep, scan, windows
 *   windows.c      when windows begin and end
 *   cpu_window.c   a window's profile of CPU time
 *   heap_window.c  a window's profile of the heap
 *   wait_window.c  a window's profiles of waiting
 *   threads_window.c  what all threads do at a window's end
 *   births_window.c   by whom they were created
 *   wall_window.c  what all threads do all the time
 *   output.c       a window's profiles to the server or the folder
 *   memory.c       how much of it there may be
 *   lifecycle.c    exit, fork and its children
 *   fatal.c        signals that kill
 *   preload.c      the constructor */
#ifndef PYRO_API_SESSION_H
#define PYRO_API_SESSION_H

#include <stdatomic.h>
#include <sys/types.h>

#include "api/config.h"
#include "base/slots.h"
#include "base/sync.h"
#include "image/modules.h"
#include "profile/heap_stacks.h"
#include "profile/profile.h"
#include "profile/stacks.h"
#include "profile/wait_stacks.h"
#include "transport/upload.h"

enum pyro_session_state {
	PYRO_SESSION_IDLE,
	PYRO_SESSION_RUNNING,
	PYRO_SESSION_STOPPING
};

/* Set once from the environment; read everywhere after. */
struct pyro_process {
	bool preloaded;  /* by LD_PRELOAD: starts by itself */
	bool under_pyro; /* pyro exec or record: dies politely */
	bool descendant; /* of the process that was started first */
	bool serves;     /* at pprof_address, or is forked from who does */
	pid_t pid;       /* who set up this state: differs in a child */
	pid_t parent;    /* who has forked it */
};

/* How a session begins. */
enum pyro_start_how {
	PYRO_START_NORMAL, /* by a call of the program */
	PYRO_START_ROOT,   /* under pyro: tables are built before main */
	PYRO_START_LAZY,   /* a descendant: when it has used some CPU time */
	PYRO_START_FORKED  /* a forked child, which samples already */
};

/* What a profile covers. */
struct pyro_window {
	int64_t time_ns;     /* CLOCK_REALTIME of the start */
	uint64_t start_ns;   /* CLOCK_MONOTONIC of the start */
	int64_t duration_ns; /* when it ends */
	bool may_go_on;      /* then: if it cannot be written, for now */
};

/* CPU time of the process, of the library's threads in it, and what samples have
 * taken of the program's. */
struct pyro_clocks {
	uint64_t cpu_ns, library_ns, samples_ns;
};

/* CPU time of a window beside its samples. */
struct pyro_cpu_used {
	struct pyro_clocks began;
	struct pyro_clocks ended; /* if stopped */
	bool stopped;             /* it is not sampled */
	int64_t residual_ns;      /* carried from earlier windows, signed */
	uint64_t lost_ns, lost_ticks;
};

/* The profiles. Those of what threads do have one window. */
enum pyro_output {
	PYRO_OUTPUT_CPU,
	PYRO_OUTPUT_HEAP,
	PYRO_OUTPUT_MUTEX,
	PYRO_OUTPUT_BLOCK,
	PYRO_OUTPUT_THREADS,
	PYRO_OUTPUT_GOROUTINES,
	PYRO_OUTPUT_CREATION,
	PYRO_OUTPUT_WALL /* only for who asks */
};
#define PYRO_WINDOWS (PYRO_OUTPUT_THREADS + 1)

/* Records taken out of the pool, to be named after the next look at what is
 * loaded. */
#define PYRO_BATCH_MAX 32

struct pyro_session {
	struct pyro_mutex lock; /* start, stop, revival */
	_Atomic uint32_t state; /* enum pyro_session_state */
	enum pyro_start_how how;
	struct pyro_config config; /* constant while running */
	uint64_t began_ns; /* names of dropped files; unique a session */
	/* PYRO_TYPE_: what is to be profiled, config's but what is paused; what
	 * is; and as which what was asked was done, waited on. */
	_Atomic uint32_t types_asked, types, types_done;

	/* Requests to the collector, and what it did. Waited on as futexes. */
	_Atomic uint32_t flush_asked, flush_done;
	_Atomic bool stop_asked;
	_Atomic bool pause_asked; /* leave the thread, and all as it is */
	_Atomic uint32_t armed;   /* timers run */
	_Atomic uint32_t ended;   /* the thread has left */
	/* Written before stop_asked is set: until when (CLOCK_MONOTONIC) the
	 * collector may wait for the last uploads, and how long once a try has
	 * failed. Read after ended: whether they all went. */
	uint64_t end_ns;
	uint32_t end_failed_ms;
	int end_result;

	/* Held by the collector but while it waits: who has it finds the tables
	 * whole. */
	struct pyro_mutex round;
	/* A forked child's, until it has a collector: its parent's tables, or
	 * NULL if they may be in the middle of a change. */
	struct pyro_modules *inherited;

	/* Collector only. */
	bool to_listen; /* at pprof_address; not done yet */
	struct pyro_modules *modules;
	struct pyro_lines *lines; /* NULL: not wanted */
	struct pyro_names *names;
	struct pyro_window windows[PYRO_WINDOWS]; /* by enum pyro_output */
	uint64_t round_ns; /* CLOCK_MONOTONIC when all began together */
	struct pyro_stacks stacks;
	struct pyro_cpu_used cpu;
	struct pyro_heap_stacks heap;
	struct pyro_weight heap_lost; /* of this window */
	/* Until now, and since when (0: it is sampled): of which time blocks in
	 * use may be missing. */
	uint64_t heap_paused_ns, heap_paused_since_ns;
	/* What all threads do: the threads profile. */
	struct pyro_moment {
		struct pyro_stacks stacks; /* a tick is a thread */
		struct pyro_strings names; /* of threads, in labels so far */
		struct pyro_asked {
			pid_t tid;
			uint32_t labels; /* its name and state */
			int timer;       /* if armed */
			bool armed, known, gone;
		} * asked;
		size_t count, cap;
		uint32_t own;     /* the library as a module; 0: part of one */
		uint64_t took_ns; /* of the library's CPU time, so far */
		bool taken, any;  /* to be written; since the start */
	} threads;
	/* Who has created them. */
	struct pyro_births {
		struct pyro_stack_set stacks;
		struct pyro_origin {
			uint32_t serial;
			uint32_t stack; /* its number + 1; 0: not known */
		} * of;                 /* by the thread's place */
		size_t cap;
		struct pyro_stacks now; /* a tick is a thread that there is */
		uint64_t not_seen;      /* of whose creation nobody told */
	} births;
	/* What all threads do all the time. */
	struct pyro_wall {
		struct pyro_stacks stacks; /* a tick is a thread's moment */
		struct pyro_table by_tid;
		struct pyro_walled {
			pid_t tid;
			uint32_t labels;   /* its name */
			uint64_t named_ns; /* when that was read; 0: never */
			uint32_t seen;     /* the last moment that has */
			/* Moments and time for which it has not answered
			 * yet, and since when it is asked. */
			uint32_t moments;
			uint64_t waits_ns, asked_ns;
			/* If armed: its signal, and when that was. */
			int timer, signal;
			uint64_t armed_ns;
			bool armed;
		} * threads;
		size_t count, cap;
		struct pyro_window window;
		uint32_t moment, first; /* the last; that before the window */
		uint64_t interval_ns, last_ns, next_ns; /* of moments */
		bool on;
	} wall;
	/* The mutex profile's and the block profile's. */
	struct pyro_waits {
		struct pyro_wait_stacks stacks;
		struct pyro_weight not_captured, left_over;
		uint64_t lost;
	} waits[2];
	/* What the library takes itself. */
	struct pyro_own {
		unsigned halvings; /* of the rates that were asked for */
		/* The interval: when it began; CPU time so far then, the
		 * library's and the program's. */
		uint64_t since_ns, own_ns, program_ns;
		/* Of looks at all threads: what was still to be paid for then,
		 * what came to it, and when all will be. */
		uint64_t debt_ns, moments_ns, paid_ns;
	} own;
	uint64_t next_scan_ns, scan_pause_ns;
	uint64_t next_urgent_ns, urgent_pause_ns;
	uint64_t loading_ns; /* until then objects may come and go often */
	int64_t last_time_ns;
	uint32_t sequence;
	struct pyro_record batch[PYRO_BATCH_MAX];
	size_t batched;
	bool stale;  /* snapshots are kept that the next round can free */
	bool quiet;  /* ended, and no handler can be using the modules */
	bool marked; /* the folder knows that samples are pending */

	/* Set before the collector starts, constant after. */
	struct pyro_uploader *uploader; /* NULL: output_dir */
	_Atomic bool shipped; /* something was handed to the uploader */
};

extern struct pyro_session pyro_session;
extern struct pyro_process pyro_process;

/* session.c */
/* Does the program run under a sanitizer, Valgrind or rr? */
bool pyro_session_is_refused(void);
/* A forked child whose samples wait for a collector. */
bool pyro_session_is_uncollected(struct pyro_session *s);
int pyro_session_start(const struct pyroscope_config *given,
		       enum pyro_start_how how);
/* Start the thread of a session whose config is set. Session lock held. */
int pyro_session_run(enum pyro_start_how how);
/* Ask the collector to end: the last window, then what is queued, for at most
 * timeout_ms in all (failed_ms when the server does not answer). Waits for it
 * as long, and for a second at least. It only stores and waits: a signal
 * handler may call it. 0 or -ETIMEDOUT. */
int pyro_session_end(uint32_t timeout_ms, uint32_t failed_ms);
/* pyroscope_flush() that waits as long as window_ms for the window to end. */
int pyro_session_flush(uint32_t window_ms, uint32_t timeout_ms);

/* collector.c */
void pyro_collector_main(void *arg);
/* Take a record in: it is added to its profile with others, and what is in the
 * pool then. */
void pyro_collector_add(struct pyro_session *s,
			const struct pyro_record *record);
size_t pyro_collector_sweep(struct pyro_session *s);

/* windows.c */
/* All begin now, or at an earlier time of CLOCK_MONOTONIC if that is not 0. Before
 * the collector runs, or by it. */
void pyro_windows_begin(struct pyro_session *s, uint64_t start_ns);
/* All end, at the interval, and their next ones begin; the profiles have what is in
 * s->types. Those that cannot be written go on, unless they are the last or have any
 * of changes, types that come or go now. */
void pyro_windows_round(struct pyro_session *s, uint32_t changes, bool last);
/* Those end that have any of changes. */
void pyro_windows_change(struct pyro_session *s, uint32_t changes);
/* Its lines are wanted, the more so the greater the weight. */
void pyro_window_want_lines(struct pyro_session *s,
			    const struct pyro_stack_frames *stack,
			    uint64_t weight);
/* Read debug information for what was asked for with pyro_lines_want(). */
void pyro_window_lines(struct pyro_session *s, bool last);

/* pause.c. Collector. */
/* What is not in types stops; its windows are still to be ended. */
void pyro_types_leave(struct pyro_session *s, uint32_t types);
/* And what is in them begins: they are s->types. Timers are armed by the next scan. */
void pyro_types_enter(struct pyro_session *s, uint32_t types);

/* Say why labels were refused, each reason once. */
void pyro_labels_tell(void);

/* cpu_window.c */
/* CPU time so far is not part of it, but for a forked child's. */
void pyro_cpu_window_start(struct pyro_session *s, bool forked);
/* After timers were disarmed: CPU time from now on is not part of it, until it goes
 * on. */
void pyro_cpu_window_stop(struct pyro_session *s);
void pyro_cpu_window_go_on(struct pyro_session *s);
/* Write the profile of what was measured, unless that is nothing. False, as of the
 * others: it goes on, with all that it has. */
bool pyro_cpu_window_end(struct pyro_session *s, bool last);

/* heap_window.c: nothing where the heap is not profiled. */
void pyro_heap_window_start(struct pyro_session *s);
/* Pause it, or go on. */
void pyro_heap_window_pause(struct pyro_session *s, bool paused);
/* When the tables are built. Collector. */
void pyro_heap_window_arm(struct pyro_session *s);
void pyro_heap_window_add(struct pyro_session *s,
			  const struct pyro_stack_frames *stack,
			  const struct pyro_heap_sample *sample);
/* Each time that records were swept. */
void pyro_heap_window_round(struct pyro_session *s, uint64_t now);
/* Write the profile. */
bool pyro_heap_window_end(struct pyro_session *s, bool last);

/* wait_window.c: nothing where waiting is not profiled. */
void pyro_wait_window_start(struct pyro_session *s);
void pyro_wait_window_add(struct pyro_session *s,
			  const struct pyro_stack_frames *stack,
			  const struct pyro_record *record);
/* Each time that records were swept. */
void pyro_wait_window_round(struct pyro_session *s, uint64_t now);
/* Those of types are on from now on, and no others. */
void pyro_wait_window_switch(struct pyro_session *s, uint32_t types);
/* Write the profile, PYRO_OUTPUT_MUTEX or PYRO_OUTPUT_BLOCK, unless that is empty. */
bool pyro_wait_window_end(struct pyro_session *s, enum pyro_output output,
			  bool last);
void pyro_wait_window_free(struct pyro_session *s);

/* threads_window.c: nothing where threads are not profiled. */
void pyro_threads_window_start(struct pyro_session *s);
/* Look at all threads, while they can be asked: that is before a stop. Not where
 * the budget does not allow it, unless somebody has asked for it. */
void pyro_threads_window_take(struct pyro_session *s, bool asked, bool last);
/* A stack with its labels, or, of thread tid unless that is 0, without them: what a
 * thread that was asked has told. */
void pyro_threads_window_add(struct pyro_session *s,
			     struct pyro_stack_frames *stack, pid_t tid);
/* Write what was taken. */
bool pyro_threads_window_end(struct pyro_session *s, bool last);
void pyro_threads_window_free(struct pyro_session *s);
/* The module that all of this is in, if it is the library's alone; 0: it is not. */
uint32_t pyro_threads_window_own(void);
/* The label of a thread with that name. */
uint32_t pyro_threads_window_label(struct pyro_session *s, const char *name);

/* budget.c: all of the collector. */
/* What was before is the start, and not measured. */
void pyro_budget_start(struct pyro_session *s);
/* Types that were paused begin with the rates that the others have. */
void pyro_budget_resumed(struct pyro_session *s);
/* After each round; over: a window has ended. */
void pyro_budget_round(struct pyro_session *s, bool over);
/* CPU time of the calling thread of the library, without that for reading; to be
 * subtracted from a later one. */
uint64_t pyro_budget_work_ns(void);
/* May all threads be looked at again? */
bool pyro_budget_allows_moment(const struct pyro_session *s);
/* That has taken so much of pyro_budget_work_ns(). */
void pyro_budget_moment(struct pyro_session *s, uint64_t took_ns);
/* Say how far the rates of the window are from what was asked for. */
void pyro_budget_comment(const struct pyro_session *s,
			 struct pyro_profile *profile);

/* births_window.c: the same by who has created them. */
void pyro_births_add(struct pyro_session *s, struct pyro_stack_frames *stack,
		     const struct pyro_birth *birth);
/* Of the threads that were looked at: births.now and .not_seen. */
void pyro_births_take(struct pyro_session *s);
void pyro_births_free(struct pyro_session *s);

/* memory.c: set the limit of a session that begins: 0 or -ENOMEM. */
int pyro_memory_begin(const struct pyro_session *s);
/* Say once that there was no memory. Collector. */
void pyro_memory_tell(void);

/* wall_window.c: nothing where nobody asks for it. */
/* In each round: look at all threads, if it is time for it, or a window is over. */
void pyro_wall_round(struct pyro_session *s, bool over, bool last);
/* A stack that was seen. */
void pyro_wall_add(struct pyro_session *s,
		   const struct pyro_stack_frames *stack,
		   struct pyro_weight weight);
/* A stack that thread tid has told, for whatever profile it was asked. */
void pyro_wall_answer(struct pyro_session *s, struct pyro_stack_frames *stack,
		      pid_t tid);
/* Give who asks what there is. */
void pyro_wall_window_end(struct pyro_session *s, bool last);
void pyro_wall_free(struct pyro_session *s);

/* output.c */
/* Tell of the records that a profile is made of: how many there are by why their
 * walk ended, and how many were lost. */
void pyro_output_comment(struct pyro_profile *profile, const char *what,
			 const uint64_t stops[PYRO_STOP_COUNT], uint64_t lost);
/* NULL is one that there was no memory for. Whether the window is over: written, or
 * lost for good and counted. False, only where it may go on: it could not be written,
 * but what it has can be with what comes. */
bool pyro_output_window(struct pyro_session *s, enum pyro_output kind,
			struct pyro_profile *profile, bool may_go_on);
/* In a folder: tell that samples are pending, or that all were written. */
void pyro_output_mark(struct pyro_session *s, bool pending);

/* lifecycle.c: each may be called at every start. */
/* First thing in a public call: a child that was forked without handlers sets
 * itself up here. */
void pyro_lifecycle_enter(void);
void pyro_lifecycle_init(void);
/* Before the first lock is taken that a child would find locked. */
void pyro_lifecycle_watch_forks(void);
/* The process dies of a signal: what it has is sent. Context: signal. */
void pyro_lifecycle_dying(void);
/* A forked child with no collector gets one. */
void pyro_lifecycle_revive(void);

/* fatal.c: take SIGTERM and its like where they would kill the process. */
void pyro_fatal_start(void);

/* Milliseconds from now to a time of CLOCK_MONOTONIC; 0 if it is over. */
uint32_t pyro_left_ms(uint64_t end_ns);

/* CPU time of this process, and whether that is too little to start for. */
uint64_t pyro_process_cpu_ns(void);
uint64_t pyro_program_cpu_ns(void); /* without the library's threads */
#define PYRO_LAZY_CPU_NS (10 * PYRO_NS_PER_MS)
#define PYRO_UPLOAD_CPU_NS (100 * PYRO_NS_PER_MS)

#endif
