/*
 * The quarantine of the debug build: freed objects wait here, first in first out, before their memory is used again, so that
 * who still uses one is caught. They are linked through their own first bytes. Its size is bounded by a part of RAM;
 * when memory is short it is emptied.
 */
#ifdef CONFIG_DEBUG
#include "../internal.h"
#include <kumo/asan.h>
#include <kumo/slab.h>
#include <kumo/spinlock.h>

#define SHARE 64 /* of RAM, at most */
#define BYTES_MAX (16 * MIB)
#define EVICTED_AT_ONCE 16

struct freed {
	struct freed *next;
};

static struct freed *oldest, *newest;
static size_t bytes, limit;
static u32 locked; /* raw: the lock checker's own memory comes here, too */

static unsigned long quarantine_lock(void)
{
	unsigned long flags = local_irq_save();

	while (__atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
	return flags;
}

static void quarantine_unlock(unsigned long flags)
{
	__atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
	local_irq_restore(flags);
}

/* Takes the oldest object out if the quarantine is larger than `allowed`. */
static void *evict(size_t allowed)
{
	unsigned long flags = quarantine_lock();
	struct freed *freed = bytes > allowed ? oldest : NULL;

	if (freed) {
		oldest = freed->next;
		if (!oldest)
			newest = NULL;
		bytes -= slab_object_room(freed);
	}
	quarantine_unlock(flags);
	return freed;
}

void quarantine_put(void *object)
{
	struct freed *freed = object;
	unsigned long flags;

	if (unlikely(!limit)) {
		struct memory_info info;

		memory_info(&info);
		limit = min(info.total_pages * PAGE_SIZE / SHARE, BYTES_MAX);
	}
	freed->next = NULL;
	flags = quarantine_lock();
	if (newest)
		newest->next = freed;
	else
		oldest = freed;
	newest = freed;
	bytes += slab_object_room(freed);
	quarantine_unlock(flags);
	for (unsigned int i = 0; i < EVICTED_AT_ONCE; i++) {
		object = evict(limit);
		if (!object)
			break;
		slab_free_now(object);
	}
}

size_t quarantine_bytes(void)
{
	return READ_ONCE(bytes);
}

void quarantine_empty(void)
{
	void *object;

	while ((object = evict(0)))
		slab_free_now(object);
}
#endif
