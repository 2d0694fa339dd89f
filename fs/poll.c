/*
 * Waiting for files (poll.h). A waiter stays linked in the queues of all files that it asks about from its first look on,
 * and is marked by whoever wakes one of them; so nothing that happens between a look and the sleep is lost.
 */
#include <kumo/export.h>
#include <kumo/poll.h>
#include <kumo/serve.h>
#include <kumo/slab.h>

#include "internal.h"

struct poll_page {
	struct poll_page *next;
	unsigned int count;
	struct poll_entry entries[];
};
#define POLL_PAGE_ENTRIES ((PAGE_SIZE - sizeof(struct poll_page)) / sizeof(struct poll_entry))

void poll_wait_gone(struct wait_entry *wait)
{
	struct list *next = wait->link.next, *prev = wait->link.prev;

	next->prev = prev;
	WRITE_ONCE(prev->next, next);
	smp_store_release(&wait->link.next, NULL); /* pairs with poll_wait_leave() */
}

void poll_wait_leave(struct wait_queue *queue, struct wait_entry *wait)
{
	/* Taken out already, the queue may be gone; else it stays for a grace period after it takes us out. */
	rcu_read_lock();
	if (smp_load_acquire(&wait->link.next))
		wait_queue_remove(queue, wait);
	rcu_read_unlock();
}

/* The queue's lock is held, interrupts are off. The entry stays linked until its owner takes it out. */
static bool poll_wake(struct wait_entry *wait, unsigned long key)
{
	struct poll_entry *entry = container_of(wait, struct poll_entry, wait);

	if (key != POLL_QUEUE_GONE && key && !(key & entry->events))
		return false;
	if (unlikely(key == POLL_QUEUE_GONE))
		WRITE_ONCE(entry->waiter->queue_gone, true);
	WRITE_ONCE(entry->waiter->triggered, true);
	thread_wake(wait->thread); /* a full barrier before it looks at the sleeper's state: triggered is seen, or it sleeps */
	if (unlikely(key == POLL_QUEUE_GONE))
		poll_wait_gone(wait); /* the only time that it is unlinked here */
	return true;
}

static struct poll_entry *poll_entry_alloc(struct poll_waiter *waiter)
{
	struct poll_page *page = waiter->pages;

	if (waiter->count < POLL_ENTRIES_INLINE)
		return &waiter->entries[waiter->count++];
	if (!page || page->count == POLL_PAGE_ENTRIES) {
		page = kmalloc(PAGE_SIZE, GFP_KERNEL);
		if (!page)
			return NULL;
		page->count = 0;
		page->next = waiter->pages;
		waiter->pages = page;
	}
	return &page->entries[page->count++];
}

static void poll_add(struct file *file, struct wait_queue *queue, struct poll_table *table)
{
	struct poll_waiter *waiter = container_of(table, struct poll_waiter, table);
	struct poll_entry *entry = poll_entry_alloc(waiter);

	if (!entry) {
		waiter->error = -ENOMEM;
		return;
	}
	wait_entry_init(&entry->wait);
	entry->wait.wake = poll_wake;
	entry->waiter = waiter;
	entry->queue = queue;
	entry->file = file_get(file);
	entry->events = table->events | POLLERR | POLLHUP;
	wait_queue_add(queue, &entry->wait);
}

u32 file_poll(struct file *file, struct poll_table *table)
{
	if (!file->ops->poll)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return serve_poll(file, table);
}

void poll_waiter_init(struct poll_waiter *waiter)
{
	waiter->table.add = poll_add;
	waiter->table.events = 0;
	waiter->triggered = false;
	waiter->queue_gone = false;
	waiter->error = 0;
	waiter->count = 0;
	waiter->pages = NULL;
}

int poll_waiter_sleep(struct poll_waiter *waiter, u64 deadline_ns)
{
	int error = 0;

	thread_set_state(THREAD_INTERRUPTIBLE);
	if (!READ_ONCE(waiter->triggered))
		error = wait_sleep(WAIT_INTERRUPTIBLE, deadline_ns);
	WRITE_ONCE(current->state, THREAD_RUNNING);
	__atomic_store_n(&waiter->triggered, false, __ATOMIC_SEQ_CST); /* before the next look at the files */
	return error;
}

static void poll_entry_release(struct poll_entry *entry)
{
	poll_wait_leave(entry->queue, &entry->wait);
	file_put(entry->file);
}

void poll_waiter_release(struct poll_waiter *waiter)
{
	struct poll_page *page, *next;

	for (unsigned int i = 0; i < waiter->count; i++)
		poll_entry_release(&waiter->entries[i]);
	for (page = waiter->pages; page; page = next) {
		next = page->next;
		for (unsigned int i = 0; i < page->count; i++)
			poll_entry_release(&page->entries[i]);
		kfree(page);
	}
	waiter->pages = NULL;
	waiter->count = 0;
}

struct poll_table *poll_waiter_table(struct poll_waiter *waiter)
{
	u32 events = waiter->table.events;

	if (likely(!READ_ONCE(waiter->queue_gone)))
		return NULL;
	poll_waiter_release(waiter);
	poll_waiter_init(waiter);
	waiter->table.events = events;
	return &waiter->table;
}

void poll_queue_leaves(struct wait_queue *queue)
{
	wake_up_key(queue, POLL_QUEUE_GONE);
}

void poll_queue_gone(struct wait_queue *queue)
{
	poll_queue_leaves(queue);
	synchronize_rcu();
}
EXPORT_SYMBOL(poll_queue_gone);
EXPORT_SYMBOL(file_poll);
EXPORT_SYMBOL(poll_waiter_init);
EXPORT_SYMBOL(poll_waiter_sleep);
EXPORT_SYMBOL(poll_waiter_table);
EXPORT_SYMBOL(poll_waiter_release);
