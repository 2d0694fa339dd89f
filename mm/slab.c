/*
 * Slab caches: objects of one size, cut from slabs of one or a few pages.
 *
 * Each CPU has a magazine of free objects per cache, a stack from which nearly all allocations and frees are served with
 * interrupts off and no lock. An empty magazine is filled from the slabs by half its capacity under the cache's lock,
 * and a full one emptied by half. Magazines are made when a CPU first uses a cache; until then they are the shared
 * `no_magazine`, which is empty and full at once and so always leads to the slow path.
 *
 * A slab's first page descriptor holds its list of free objects (linked through the objects) and how many are out.
 * Slabs with free objects are in `partial`, those with nothing but free objects in `empty` (a few, the rest goes back to
 * the page allocator), full ones in no list. kfree() finds the cache through the descriptor of the object's page.
 */
#define LOG_PREFIX "slab: "
#include "internal.h"
#include <kumo/asan.h>
#include <kumo/export.h>
#include <kumo/fault_inject.h>
#include <kumo/lockcheck.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/spinlock.h>
#include <kumo/string.h>

#define SLAB_MAX_ORDER 3
#define SLAB_KEEP_EMPTY 2
#define FREED_BYTE 0x6b
#define REDZONE 16
#define DEBUG_ALIGN_MAX 64 /* of objects from kmalloc() in the debug build */

struct slab_magazine {
	unsigned int count, capacity;
	void *objects[];
};

struct slab_cache {
	u32 size;	 /* of an object, with what alignment adds */
	u32 link_offset; /* in a free object: where the pointer to the next one is */
	u32 order, objects_per_slab, magazine_capacity, flags;
#ifdef CONFIG_DEBUG
	u32 object_size; /* without the redzone */
#endif
	const char *name;
	spinlock_t lock; /* the slabs and the lists; taken with interrupts off */
	unsigned int empty_count;
	struct list partial, empty;
	unsigned long slab_count;
	struct list all_link;
	struct slab_magazine *magazines[MAX_CPUS];
};

struct slab_cache *kmalloc_caches[KMALLOC_CLASSES];
EXPORT_SYMBOL(kmalloc_caches);

static const u16 kmalloc_sizes[KMALLOC_CLASSES] = {
	8, 16, 32, 64, 96, 128, 192, 256, 512, 1024, 2048, 4096, 8192,
};
static const char *const kmalloc_names[KMALLOC_CLASSES] = {
	"kmalloc-8",	"kmalloc-16",	"kmalloc-32",	"kmalloc-64",  "kmalloc-96",
	"kmalloc-128",	"kmalloc-192",	"kmalloc-256",	"kmalloc-512", "kmalloc-1024",
	"kmalloc-2048", "kmalloc-4096", "kmalloc-8192",
};

static struct slab_cache cache_cache; /* of struct slab_cache */
static struct slab_magazine no_magazine;
static spinlock_t caches_lock =
	SPINLOCK_INIT("slab_caches"); /* all_caches; interrupts off, before cache->lock */
static struct list all_caches = LIST_INIT(all_caches);

static inline void **object_link(const struct slab_cache *cache, void *object)
{
	return (void **)((char *)object + cache->link_offset);
}

static inline struct page *slab_of(const struct slab_cache *cache, const void *object)
{
	return virt_to_page((void *)((unsigned long)object & ~((PAGE_SIZE << cache->order) - 1)));
}

/*
 * The debug build: behind each object lies a redzone, which for objects from kmalloc() begins behind exactly what was asked
 * for. Freed objects are filled, dead for the address sanitizer, and rest in the quarantine. At those of SLAB_RCU caches
 * readers may look: they stay as they are, and only their redzones are dead.
 */
#ifdef CONFIG_DEBUG
/* What is kept for each object, in an array at the slab's end. */
#define OBJECT_EXTRA sizeof(struct track)

static struct track *slab_tracks(const struct slab_cache *cache, struct page *slab)
{
	return (struct track *)((char *)page_address(slab) + (PAGE_SIZE << cache->order)) -
	       cache->objects_per_slab;
}

static struct track *object_track(const struct slab_cache *cache, const void *object)
{
	struct page *slab = slab_of(cache, object);

	return &slab_tracks(cache, slab)[((char *)object - (char *)page_address(slab)) / cache->size];
}

/* The distance between objects of `size` bytes, without alignment. */
static size_t cache_add_redzone(struct slab_cache *cache, size_t size)
{
	cache->object_size = size;
	return ALIGN_UP(size, sizeof(void *)) + REDZONE;
}

static inline size_t cache_object_size(const struct slab_cache *cache)
{
	return cache->object_size;
}

static void slab_prepare(struct slab_cache *cache, struct page *slab)
{
	char *object = page_address(slab);

	memset(slab_tracks(cache, slab), 0, cache->objects_per_slab * OBJECT_EXTRA);
	asan_poison(slab_tracks(cache, slab), cache->objects_per_slab * OBJECT_EXTRA, ASAN_HEAP);
	asan_poison(object, cache->objects_per_slab * cache->size, ASAN_HEAP);
	if (cache->flags & SLAB_RCU)
		for (unsigned int i = 0; i < cache->objects_per_slab; i++, object += cache->size)
			asan_unpoison(object, cache->object_size);
}

/* `object` goes to somebody who asked for `size` bytes. How many of them he may use. */
static size_t object_give(struct slab_cache *cache, void *object, size_t size, unsigned int gfp)
{
	track_allocated(object_track(cache, object), size, gfp);
	if (!(cache->flags & SLAB_RCU))
		asan_object(object, size, cache->size);
	return size;
}

/* `object` is freed. True: that is all for now, since it rests in the quarantine, or is none that could be freed. */
static bool object_rest(struct slab_cache *cache, void *object)
{
	if (((char *)object - (char *)page_address(slab_of(cache, object))) % cache->size) {
		asan_report_free(object, "freed without being the start of an object");
		return true;
	}
	if (!(cache->flags & SLAB_RCU) && asan_reason(object)) {
		asan_report_free(object, "freed twice");
		return true;
	}
	lockcheck_free(object, cache->size);
	track_freed(object_track(cache, object));
	if (cache->flags & SLAB_RCU)
		return false;
	memset(object, FREED_BYTE, asan_object_size(object, cache->object_size));
	asan_poison(object, cache->object_size, ASAN_HEAP_FREED);
	quarantine_put(object);
	return true;
}

static void object_check_freed(struct slab_cache *cache, struct slab_magazine *magazine, void *object)
{
	for (unsigned int i = 0; i < magazine->count; i++)
		if (magazine->objects[i] == object)
			panic("slab %s: object %p freed twice", cache->name, object);
}

bool slab_object_find(const void *address, struct slab_object *found)
{
	struct page *page = virt_to_page((void *)address);
	struct slab_cache *cache;
	char *start;

	if (!(page->flags & BIT(PG_SLAB)))
		return false;
	cache = page->slab_cache;
	start = page_address(slab_of(cache, address));
	start += ((const char *)address - start) / cache->size * cache->size;
	found->cache = cache->name;
	found->track = object_track(cache, start);
	found->start = start;
	found->size = asan_reason(start) ? cache->object_size
					 : asan_object_size(start, cache->object_size);
	return true;
}

size_t slab_object_room(const void *object)
{
	return virt_to_page((void *)object)->slab_cache->size;
}
#else
#define OBJECT_EXTRA 0

static inline size_t cache_add_redzone(struct slab_cache *cache, size_t size)
{
	return size;
}
static inline size_t cache_object_size(const struct slab_cache *cache)
{
	return cache->size;
}
static inline void slab_prepare(struct slab_cache *cache, struct page *slab)
{
}
static inline size_t object_give(struct slab_cache *cache, void *object, size_t size, unsigned int gfp)
{
	return cache->size;
}
static inline bool object_rest(struct slab_cache *cache, void *object)
{
	return false;
}
static inline void object_check_freed(struct slab_cache *cache, struct slab_magazine *magazine,
				      void *object)
{
}
static inline void quarantine_empty(void)
{
}
#endif

/* Makes a slab of fresh pages, in no list yet. NULL: no memory. */
static struct page *slab_create(struct slab_cache *cache, unsigned int gfp)
{
	struct page *slab = page_alloc(cache->order, (gfp & ~GFP_ZERO) | GFP_UNTRACKED);
	char *object;

	if (!slab)
		return NULL;
	for (unsigned int i = 0; i < 1U << cache->order; i++) {
		slab[i].flags = BIT(PG_SLAB);
		slab[i].slab_cache = cache;
	}
	slab->slab_used = 0;
	slab->slab_free = NULL;
	object = (char *)page_address(slab) + cache->objects_per_slab * cache->size;
	for (unsigned int i = 0; i < cache->objects_per_slab; i++) {
		object -= cache->size;
		*object_link(cache, object) = slab->slab_free;
		slab->slab_free = object;
	}
	slab_prepare(cache, slab);
	memory_account_fast(MEMORY_SLAB, 1L << cache->order);
	return slab;
}

static void slab_release(struct page *slab)
{
	unsigned int order = slab->order;

	for (unsigned int i = 0; i < 1U << order; i++)
		slab[i].flags = 0;
	memory_account_fast(MEMORY_SLAB, -(1L << order));
	page_free(slab, order);
}

static void slab_release_rcu(struct rcu_head *head)
{
	slab_release(container_of(head, struct page, rcu));
}

/* Gives back the slabs of a list. With no lock held. */
static void slabs_release(struct slab_cache *cache, struct list *slabs)
{
	struct page *slab, *after;

	list_for_each_safe(slab, after, slabs, slab_link)
		if (cache->flags & SLAB_RCU)
			call_rcu(&slab->rcu, slab_release_rcu);
		else
			slab_release(slab);
}

/* Takes up to `count` free objects out of the slabs. With cache->lock held. How many there were. */
static unsigned int slabs_take(struct slab_cache *cache, void **objects, unsigned int count)
{
	unsigned int taken = 0;
	struct page *slab;

	while (taken < count) {
		if (!list_empty(&cache->partial)) {
			slab = list_first(&cache->partial, struct page, slab_link);
		} else if (!list_empty(&cache->empty)) {
			slab = list_first(&cache->empty, struct page, slab_link);
			list_del(&slab->slab_link);
			list_add(&cache->partial, &slab->slab_link);
			cache->empty_count--;
		} else {
			break;
		}
		while (slab->slab_free && taken < count) {
			objects[taken] = slab->slab_free;
			slab->slab_free = *object_link(cache, slab->slab_free);
			slab->slab_used++;
			taken++;
		}
		if (!slab->slab_free)
			list_del(&slab->slab_link);
	}
	return taken;
}

/* Puts objects back into their slabs; slabs that are to be released go to *surplus. With cache->lock held. */
static void slabs_give(struct slab_cache *cache, void **objects, unsigned int count, struct list *surplus)
{
	struct page *slab;

	for (unsigned int i = 0; i < count; i++) {
		slab = slab_of(cache, objects[i]);
		if (!slab->slab_free)
			list_add(&cache->partial, &slab->slab_link);
		*object_link(cache, objects[i]) = slab->slab_free;
		slab->slab_free = objects[i];
		if (--slab->slab_used)
			continue;
		list_del(&slab->slab_link);
		if (cache->empty_count < SLAB_KEEP_EMPTY) {
			list_add(&cache->empty, &slab->slab_link);
			cache->empty_count++;
		} else {
			list_add(surplus, &slab->slab_link);
			cache->slab_count--;
		}
	}
}

/* One object past the magazines, for the magazines themselves. */
static void *slab_alloc_direct(struct slab_cache *cache)
{
	unsigned long flags;
	struct page *slab;
	void *object;

	flags = spin_lock_irqsave(&cache->lock);
	while (!slabs_take(cache, &object, 1)) {
		spin_unlock_irqrestore(&cache->lock, flags);
		slab = slab_create(cache, GFP_ATOMIC | GFP_NOWARN);
		if (!slab)
			return NULL;
		flags = spin_lock_irqsave(&cache->lock);
		list_add(&cache->partial, &slab->slab_link);
		cache->slab_count++;
	}
	spin_unlock_irqrestore(&cache->lock, flags);
	object_give(cache, object, cache_object_size(cache), GFP_UNTRACKED);
	return object;
}

/* This CPU's magazine, made if it can be; interrupts off. */
static struct slab_magazine *magazine_of_cpu(struct slab_cache *cache)
{
	struct slab_magazine *magazine = cache->magazines[smp_processor_id()];
	size_t size = sizeof(*magazine) + cache->magazine_capacity * sizeof(void *);

	if (magazine != &no_magazine || !kmalloc_caches[kmalloc_class(size)])
		return magazine;
	magazine = slab_alloc_direct(kmalloc_caches[kmalloc_class(size)]);
	if (!magazine)
		return &no_magazine;
	magazine->count = 0;
	magazine->capacity = cache->magazine_capacity;
	cache->magazines[smp_processor_id()] = magazine;
	return magazine;
}

/* The magazine is empty: fills it and takes one; makes a slab where there is none. */
static __noinline void *slab_alloc_slow(struct slab_cache *cache, size_t size, unsigned int gfp)
{
	struct slab_magazine *magazine;
	struct page *slab = NULL;
	void *object = NULL;
	unsigned long flags;

	for (;;) {
		flags = local_irq_save();
		magazine = magazine_of_cpu(cache);
		if (magazine->count) { /* an interrupt or, while page_alloc slept, another thread filled it */
			object = magazine->objects[--magazine->count];
		}
		spin_lock(&cache->lock);
		if (slab) {
			list_add(&cache->partial, &slab->slab_link);
			cache->slab_count++;
		}
		if (!object && slabs_take(cache, &object, 1))
			magazine->count = slabs_take(cache, magazine->objects, magazine->capacity / 2);
		spin_unlock(&cache->lock);
		local_irq_restore(flags);
		if (object)
			break;
		slab = slab_create(cache, gfp);
		if (!slab)
			return NULL;
	}
	size = object_give(cache, object, size, gfp);
	if (gfp & GFP_ZERO)
		memset(object, 0, size);
	return object;
}

/* An object of which `size` bytes were asked for. */
static __always_inline void *slab_alloc_inline(struct slab_cache *cache, size_t size, unsigned int gfp)
{
	struct slab_magazine *magazine;
	unsigned long flags;
	void *object;

	if (!(gfp & GFP_ATOMIC))
		might_sleep();
	if (fault_inject(FAIL_SLAB))
		return NULL;
	flags = local_irq_save();
	magazine = cache->magazines[smp_processor_id()];
	if (unlikely(!magazine->count)) {
		local_irq_restore(flags);
		return slab_alloc_slow(cache, size, gfp);
	}
	object = magazine->objects[--magazine->count];
	local_irq_restore(flags);
	size = object_give(cache, object, size, gfp);
	if (gfp & GFP_ZERO)
		return memset(object, 0, size);
	return object;
}

void *slab_alloc(struct slab_cache *cache, unsigned int gfp)
{
	return slab_alloc_inline(cache, cache_object_size(cache), gfp);
}
EXPORT_SYMBOL(slab_alloc);

/* The magazine is full, or missing: empties it by half and frees the object. */
static __noinline void slab_free_slow(struct slab_cache *cache, void *object)
{
	struct list surplus = LIST_INIT(surplus);
	struct slab_magazine *magazine;
	unsigned long flags;
	unsigned int half;

	flags = local_irq_save();
	magazine = magazine_of_cpu(cache);
	half = magazine->capacity / 2;
	if (magazine->count == magazine->capacity) {
		spin_lock(&cache->lock);
		slabs_give(cache, magazine->objects, half, &surplus);
		if (!half)
			slabs_give(cache, &object, 1, &surplus);
		spin_unlock(&cache->lock);
		magazine->count -= half;
		memmove(magazine->objects, magazine->objects + half, magazine->count * sizeof(void *));
	}
	if (half)
		magazine->objects[magazine->count++] = object;
	local_irq_restore(flags);
	slabs_release(cache, &surplus);
}

static __always_inline void slab_free_direct(struct slab_cache *cache, void *object)
{
	struct slab_magazine *magazine;
	unsigned long flags;

	flags = local_irq_save();
	magazine = cache->magazines[smp_processor_id()];
	object_check_freed(cache, magazine, object);
	if (unlikely(magazine->count == magazine->capacity)) {
		local_irq_restore(flags);
		slab_free_slow(cache, object);
		return;
	}
	magazine->objects[magazine->count++] = object;
	local_irq_restore(flags);
}

static __always_inline void slab_free_inline(struct slab_cache *cache, void *object)
{
	if (!object_rest(cache, object))
		slab_free_direct(cache, object);
}

#ifdef CONFIG_DEBUG
void slab_free_now(void *object)
{
	slab_free_direct(virt_to_page(object)->slab_cache, object);
}
#endif

void slab_free(struct slab_cache *cache, void *object)
{
	slab_free_inline(cache, object);
}
EXPORT_SYMBOL(slab_free);

/* The smallest order that holds eight objects, or wastes at most an eighth. */
static unsigned int slab_order(size_t size)
{
	size += OBJECT_EXTRA;
	for (unsigned int order = 0; order < SLAB_MAX_ORDER; order++) {
		size_t slab_size = PAGE_SIZE << order;

		if (slab_size / size >= 8 && slab_size % size <= slab_size / 8)
			return order;
	}
	return SLAB_MAX_ORDER;
}

static void slab_cache_init(struct slab_cache *cache, const char *name, size_t size, size_t align,
			    unsigned int flags)
{
	unsigned long irq_flags;

	cache->link_offset = 0;
	size = ALIGN_UP(cache_add_redzone(cache, size), sizeof(void *));
	if (flags & SLAB_RCU) { /* readers may look at a free object: its bytes stay */
		cache->link_offset = size;
		size += sizeof(void *);
	}
	if (!align)
		align = size >= 16 ? 16 : 8;
	size = ALIGN_UP(size, align);
	cache->name = name;
	cache->size = size;
	cache->flags = flags;
	cache->order = slab_order(size);
	cache->objects_per_slab = (PAGE_SIZE << cache->order) / (size + OBJECT_EXTRA);
	/* With their two counters magazines fill a kmalloc class: 512, 256, 128 or 64 bytes. */
	cache->magazine_capacity = size <= 64 ? 63 : size <= 256 ? 31 : size <= 1024 ? 15 : 7;
	cache->empty_count = 0;
	cache->slab_count = 0;
	spin_init(&cache->lock, "slab_cache");
	list_init(&cache->partial);
	list_init(&cache->empty);
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
		cache->magazines[cpu] = &no_magazine;
	irq_flags = spin_lock_irqsave(&caches_lock);
	list_add_tail(&all_caches, &cache->all_link);
	spin_unlock_irqrestore(&caches_lock, irq_flags);
}

struct slab_cache *slab_cache_create(const char *name, size_t size, size_t align, unsigned int flags)
{
	struct slab_cache *cache;
	char *own_name;

	if (!size || size > PAGE_SIZE << (SLAB_MAX_ORDER - 1))
		return NULL;
	cache = slab_alloc(&cache_cache, GFP_KERNEL);
	own_name = kstrdup(name, GFP_KERNEL); /* the creator's text may go with its module */
	if (!cache || !own_name) {
		if (cache)
			slab_free(&cache_cache, cache);
		kfree(own_name);
		return NULL;
	}
	slab_cache_init(cache, own_name, size, align, flags);
	return cache;
}
EXPORT_SYMBOL(slab_cache_create);

void slab_cache_destroy(struct slab_cache *cache)
{
	struct list surplus = LIST_INIT(surplus);
	struct slab_magazine *magazine;
	unsigned long flags;

	if (!cache)
		return;
	quarantine_empty();
	flags = spin_lock_irqsave(&caches_lock);
	list_del(&cache->all_link);
	spin_unlock_irqrestore(&caches_lock, flags);
	/* All objects are free, so no CPU uses the cache any more, and their magazines may be emptied from here. */
	for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++) {
		magazine = cache->magazines[cpu];
		if (magazine == &no_magazine)
			continue;
		cache->magazines[cpu] = &no_magazine;
		flags = spin_lock_irqsave(&cache->lock);
		slabs_give(cache, magazine->objects, magazine->count, &surplus);
		spin_unlock_irqrestore(&cache->lock, flags);
		kfree(magazine);
	}
	flags = spin_lock_irqsave(&cache->lock);
	cache->slab_count -= cache->empty_count;
	list_splice_tail(&surplus, &cache->empty);
	spin_unlock_irqrestore(&cache->lock, flags);
	slabs_release(cache, &surplus);
	if (cache->slab_count) {
		pr_err("cache %s is destroyed with objects in %lu slabs: their memory is lost\n",
		       cache->name, cache->slab_count);
		return;
	}
	kfree(cache->name);
	slab_free(&cache_cache, cache);
}
EXPORT_SYMBOL(slab_cache_destroy);

void slab_drain_local(void)
{
	unsigned int cpu = smp_processor_id();
	struct slab_magazine *magazine;
	struct slab_cache *cache;
	struct list surplus;

	spin_lock(&caches_lock);
	list_for_each(cache, &all_caches, all_link) {
		magazine = cache->magazines[cpu];
		if (!magazine->count)
			continue;
		list_init(&surplus);
		spin_lock(&cache->lock);
		slabs_give(cache, magazine->objects, magazine->count, &surplus);
		spin_unlock(&cache->lock);
		magazine->count = 0;
		slabs_release(cache, &surplus);
	}
	spin_unlock(&caches_lock);
}

bool slab_cache_info(unsigned int index, struct slab_cache_info *info)
{
	unsigned long caches_flags = spin_lock_irqsave(&caches_lock), flags;
	struct slab_cache *cache;
	struct page *slab;
	bool found = false;

	list_for_each(cache, &all_caches, all_link) {
		if (index--)
			continue;
		found = true;
		strscpy(info->name, cache->name, sizeof(info->name));
		flags = spin_lock_irqsave(&cache->lock);
		info->slabs = cache->slab_count;
		info->objects = cache->slab_count * cache->objects_per_slab;
		info->active =
			info->objects - (unsigned long)cache->empty_count * cache->objects_per_slab;
		list_for_each(slab, &cache->partial, link)
			info->active -= cache->objects_per_slab - slab->slab_used;
		spin_unlock_irqrestore(&cache->lock, flags);
		info->object_size = cache->size;
		info->objects_per_slab = cache->objects_per_slab;
		info->pages_per_slab = 1U << cache->order;
		break;
	}
	spin_unlock_irqrestore(&caches_lock, caches_flags);
	return found;
}

unsigned long slab_reclaim(void)
{
	unsigned long pages = 0, caches_flags, flags;
	struct slab_cache *cache;
	struct list surplus;

	quarantine_empty();
	caches_flags = spin_lock_irqsave(&caches_lock);
	list_for_each(cache, &all_caches, all_link) {
		list_init(&surplus);
		flags = spin_lock_irqsave(&cache->lock);
		list_splice_tail(&surplus, &cache->empty);
		pages += (unsigned long)cache->empty_count << cache->order;
		cache->slab_count -= cache->empty_count;
		cache->empty_count = 0;
		spin_unlock_irqrestore(&cache->lock, flags);
		slabs_release(cache, &surplus);
	}
	spin_unlock_irqrestore(&caches_lock, caches_flags);
	return pages;
}

void *kmalloc_any(size_t size, unsigned int gfp)
{
	struct page *page;
	unsigned int order;

	size = size ? size : 1;
	if (likely(size <= KMALLOC_CACHE_MAX))
		return slab_alloc_inline(kmalloc_caches[kmalloc_class(size)], size, gfp);
	if (size > PAGE_SIZE << PAGE_MAX_ORDER)
		return NULL;
	order = 64 - __builtin_clzl((size - 1) >> PAGE_SHIFT);
	page = page_alloc(order, gfp);
	if (!page)
		return NULL;
	asan_object(page_address(page), size, PAGE_SIZE << order);
	return page_address(page);
}
EXPORT_SYMBOL(kmalloc_any);

static inline struct page *direct_map_page(const void *address)
{
	return pfn_to_page(((unsigned long)address - DIRECT_MAP_BASE) >> PAGE_SHIFT);
}

void kfree(const void *object)
{
	struct page *page;

	if (unlikely(!object))
		return;
	page = direct_map_page(object);
	if (likely(page->flags & BIT(PG_SLAB)))
		slab_free_inline(page->slab_cache, (void *)object);
	else
		page_free(page, page->order);
}
EXPORT_SYMBOL(kfree);

bool slab_locate(const void *address, const char **cache_name, size_t *offset)
{
	struct page *page;
	size_t in_slab;

	if ((unsigned long)address < DIRECT_MAP_BASE || (unsigned long)address >= KVA_BASE)
		return false;
	page = virt_to_page((void *)address);
	if (!(READ_ONCE(page->flags) & BIT(PG_SLAB)))
		return false;
	in_slab = (unsigned long)address & ((PAGE_SIZE << page->slab_cache->order) - 1);
	*cache_name = page->slab_cache->name;
	*offset = in_slab % page->slab_cache->size;
	return true;
}

size_t kmalloc_size(const void *object)
{
	struct page *page = direct_map_page(object);
	bool slab = page->flags & BIT(PG_SLAB);

	return asan_object_size(object, slab ? cache_object_size(page->slab_cache)
					     : PAGE_SIZE << page->order);
}
EXPORT_SYMBOL(kmalloc_size);

void *kcalloc(size_t count, size_t size, unsigned int gfp)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return kmalloc_any(bytes, gfp | GFP_ZERO);
}
EXPORT_SYMBOL(kcalloc);

void *krealloc(void *old, size_t size, unsigned int gfp)
{
	size_t old_size;
	void *now;

	if (!old)
		return kmalloc_any(size, gfp);
	old_size = kmalloc_size(old);
	if (size <= old_size && size > old_size / 4)
		return old;
	now = kmalloc_any(size, gfp);
	if (!now)
		return NULL;
	memcpy(now, old, min(size, old_size));
	kfree(old);
	return now;
}
EXPORT_SYMBOL(krealloc);

void *kmemdup(const void *from, size_t size, unsigned int gfp)
{
	void *copy = kmalloc_any(size, gfp);

	return copy ? memcpy(copy, from, size) : NULL;
}
EXPORT_SYMBOL(kmemdup);

char *kstrndup(const char *s, size_t limit, unsigned int gfp)
{
	size_t length;
	char *copy;

	if (!s)
		return NULL;
	length = strnlen(s, limit);
	copy = kmalloc_any(length + 1, gfp);
	if (!copy)
		return NULL;
	memcpy(copy, s, length);
	copy[length] = 0;
	return copy;
}
EXPORT_SYMBOL(kstrndup);

char *kstrdup(const char *s, unsigned int gfp)
{
	return s ? kmemdup(s, strlen(s) + 1, gfp) : NULL;
}
EXPORT_SYMBOL(kstrdup);

char *kasprintf(unsigned int gfp, const char *format, ...)
{
	va_list args;
	int length;
	char *text;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = kmalloc_any((size_t)length + 1, gfp);
	if (!text)
		return NULL;
	va_start(args, format);
	vsnprintf(text, (size_t)length + 1, format, args);
	va_end(args);
	return text;
}
EXPORT_SYMBOL(kasprintf);

void __init slab_init(void)
{
	slab_cache_init(&cache_cache, "slab_cache", sizeof(struct slab_cache), 0, 0);
	for (unsigned int i = 0; i < KMALLOC_CLASSES; i++) {
		struct slab_cache *cache = slab_alloc(&cache_cache, GFP_KERNEL);
		size_t size = kmalloc_sizes[i], align = size & -size;

		if (!cache)
			panic("no memory for the slab caches");
#ifdef CONFIG_DEBUG
		align = min(align, DEBUG_ALIGN_MAX); /* else each would take twice its size */
#endif
		slab_cache_init(cache, kmalloc_names[i], size, align, 0);
		kmalloc_caches[i] = cache;
	}
}
