/*
 * What the fuzzers of state machines have of a kernel (include/kumo beside this file): one thread, so that a lock that is taken twice
 * would never be had; work that is done when the world makes a step; nodes and pages, all counted.
 */
#include "one_thread.h"

#include <kumo/mutex.h>
#include <kumo/printk.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <stdlib.h>

static void must(bool good)
{
	if (!good)
		abort();
}

/* ---- Locks ---- */

void spin_init(spinlock_t *lock, const char *class_name)
{
	must(!pthread_mutex_init(&lock->lock, NULL));
}

void spin_lock(spinlock_t *lock)
{
	must(!pthread_mutex_trylock(&lock->lock));
}

void spin_unlock(spinlock_t *lock)
{
	must(!pthread_mutex_unlock(&lock->lock));
}

void mutex_init(struct mutex *mutex, const char *class_name)
{
	must(!pthread_mutex_init(&mutex->lock, NULL));
}

void mutex_lock(struct mutex *mutex)
{
	must(!pthread_mutex_trylock(&mutex->lock));
}

int mutex_lock_killable(struct mutex *mutex)
{
	mutex_lock(mutex);
	return 0;
}

void mutex_unlock(struct mutex *mutex)
{
	must(!pthread_mutex_unlock(&mutex->lock));
}

void rcu_read_lock(void)
{
}

void rcu_read_unlock(void)
{
}

void synchronize_rcu(void)
{
}

/* ---- Work ---- */

static struct list queued = LIST_INIT(queued);

void work_init(struct work *work, void (*function)(struct work *work))
{
	list_init(&work->link);
	work->function = function;
}

bool work_queue(struct work *work)
{
	if (!list_empty(&work->link))
		return false;
	list_add_tail(&queued, &work->link);
	return true;
}

/* Those that run, the innermost last: never one twice at once. What they lie in may be gone when they are done. */
static struct work *running[16];
static unsigned int running_count;

static bool work_runs(const struct work *work)
{
	for (unsigned int i = 0; i < running_count; i++)
		if (running[i] == work)
			return true;
	return false;
}

static void work_do(struct work *work)
{
	must(running_count < ARRAY_SIZE(running));
	list_del_init(&work->link);
	running[running_count++] = work;
	work->function(work);
	running_count--;
}

bool work_step(void)
{
	struct work *work;

	list_for_each(work, &queued, link)
		if (!work_runs(work)) {
			work_do(work);
			return true;
		}
	return false;
}

void work_flush(struct work *work)
{
	must(!work_runs(work));
	while (!list_empty(&work->link))
		work_do(work);
}

/* ---- Nodes ---- */

#define NODES_MAX 512

static struct node *nodes[NODES_MAX];
unsigned int node_count;

struct node *node_find(struct tree *tree, u64 id)
{
	for (unsigned int i = 0; i < node_count; i++)
		if (nodes[i]->attr.id == id) {
			refcount_inc(&nodes[i]->refs);
			return nodes[i];
		}
	return NULL;
}

struct node *node_obtain(struct tree *tree, u64 id, bool *fresh)
{
	struct node *node = node_find(tree, id);

	*fresh = !node;
	if (node)
		return node;
	node = node_count < NODES_MAX ? kzalloc(sizeof(*node), GFP_USER) : NULL;
	if (!node)
		return ERR_PTR(-ENOMEM);
	node->tree = tree;
	node->ops = tree->ops;
	node->attr.id = id;
	refcount_set(&node->refs, 1);
	nodes[node_count++] = node;
	return node;
}

void node_ready(struct node *node, int error)
{
	must(error || node->private);
}

void node_put(struct node *node)
{
	if (!refcount_dec_and_test(&node->refs))
		return;
	node->ops->forget(node);
	for (unsigned int i = 0; i < node_count; i++)
		if (nodes[i] == node) {
			nodes[i] = nodes[--node_count];
			break;
		}
	kfree(node);
}

void node_touch(struct node *node, bool access, bool modify, bool change)
{
	node->attr.mtime_ns += modify;
}

void node_setattr_copy(struct node *node, const struct attr_change *change)
{
	if (change->valid & SETATTR_MODE)
		node->attr.mode = (node->attr.mode & S_IFMT) | (change->mode & 07777);
}

int node_getattr(struct node *node, const struct cred *cred)
{
	return node->ops->getattr(node, cred);
}

/* ---- Pages ---- */

struct single_page {
	struct page page;
	struct single_page **at; /* where `memory` says whose it is */
};
unsigned int page_count;

/* Its bytes begin PAGE_SIZE before the word that leads back to it. */
struct page *page_alloc(unsigned int order, unsigned int gfp)
{
	struct single_page *single = kzalloc(sizeof(*single), gfp);

	if (!single)
		return NULL;
	single->page.address = aligned_alloc(PAGE_SIZE, 2 * PAGE_SIZE);
	must(single->page.address);
	single->at = (struct single_page **)((char *)single->page.address + PAGE_SIZE);
	*single->at = single;
	page_count++;
	return &single->page;
}

void page_put(struct page *page)
{
	free(page->address);
	kfree(container_of(page, struct single_page, page));
	page_count--;
}

struct page *virt_to_page(const void *address)
{
	return &(*(struct single_page **)((char *)address + PAGE_SIZE))->page;
}

void page_read_done(struct page *page, int error)
{
	must(page->error == PAGE_UNDER_WAY && error <= 0);
	page->error = error;
}

void page_write_done(struct page *page, int error)
{
	page_read_done(page, error);
}

/* Nothing is kept of files. */
int page_cache_sync(struct page_cache *cache, u64 first, u64 last)
{
	return 0;
}

int page_cache_truncate(struct page_cache *cache, u64 size)
{
	return 0;
}

void page_cache_drop(struct page_cache *cache, u64 start, u64 end)
{
}

ssize_t page_cache_read(struct file *file, struct iter *to, loff_t *pos)
{
	return -EINVAL;
}

ssize_t page_cache_write(struct file *file, struct iter *from, loff_t *pos)
{
	return -EINVAL;
}

int page_cache_mmap(struct file *file, struct vma *vma)
{
	return -ENODEV;
}

/* ---- Files ---- */

static char *iter_at(struct iter *iter, size_t size)
{
	char *at = (char *)iter->segments->iov_base + iter->offset;

	must(iter->segment_count == 1 && size <= iter->count);
	iter->offset += size;
	iter->count -= size;
	return at;
}

size_t iter_copy_to(struct iter *iter, const void *from, size_t size)
{
	size = min(size, iter->count);
	memcpy(iter_at(iter, size), from, size);
	return size;
}

size_t iter_copy_from(struct iter *iter, void *to, size_t size)
{
	size = min(size, iter->count);
	memcpy(to, iter_at(iter, size), size);
	return size;
}

loff_t file_seek_size(struct file *file, loff_t offset, int whence, u64 size)
{
	return offset;
}

bool dir_emit_dots(struct file *file, struct dir_context *context)
{
	context->offset = max(context->offset, (loff_t)2);
	return true;
}

void environment_module_init(int (*init)(void), const char *name)
{
	must(!init());
}
