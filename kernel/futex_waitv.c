/*
 * futex_waitv(2): a thread waits on several futexes at once, until one of them is woken.
 *
 * It joins the bucket of each in turn, looking at the word as futex_wait() does; from the first that it has joined it may be
 * woken. In the end it leaves all of them, and those that it could not leave are the ones that woke it.
 */
#include <kumo/err.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <linux/futex.h>
#include <linux/time.h>

#include "futex.h"
#include "process.h"

struct awaited {
	struct waiter waiter;
	u32 __user *address;
	u32 expected;
	bool private;
};

static int read_awaited(struct awaited *awaited, const struct futex_waitv __user *from)
{
	struct futex_waitv asked;

	if (copy_from_user(&asked, from, sizeof(asked)))
		return -EFAULT;
	if (asked.flags & ~(u32)(FUTEX_32 | FUTEX_PRIVATE_FLAG) || !(asked.flags & FUTEX_32) ||
	    asked.__reserved)
		return -EINVAL;
	awaited->waiter.thread = current;
	awaited->waiter.bitset = FUTEX_BITSET_MATCH_ANY;
	awaited->address = (u32 __user *)asked.uaddr;
	awaited->expected = (u32)asked.val;
	awaited->private = asked.flags & FUTEX_PRIVATE_FLAG;
	return 0;
}

/* -EAGAIN: the word is another. */
static int join(struct awaited *awaited)
{
	struct waiter *waiter = &awaited->waiter;
	struct bucket *bucket = futex_key_bucket(&waiter->key);
	u32 word;
	int error = futex_lock_with_word(bucket, awaited->address, &word);

	if (error)
		return error;
	if (word == awaited->expected) {
		waiter->bucket = bucket;
		list_add_tail(&bucket->waiters, &waiter->link);
	} else {
		error = -EAGAIN;
	}
	spin_unlock(&bucket->lock);
	return error;
}

static bool any_woken(struct awaited *list, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		if (!READ_ONCE(list[i].waiter.bucket))
			return true;
	return false;
}

/* The last that was woken, or -1. */
static int leave_all(struct awaited *list, unsigned int count)
{
	int woken = -1;

	for (unsigned int i = 0; i < count; i++)
		if (!futex_waiter_leave(&list[i].waiter))
			woken = (int)i;
	return woken;
}

static int wait_for_any(struct awaited *list, unsigned int count, u64 deadline)
{
	unsigned int joined;
	int error = 0, woken;

	for (unsigned int i = 0; i < count; i++) {
		error = futex_key_get(list[i].address, list[i].private, &list[i].waiter.key);
		if (error)
			return error;
	}
	for (joined = 0; joined < count; joined++) {
		error = join(&list[joined]);
		if (error)
			break;
	}
	while (!error) {
		thread_set_state(THREAD_INTERRUPTIBLE);
		if (any_woken(list, count))
			break;
		error = wait_sleep(WAIT_INTERRUPTIBLE, deadline);
	}
	thread_set_state(THREAD_RUNNING);
	woken = leave_all(list, joined);
	if (woken >= 0)
		return woken; /* whatever else happened */
	return error == -ETIME ? -ETIMEDOUT : error;
}

long sys_futex_waitv(const struct futex_waitv __user *from, unsigned int count, unsigned int flags,
		     const struct __kernel_timespec __user *timeout, int clock)
{
	u64 deadline = WAIT_FOREVER;
	struct awaited *list;
	long result = 0;

	if (flags || !count || count > FUTEX_WAITV_MAX || !from)
		return -EINVAL;
	if (timeout) {
		if (clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
			return -EINVAL;
		result = futex_deadline_get(
			FUTEX_WAIT_BITSET | (clock == CLOCK_REALTIME ? FUTEX_CLOCK_REALTIME : 0),
			timeout, &deadline);
	}
	if (result)
		return result;
	list = kcalloc(count, sizeof(*list), GFP_USER);
	if (!list)
		return -ENOMEM;
	for (unsigned int i = 0; i < count && !result; i++)
		result = read_awaited(&list[i], from + i);
	if (!result)
		result = wait_for_any(list, count, deadline);
	kfree(list);
	return result;
}
