/*
 * Futexes.
 *
 * Waiters lie in a table of buckets by the hash of their key. A waiter looks at the word and joins its bucket in one step under the
 * bucket's lock; a waker changes the word first (in user mode) and takes the lock then, so either the waiter sees the new word, or
 * the waker finds the waiter.
 *
 * Waking takes the waiter off its bucket and clears waiter->bucket; after that the waiter's stack may be gone any moment, so
 * that store is the last touch. The thread itself is kept by RCU until it has been woken.
 *
 * The word is read under a spin lock, where a page cannot be faulted in: if it is not there the lock is dropped, the page is
 * faulted in, and all begins anew.
 *
 * Locks: buckets' locks, two at a time in the order of their addresses. Not taken in interrupts.
 */
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/futex.h>
#include <kumo/main.h>
#include <kumo/pagecache.h>
#include <kumo/string.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>
#include <linux/futex.h>

#include "futex.h"
#include "process.h"

#define BUCKETS 256	  /* a power of two */
#define ROBUST_LIMIT 2048 /* entries that a robust list may have (Linux's ROBUST_LIST_LIMIT) */

static struct bucket buckets[BUCKETS];

/* Keys ------------------------------------------------------------------------------------------------------------- */

u32 futex_key_hash(const struct futex_key *key)
{
	return hash_u64((u64)key->object ^ (key->offset >> 2) * 0x9e3779b97f4a7c15ULL);
}
EXPORT_SYMBOL(futex_key_hash);

struct bucket *futex_key_bucket(const struct futex_key *key)
{
	return &buckets[futex_key_hash(key) % BUCKETS];
}

/* Memory that may be shared: by what lies behind the page. It is asked for as for writing, so that a page of a private mapping
 * has been copied, and the key stays. */
static int key_of_page(u32 __user *address, struct futex_key *key)
{
	struct page *page = mm_get_page(current->mm, (unsigned long)address, true);
	int error = 0;

	if (IS_ERR(page) && PTR_ERR(page) == -EFAULT)
		page = mm_get_page(current->mm, (unsigned long)address, false); /* mapped read-only, perhaps */
	if (IS_ERR(page))
		return PTR_ERR(page) == -EINTR ? -ERESTARTNOINTR : -EFAULT;
	if (READ_ONCE(page->flags) & BIT(PG_ANON)) {
		key->object = current->mm;
		key->offset = (u64)address;
	} else if (READ_ONCE(page->flags) & BIT(PG_UPTODATE)) {
		/* The mapping keeps the cache; a page that was just truncated belongs to none. */
		key->object = READ_ONCE(page->cache);
		key->offset = page->index * PAGE_SIZE + (u64)address % PAGE_SIZE;
		error = key->object ? 0 : -EFAULT;
	} else {
		/* Shared memory without a file has the same pages as long as it is mapped. */
		key->object = page;
		key->offset = (u64)address % PAGE_SIZE;
	}
	page_put(page);
	return error;
}

int futex_key_get(u32 __user *address, bool private, struct futex_key *key)
{
	if ((unsigned long)address % sizeof(u32))
		return -EINVAL;
	if (!user_range_ok(address, sizeof(u32)))
		return -EFAULT;
	if (!private)
		return key_of_page(address, key);
	key->object = current->mm;
	key->offset = (u64)address;
	return 0;
}

/* Waiting ---------------------------------------------------------------------------------------------------------- */

int futex_lock_with_word(struct bucket *bucket, u32 __user *address, u32 *word)
{
	for (;;) {
		u32 ignored;

		spin_lock(&bucket->lock);
		if (likely(!copy_from_user_nofault(word, address, sizeof(*word))))
			return 0;
		spin_unlock(&bucket->lock);
		if (get_user(ignored, address))
			return -EFAULT;
		if (fatal_signal_pending())
			return -EINTR;
	}
}

bool futex_waiter_leave(struct waiter *waiter)
{
	struct bucket *bucket;

	while ((bucket = smp_load_acquire(&waiter->bucket))) {
		spin_lock(&bucket->lock);
		if (bucket == waiter->bucket) { /* not requeued in between */
			list_del(&waiter->link);
			spin_unlock(&bucket->lock);
			return true;
		}
		spin_unlock(&bucket->lock);
	}
	return false;
}

static int futex_wait(u32 __user *address, bool private, u32 expected, u32 bitset, u64 deadline)
{
	struct waiter waiter = { .thread = current, .bitset = bitset };
	struct bucket *bucket;
	u32 word;
	int error;

	if (!bitset)
		return -EINVAL;
	error = futex_key_get(address, private, &waiter.key);
	if (error)
		return error;
	bucket = futex_key_bucket(&waiter.key);
	error = futex_lock_with_word(bucket, address, &word);
	if (error)
		return error;
	if (word != expected) {
		spin_unlock(&bucket->lock);
		return -EAGAIN;
	}
	waiter.bucket = bucket;
	list_add_tail(&bucket->waiters, &waiter.link);
	spin_unlock(&bucket->lock);
	do {
		thread_set_state(THREAD_INTERRUPTIBLE);
		if (!READ_ONCE(waiter.bucket))
			break;
		error = wait_sleep(WAIT_INTERRUPTIBLE, deadline);
	} while (!error);
	thread_set_state(THREAD_RUNNING);
	if (!futex_waiter_leave(&waiter))
		return 0; /* woken, whatever else happened */
	return error == -ETIME ? -ETIMEDOUT : -ERESTARTSYS;
}

/* A wait with a deadline that a signal without a handler interrupted goes on until that; a handler always ends it. */
static long wait_restart(struct restart_block *block)
{
	int error = futex_wait((u32 __user *)block->args[0], block->args[1], (u32)block->args[2],
			       (u32)block->args[3], block->args[4]);

	return error == -ERESTARTSYS ? -ERESTART_RESTARTBLOCK : error;
}

static long futex_wait_until(u32 __user *address, bool private, u32 expected, u32 bitset, u64 deadline)
{
	int error = futex_wait(address, private, expected, bitset, deadline);

	if (error != -ERESTARTSYS || deadline == WAIT_FOREVER)
		return error;
	current->restart = (struct restart_block){
		.function = wait_restart,
		.args = { (u64)address, private, expected, bitset, deadline },
	};
	return -ERESTART_RESTARTBLOCK;
}

/* Waking ----------------------------------------------------------------------------------------------------------- */

/* The bucket's lock is held, and so is an RCU read section: the thread may be gone when its waiter has been let go. */
static void wake(struct waiter *waiter)
{
	struct thread *thread = waiter->thread;

	list_del(&waiter->link);
	smp_store_release(&waiter->bucket, NULL); /* pairs with the load in futex_waiter_leave() */
	thread_wake(thread);
}

static int wake_key(struct bucket *bucket, const struct futex_key *key, int count, u32 bitset)
{
	struct waiter *waiter, *after;
	int woken = 0;

	list_for_each_safe(waiter, after, &bucket->waiters, link) {
		if (woken >= count)
			break;
		if (!(waiter->bitset & bitset) || !futex_key_equal(&waiter->key, key))
			continue;
		if (waiter->owner_to_be)
			return -EINVAL;
		wake(waiter);
		woken++;
	}
	return woken;
}

static int futex_wake(u32 __user *address, bool private, int count, u32 bitset)
{
	struct futex_key key;
	struct bucket *bucket;
	int error, woken;

	if (!bitset)
		return -EINVAL;
	error = futex_key_get(address, private, &key);
	if (error)
		return error;
	bucket = futex_key_bucket(&key);
	rcu_read_lock();
	spin_lock(&bucket->lock);
	woken = wake_key(bucket, &key, max(count, 1), bitset); /* Linux wakes one for 0, too */
	spin_unlock(&bucket->lock);
	rcu_read_unlock();
	return woken;
}

int futex_wake_address(u32 __user *address, int count)
{
	return futex_wake(address, false, count, FUTEX_BITSET_MATCH_ANY);
}

static void lock_two(struct bucket *a, struct bucket *b)
{
	if (a > b) {
		struct bucket *first = b;

		b = a;
		a = first;
	}
	spin_lock(&a->lock);
	if (a != b)
		spin_lock_nested(&b->lock, 1);
}

static void unlock_two(struct bucket *a, struct bucket *b)
{
	spin_unlock(&a->lock);
	if (a != b)
		spin_unlock(&b->lock);
}

/* Wakes `count` waiters of the first futex and moves up to `move` others to the second; if `expected` is given, only when
 * the first's word still is that. */
static int futex_requeue(u32 __user *from, u32 __user *to, bool private, int count, int move,
			 const u32 *expected)
{
	struct futex_key source, target;
	struct bucket *source_bucket, *target_bucket;
	struct waiter *waiter, *after;
	int error, done = 0;

	if (count < 0 || move < 0)
		return -EINVAL;
	error = futex_key_get(from, private, &source);
	if (!error)
		error = futex_key_get(to, private, &target);
	if (error)
		return error;
	source_bucket = futex_key_bucket(&source);
	target_bucket = futex_key_bucket(&target);
	for (;;) {
		u32 word, ignored;

		lock_two(source_bucket, target_bucket);
		if (!expected)
			break;
		if (likely(!copy_from_user_nofault(&word, from, sizeof(word)))) {
			if (word == *expected)
				break;
			unlock_two(source_bucket, target_bucket);
			return -EAGAIN;
		}
		unlock_two(source_bucket, target_bucket);
		if (get_user(ignored, from))
			return -EFAULT;
		if (fatal_signal_pending())
			return -EINTR;
	}
	rcu_read_lock();
	list_for_each_safe(waiter, after, &source_bucket->waiters, link) {
		if (done - count >= move)
			break;
		if (!futex_key_equal(&waiter->key, &source))
			continue;
		if (waiter->owner_to_be) {
			done = -EINVAL;
			break;
		}
		if (done++ < count) {
			wake(waiter);
			continue;
		}
		waiter->key = target;
		if (source_bucket != target_bucket) {
			list_del(&waiter->link);
			list_add_tail(&target_bucket->waiters, &waiter->link);
			smp_store_release(&waiter->bucket, target_bucket);
		}
	}
	rcu_read_unlock();
	unlock_two(source_bucket, target_bucket);
	return done;
}

/* FUTEX_WAKE_OP ---------------------------------------------------------------------------------------------------- */

/* op:4 comparison:4 operand:12 comparand:12; the top bit of op makes the operand a shift count. */
int futex_operation_apply(u32 encoded, u32 old, u32 *new)
{
	u32 operand = (u32)((s32)(encoded << 8) >> 20);

	if (encoded >> 28 & FUTEX_OP_OPARG_SHIFT)
		operand = 1U << (operand & 31);
	switch (encoded >> 28 & 7) {
	case FUTEX_OP_SET:
		*new = operand;
		return 0;
	case FUTEX_OP_ADD:
		*new = old + operand;
		return 0;
	case FUTEX_OP_OR:
		*new = old | operand;
		return 0;
	case FUTEX_OP_ANDN:
		*new = old & ~operand;
		return 0;
	case FUTEX_OP_XOR:
		*new = old ^ operand;
		return 0;
	default:
		return -ENOSYS;
	}
}
EXPORT_SYMBOL(futex_operation_apply);

int futex_operation_compare(u32 encoded, u32 old)
{
	s32 comparand = (s32)(encoded << 20) >> 20, value = (s32)old;

	switch (encoded >> 24 & 15) {
	case FUTEX_OP_CMP_EQ:
		return value == comparand;
	case FUTEX_OP_CMP_NE:
		return value != comparand;
	case FUTEX_OP_CMP_LT:
		return value < comparand;
	case FUTEX_OP_CMP_LE:
		return value <= comparand;
	case FUTEX_OP_CMP_GT:
		return value > comparand;
	case FUTEX_OP_CMP_GE:
		return value >= comparand;
	default:
		return -ENOSYS;
	}
}
EXPORT_SYMBOL(futex_operation_compare);

/* Brings the word's page in, for another try with a lock held. 0, -EFAULT, -EINTR. */
static int make_writable(u32 __user *address)
{
	struct page *page = mm_get_page(current->mm, (unsigned long)address, true);

	if (IS_ERR(page))
		return PTR_ERR(page) == -EINTR ? -EINTR : -EFAULT;
	page_put(page);
	return fatal_signal_pending() ? -EINTR : 0;
}

/* Changes the word atomically, with what it was in *old. The buckets are locked; -EFAULT: the page must be faulted in. */
static int change_word(u32 __user *address, u32 encoded, u32 *old)
{
	u32 expected, new, found;
	int error;

	if (copy_from_user_nofault(&expected, address, sizeof(expected)))
		return -EFAULT;
	for (;;) {
		error = futex_operation_apply(encoded, expected, &new);
		if (!error)
			error = user_cmpxchg_u32(address, expected, new, &found);
		if (error)
			return error;
		if (found == expected) {
			*old = expected;
			return 0;
		}
		expected = found;
	}
}

static int futex_wake_operation(u32 __user *first, u32 __user *second, bool private, int count,
				int count2, u32 encoded)
{
	struct futex_key key, key2;
	struct bucket *bucket, *bucket2;
	u32 old = 0;
	int error, met, woken;

	error = futex_operation_compare(encoded, 0);
	if (error < 0)
		return error;
	error = futex_key_get(first, private, &key);
	if (!error)
		error = futex_key_get(second, private, &key2);
	if (error)
		return error;
	bucket = futex_key_bucket(&key);
	bucket2 = futex_key_bucket(&key2);
	for (;;) {
		lock_two(bucket, bucket2);
		error = change_word(second, encoded, &old);
		if (!error)
			break;
		unlock_two(bucket, bucket2);
		if (error != -EFAULT)
			return error;
		error = make_writable(second);
		if (error)
			return error;
	}
	rcu_read_lock();
	woken = wake_key(bucket, &key, count, FUTEX_BITSET_MATCH_ANY);
	met = futex_operation_compare(encoded, old);
	if (met > 0)
		woken += wake_key(bucket2, &key2, count2, FUTEX_BITSET_MATCH_ANY);
	rcu_read_unlock();
	unlock_two(bucket, bucket2);
	return woken;
}

/* Locks with an owner ---------------------------------------------------------------------------------------------- */

/*
 * FUTEX_LOCK_PI and its kin. The word is 0 or the owner's thread id, with FUTEX_WAITERS as long as the kernel may know of
 * others who want it. Unlocking hands the lock to the waiter of the highest real-time priority, who so never finds it taken by
 * somebody else; the owner's own priority is not raised meanwhile.
 */

/* With the bucket's lock held. -EAGAIN: the word is not `old` any more; -EFAULT: see make_writable(). */
static int word_exchange(u32 __user *address, u32 old, u32 new)
{
	u32 found;
	int error = user_cmpxchg_u32(address, old, new, &found);

	if (error)
		return error;
	return found == old ? 0 : -EAGAIN;
}

static struct waiter *next_owner(struct bucket *bucket, const struct futex_key *key)
{
	struct waiter *waiter, *best = NULL;

	list_for_each(waiter, &bucket->waiters, link)
		if (waiter->owner_to_be && futex_key_equal(&waiter->key, key) &&
		    (!best || waiter->thread->realtime_priority > best->thread->realtime_priority))
			best = waiter;
	return best;
}

/* 0: locked; 1: `waiter` was queued; -EAGAIN: the word changed meanwhile, or `only_try` found an owner (then *owned). */
static int owner_lock_once(u32 __user *address, struct bucket *bucket, struct waiter *waiter,
			   bool only_try, bool *owned)
{
	u32 word, seen, tid = (u32)current->pid;
	struct thread *owner;
	int error;

	if (get_user(seen, address))
		return -EFAULT;
	if ((seen & FUTEX_TID_MASK) == tid)
		return -EDEADLK;
	if (seen & FUTEX_TID_MASK) {
		owner = thread_find((int)(seen & FUTEX_TID_MASK));
		if (!owner)
			return -ESRCH;
		error = owner->process ? 0 : -EPERM;
		thread_put(owner);
		if (error)
			return error;
	}
	error = futex_lock_with_word(bucket, address, &word);
	if (error)
		return error;
	if (word != seen)
		error = -EAGAIN;
	else if (!(word & FUTEX_TID_MASK))
		error = word_exchange(address, word, word | tid);
	else if (only_try)
		*owned = true;
	else
		error = word_exchange(address, word, word | FUTEX_WAITERS);
	if (!error && !*owned && word & FUTEX_TID_MASK) {
		waiter->bucket = bucket;
		list_add_tail(&bucket->waiters, &waiter->link);
		error = 1;
	}
	spin_unlock(&bucket->lock);
	return *owned ? -EAGAIN : error;
}

static int owner_lock(u32 __user *address, bool private, u64 deadline, bool only_try)
{
	struct waiter waiter = { .thread = current, .bitset = FUTEX_BITSET_MATCH_ANY, .owner_to_be = true };
	struct bucket *bucket;
	bool owned = false;
	int result = futex_key_get(address, private, &waiter.key);

	if (result)
		return result;
	bucket = futex_key_bucket(&waiter.key);
	do {
		result = owner_lock_once(address, bucket, &waiter, only_try, &owned);
		if (result == -EFAULT && !make_writable(address))
			result = -EAGAIN;
		if (result == -EAGAIN && fatal_signal_pending())
			return -EINTR;
	} while (result == -EAGAIN && !owned);
	if (result != 1)
		return result;
	do {
		thread_set_state(THREAD_INTERRUPTIBLE);
		result = READ_ONCE(waiter.bucket) ? wait_sleep(WAIT_INTERRUPTIBLE, deadline) : 0;
	} while (!result && READ_ONCE(waiter.bucket));
	thread_set_state(THREAD_RUNNING);
	if (!futex_waiter_leave(&waiter))
		return 0; /* the lock was handed over */
	return result == -ETIME ? -ETIMEDOUT : -ERESTARTNOINTR;
}

/* The word is `old`; it becomes the next owner's, with `marks`, or `empty` if nobody waits. As word_exchange(). */
static int hand_over(u32 __user *address, const struct futex_key *key, u32 old, u32 marks, u32 empty)
{
	struct bucket *bucket = futex_key_bucket(key);
	struct waiter *next;
	int error;

	rcu_read_lock();
	spin_lock(&bucket->lock);
	next = next_owner(bucket, key);
	error = word_exchange(address, old,
			      next ? (u32)next->thread->pid | FUTEX_WAITERS | marks : empty);
	if (!error && next)
		wake(next);
	spin_unlock(&bucket->lock);
	rcu_read_unlock();
	return error;
}

static int owner_unlock(u32 __user *address, bool private)
{
	struct futex_key key;
	u32 word;
	int error;

	do {
		if (get_user(word, address))
			return -EFAULT;
		if ((word & FUTEX_TID_MASK) != (u32)current->pid)
			return -EPERM;
		error = futex_key_get(address, private, &key);
		if (error)
			return error;
		error = hand_over(address, &key, word, 0, 0);
		if (error == -EFAULT && !make_writable(address))
			error = -EAGAIN;
		if (error == -EAGAIN && fatal_signal_pending())
			return -EINTR;
	} while (error == -EAGAIN);
	return error;
}

/* Robust lists ----------------------------------------------------------------------------------------------------- */

/* The owner of a lock ends: says so in the word, and wakes one who waits for it. `pending`: it was just being taken or
 * released. */
static int owner_died(u32 __user *address, int tid, bool pending, bool handed_over)
{
	struct futex_key key;
	u32 word, found;
	int error;

	if ((unsigned long)address % sizeof(u32))
		return -EFAULT;
	if (get_user(word, address))
		return -EFAULT;
	/* Released already, but perhaps nobody was woken any more. */
	if (pending && !word) {
		futex_wake_address(address, 1);
		return 0;
	}
	while (handed_over && (word & FUTEX_TID_MASK) == (u32)tid) {
		error = futex_key_get(address, false, &key);
		if (!error)
			error = hand_over(address, &key, word, FUTEX_OWNER_DIED, FUTEX_OWNER_DIED);
		if (error == -EFAULT)
			error = make_writable(address);
		if (error && error != -EAGAIN)
			return error;
		if (get_user(word, address))
			return -EFAULT;
	}
	while ((word & FUTEX_TID_MASK) == (u32)tid) {
		u32 dead = (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED;

		if (user_cmpxchg_u32(address, word, dead, &found)) {
			/* Not writable, or not there any more: one more try, with the page there. */
			struct page *page = mm_get_page(current->mm, (unsigned long)address, true);

			if (IS_ERR(page))
				return -EFAULT;
			page_put(page);
			continue;
		}
		if (found == word) {
			if (word & FUTEX_WAITERS)
				futex_wake_address(address, 1);
			return 0;
		}
		word = found;
	}
	return 0;
}

/* Bit 0 of an entry's pointer marks a lock that is handed over (FUTEX_LOCK_PI). */
static int read_entry(void __user *__user *from, struct robust_list __user **entry, bool *handed_over)
{
	void __user *value;

	if (get_user(value, from))
		return -EFAULT;
	*entry = (struct robust_list __user *)((unsigned long)value & ~1UL);
	*handed_over = (unsigned long)value & 1;
	return 0;
}

void futex_exit(struct thread *thread)
{
	struct robust_list_head __user *head = thread->robust_list;
	struct robust_list __user *entry, *next, *pending;
	bool entry_pi, next_pi, pending_pi;
	long offset;

	thread->robust_list = NULL;
	if (!head || read_entry((void __user *__user *)user_member(head, list.next), &entry, &entry_pi) ||
	    get_user(offset, user_member(head, futex_offset)) ||
	    read_entry((void __user *__user *)user_member(head, list_op_pending), &pending, &pending_pi))
		return;
	for (int limit = ROBUST_LIMIT; entry != user_member(head, list) && limit; limit--) {
		/* Read before the lock is given up: its new owner may take it off the list. */
		bool broken =
			read_entry((void __user *__user *)user_member(entry, next), &next, &next_pi);

		if (entry != pending && owner_died((u32 __user *)((char __user *)entry + offset),
						   thread->pid, false, entry_pi))
			return;
		if (broken)
			return;
		entry = next;
		entry_pi = next_pi;
		cond_resched();
	}
	if (pending && owner_died((u32 __user *)((char __user *)pending + offset), thread->pid,
				  true, pending_pi))
		return;
}

/* The system call -------------------------------------------------------------------------------------------------- */

int futex_deadline_get(unsigned int operation, const struct __kernel_timespec __user *timeout,
		       u64 *deadline)
{
	struct __kernel_timespec time;
	u64 now, then;

	*deadline = WAIT_FOREVER;
	if (!timeout)
		return 0;
	if (copy_from_user(&time, timeout, sizeof(time)))
		return -EFAULT;
	if (!timespec_valid(&time))
		return -EINVAL;
	if ((operation & FUTEX_CMD_MASK) == FUTEX_WAIT) {
		*deadline = deadline_after(&time);
		return 0;
	}
	if (time.tv_sec > 1LL << 33)
		return 0;
	then = timespec_to_ns(&time);
	*deadline = then;
	if (operation & FUTEX_CLOCK_REALTIME) {
		now = time_realtime_ns();
		*deadline = time_monotonic_ns() + (then > now ? then - now : 0);
	}
	return 0;
}

long sys_futex(u32 __user *address, unsigned int operation, u32 value,
	       const struct __kernel_timespec __user *timeout, u32 __user *address2, u32 value3)
{
	bool private = operation & FUTEX_PRIVATE_FLAG;
	unsigned int command = operation & FUTEX_CMD_MASK;
	u32 value2 = (u32)(unsigned long)timeout;
	u64 deadline;
	int error;

	if (operation & FUTEX_CLOCK_REALTIME && command != FUTEX_WAIT_BITSET && command != FUTEX_LOCK_PI2)
		return -ENOSYS;
	switch (command) {
	case FUTEX_WAIT:
		value3 = FUTEX_BITSET_MATCH_ANY;
		__attribute__((fallthrough));
	case FUTEX_WAIT_BITSET:
		error = futex_deadline_get(operation, timeout, &deadline);
		return error ? error : futex_wait_until(address, private, value, value3, deadline);
	case FUTEX_WAKE:
		value3 = FUTEX_BITSET_MATCH_ANY;
		__attribute__((fallthrough));
	case FUTEX_WAKE_BITSET:
		return futex_wake(address, private, (int)value, value3);
	case FUTEX_REQUEUE:
		return futex_requeue(address, address2, private, (int)value, (int)value2, NULL);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(address, address2, private, (int)value, (int)value2, &value3);
	case FUTEX_LOCK_PI:
		operation |= FUTEX_CLOCK_REALTIME;
		__attribute__((fallthrough));
	case FUTEX_LOCK_PI2:
		error = futex_deadline_get(operation, timeout, &deadline);
		return error ? error : owner_lock(address, private, deadline, false);
	case FUTEX_TRYLOCK_PI:
		return owner_lock(address, private, WAIT_FOREVER, true);
	case FUTEX_UNLOCK_PI:
		return owner_unlock(address, private);
	case FUTEX_WAKE_OP:
		return futex_wake_operation(address, address2, private, (int)value, (int)value2, value3);
	default:
		return -ENOSYS;
	}
}

void __init futex_init(void)
{
	for (unsigned int i = 0; i < BUCKETS; i++) {
		spin_init(&buckets[i].lock, "futex");
		list_init(&buckets[i].waiters);
	}
}
