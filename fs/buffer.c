/*
 * Buffers: a filesystem's own blocks, as slices of the pages of its device's page cache.
 *
 * Each device has a cache of buffers by position. A buffer that is in it has its bytes: the page was read (or, for who is going to
 * overwrite all of it, made) before the buffer was put in. It is in one of these states:
 *
 *	used		refs > 0, in no list
 *	dirty		in cache->dirty, in the order of dirtying; used or not
 *	being written	BUFFER_WRITING; perhaps dirty again
 *	unused		refs == 0, clean, not being written: in cache->unused, given up from there when memory is short
 *
 * The flusher, a delayed work of the cache, writes what has been dirty for DIRTY_AGE_NS, or everything when there is much.
 */
#define LOG_PREFIX "buffer: "
#include <kumo/buffer.h>

#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/page.h>
#include <kumo/pagecache.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/thread.h>
#include <kumo/tree.h>
#include <kumo/xarray.h>

#define DIRTY_AGE_NS (5 * NSEC_PER_SEC)
#define FLUSH_PAUSE_NS NSEC_PER_SEC
#define DIRTY_MANY 2048 /* buffers of a device, above which they do not wait for their age */
#define BATCH 64	/* written or given up at once */

enum { BUFFER_DIRTY = 1, BUFFER_WRITING = 2, BUFFER_LOCKED = 4 };

struct buffer_cache {
	struct block_device *device;
	spinlock_t lock;       /* interrupts off */
	struct xarray buffers; /* by the sector that they begin at */
	struct list dirty, unused;
	unsigned int dirty_count, writing_count;
	int error;		   /* the first that buffers_sync() has not told */
	struct wait_queue changed; /* a write ended, a buffer was unlocked */
	struct delayed_work flusher;
	struct list link; /* of `caches` */
};

static spinlock_t caches_lock = SPINLOCK_INIT("buffer_caches"); /* outside of cache->lock */
static struct list caches = LIST_INIT(caches);

static struct buffer_cache *cache_of(const struct buffer *buffer)
{
	return buffer->device->buffers;
}

static u64 key_of(u64 block, u32 size)
{
	return block * (size / BLOCK_SECTOR);
}

/* ---- States; cache->lock is held ---- */

static void settle_locked(struct buffer_cache *cache, struct buffer *buffer)
{
	if (!buffer->refs && !(buffer->flags & (BUFFER_DIRTY | BUFFER_WRITING)) &&
	    list_empty(&buffer->link))
		list_add_tail(&cache->unused, &buffer->link);
}

static void use_locked(struct buffer *buffer)
{
	if (!buffer->refs++ && !(buffer->flags & BUFFER_DIRTY) && !list_empty(&buffer->link))
		list_del_init(&buffer->link);
}

static void clean_locked(struct buffer_cache *cache, struct buffer *buffer)
{
	if (!(buffer->flags & BUFFER_DIRTY))
		return;
	buffer->flags &= ~(unsigned int)BUFFER_DIRTY;
	list_del_init(&buffer->link);
	cache->dirty_count--;
}

/* Takes it out of the cache; it is in no list. */
static void remove_locked(struct buffer_cache *cache, struct buffer *buffer)
{
	xarray_remove(&cache->buffers, key_of(buffer->block, buffer->size));
}

static void buffer_free(struct buffer *buffer)
{
	page_put(buffer->page);
	kfree(buffer);
}

/* ---- The cache ---- */

static void flush_old(struct work *work);

static struct buffer_cache *cache_make(struct block_device *device)
{
	struct buffer_cache *cache = kzalloc(sizeof(*cache), GFP_KERNEL), *expected = NULL;

	if (!cache)
		return NULL;
	cache->device = device;
	spin_init(&cache->lock, "buffer_cache");
	list_init(&cache->dirty);
	list_init(&cache->unused);
	wait_queue_init(&cache->changed);
	delayed_work_init(&cache->flusher, flush_old);
	if (!__atomic_compare_exchange_n(&device->buffers, (void **)&expected, cache, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
		kfree(cache);
		return expected;
	}
	spin_lock(&caches_lock);
	list_add_tail(&caches, &cache->link);
	spin_unlock(&caches_lock);
	return cache;
}

static struct buffer_cache *device_cache(struct block_device *device)
{
	struct buffer_cache *cache = smp_load_acquire(&device->buffers);

	return cache ? cache : cache_make(device);
}

/* A reference to what is cached there, or NULL. ERR_PTR(-EBUSY): it has another size, and cannot go. */
static struct buffer *find(struct buffer_cache *cache, u64 block, u32 size)
{
	unsigned long flags = spin_lock_irqsave(&cache->lock);
	struct buffer *buffer = xarray_load(&cache->buffers, key_of(block, size)), *stale = NULL;

	if (buffer && buffer->size != size) {
		if (!buffer->refs && !(buffer->flags & (BUFFER_DIRTY | BUFFER_WRITING))) {
			stale = buffer;
			list_del_init(&stale->link);
			remove_locked(cache, stale);
			buffer = NULL;
		} else {
			buffer = ERR_PTR(-EBUSY);
		}
	} else if (buffer) {
		use_locked(buffer);
	}
	spin_unlock_irqrestore(&cache->lock, flags);
	if (stale)
		buffer_free(stale);
	return buffer;
}

/* Puts a new one in, or finds that another was faster. Takes over the page's reference. */
static struct buffer *insert(struct buffer_cache *cache, u64 block, u32 size, struct page *page)
{
	struct buffer *buffer = kzalloc(sizeof(*buffer), GFP_KERNEL), *there;
	unsigned long flags;
	int error = 0;

	if (!buffer) {
		page_put(page);
		return ERR_PTR(-ENOMEM);
	}
	buffer->device = cache->device;
	buffer->block = block;
	buffer->size = size;
	buffer->page = page;
	buffer->segment = (struct block_segment){ .page = page,
						  .offset = (u32)(block * size % PAGE_SIZE),
						  .length = size };
	buffer->data = (char *)page_address(page) + buffer->segment.offset;
	buffer->refs = 1;
	list_init(&buffer->link);
	flags = spin_lock_irqsave(&cache->lock);
	there = xarray_load(&cache->buffers, key_of(block, size));
	if (!there)
		error = xarray_store(&cache->buffers, key_of(block, size), buffer, GFP_ATOMIC);
	spin_unlock_irqrestore(&cache->lock, flags);
	if (!there && !error)
		return buffer;
	buffer_free(buffer);
	return error ? ERR_PTR(error) : find(cache, block, size);
}

/* new: a whole page need not be read. */
static struct buffer *get(struct block_device *device, u64 block, u32 size, bool new)
{
	struct buffer_cache *cache = device_cache(device);
	u64 device_size = block_device_size(device);
	struct page_cache *pages = node_page_cache(device->node);
	struct buffer *buffer;
	struct page *page;

	if (!cache || !pages)
		return ERR_PTR(-ENOMEM);
	if (size < device->logical_block_size || size > PAGE_SIZE || (size & (size - 1)))
		return ERR_PTR(-EINVAL);
	if (!block_device_alive(device))
		return ERR_PTR(-EIO);
	if (block >= device_size / size)
		return ERR_PTR(-EINVAL);
	do {
		buffer = find(cache, block, size);
		if (buffer)
			return buffer;
		page = new &&size == PAGE_SIZE
			       ? page_cache_get_new(pages, block)
			       : page_cache_get(pages, block * size >> PAGE_SHIFT, true);
		if (IS_ERR(page))
			return ERR_PTR(PTR_ERR(page));
		buffer = insert(cache, block, size, page);
	} while (!buffer);
	return buffer;
}

struct buffer *buffer_read(struct block_device *device, u64 block, u32 size)
{
	return get(device, block, size, false);
}
EXPORT_SYMBOL(buffer_read);

struct buffer *buffer_get(struct block_device *device, u64 block, u32 size)
{
	return get(device, block, size, true);
}
EXPORT_SYMBOL(buffer_get);

void buffer_ref(struct buffer *buffer)
{
	struct buffer_cache *cache = cache_of(buffer);
	unsigned long flags = spin_lock_irqsave(&cache->lock);

	use_locked(buffer);
	spin_unlock_irqrestore(&cache->lock, flags);
}
EXPORT_SYMBOL(buffer_ref);

void buffer_put(struct buffer *buffer)
{
	struct buffer_cache *cache;
	unsigned long flags;

	if (!buffer)
		return;
	cache = cache_of(buffer);
	flags = spin_lock_irqsave(&cache->lock);
	WARN_ON(!buffer->refs);
	buffer->refs--;
	settle_locked(cache, buffer);
	spin_unlock_irqrestore(&cache->lock, flags);
}
EXPORT_SYMBOL(buffer_put);

/* ---- Dirty ---- */

void buffer_mark_dirty(struct buffer *buffer)
{
	struct buffer_cache *cache = cache_of(buffer);
	unsigned long flags = spin_lock_irqsave(&cache->lock);
	u64 now = time_monotonic_ns();
	unsigned int count = cache->dirty_count;

	if (!(buffer->flags & BUFFER_DIRTY)) {
		buffer->flags |= BUFFER_DIRTY;
		buffer->dirtied_ns = now;
		list_add_tail(&cache->dirty, &buffer->link);
		cache->dirty_count = ++count;
		if (count == 1)
			delayed_work_queue(&cache->flusher, now + DIRTY_AGE_NS);
		else if (count == DIRTY_MANY)
			delayed_work_queue(&cache->flusher, now);
	}
	spin_unlock_irqrestore(&cache->lock, flags);
}
EXPORT_SYMBOL(buffer_mark_dirty);

bool buffer_is_dirty(const struct buffer *buffer)
{
	return READ_ONCE(buffer->flags) & BUFFER_DIRTY;
}
EXPORT_SYMBOL(buffer_is_dirty);

void buffer_pin(struct buffer *buffer)
{
	struct buffer_cache *cache = cache_of(buffer);
	unsigned long flags = spin_lock_irqsave(&cache->lock);

	buffer->pins++;
	spin_unlock_irqrestore(&cache->lock, flags);
}
EXPORT_SYMBOL(buffer_pin);

void buffer_unpin(struct buffer *buffer)
{
	struct buffer_cache *cache = cache_of(buffer);
	unsigned long flags = spin_lock_irqsave(&cache->lock);

	WARN_ON(!buffer->pins);
	buffer->pins--;
	spin_unlock_irqrestore(&cache->lock, flags);
}
EXPORT_SYMBOL(buffer_unpin);

/* ---- Writing ---- */

static void write_done(struct block_request *request)
{
	struct buffer *buffer = request->private;
	struct buffer_cache *cache = cache_of(buffer);
	unsigned long flags = spin_lock_irqsave(&cache->lock);

	buffer->flags &= ~(unsigned int)BUFFER_WRITING;
	cache->writing_count--;
	if (request->error) {
		buffer->error = request->error;
		if (!cache->error)
			cache->error = request->error;
	}
	settle_locked(cache, buffer);
	wake_up_all(&cache->changed);
	spin_unlock_irqrestore(&cache->lock, flags);
}

/* What is submitted then. cache->lock is held; nobody writes it. */
static struct block_request *write_begin_locked(struct buffer_cache *cache, struct buffer *buffer,
						unsigned int request_flags)
{
	clean_locked(cache, buffer);
	if (!list_empty(&buffer->link))
		list_del_init(&buffer->link);
	buffer->flags |= BUFFER_WRITING;
	cache->writing_count++;
	block_request_init(&buffer->request, buffer->device, BLOCK_WRITE, request_flags | BLOCK_META,
			   buffer->block * buffer->size, &buffer->segment, 1, write_done, buffer);
	return &buffer->request;
}

/* With none of `flags` set. Sets `set` then, under the lock. */
static void wait_without(struct buffer_cache *cache, struct buffer *buffer, unsigned int without,
			 unsigned int set)
{
	unsigned long flags;
	bool got;

	do {
		wait_event(&cache->changed, !(READ_ONCE(buffer->flags) & without));
		flags = spin_lock_irqsave(&cache->lock);
		got = !(buffer->flags & without);
		if (got)
			buffer->flags |= set;
		spin_unlock_irqrestore(&cache->lock, flags);
	} while (!got);
}

void buffer_submit(struct buffer *buffer, unsigned int request_flags)
{
	struct buffer_cache *cache = cache_of(buffer);
	struct block_request *request = NULL;
	unsigned long flags;

	while (!request) {
		wait_event(&cache->changed, !(READ_ONCE(buffer->flags) & BUFFER_WRITING));
		flags = spin_lock_irqsave(&cache->lock);
		if (!(buffer->flags & BUFFER_WRITING))
			request = write_begin_locked(cache, buffer, request_flags);
		spin_unlock_irqrestore(&cache->lock, flags);
	}
	block_submit(request);
}
EXPORT_SYMBOL(buffer_submit);

int buffer_wait(struct buffer *buffer)
{
	struct buffer_cache *cache = cache_of(buffer);
	unsigned long flags;
	int error;

	wait_without(cache, buffer, BUFFER_WRITING, 0);
	flags = spin_lock_irqsave(&cache->lock);
	error = buffer->error;
	buffer->error = 0;
	spin_unlock_irqrestore(&cache->lock, flags);
	return error;
}
EXPORT_SYMBOL(buffer_wait);

int buffer_write(struct buffer *buffer, unsigned int flags)
{
	buffer_submit(buffer, flags | BLOCK_SYNC);
	return buffer_wait(buffer);
}
EXPORT_SYMBOL(buffer_write);

void buffer_lock(struct buffer *buffer)
{
	wait_without(cache_of(buffer), buffer, BUFFER_LOCKED | BUFFER_WRITING, BUFFER_LOCKED);
}
EXPORT_SYMBOL(buffer_lock);

void buffer_unlock(struct buffer *buffer)
{
	struct buffer_cache *cache = cache_of(buffer);
	unsigned long flags = spin_lock_irqsave(&cache->lock);

	buffer->flags &= ~(unsigned int)BUFFER_LOCKED;
	wake_up_all(&cache->changed);
	spin_unlock_irqrestore(&cache->lock, flags);
}
EXPORT_SYMBOL(buffer_unlock);

/*
 * Begins to write up to BATCH buffers that have been dirty since `before`; how many. Those that may not be written now stay where
 * they are. `*left` says that such a one was met.
 */
static unsigned int write_batch(struct buffer_cache *cache, u64 before, bool *left)
{
	struct block_request *requests[BATCH];
	struct buffer *buffer, *after;
	struct block_plug plug;
	unsigned int count = 0;
	unsigned long flags = spin_lock_irqsave(&cache->lock);

	*left = false;
	list_for_each_safe(buffer, after, &cache->dirty, link) {
		if (buffer->dirtied_ns > before || count == BATCH)
			break;
		if (buffer->pins || (buffer->flags & (BUFFER_LOCKED | BUFFER_WRITING))) {
			*left |= !buffer->pins;
			continue;
		}
		requests[count++] = write_begin_locked(cache, buffer, 0);
	}
	spin_unlock_irqrestore(&cache->lock, flags);
	block_plug_start(&plug);
	for (unsigned int i = 0; i < count; i++)
		block_plug_submit(&plug, requests[i]);
	block_plug_finish(&plug);
	return count;
}

/* Under the lock: false, and whoever ended the last write is done with the cache. */
static bool writing(struct buffer_cache *cache)
{
	unsigned long flags = spin_lock_irqsave(&cache->lock);
	bool any = cache->writing_count;

	spin_unlock_irqrestore(&cache->lock, flags);
	return any;
}

static void flush_old(struct work *work)
{
	struct delayed_work *delayed = container_of(work, struct delayed_work, work);
	struct buffer_cache *cache = container_of(delayed, struct buffer_cache, flusher);
	u64 now = time_monotonic_ns();
	u64 before = READ_ONCE(cache->dirty_count) >= DIRTY_MANY ? now : now - min(now, DIRTY_AGE_NS);
	bool left;

	while (write_batch(cache, before, &left) == BATCH)
		cond_resched();
	if (READ_ONCE(cache->dirty_count))
		delayed_work_queue(&cache->flusher, now + FLUSH_PAUSE_NS);
}

int buffers_sync(struct block_device *device)
{
	struct buffer_cache *cache = smp_load_acquire(&device->buffers);
	u64 now = time_monotonic_ns();
	unsigned long flags;
	bool left;
	int error;

	if (!cache)
		return 0;
	do {
		while (write_batch(cache, now, &left))
			cond_resched();
		wait_event(&cache->changed, !writing(cache));
		if (left) /* somebody changes it */
			sleep_ns(NSEC_PER_MSEC);
	} while (left);
	flags = spin_lock_irqsave(&cache->lock);
	error = cache->error;
	cache->error = 0;
	spin_unlock_irqrestore(&cache->lock, flags);
	return error;
}
EXPORT_SYMBOL(buffers_sync);

/* ---- Leaving ---- */

/* The next buffer in [first, last] of sectors, referenced, or NULL. */
static struct buffer *next_in(struct buffer_cache *cache, u64 *first, u64 last)
{
	unsigned long flags = spin_lock_irqsave(&cache->lock);
	struct buffer *buffer = xarray_find(&cache->buffers, first);

	if (buffer && *first > last)
		buffer = NULL;
	if (buffer)
		use_locked(buffer);
	spin_unlock_irqrestore(&cache->lock, flags);
	return buffer;
}

void buffers_forget(struct block_device *device, u64 first, u64 count, u32 size)
{
	struct buffer_cache *cache = smp_load_acquire(&device->buffers);
	u64 at = key_of(first, size), last = key_of(first + count, size) - 1;
	struct buffer *buffer;
	unsigned long flags;

	while (cache && count && (buffer = next_in(cache, &at, last))) {
		flags = spin_lock_irqsave(&cache->lock);
		clean_locked(cache, buffer);
		spin_unlock_irqrestore(&cache->lock, flags);
		wait_without(cache, buffer, BUFFER_WRITING, 0);
		buffer_put(buffer);
		at++;
	}
}
EXPORT_SYMBOL(buffers_forget);

/* Takes up to BATCH unused buffers out; how many. */
static unsigned int take_unused(struct buffer_cache *cache, struct buffer **buffers, unsigned long wanted)
{
	unsigned long flags = spin_lock_irqsave(&cache->lock);
	unsigned int count = 0;

	while (count < min(wanted, (unsigned long)BATCH) && !list_empty(&cache->unused)) {
		struct buffer *buffer = list_first(&cache->unused, struct buffer, link);

		list_del_init(&buffer->link);
		remove_locked(cache, buffer);
		buffers[count++] = buffer;
	}
	spin_unlock_irqrestore(&cache->lock, flags);
	return count;
}

/* Their pages can be given up by the page cache once no buffer holds them. */
static bool shrink(unsigned long pages_wanted)
{
	struct buffer *buffers[BATCH];
	struct buffer_cache *cache;
	unsigned long freed = 0;
	unsigned int count;

	spin_lock(&caches_lock);
	list_for_each(cache, &caches, link) {
		while (freed < pages_wanted &&
		       (count = take_unused(cache, buffers, pages_wanted - freed))) {
			for (unsigned int i = 0; i < count; i++)
				buffer_free(buffers[i]);
			freed += count;
		}
	}
	spin_unlock(&caches_lock);
	return freed;
}

bool buffers_drop(struct block_device *device)
{
	struct buffer_cache *cache = smp_load_acquire(&device->buffers);
	struct buffer *buffers[BATCH];
	unsigned int count;
	unsigned long flags;
	u64 at = 0;
	bool empty;

	if (!cache)
		return true;
	while ((count = take_unused(cache, buffers, BATCH)))
		for (unsigned int i = 0; i < count; i++)
			buffer_free(buffers[i]);
	flags = spin_lock_irqsave(&cache->lock);
	empty = !xarray_find(&cache->buffers, &at);
	spin_unlock_irqrestore(&cache->lock, flags);
	return empty;
}

static struct shrinker buffer_shrinker = { .shrink = shrink };

void buffers_destroy(struct block_device *device)
{
	struct buffer_cache *cache = device->buffers;
	struct buffer *buffer;
	u64 at = 0;

	if (!cache)
		return;
	spin_lock(&caches_lock);
	list_del(&cache->link);
	spin_unlock(&caches_lock);
	delayed_work_cancel_sync(&cache->flusher);
	wait_event(&cache->changed, !writing(cache));
	while ((buffer = xarray_find(&cache->buffers, &at))) {
		WARN_ON(buffer->refs);
		xarray_remove(&cache->buffers, at);
		buffer_free(buffer);
	}
	xarray_destroy(&cache->buffers);
	kfree(cache);
}

void __init buffers_init(void)
{
	shrinker_register(&buffer_shrinker);
}
