/*
 * The quarantine of the debug build: freed objects and pages wait here, first in first out, before their memory is used again,
 * so that who still uses one is caught. Objects are linked through their own first bytes, pages through their descriptors,
 * so that what is in them can be compared with what they were filled with. The size of each kind is bounded by a part of RAM;
 * when memory is short both are emptied.
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
static struct list pages = LIST_INIT(pages); /* by link; the oldest first */
static size_t object_bytes, page_bytes;
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

/* How many bytes of each kind may be here. */
static size_t limit(void)
{
	static size_t bytes;
	struct memory_info info;

	if (unlikely(!bytes)) {
		memory_info(&info);
		bytes = min(info.total_pages * PAGE_SIZE / SHARE, BYTES_MAX);
	}
	return bytes;
}

/* ---- Objects ---- */

/* Takes the oldest object out if there are more bytes than `allowed`. */
static void *evict(size_t allowed)
{
	unsigned long flags = quarantine_lock();
	struct freed *freed = object_bytes > allowed ? oldest : NULL;

	if (freed) {
		oldest = freed->next;
		if (!oldest)
			newest = NULL;
		object_bytes -= slab_object_room(freed);
	}
	quarantine_unlock(flags);
	return freed;
}

void quarantine_put(void *object)
{
	struct freed *freed = object;
	unsigned long flags;

	freed->next = NULL;
	flags = quarantine_lock();
	if (newest)
		newest->next = freed;
	else
		oldest = freed;
	newest = freed;
	object_bytes += slab_object_room(freed);
	quarantine_unlock(flags);
	for (unsigned int i = 0; i < EVICTED_AT_ONCE; i++) {
		object = evict(limit());
		if (!object)
			break;
		slab_free_now(object);
	}
}

void quarantine_empty(void)
{
	void *object;

	while ((object = evict(0)))
		slab_free_now(object);
}

/* ---- Pages ---- */

static struct page *evict_page(size_t allowed)
{
	unsigned long flags = quarantine_lock();
	struct page *page = NULL;

	if (page_bytes > allowed) {
		page = list_first(&pages, struct page, link);
		list_del(&page->link);
		page_bytes -= PAGE_SIZE << page->order;
	}
	quarantine_unlock(flags);
	return page;
}

void quarantine_put_page(struct page *page)
{
	unsigned long flags = quarantine_lock();

	list_add_tail(&pages, &page->link);
	page_bytes += PAGE_SIZE << page->order;
	quarantine_unlock(flags);
	for (unsigned int i = 0; i < EVICTED_AT_ONCE; i++) {
		page = evict_page(limit());
		if (!page)
			break;
		page_free_now(page);
	}
}

void quarantine_empty_pages(void)
{
	struct page *page;

	while ((page = evict_page(0)))
		page_free_now(page);
}

size_t quarantine_bytes(void)
{
	return READ_ONCE(object_bytes) + READ_ONCE(page_bytes);
}
#endif
