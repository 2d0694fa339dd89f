/*
 * Write-back: how dirty pages become stable.
 *
 * A page is dirty (PG_DIRTY and the mark PAGES_DIRTY in its cache) from the first change on; then PG_WRITEBACK while its tree
 * writes it; then clean, unless it was changed meanwhile. The two steps are made under cache->lock. PG_DIRTY goes before the
 * page's bytes are read for writing, and then the page is unmapped where stores could reach it, so that whatever is changed
 * later makes it dirty again (fault.c has the other half).
 *
 * A cache with dirty pages, or pages being written, is in its tree's list, which holds its node. The tree's thread takes it from
 * there: when its pages are EXPIRE_NS old, when there are too many dirty pages, or when memory is short. It is taken off when no
 * page is left of either kind. fsync(2) and sync(2) write by themselves.
 *
 * Who makes pages dirty while more than LIMIT_PART of the available memory is dirty waits until it is less; from
 * BACKGROUND_PART on the threads write without waiting for age.
 */
#include "pagecache_internal.h"
#include <kumo/error_sequence.h>
#include <kumo/export.h>
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/wait.h>

#define WRITE_RUN 64			       /* pages that a tree is asked to write at once */
#define INTERVAL_NS (5 * (u64)NSEC_PER_SEC)    /* between looks at what is old */
#define EXPIRE_NS (30 * (u64)NSEC_PER_SEC)     /* a page that was dirty so long is written */
#define THROTTLE_NS (100 * (u64)NSEC_PER_MSEC) /* between looks of who waits */
#define KEPT_PAUSE_NS (u64) NSEC_PER_MSEC      /* before what could not be written is tried again */
#define LAST_TRIES 1000			       /* at the end */
#define LIMIT_PART 5			       /* a fifth of the memory that is free or cached */
#define BACKGROUND_PART 10
#define FREE_PAGES 256 /* that may always be dirty */

struct writeback {
	struct tree *tree;
	spinlock_t lock;
	struct list caches; /* oldest first */
	struct mutex passing; /* who goes through the list: what is taken off it for that is not lost to others */
	struct wait_queue wake;
	struct thread *thread;
	bool hurry;    /* write now, whatever its age */
	bool gives_up; /* the tree goes: what cannot be written is lost */
	struct list all_link;
};

static spinlock_t all_lock = SPINLOCK_INIT("writebacks"); /* the list */
static struct list all = LIST_INIT(all);
static atomic64_t pages_total; /* dirty or being written */
static struct wait_queue throttled = WAIT_QUEUE_INIT(throttled);

u64 writeback_pages(void)
{
	return (u64)atomic64_read(&pages_total);
}
EXPORT_SYMBOL(writeback_pages);

/* ---- Becoming dirty ---- */

/* The cache has dirty pages: its tree's list takes hold of the node. */
static void list_cache(struct page_cache *cache)
{
	struct writeback *writeback = cache->node->tree->writeback;
	bool first = false;

	spin_lock(&writeback->lock);
	if (list_empty(&cache->dirty_link)) {
		node_get(cache->node);
		cache->dirtied_ns = time_monotonic_ns();
		first = list_empty(&writeback->caches);
		list_add_tail(&writeback->caches, &cache->dirty_link);
	}
	spin_unlock(&writeback->lock);
	if (first)
		wake_up(&writeback->wake); /* the thread slept without a time */
}

void page_cache_mark_dirty(struct page *page)
{
	struct page_cache *cache = READ_ONCE(page->cache);
	bool became = false;

	if (!cache || !cache_is_written_back(cache)) {
		if (!(READ_ONCE(page->flags) & BIT(PG_DIRTY)))
			set_bit(&page->flags, PG_DIRTY);
		return;
	}
	smp_mb(); /* bytes and size were changed before the mark is looked at; pairs with begin_writing(), which clears it before they are */
	if (READ_ONCE(page->flags) & BIT(PG_DIRTY))
		return;
	spin_lock(&cache->lock);
	if (page->cache == cache && !(page->flags & BIT(PG_DIRTY))) {
		set_bit(&page->flags, PG_DIRTY);
		xarray_set_mark(&cache->pages, page->index, PAGES_DIRTY);
		cache->dirty_pages++;
		became = true;
	}
	spin_unlock(&cache->lock);
	if (!became)
		return;
	atomic64_add(&pages_total, 1);
	if (list_empty(&cache->dirty_link)) /* looked at again under the list's lock; who takes it off looks at the count */
		list_cache(cache);
}
EXPORT_SYMBOL(page_cache_mark_dirty);

void writeback_forget_locked(struct page_cache *cache, struct page *page)
{
	if (!(page->flags & BIT(PG_DIRTY)) || !cache_is_written_back(cache))
		return;
	clear_bit(&page->flags, PG_DIRTY);
	xarray_clear_mark(&cache->pages, page->index, PAGES_DIRTY);
	cache->dirty_pages--;
	atomic64_add(&pages_total, -1);
}

/* ---- Writing ---- */

/* From dirty to being written, with the reference of the transfer. cache->lock held. */
static void begin_writing(struct page_cache *cache, struct page *page)
{
	page_get(page);
	clear_bit(&page->flags, PG_DIRTY);
	set_bit(&page->flags, PG_WRITEBACK);
	xarray_clear_mark(&cache->pages, page->index, PAGES_DIRTY);
	xarray_set_mark(&cache->pages, page->index, PAGES_WRITEBACK);
	cache->dirty_pages--;
	cache->writeback_pages++;
}

/* The next dirty pages at or after *index that are consecutive. `busy`: instead, one that is being written and was changed since,
 * referenced; without `wait` such are passed over. */
static unsigned int take_run(struct page_cache *cache, u64 *index, u64 last, struct page **run,
			     bool wait, struct page **busy)
{
	unsigned int count = 0;
	struct page *page;

	*busy = NULL;
	spin_lock(&cache->lock);
	while (*index <= last && count < WRITE_RUN) {
		page = count ? xarray_load(&cache->pages, *index)
			     : xarray_find_marked(&cache->pages, index, PAGES_DIRTY);
		if (!page || *index > last || !(page->flags & BIT(PG_DIRTY)))
			break;
		if (!(page->flags & BIT(PG_WRITEBACK))) {
			begin_writing(cache, page);
			run[count++] = page;
		} else if (count) {
			break;
		} else if (wait) {
			page_get(page);
			*busy = page;
			break;
		}
		++*index;
	}
	spin_unlock(&cache->lock);
	return count;
}

/* What to do about pages that are being written and were changed since. */
enum conflict { CONFLICT_SKIP, CONFLICT_WAIT, CONFLICT_WAIT_KILLABLE };

/* Writes the next run; how many pages, or (-EAGAIN, -EIO, -EINTR) the instance could not be asked. A dead or stale file's pages are
 * done with: they are lost. */
static int write_next(struct page_cache *cache, u64 *first, u64 last, enum conflict conflict,
		      struct page **busy)
{
	struct node *node = cache->node;
	struct page *run[WRITE_RUN];
	struct tree_visit visit;
	unsigned int count;
	int error = conflict == CONFLICT_SKIP ? tree_enter_nowait(node->tree, &visit)
					      : tree_enter(node->tree, &visit);

	*busy = NULL;
	if (unlikely(error && READ_ONCE(node->tree->state) != TREE_DEAD))
		return error; /* before any page is marked */
	count = take_run(cache, first, last, run, conflict != CONFLICT_SKIP, busy);
	if (count)
		page_cache_unmap(cache, run[0]->index, run[count - 1]->index, UNMAP_FROM_WRITERS);
	if (likely(count && !error && !(node->flags & NODE_STALE)))
		node->ops->write_pages(node, run, count);
	else
		for (unsigned int i = 0; i < count; i++)
			page_write_done(run[i], -EIO);
	if (!error)
		tree_leave(&visit);
	return (int)count;
}

static int write_out(struct page_cache *cache, u64 first, u64 last, enum conflict conflict)
{
	struct page *busy;
	int error = 0, written;

	if (!cache_is_written_back(cache))
		return 0;
	while (!error) {
		written = write_next(cache, &first, last, conflict, &busy);
		if (written < 0)
			return written;
		if (busy) {
			error = page_wait_written(cache, busy, conflict == CONFLICT_WAIT_KILLABLE);
			page_put(busy);
		} else if (!written) {
			break;
		}
		cond_resched();
		if (conflict == CONFLICT_WAIT_KILLABLE && fatal_signal_pending())
			error = -EINTR;
	}
	return error;
}

void page_cache_write_out(struct page_cache *cache, u64 first, u64 last)
{
	(void)write_out(cache, first, last, CONFLICT_SKIP); /* what cannot be written now stays dirty */
}
EXPORT_SYMBOL(page_cache_write_out);

/* Was the page not written for a reason that has nothing to do with it: the instance was lost, who wrote was killed, memory was short?
 * It is kept then, unless this is the last that is tried. */
static bool is_kept(const struct tree *tree, int error)
{
	if (error == -EINTR || error == -ENOMEM || error == -EAGAIN)
		return !READ_ONCE(tree->writeback->gives_up);
	return error == -ETREELOST;
}

/* It stays dirty, to be written later. False: it has become so again by itself. cache->lock held. */
static bool keep_dirty(struct page_cache *cache, struct page *page)
{
	cache->kept_dirty++;
	if (page->flags & BIT(PG_DIRTY))
		return false;
	set_bit(&page->flags, PG_DIRTY);
	xarray_set_mark(&cache->pages, page->index, PAGES_DIRTY);
	cache->dirty_pages++;
	return true;
}

void page_write_done(struct page *page, int error)
{
	struct page_cache *cache = page->cache; /* stays: who takes pages out waits for this */
	struct tree *tree = cache->node->tree;
	bool kept, done;

	spin_lock(&cache->lock);
	kept = is_kept(tree, error);
	done = !kept || !keep_dirty(cache, page);
	if (error && !kept)
		error_sequence_note(&cache->errors, error);
	clear_bit(&page->flags, PG_WRITEBACK);
	xarray_clear_mark(&cache->pages, page->index, PAGES_WRITEBACK);
	cache->writeback_pages--;
	spin_unlock(&cache->lock);
	if (!error && tree->flags & TREE_LISTED) /* acknowledged, and not stable yet */
		WRITE_ONCE(cache->node->unstable, READ_ONCE(tree->write_epoch));
	if (done)
		atomic64_add(&pages_total, -1);
	page_wake_waiters(page);
	if (wait_queue_active(&throttled))
		wake_up_all(&throttled);
	page_put(page);
}
EXPORT_SYMBOL(page_write_done);

/* The first page of [*first, last] that is being written, referenced, or NULL. */
static struct page *find_writing(struct page_cache *cache, u64 *first, u64 last)
{
	struct page *page;

	spin_lock(&cache->lock);
	page = xarray_find_marked(&cache->pages, first, PAGES_WRITEBACK);
	if (page && *first <= last)
		page_get(page);
	else
		page = NULL;
	spin_unlock(&cache->lock);
	return page;
}

/* -ETREELOST: pages are dirty again, since their instance is lost; -EAGAIN: for another reason, that will pass. */
static int sync_pages(struct page_cache *cache, u64 first, u64 last, enum conflict conflict)
{
	unsigned int kept = READ_ONCE(cache->kept_dirty);
	int error = write_out(cache, first, last, conflict);
	struct page *page;

	for (; !error && (page = find_writing(cache, &first, last)); first++) {
		error = page_wait_written(cache, page, conflict == CONFLICT_WAIT_KILLABLE);
		page_put(page);
	}
	if (error || kept == READ_ONCE(cache->kept_dirty))
		return error;
	return tree_is_losing(cache->node->tree) ? -ETREELOST : -EAGAIN;
}

int page_cache_sync(struct page_cache *cache, u64 first, u64 last)
{
	int error;

	for (;;) {
		error = sync_pages(cache, first, last, CONFLICT_WAIT_KILLABLE);
		if (error != -EAGAIN && (error != -ETREELOST || tree_is_inside(cache->node->tree)))
			return error;
		sleep_ns(KEPT_PAUSE_NS);
	}
}
EXPORT_SYMBOL(page_cache_sync);

/* ---- A tree's list ---- */

/* All caches of the list, for a pass over them; writeback->passing held. */
static void take_all(struct writeback *writeback, struct list *taken)
{
	list_init(taken);
	spin_lock(&writeback->lock);
	list_splice_tail(taken, &writeback->caches);
	spin_unlock(&writeback->lock);
}

/* The first of those, no longer in any list, if it is `age_ns` old; its reference is the caller's. */
static struct page_cache *take_first(struct writeback *writeback, struct list *taken, u64 age_ns)
{
	struct page_cache *cache = NULL;

	spin_lock(&writeback->lock);
	if (!list_empty(taken)) {
		cache = list_first(taken, struct page_cache, dirty_link);
		if (time_monotonic_ns() - cache->dirtied_ns < age_ns)
			cache = NULL;
		else
			list_del_init(&cache->dirty_link);
	}
	spin_unlock(&writeback->lock);
	return cache;
}

/* What is left of a pass is again the oldest. */
static void return_rest(struct writeback *writeback, struct list *taken)
{
	spin_lock(&writeback->lock);
	list_splice_tail(taken, &writeback->caches);
	list_splice_tail(&writeback->caches, taken);
	spin_unlock(&writeback->lock);
}

/* Gives the cache back to the list if there is still something to do with it, else lets go of its node. If its pages are only
 * being written, it is looked at again soon. */
static void return_cache(struct writeback *writeback, struct page_cache *cache)
{
	bool back = false;

	spin_lock(&writeback->lock);
	if (list_empty(&cache->dirty_link)) {
		cache->dirtied_ns = time_monotonic_ns();
		if (READ_ONCE(cache->dirty_pages)) {
			list_add_tail(&writeback->caches, &cache->dirty_link);
			back = true;
		} else if (READ_ONCE(cache->writeback_pages)) {
			cache->dirtied_ns -= EXPIRE_NS - INTERVAL_NS;
			list_add(&writeback->caches, &cache->dirty_link);
			back = true;
		}
	}
	spin_unlock(&writeback->lock);
	if (!back)
		node_put(cache->node);
}

static u64 pages_allowed(unsigned int part)
{
	struct memory_info info;

	memory_info(&info);
	return max((info.free_pages + info.cached_pages) / part, (u64)FREE_PAGES);
}

static bool too_many(unsigned int part)
{
	return writeback_pages() > FREE_PAGES && writeback_pages() > pages_allowed(part);
}

static void write_old(struct writeback *writeback)
{
	u64 age_ns = EXPIRE_NS;
	struct page_cache *cache;
	struct list taken;

	if (__atomic_exchange_n(&writeback->hurry, false, __ATOMIC_SEQ_CST) || too_many(BACKGROUND_PART))
		age_ns = 0;
	mutex_lock(&writeback->passing);
	take_all(writeback, &taken);
	while ((cache = take_first(writeback, &taken, age_ns))) {
		page_cache_write_out(cache, 0, ~0ULL);
		return_cache(writeback, cache);
	}
	return_rest(writeback, &taken);
	mutex_unlock(&writeback->passing);
}

static int writeback_thread(void *arg)
{
	struct writeback *writeback = arg;
	bool idle;

	while (!kthread_should_stop()) {
		spin_lock(&writeback->lock);
		idle = list_empty(&writeback->caches);
		spin_unlock(&writeback->lock);
		/* Woken, or the time has come: both are good reasons to look. */
		(void)wait_event_until(&writeback->wake,
				       kthread_should_stop() || READ_ONCE(writeback->hurry) ||
					       (idle && !list_empty(&writeback->caches)),
				       idle ? WAIT_FOREVER : time_monotonic_ns() + INTERVAL_NS);
		write_old(writeback); /* also when there was nothing: who is in a hurry has been heard then */
	}
	return 0;
}

int writeback_sync(struct tree *tree)
{
	struct writeback *writeback = tree->writeback;
	int error = writeback ? mutex_lock_killable(&writeback->passing) : 0, failed = 0;
	struct page_cache *cache;
	struct list taken;

	if (!writeback || error)
		return error;
	take_all(writeback, &taken);
	while (!error && (cache = take_first(writeback, &taken, 0))) {
		error = page_cache_sync(cache, 0, ~0ULL);
		if (!failed && !(READ_ONCE(cache->errors) & ERROR_SEQUENCE_SEEN))
			failed = -(int)(READ_ONCE(cache->errors) & ERROR_SEQUENCE_ERRNO);
		return_cache(writeback, cache);
	}
	return_rest(writeback, &taken);
	mutex_unlock(&writeback->passing);
	return error ?: failed;
}
EXPORT_SYMBOL(writeback_sync);

static void hurry(struct writeback *writeback)
{
	WRITE_ONCE(writeback->hurry, true);
	wake_up(&writeback->wake);
}

void writeback_hurry(void)
{
	struct writeback *writeback;

	spin_lock(&all_lock);
	list_for_each(writeback, &all, all_link)
		hurry(writeback);
	spin_unlock(&all_lock);
}

void writeback_unthrottle(void)
{
	current->unthrottled = true;
}
EXPORT_SYMBOL(writeback_unthrottle);

int writeback_throttle(struct page_cache *cache)
{
	int error = 0;

	if (likely(!cache_is_written_back(cache) || !too_many(BACKGROUND_PART)))
		return 0;
	hurry(cache->node->tree->writeback);
	while (!error && !current->unthrottled && too_many(LIMIT_PART)) {
		if (READ_ONCE(cache->node->tree->state) != TREE_SERVED)
			return -ETREELOST; /* nothing is written until who is inside comes out */
		hurry(cache->node->tree->writeback);
		error = wait_event_mode(&throttled, !too_many(LIMIT_PART), WAIT_KILLABLE, false,
					time_monotonic_ns() + THROTTLE_NS);
		if (error == -ETIME)
			error = 0;
	}
	return error ? -EINTR : 0;
}

int writeback_start(struct tree *tree)
{
	struct writeback *writeback = kzalloc(sizeof(*writeback), GFP_KERNEL);

	if (!writeback)
		return -ENOMEM;
	writeback->tree = tree;
	spin_init(&writeback->lock, "writeback");
	list_init(&writeback->caches);
	wait_queue_init(&writeback->wake);
	mutex_init(&writeback->passing, "writeback_passing");
	writeback->thread = kthread_run(writeback_thread, writeback, "writeback");
	if (IS_ERR(writeback->thread)) {
		kfree(writeback);
		return -ENOMEM;
	}
	spin_lock(&all_lock);
	list_add_tail(&all, &writeback->all_link);
	spin_unlock(&all_lock);
	tree->writeback = writeback;
	return 0;
}
EXPORT_SYMBOL(writeback_start);

/* All of the file, not to be interrupted; of a dead tree all is done with. */
static void write_last(struct writeback *writeback, struct page_cache *cache)
{
	bool disk = writeback->tree->block_device;
	unsigned int tries = 0;

	if (disk) /* whoever was killed takes the last reference along, but not the bytes */
		kill_hold();
	while (sync_pages(cache, 0, ~0ULL, CONFLICT_WAIT) == -EAGAIN) {
		sleep_ns(KEPT_PAUSE_NS);
		if (++tries == LAST_TRIES)
			WRITE_ONCE(writeback->gives_up, true);
	}
	if (disk)
		kill_release();
}

void writeback_stop(struct tree *tree)
{
	struct writeback *writeback = tree->writeback;
	struct page_cache *cache;
	struct list taken;

	if (!writeback)
		return;
	(void)kthread_stop(writeback->thread);
	take_all(writeback, &taken);
	while ((cache = take_first(writeback, &taken, 0))) {
		write_last(writeback, cache);
		return_cache(writeback, cache);
	}
	spin_lock(&all_lock);
	list_del(&writeback->all_link);
	spin_unlock(&all_lock);
	tree->writeback = NULL;
	kfree(writeback);
}
EXPORT_SYMBOL(writeback_stop);
