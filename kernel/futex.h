/* Between futex.c and futex_waitv.c: who waits, and where. */
#ifndef KERNEL_FUTEX_H
#define KERNEL_FUTEX_H

#include <kumo/futex.h>
#include <kumo/list.h>
#include <kumo/spinlock.h>
#include <kumo/thread.h>

struct bucket {
	spinlock_t lock;     /* protects waiters */
	struct list waiters; /* in the order in which they came */
} __cacheline_aligned;

struct waiter {
	struct list link;
	struct thread *thread;
	struct futex_key key;
	u32 bitset;
	bool owner_to_be;      /* waits to be handed the lock (FUTEX_LOCK_PI), not to be woken */
	struct bucket *bucket; /* NULL once it has been woken; changed by requeueing */
};

/* -EINVAL: not aligned; -EFAULT; -ERESTARTNOINTR. */
int futex_key_get(u32 __user *address, bool private, struct futex_key *key) __must_check;
struct bucket *futex_key_bucket(const struct futex_key *key);
/* Locks the bucket of the key with the word read: 0, or a negative errno with nothing locked. */
int futex_lock_with_word(struct bucket *bucket, u32 __user *address, u32 *word) __must_check;
/* Leaves the bucket. True: nobody has woken it before. */
bool futex_waiter_leave(struct waiter *waiter);
/* The deadline on the monotonic clock; `operation` says what the timeout means. */
int futex_deadline_get(unsigned int operation, const struct __kernel_timespec __user *timeout,
		       u64 *deadline) __must_check;

#endif
