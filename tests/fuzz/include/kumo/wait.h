/*
 * Wait queues of the fuzzers of state machines, where there is one thread and nothing goes on by itself: who waits has the world make
 * a step (fuzz_step(), ninep_client_fuzz.c) until what he waits for is there, and counts as killed when he may be and it says so. A wait
 * that nothing can end is what the fuzzer looks for.
 */
#ifndef KUMO_WAIT_H
#define KUMO_WAIT_H

#include <kumo/err.h>
#include <kumo/list.h>
#include <kumo/spinlock.h>

struct wait_queue {
	unsigned int woken;
};

#define WAIT_FOREVER (~0ULL)
enum { WAIT_NORMAL, WAIT_INTERRUPTIBLE, WAIT_KILLABLE };

static inline void wait_queue_init(struct wait_queue *queue)
{
	queue->woken = 0;
}
static inline void wake_up(struct wait_queue *queue)
{
	queue->woken++;
}
static inline void wake_up_all(struct wait_queue *queue)
{
	queue->woken++;
}
/* Something happens; 0, or what ends a wait of this mode instead. */
int fuzz_step(int mode, unsigned long long deadline_ns);

#define wait_event_mode(queue, condition, mode, exclusive, deadline_ns)                            \
	({                                                                                         \
		const unsigned long long wait_deadline_ns_ = (deadline_ns);                        \
		int wait_result_ = 0;                                                              \
		(void)(queue);                                                                     \
		while (!(condition) && !wait_result_)                                              \
			wait_result_ = fuzz_step(mode, wait_deadline_ns_);                         \
		wait_result_;                                                                      \
	})
#define wait_event(queue, condition)                                                               \
	((void)wait_event_mode(queue, condition, WAIT_NORMAL, false, WAIT_FOREVER))
#define wait_event_interruptible(queue, condition)                                                 \
	wait_event_mode(queue, condition, WAIT_INTERRUPTIBLE, false, WAIT_FOREVER)
#define wait_event_killable(queue, condition)                                                      \
	wait_event_mode(queue, condition, WAIT_KILLABLE, false, WAIT_FOREVER)
#define wait_event_interruptible_until(queue, condition, deadline_ns)                              \
	wait_event_mode(queue, condition, WAIT_INTERRUPTIBLE, false, deadline_ns)
#define wait_event_until(queue, condition, deadline_ns)                                            \
	wait_event_mode(queue, condition, WAIT_NORMAL, false, deadline_ns)

#endif
