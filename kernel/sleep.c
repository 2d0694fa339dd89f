/* Sleeping for a time. */
#include <kumo/export.h>
#include <kumo/thread.h>
#include <kumo/time.h>

/* Nobody wakes this thread but signals and the timer that wait_sleep() arms. */
static int sleep_mode(u64 monotonic_ns, int mode)
{
	int result;

	do {
		thread_set_state(mode == WAIT_INTERRUPTIBLE ? THREAD_INTERRUPTIBLE
							    : THREAD_UNINTERRUPTIBLE);
		result = wait_sleep(mode, monotonic_ns);
	} while (!result);
	return result;
}

int sleep_until(u64 monotonic_ns)
{
	int result = sleep_mode(monotonic_ns, WAIT_INTERRUPTIBLE);

	return result == -ETIME ? 0 : result;
}
EXPORT_SYMBOL(sleep_until);

void sleep_ns(u64 ns)
{
	(void)sleep_mode(time_monotonic_ns() + ns, WAIT_NORMAL);
}
EXPORT_SYMBOL(sleep_ns);
