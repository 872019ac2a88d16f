/* SPDX-License-Identifier: Apache-2.0 */
/* Time spent by this thread on a CPU: what others run meanwhile on a busy machine does not count. */
#ifndef VMN_BENCH_STOPWATCH_H
#define VMN_BENCH_STOPWATCH_H

#include <stdint.h>
#include <time.h>

static inline uint64_t stopwatch_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

#endif
