/*
 * The page allocator.
 *
 * Free memory lies in blocks of 2^order pages, aligned to their size, on one list per order and zone (buddy system): a
 * block is split for a smaller request, and a freed block merges with its buddy while that is free too. There are two
 * zones, below and above 4 GiB, so that devices with 32-bit addresses find memory.
 *
 * In front of the zones each CPU has a stack of single pages, which serves nearly all requests without a lock: only
 * interrupts are kept off. It is filled and emptied by half, preferably with one block of that size.
 *
 * Descriptors (struct page) exist for each block of 4 MiB that has any RAM. Those of blocks that are wholly free stay untouched
 * until their block is first used, which its zone's list of raw ranges says, so that the start costs the same on a machine
 * of any size.
 *
 * Below a reserve only those go on who cannot wait or who are about to give memory back: see floor_pages().
 */
#define LOG_PREFIX "memory: "
#include "internal.h"
#include <kumo/arch/string.h>
#include <kumo/asan.h>
#include <kumo/export.h>
#include <kumo/fault_inject.h>
#include <kumo/irq.h>
#include <kumo/lockcheck.h>
#include <kumo/oom.h>
#include <kumo/percpu.h>
#include <kumo/printk.h>
#include <kumo/rcu.h>
#include <kumo/report.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <kumo/time.h>
#include <kumo/track.h>

#define LOCAL_PAGES 64
#define LOCAL_BATCH_ORDER 5
#define LOCAL_BATCH (1U << LOCAL_BATCH_ORDER)
#define BLOCK_PAGES (1UL << PAGE_MAX_ORDER)
#define BLOCK_SIZE (BLOCK_PAGES << PAGE_SHIFT)
#define ZONE_BOUNDARY (4 * GIB)
#define POISON_WORD 0x6b6b6b6b6b6b6b6bULL
#define RAW_RANGES 32
#define SHRINK_PAGES 256 /* asked of a cache at a time */
#define SHRINK_WAITS 20	 /* milliseconds for what it gives to arrive */
#define RECLAIM_TRIES 8	 /* each brought memory, and others took it */
#define QUARANTINE_ORDER_MAX 3

/* Whole blocks that are free and whose descriptors are not initialised. */
struct raw_range {
	struct page *next, *end;
};

struct zone {
	spinlock_t lock; /* all below; taken with interrupts off */
	unsigned long free_pages;
	unsigned long orders; /* bit n: the list of order n is not empty; the highest also: raw_count is not 0 */
	unsigned int raw_count;
	struct raw_range raw[RAW_RANGES]; /* used from the last on */
	struct list free[PAGE_MAX_ORDER + 1];
};

enum { ZONE_LOW, ZONE_HIGH, ZONE_COUNT };

static struct zone zones[ZONE_COUNT];

/* A CPU's single pages. Their descriptors have no flags and no references. Touched with interrupts off. */
struct local_pages {
	unsigned int count;
	struct page *pages[LOCAL_PAGES];
};
static DEFINE_PER_CPU(struct local_pages, local_pages);

DEFINE_PER_CPU(struct memory_counters, memory_counters);

static unsigned long total_pages;
static unsigned long reserve_pages;

#ifndef CONFIG_DEBUG
_Static_assert(sizeof(struct page) == 64, "struct page must stay one cache line");
#endif

static inline struct zone *page_zone(const struct page *page)
{
	return &zones[page_to_phys(page) >= ZONE_BOUNDARY];
}

static inline void zone_add(struct zone *zone, struct page *page, unsigned int order, unsigned long flags)
{
	page->flags = flags;
	page->order = order;
	list_add(&zone->free[order], &page->link);
	zone->orders |= BIT(order);
}

static inline void zone_remove(struct zone *zone, struct page *page, unsigned int order)
{
	page->flags = 0;
	list_del(&page->link);
	if (list_empty(&zone->free[order]) && !(order == PAGE_MAX_ORDER && zone->raw_count))
		zone->orders &= ~BIT(order);
}

/* Puts the next raw block on its list. With zone->lock held. */
static __noinline void zone_take_raw(struct zone *zone)
{
	struct raw_range *raw = &zone->raw[zone->raw_count - 1];
	struct page *page = raw->next;

	raw->next += BLOCK_PAGES;
	if (raw->next == raw->end)
		zone->raw_count--;
	memset(page, 0, BLOCK_PAGES * sizeof(*page));
	zone_add(zone, page, PAGE_MAX_ORDER, BIT(PG_FREE));
}

/* With zone->lock held. The descriptors of the block come back without flags and references. */
static struct page *zone_alloc(struct zone *zone, unsigned int order)
{
	unsigned long orders = zone->orders >> order;
	struct page *page;
	unsigned int found;

	if (!orders)
		return NULL;
	found = order + __builtin_ctzl(orders);
	if (unlikely(list_empty(&zone->free[found])))
		zone_take_raw(zone);
	page = list_first(&zone->free[found], struct page, link);
	zone_remove(zone, page, found);
	while (found > order) {
		found--;
		zone_add(zone, page + (1UL << found), found, BIT(PG_FREE));
	}
	page->order = order;
	zone->free_pages -= 1UL << order;
	return page;
}

/* With zone->lock held. */
static void zone_free(struct zone *zone, struct page *page, unsigned int order)
{
	u64 pfn = page_to_pfn(page);
	struct page *buddy;

	zone->free_pages += 1UL << order;
	while (order < PAGE_MAX_ORDER) {
		buddy = pfn_to_page(pfn ^ (1UL << order));
		if (!(buddy->flags & BIT(PG_FREE)) || buddy->order != order)
			break;
		zone_remove(zone, buddy, order);
		pfn &= ~(1UL << order);
		order++;
	}
	zone_add(zone, pfn_to_page(pfn), order, BIT(PG_FREE));
}

static unsigned long free_pages_in_zones(void)
{
	return READ_ONCE(zones[ZONE_LOW].free_pages) + READ_ONCE(zones[ZONE_HIGH].free_pages);
}

/* How many pages a request must leave free. A thread that is being killed takes all: it will soon give back more. */
static unsigned long floor_pages(unsigned int gfp)
{
	if (gfp & GFP_ATOMIC)
		return reserve_pages / 4;
	if (current && !in_interrupt() && fatal_signal_pending())
		return 0;
	return gfp & GFP_USER ? reserve_pages * 2 : reserve_pages;
}

static struct page *zones_alloc(unsigned int order, unsigned int gfp, unsigned long floor)
{
	int zone = gfp & GFP_DMA32 ? ZONE_LOW : ZONE_HIGH;
	struct page *page = NULL;
	unsigned long flags;

	if (free_pages_in_zones() < floor + (1UL << order))
		return NULL;
	for (; zone >= 0 && !page; zone--) {
		if (!(READ_ONCE(zones[zone].orders) >> order))
			continue;
		flags = spin_lock_irqsave(&zones[zone].lock);
		page = zone_alloc(&zones[zone], order);
		spin_unlock_irqrestore(&zones[zone].lock, flags);
	}
	return page;
}

/* Fills this CPU's empty stack; false when memory is short. Interrupts off. */
static __noinline bool local_refill(struct local_pages *local, unsigned int gfp)
{
	unsigned long floor = floor_pages(gfp);
	struct page *page;
	unsigned int order = LOCAL_BATCH_ORDER;

	do {
		page = zones_alloc(order, gfp, floor);
	} while (!page && order--);
	if (!page)
		return false;
	for (unsigned int i = 1U << order; i--;) { /* the lowest address is used first */
		page[i].order = 0;
		local->pages[local->count++] = page + i;
	}
	return true;
}

/* Gives the oldest `count` pages of the stack back. Interrupts off. */
static __noinline void local_drain(struct local_pages *local, unsigned int count)
{
	struct zone *locked = NULL, *zone;

	for (unsigned int i = 0; i < count; i++) {
		zone = page_zone(local->pages[i]);
		if (zone != locked) {
			if (locked)
				spin_unlock(&locked->lock);
			spin_lock(&zone->lock);
			locked = zone;
		}
		zone_free(zone, local->pages[i], 0);
	}
	if (locked)
		spin_unlock(&locked->lock);
	local->count -= count;
	memmove(local->pages, local->pages + count, local->count * sizeof(local->pages[0]));
}

/* Puts a free block where the next allocation finds it. */
static inline void page_give_back(struct page *page, unsigned int order)
{
	struct local_pages *local;
	unsigned long flags;
	struct zone *zone;

	if (likely(!order)) {
		flags = local_irq_save();
		local = this_cpu_ptr(&local_pages);
		if (unlikely(local->count == LOCAL_PAGES))
			local_drain(local, LOCAL_BATCH);
		local->pages[local->count++] = page;
		local_irq_restore(flags);
		return;
	}
	zone = page_zone(page);
	flags = spin_lock_irqsave(&zone->lock);
	zone_free(zone, page, order);
	spin_unlock_irqrestore(&zone->lock, flags);
}

#ifdef CONFIG_DEBUG
/* Fills pages that are freed and marks them dead; false: they are free already. */
static bool page_poison(struct page *page, unsigned int order)
{
	if (asan_reason(page_address(page)) == ASAN_PAGE_FREED) {
		asan_report_free(page_address(page), "page freed twice");
		return false;
	}
	lockcheck_free(page_address(page), PAGE_SIZE << order);
	words_fill(page_address(page), POISON_WORD, (PAGE_SIZE << order) / 8);
	asan_poison(page_address(page), PAGE_SIZE << order, ASAN_PAGE_FREED);
	return true;
}

static void page_track_allocated(struct page *page, unsigned int order, unsigned int gfp)
{
	track_allocated(&page->track, PAGE_SIZE << order, gfp);
}

static void page_track_freed(struct page *page)
{
	track_freed(&page->track);
}

/* Looks whether somebody wrote to a page while it was free. */
static __no_asan void page_check_poison(struct page *page)
{
	const u64 *words = page_address(page);

	for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*words); i++) {
		if (words[i] == POISON_WORD)
			continue;
		if (report_begin("page", "%#llx was written while it was free: %#llx at %lu",
				 (unsigned long long)page_to_phys(page),
				 (unsigned long long)words[i], i * sizeof(*words))) {
			track_print(&page->track);
			report_end();
		}
		return;
	}
}

/* Makes fresh pages usable. Pages that were never freed are not filled; the first and the last word of one tell. */
static __no_asan void page_unpoison(struct page *page, unsigned int order)
{
	const u64 *words = page_address(page);

	asan_unpoison(words, PAGE_SIZE << order);
	if (words[0] == POISON_WORD && words[PAGE_SIZE / sizeof(*words) - 1] == POISON_WORD)
		page_check_poison(page);
}

/* True: that is all for now, since a freed block rests in the quarantine. Large ones would fill it. */
static bool page_rest(struct page *page, unsigned int order)
{
	if (order > QUARANTINE_ORDER_MAX)
		return false;
	page->order = order;
	quarantine_put_page(page);
	return true;
}

void page_free_now(struct page *page)
{
	unsigned int order = page->order;

	page->order = 0;
	for (unsigned int i = 0; i < 1U << order; i++)
		page_check_poison(page + i);
	page_give_back(page, order);
}
#else
static inline bool page_poison(struct page *page, unsigned int order)
{
	return true;
}
static inline void page_unpoison(struct page *page, unsigned int order)
{
}
static inline void page_track_allocated(struct page *page, unsigned int order, unsigned int gfp)
{
}
static inline void page_track_freed(struct page *page)
{
}
static inline bool page_rest(struct page *page, unsigned int order)
{
	return false;
}
static inline void quarantine_empty_pages(void)
{
}
#endif

/* When a CPU's stack had nothing, and for blocks: the zones; then reclaim, and if that brings nothing, kill. */
static __noinline struct page *page_alloc_zones(unsigned int order, unsigned int gfp)
{
	bool patient = !(gfp & GFP_ATOMIC) && current && !irqs_disabled();
	struct page *page;

	if (order > PAGE_MAX_ORDER)
		return NULL;
	for (unsigned int tries = 0;; tries++) {
		page = zones_alloc(order, gfp, floor_pages(gfp));
		if (page || !patient)
			break;
		if (tries < RECLAIM_TRIES && page_reclaim())
			continue;
		/* Who allocates for a process fails instead, and has the process or another killed without any lock held. */
		if ((gfp & (GFP_USER | GFP_NOWARN)) || order > 3 || tries >= 50 || !oom_kill())
			break;
		sleep_ns(NSEC_PER_MSEC); /* the victim needs the time to go */
	}
	if (!page) {
		if (!(gfp & (GFP_NOWARN | GFP_USER)))
			pr_warn("no %lu KiB left (%lu of %lu KiB free)\n",
				(PAGE_SIZE << order) / KIB, free_pages_in_zones() * PAGE_SIZE / KIB,
				total_pages * PAGE_SIZE / KIB);
		return NULL;
	}
	page_unpoison(page, order);
	page_track_allocated(page, order, gfp);
	refcount_set(&page->refs, 1);
	if (gfp & GFP_ZERO)
		for (unsigned int i = 0; i < 1U << order; i++)
			page_clear(page_address(page + i));
	return page;
}

struct page *page_alloc(unsigned int order, unsigned int gfp)
{
	struct local_pages *local;
	struct page *page;
	unsigned long flags;

	if (!(gfp & GFP_ATOMIC))
		might_sleep();
	if (fault_inject(FAIL_PAGE))
		return NULL;
	if (likely(!order && !(gfp & GFP_DMA32))) {
		flags = local_irq_save();
		local = this_cpu_ptr(&local_pages);
		if (likely(local->count) || local_refill(local, gfp)) {
			page = local->pages[--local->count];
			local_irq_restore(flags);
			page_unpoison(page, 0);
			page_track_allocated(page, order, gfp);
			refcount_set(&page->refs, 1);
			if (gfp & GFP_ZERO)
				page_clear(page_address(page));
			return page;
		}
		local_irq_restore(flags);
	}
	return page_alloc_zones(order, gfp);
}
EXPORT_SYMBOL(page_alloc);

void page_free(struct page *page, unsigned int order)
{
	if (!page_poison(page, order))
		return;
	page_track_freed(page);
	page->flags = 0;
	page->order = 0;
	refcount_set(&page->refs, 0);
	if (!page_rest(page, order))
		page_give_back(page, order);
}
EXPORT_SYMBOL(page_free);

static inline void page_put_inline(struct page *page)
{
	if (!refcount_dec_and_test(&page->refs))
		return;
	if (page->flags & BIT(PG_ANON))
		memory_account_fast(MEMORY_ANON, -1);
	page_free(page, page->order);
}

void page_put(struct page *page)
{
	page_put_inline(page);
}
EXPORT_SYMBOL(page_put);

void page_put_many(struct page **pages, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		page_put_inline(pages[i]);
}
EXPORT_SYMBOL(page_put_many);

static void local_drain_all(void *unused)
{
	struct local_pages *local = this_cpu_ptr(&local_pages);

	local_drain(local, local->count);
}

static spinlock_t shrinkers_lock = SPINLOCK_INIT("shrinkers"); /* the list */
static struct list shrinkers = LIST_INIT(shrinkers);

void shrinker_register(struct shrinker *shrinker)
{
	spin_lock(&shrinkers_lock);
	list_add_tail(&shrinkers, &shrinker->link);
	spin_unlock(&shrinkers_lock);
}

/* True: some of them give memory back, soon. None ever leaves the list, so it needs no lock to be walked. */
static bool shrink_caches(void)
{
	struct shrinker *shrinker;
	bool any = false;

	list_for_each(shrinker, &shrinkers, link)
		any |= shrinker->shrink(SHRINK_PAGES);
	return any;
}

/* Empties what allocators keep at hand. */
static void drain_caches(void)
{
	unsigned long flags;

	kernel_stack_reclaim();
	slab_reclaim();
	quarantine_empty_pages();
	flags = local_irq_save();
	local_drain_all(NULL);
	local_irq_restore(flags);
	if (num_online_cpus() > 1)
		smp_call_others(local_drain_all, NULL);
}

bool page_reclaim(void)
{
	unsigned long before = free_pages_in_zones();
	bool more = shrink_caches();

	drain_caches();
	more |= rcu_callbacks_wait(); /* processes that were just killed */
	/* What a worker and a grace period bring. Who waits here may hold what the worker waits for, so not for long. */
	for (unsigned int i = 0; more && i < SHRINK_WAITS && free_pages_in_zones() <= before; i++) {
		sleep_ns(NSEC_PER_MSEC);
		drain_caches();
	}
	return free_pages_in_zones() > before;
}
EXPORT_SYMBOL(page_reclaim);

static void slab_drain_cpu(void *unused)
{
	slab_drain_local();
}

int memory_drop_caches(void)
{
	struct memory_info info;
	unsigned long flags, passes;

	memory_info(&info);
	/* As many as what is cached now takes: others may fill the caches as fast as this empties them. */
	passes = info.cached_pages / SHRINK_PAGES + 2;
	while (passes-- && page_reclaim()) {
		if (fatal_signal_pending())
			return -EINTR;
	}
	flags = local_irq_save();
	slab_drain_cpu(NULL);
	local_irq_restore(flags);
	if (num_online_cpus() > 1)
		smp_call_others(slab_drain_cpu, NULL);
	page_reclaim();
	return 0;
}
EXPORT_SYMBOL(memory_drop_caches);

void memory_account(enum memory_counter counter, long pages)
{
	switch (counter) { /* so that each is a single instruction on the CPU's own copy */
	case MEMORY_CACHED:
		memory_account_fast(MEMORY_CACHED, pages);
		break;
	case MEMORY_SLAB:
		memory_account_fast(MEMORY_SLAB, pages);
		break;
	case MEMORY_TABLE:
		memory_account_fast(MEMORY_TABLE, pages);
		break;
	case MEMORY_STACK:
		memory_account_fast(MEMORY_STACK, pages);
		break;
	case MEMORY_ANON:
		memory_account_fast(MEMORY_ANON, pages);
		break;
	case MEMORY_FAULTS:
		memory_account_fast(MEMORY_FAULTS, pages);
		break;
	case MEMORY_COUNTERS:
		break;
	}
}
EXPORT_SYMBOL(memory_account);

/* A page may be counted on one CPU and uncounted on another: only the sum means something. */
static u64 memory_counter_sum(enum memory_counter counter)
{
	long sum = 0;

	for_each_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(&memory_counters, cpu)->pages[counter]);
	return sum > 0 ? sum : 0;
}

void memory_info(struct memory_info *info)
{
	info->total_pages = total_pages;
	info->free_pages = free_pages_in_zones();
	for_each_cpu(cpu)
		info->free_pages += READ_ONCE(per_cpu_ptr(&local_pages, cpu)->count);
	info->cached_pages = memory_counter_sum(MEMORY_CACHED);
	info->slab_pages = memory_counter_sum(MEMORY_SLAB);
#ifdef CONFIG_DEBUG
	info->cached_pages += quarantine_bytes() / PAGE_SIZE; /* given back when memory is short */
#endif
	info->table_pages = memory_counter_sum(MEMORY_TABLE);
	info->stack_pages = memory_counter_sum(MEMORY_STACK);
	info->anon_pages = memory_counter_sum(MEMORY_ANON);
	info->faults = memory_counter_sum(MEMORY_FAULTS);
}
EXPORT_SYMBOL(memory_info);

/* Frees [start, end), whose descriptors are initialised, in the largest blocks that fit. */
static void free_range(phys_addr_t start, phys_addr_t end)
{
	u64 pfn = start >> PAGE_SHIFT, last = end >> PAGE_SHIFT;
	unsigned int order;
	unsigned long flags;
	struct zone *zone;

	asan_poison(phys_to_virt(start), end - start, ASAN_PAGE_FREED);
	while (pfn < last) {
		order = pfn ? min(__builtin_ctzl(pfn), PAGE_MAX_ORDER) : PAGE_MAX_ORDER;
		while (pfn + (1UL << order) > last)
			order--;
		for (u64 i = pfn; i < pfn + (1UL << order); i++) {
			pfn_to_page(i)->flags = 0;
			refcount_set(&pfn_to_page(i)->refs, 0);
		}
		zone = page_zone(pfn_to_page(pfn));
		flags = spin_lock_irqsave(&zone->lock);
		zone_free(zone, pfn_to_page(pfn), order);
		spin_unlock_irqrestore(&zone->lock, flags);
		pfn += 1UL << order;
	}
}

void page_release_range(phys_addr_t start, phys_addr_t end)
{
	free_range(start, end);
}

/* Adds a block that is wholly free to the zone's raw ranges; false: there are too many of them. */
static bool __init block_add_raw(struct zone *zone, struct page *page)
{
	unsigned int count = zone->raw_count;

	if (count && zone->raw[count - 1].end == page) {
		zone->raw[count - 1].end += BLOCK_PAGES;
	} else {
		if (count == RAW_RANGES)
			return false;
		zone->raw[count] = (struct raw_range){ page, page + BLOCK_PAGES };
		zone->raw_count++;
	}
	asan_poison(page_address(page), BLOCK_SIZE, ASAN_PAGE_FREED);
	zone->orders |= BIT(PAGE_MAX_ORDER);
	zone->free_pages += BLOCK_PAGES;
	return true;
}

/* One block of 4 MiB that has some RAM: wholly free ones go to the zone as they are. */
static void __init block_init(phys_addr_t block)
{
	phys_addr_t start = block, end;
	struct page *page = phys_to_page(block);
	struct zone *zone = page_zone(page);

	if (boot_memory_next_free(&start, block + BLOCK_SIZE, &end) && start == block &&
	    end == block + BLOCK_SIZE && block_add_raw(zone, page))
		return;
	memset(page, 0, BLOCK_PAGES * sizeof(*page));
	for (unsigned int i = 0; i < BLOCK_PAGES; i++) {
		page[i].flags = BIT(PG_RESERVED);
		refcount_set(&page[i].refs, 1); /* such pages may be mapped, and never go */
	}
	for (start = block; boot_memory_next_free(&start, block + BLOCK_SIZE, &end); start = end)
		free_range(start, end);
}

void __init page_init(void)
{
	phys_addr_t start, end, block, done = 0;
	unsigned int cursor = 0;

	boot_memory_close();
	for (unsigned int i = 0; i < ZONE_COUNT; i++) {
		spin_init(&zones[i].lock, "zone");
		for (unsigned int order = 0; order <= PAGE_MAX_ORDER; order++)
			list_init(&zones[i].free[order]);
	}
	while (boot_memory_next(&cursor, &start, &end)) {
		total_pages += (end - start) >> PAGE_SHIFT;
		for (block = max(ALIGN_DOWN(start, BLOCK_SIZE), done); block < end; block += BLOCK_SIZE)
			block_init(block);
		done = max(done, block);
	}
	reserve_pages = clamp(total_pages / 128, 64UL, 4096UL);
	pr_info("%lu KiB, %lu KiB free\n", total_pages * PAGE_SIZE / KIB,
		free_pages_in_zones() * PAGE_SIZE / KIB);
}
