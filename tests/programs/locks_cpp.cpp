// SPDX-License-Identifier: Apache-2.0
/* locks_cpp.cpp - the locks of C++'s library, held for a known time
 *
 * Each hold_*() holds its lock for 200 ms while another thread waits for it. Prints
 * that function's name and what was waited, in ns, a line each. */
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <shared_mutex>
#include <thread>

using namespace std::chrono;

static const auto hold = milliseconds(200);
static std::atomic<bool> held;

static std::mutex plain;
static std::recursive_mutex recursive;
static std::timed_mutex timed;
static std::shared_mutex shared;
static std::shared_timed_mutex shared_timed;
static std::mutex conditional;
static std::condition_variable condition;

static void hold_it()
{
	held = true;
	std::this_thread::sleep_for(hold);
}

#define HOLD(name, lock, unlock)                  \
	__attribute__((noinline)) void name()     \
	{                                         \
		lock;                             \
		hold_it();                        \
		unlock;                           \
		__asm__ volatile("");             \
	}
HOLD(hold_plain, plain.lock(), plain.unlock())
HOLD(hold_recursive, recursive.lock(); recursive.lock(),
     recursive.unlock(); recursive.unlock())
HOLD(hold_timed, timed.lock(), timed.unlock())
HOLD(hold_shared, shared.lock(), shared.unlock())
HOLD(hold_readers, shared.lock_shared(), shared.unlock_shared())
HOLD(hold_shared_timed, shared_timed.lock(), shared_timed.unlock())

/* The wait is what unlocks. */
__attribute__((noinline)) void hold_condition()
{
	std::unique_lock<std::mutex> lock(conditional);

	hold_it();
	condition.wait_for(lock, milliseconds(300));
	__asm__ volatile("");
}

template <typename Take> static void contend(const char *name, void (*holder)(),
					     Take take)
{
	held = false;
	std::thread other(holder);

	while (!held)
		std::this_thread::yield();
	auto began = steady_clock::now();
	take();
	auto waited = steady_clock::now() - began;

	other.join();
	std::printf("%s %lld\n", name,
		    (long long)duration_cast<nanoseconds>(waited).count());
}

int main()
{
	contend("hold_plain", hold_plain,
		[] { std::lock_guard<std::mutex> lock(plain); });
	contend("hold_recursive", hold_recursive, [] {
		std::lock_guard<std::recursive_mutex> lock(recursive);
	});
	contend("hold_timed", hold_timed, [] {
		if (timed.try_lock_for(seconds(100)))
			timed.unlock();
	});
	contend("hold_shared", hold_shared,
		[] { std::shared_lock<std::shared_mutex> lock(shared); });
	contend("hold_readers", hold_readers,
		[] { std::unique_lock<std::shared_mutex> lock(shared); });
	contend("hold_shared_timed", hold_shared_timed, [] {
		if (shared_timed.try_lock_shared_for(seconds(100)))
			shared_timed.unlock_shared();
	});
	contend("hold_condition", hold_condition,
		[] { std::lock_guard<std::mutex> lock(conditional); });
	return 0;
}
