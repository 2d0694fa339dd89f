/*
 * Errors that are told to everybody once: what went wrong in writing a file out after write(2) had returned is reported by the
 * next fsync(2) of each descriptor that was open then, however many there are, and of the next one opened if nobody
 * was told yet.
 *
 * One word: the errno in the low bits, whether somebody has seen it, and a count, so that the same error coming again is news.
 */
#ifndef KUMO_ERROR_SEQUENCE_H
#define KUMO_ERROR_SEQUENCE_H

#include <kumo/atomic.h>
#include <kumo/err.h>

#define ERROR_SEQUENCE_ERRNO 0xfffU
#define ERROR_SEQUENCE_SEEN 0x1000U
#define ERROR_SEQUENCE_ONE 0x2000U

/* error: a negative errno. Any context. */
static inline void error_sequence_note(u32 *sequence, int error)
{
	u32 old = READ_ONCE(*sequence), new;

	do
		new = ((old & ~(ERROR_SEQUENCE_ERRNO | ERROR_SEQUENCE_SEEN)) + ERROR_SEQUENCE_ONE) |
		      (u32)-error;
	while (!__atomic_compare_exchange_n(sequence, &old, new, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED));
}

/* Where somebody who comes now begins: behind what others have seen. */
static inline u32 error_sequence_sample(const u32 *sequence)
{
	u32 now = READ_ONCE(*sequence);

	return now & ERROR_SEQUENCE_SEEN || !(now & ERROR_SEQUENCE_ERRNO) ? now : 0;
}

/* The newest error since *since, which moves to now; 0: none. The caller serialises uses of *since. */
static inline int error_sequence_check(u32 *sequence, u32 *since)
{
	u32 now = READ_ONCE(*sequence);

	if (likely(now == *since))
		return 0;
	now = __atomic_or_fetch(sequence, ERROR_SEQUENCE_SEEN, __ATOMIC_ACQ_REL);
	if (now == *since)
		return 0;
	*since = now;
	return -(int)(now & ERROR_SEQUENCE_ERRNO);
}

#endif
