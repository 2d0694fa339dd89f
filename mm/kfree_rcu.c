/*
 * kfree_rcu: frees objects after a grace period, without asking for room in them.
 *
 * Each CPU collects objects in a batch. The first object of a batch asks for a grace period; when that has passed the
 * batch is closed and, since objects kept coming meanwhile, waits for a second one, after which all of it is freed. So
 * an object goes after one to two grace periods, without a timer, and a burst costs one callback for each batch.
 */
#define LOG_PREFIX "slab: "
#include "internal.h"
#include <kumo/export.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/spinlock.h>

#define BATCH_OBJECTS 60 /* makes the batch 512 bytes */

struct free_batch {
	struct rcu_head rcu;
	struct free_collector *collector;
	unsigned int count;
	void *objects[BATCH_OBJECTS];
};

struct free_collector {
	spinlock_t lock; /* `filling`; a batch is closed by whichever CPU runs its callback. Interrupts off. */
	struct free_batch *filling;
};
static DEFINE_PER_CPU(struct free_collector, free_collector) = { .lock = SPINLOCK_INIT("kfree_rcu") };

static void batch_free(struct rcu_head *head)
{
	struct free_batch *batch = container_of(head, struct free_batch, rcu);

	for (unsigned int i = 0; i < batch->count; i++)
		kfree(batch->objects[i]);
	kfree(batch);
}

/* The grace period that the batch's first object asked for is over; the others need one more. */
static void batch_close(struct rcu_head *head)
{
	struct free_batch *batch = container_of(head, struct free_batch, rcu);
	unsigned long flags = spin_lock_irqsave(&batch->collector->lock);

	if (batch->collector->filling == batch)
		batch->collector->filling = NULL;
	spin_unlock_irqrestore(&batch->collector->lock, flags);
	call_rcu(&batch->rcu, batch_free);
}

void kfree_rcu(void *object)
{
	struct free_collector *collector;
	struct free_batch *batch;
	bool first = false;
	unsigned long flags;

	if (!object)
		return;
	flags = local_irq_save();
	collector = this_cpu_ptr(&free_collector);
	spin_lock(&collector->lock);
	batch = collector->filling;
	if (!batch || batch->count == BATCH_OBJECTS) {
		batch = kmalloc(sizeof(*batch), GFP_ATOMIC);
		if (!batch) {
			spin_unlock_irqrestore(&collector->lock, flags);
			pr_err("no memory to free an object after a grace period: it is lost\n");
			return;
		}
		batch->collector = collector;
		batch->count = 0;
		collector->filling = batch;
		first = true;
	}
	batch->objects[batch->count++] = object;
	spin_unlock_irqrestore(&collector->lock, flags);
	if (first)
		call_rcu(&batch->rcu, batch_close);
}
EXPORT_SYMBOL(kfree_rcu);
