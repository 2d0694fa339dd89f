/*
 * The kernel virtual area: ranges of kernel addresses for memory that need not be contiguous, for device registers, and
 * for modules (a region of its own, near the image).
 *
 * Every range is followed by a page that is never mapped; so the page before a range is not mapped either, and serves as
 * the guard of a stack. A range that is freed is unmapped at once, and its pages go; but its addresses are not used again
 * before all TLBs were flushed, which happens for many ranges together (region_purge). Module memory is flushed at once: stale
 * translations of it would be executable. Ranges are given out in ascending order, from the begin again after each flush: so few
 * addresses are ever in use, and few page tables, which never go.
 */
#define LOG_PREFIX "kva: "
#include "internal.h"
#include <kumo/arch/pagetable.h>
#include <kumo/asan.h>
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/fault_inject.h>
#include <kumo/kva.h>
#include <kumo/lockcheck.h>
#include <kumo/printk.h>
#include <kumo/rbtree.h>
#include <kumo/slab.h>
#include <kumo/spinlock.h>
#include <kumo/string.h>
#include <kumo/vm.h>

#define MAP_BATCH 64 /* pages mapped at a time */
#define STACK_PAGES (THREAD_STACK_SIZE / PAGE_SIZE)
#ifdef CONFIG_DEBUG
#define PURGE_BYTES (8 * MIB) /* of freed addresses; here each that was ever used has shadow */
#define STACK_STOCK 0	      /* so that the track of a stack is its thread's */
#else
#define PURGE_BYTES (64 * MIB) /* of freed addresses */
#define STACK_STOCK 8
#endif

struct kva_area {
	struct rb_node node;	  /* in region->areas, by start */
	unsigned long start, end; /* the guard page is behind end */
	bool owns_pages;	  /* from the page allocator, to be given back */
	bool freed;		  /* waits for a flush; in region->freed */
	struct list freed_link;
#ifdef CONFIG_DEBUG
	struct track track;
#endif
};

struct kva_region {
	spinlock_t lock; /* all below; taken with interrupts off */
	unsigned long base, limit;
	unsigned long next; /* where the search starts */
	struct rb_root areas;
	struct list freed;
	unsigned long freed_bytes;
};

static struct kva_region general = {
	.lock = SPINLOCK_INIT("kva"),
	.base = KVA_BASE,
	.limit = KVA_END,
	.next = KVA_BASE,
	.freed = LIST_INIT(general.freed),
};
static struct kva_region modules = {
	.lock = SPINLOCK_INIT("kva"),
	.base = MODULE_BASE,
	.limit = MODULE_END,
	.next = MODULE_BASE,
	.freed = LIST_INIT(modules.freed),
};
static struct slab_cache *area_slab;

struct stack_stock {
	unsigned int count;
	void *stacks[STACK_STOCK];
};
static DEFINE_PER_CPU(struct stack_stock, stack_stock); /* interrupts off */

static struct kva_region *region_of(unsigned long address)
{
	if (address >= general.base && address < general.limit)
		return &general;
	return address >= modules.base && address < modules.limit ? &modules : NULL;
}

/* The first area that ends (guard included) above `address`. With the region's lock held. */
static struct kva_area *area_at(struct kva_region *region, unsigned long address)
{
	struct rb_node *node = region->areas.node;
	struct kva_area *area, *found = NULL;

	while (node) {
		area = container_of(node, struct kva_area, node);
		if (address < area->end + PAGE_SIZE) {
			found = area;
			node = node->left;
		} else {
			node = node->right;
		}
	}
	return found;
}

/* The lowest place from `from` on for `size` bytes and a guard; 0: none. With the region's lock held. */
static unsigned long region_place(struct kva_region *region, unsigned long from, unsigned long size)
{
	struct kva_area *area = area_at(region, from);

	for (; area; area = rb_entry_or_null(rb_next(&area->node), struct kva_area, node)) {
		if (from + size + PAGE_SIZE <= area->start)
			return from;
		from = area->end + PAGE_SIZE;
	}
	return region->limit - from >= size + PAGE_SIZE && from < region->limit ? from : 0;
}

static void region_insert(struct kva_region *region, struct kva_area *area)
{
	struct rb_node **link = &region->areas.node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = area->start < container_of(parent, struct kva_area, node)->start
			       ? &parent->left
			       : &parent->right;
	}
	rb_insert(&region->areas, &area->node, parent, link);
}

/* Makes freed addresses usable again, after no TLB knows them any more. Sleeps not, but interrupts are on. */
static void region_purge(struct kva_region *region)
{
	struct list purged = LIST_INIT(purged);
	struct kva_area *area, *after;
	unsigned long flags;

	flags = spin_lock_irqsave(&region->lock);
	list_splice_tail(&purged, &region->freed);
	region->freed_bytes = 0;
	spin_unlock_irqrestore(&region->lock, flags);
	if (list_empty(&purged))
		return;
	tlb_flush_kernel(region->base, region->limit);
	flags = spin_lock_irqsave(&region->lock);
	list_for_each(area, &purged, freed_link)
		rb_erase(&region->areas, &area->node);
	region->next = region->base;
	spin_unlock_irqrestore(&region->lock, flags);
	list_for_each_safe(area, after, &purged, freed_link)
		slab_free(area_slab, area);
}

static inline void area_track_allocated(struct kva_area *area)
{
#ifdef CONFIG_DEBUG
	track_allocated(&area->track, area->end - area->start, 0);
#endif
}

static inline void area_track_freed(struct kva_area *area)
{
#ifdef CONFIG_DEBUG
	track_freed(&area->track);
#endif
}

/* Addresses for `size` bytes (whole pages), nothing mapped. NULL: none left, or no memory. */
static struct kva_area *area_alloc(struct kva_region *region, unsigned long size, unsigned long align)
{
	struct kva_area *area;
	unsigned long flags, start;

	if (!size || size > region->limit - region->base || fault_inject(FAIL_AREA))
		return NULL;
	area = slab_alloc(area_slab, GFP_KERNEL | GFP_UNTRACKED); /* goes after a flush, not with the area */
	if (!area)
		return NULL;
	if (READ_ONCE(region->freed_bytes) > PURGE_BYTES)
		region_purge(region);
	for (unsigned int round = 0;; round++) {
		flags = spin_lock_irqsave(&region->lock);
		start = region_place(region, ALIGN_UP(region->next, align), size + align - PAGE_SIZE);
		if (!start)
			start = region_place(region, region->base, size + align - PAGE_SIZE);
		if (start) {
			area->start = ALIGN_UP(start, align);
			area->end = area->start + size;
			area->freed = false;
			region->next = area->end + PAGE_SIZE;
			region_insert(region, area);
		}
		spin_unlock_irqrestore(&region->lock, flags);
		if (start && !asan_cover(area->end + PAGE_SIZE)) {
			area_track_allocated(area);
			return area;
		}
		if (start) {
			flags = spin_lock_irqsave(&region->lock);
			rb_erase(&region->areas, &area->node);
			spin_unlock_irqrestore(&region->lock, flags);
			break;
		}
		if (round)
			break;
		region_purge(region);
	}
	slab_free(area_slab, area);
	return NULL;
}

/* The area that starts at `address`, or NULL. */
static struct kva_area *area_starting_at(struct kva_region *region, unsigned long address)
{
	unsigned long flags = spin_lock_irqsave(&region->lock);
	struct kva_area *area = area_at(region, address);

	if (area && (area->start != address || area->freed))
		area = NULL;
	spin_unlock_irqrestore(&region->lock, flags);
	return area;
}

/*
 * Gives the pages of [start, end) back and forgets them. Code does not outlive its module: nothing can jump to it any more, and an emulator
 * that translated it stops watching the page for changes.
 */
static void unmap_pages(const struct kva_region *region, unsigned long start, unsigned long end)
{
	phys_addr_t phys;

	for (unsigned long at = start; at < end; at += PAGE_SIZE) {
		if (!kernel_lookup(at, &phys))
			continue;
		kernel_unmap(at, PAGE_SIZE);
		if (region == &modules)
			page_clear(page_address(phys_to_page(phys)));
		page_free(phys_to_page(phys), 0);
	}
}

static void area_free(struct kva_region *region, struct kva_area *area)
{
	unsigned long flags;

	area_track_freed(area);
	asan_poison((void *)area->start, area->end - area->start, ASAN_AREA);
	if (area->owns_pages)
		unmap_pages(region, area->start, area->end);
	else
		kernel_unmap(area->start, area->end - area->start);
	flags = spin_lock_irqsave(&region->lock);
	area->freed = true;
	list_add_tail(&region->freed, &area->freed_link);
	region->freed_bytes += area->end - area->start;
	spin_unlock_irqrestore(&region->lock, flags);
}

/* An area with fresh pages. */
static struct kva_area *area_alloc_pages(struct kva_region *region, size_t size, unsigned int gfp)
{
	struct page *pages[MAP_BATCH];
	struct kva_area *area;
	unsigned long at;
	unsigned int count;
	size_t used = size;

	size = ALIGN_UP(size, PAGE_SIZE);
	area = area_alloc(region, size, PAGE_SIZE);
	if (!area)
		return NULL;
	area->owns_pages = true;
	for (at = area->start; at < area->end; at += count * PAGE_SIZE) {
		for (count = 0; count < MAP_BATCH && at + count * PAGE_SIZE < area->end; count++) {
			pages[count] = page_alloc(0, gfp | GFP_UNTRACKED);
			if (!pages[count])
				goto fail;
		}
		if (kernel_map_pages(at, pages, count, KVA_RW))
			goto fail;
	}
	asan_unpoison((void *)area->start, used);
	return area;

fail:
	while (count--)
		page_free(pages[count], 0);
	area_free(region, area);
	return NULL;
}

void *vmalloc(size_t size, unsigned int gfp)
{
	struct kva_area *area = area_alloc_pages(&general, size, gfp);

	return area ? (void *)area->start : NULL;
}
EXPORT_SYMBOL(vmalloc);

void vfree(const void *address)
{
	struct kva_area *area;

	if (!address)
		return;
	area = area_starting_at(&general, (unsigned long)address);
	if (WARN_ON(!area))
		return;
	area_free(&general, area);
}
EXPORT_SYMBOL(vfree);

void *kvmalloc(size_t size, unsigned int gfp)
{
	void *memory;

	if (size <= KMALLOC_CACHE_MAX)
		return kmalloc_any(size, gfp);
	memory = size <= 16 * PAGE_SIZE ? kmalloc_any(size, gfp | GFP_NOWARN) : NULL;
	return memory ? memory : vmalloc(size, gfp);
}
EXPORT_SYMBOL(kvmalloc);

void kvfree(const void *address)
{
	if (region_of((unsigned long)address))
		vfree(address);
	else
		kfree(address);
}
EXPORT_SYMBOL(kvfree);

void __iomem *ioremap(phys_addr_t phys, size_t size, enum kva_prot prot)
{
	unsigned long offset = phys % PAGE_SIZE, align = PAGE_SIZE;
	struct kva_area *area;

	phys -= offset;
	size = ALIGN_UP(size + offset, PAGE_SIZE);
	if (size >= LARGE_PAGE_SIZE && IS_ALIGNED(phys, LARGE_PAGE_SIZE))
		align = LARGE_PAGE_SIZE; /* so that large pages fit */
	area = area_alloc(&general, size, align);
	if (!area)
		return NULL;
	area->owns_pages = false;
	if (kernel_map(area->start, phys, size, prot)) {
		area_free(&general, area);
		return NULL;
	}
	asan_unpoison((void *)area->start, size);
	return (void __iomem *)(area->start + offset);
}
EXPORT_SYMBOL(ioremap);

void iounmap(void __iomem *address)
{
	if (address)
		vfree((void *)ALIGN_DOWN((unsigned long)address, PAGE_SIZE));
}
EXPORT_SYMBOL(iounmap);

void *module_memory_alloc(size_t size)
{
	struct kva_area *area = area_alloc_pages(&modules, size, GFP_KERNEL);

	return area ? (void *)area->start : NULL;
}
EXPORT_SYMBOL(module_memory_alloc);

void module_memory_free(void *address)
{
	struct kva_area *area;

	if (!address)
		return;
	area = area_starting_at(&modules, (unsigned long)address);
	if (WARN_ON(!area))
		return;
	lockcheck_free(address, area->end - area->start);
	lockcheck_forget(address, area->end - area->start);
	area_free(&modules, area);
	region_purge(&modules);
}
EXPORT_SYMBOL(module_memory_free);

int kva_protect(void *address, size_t size, enum kva_prot prot)
{
	unsigned long start = (unsigned long)address;
	int error;

	if (start % PAGE_SIZE || !region_of(start))
		return -EINVAL;
	size = ALIGN_UP(size, PAGE_SIZE);
	error = kernel_protect(start, size, prot);
	if (!error)
		tlb_flush_kernel(start, start + size);
	return error;
}
EXPORT_SYMBOL(kva_protect);

struct page *kva_to_page(const void *address)
{
	phys_addr_t phys;

	return kernel_lookup((unsigned long)address, &phys) && pfn_valid(phys >> PAGE_SHIFT)
		       ? phys_to_page(phys)
		       : NULL;
}
EXPORT_SYMBOL(kva_to_page);

bool kva_find(const void *address, unsigned long *start, size_t *size)
{
	struct kva_region *region = region_of((unsigned long)address);
	struct kva_area *area;
	unsigned long flags;
	bool found;

	if (!region)
		return false;
	flags = spin_lock_irqsave(&region->lock);
	area = area_at(region, (unsigned long)address);
	found = area && !area->freed && area->start <= (unsigned long)address &&
		(unsigned long)address < area->end;
	if (found) {
		*start = area->start;
		*size = area->end - area->start;
	}
	spin_unlock_irqrestore(&region->lock, flags);
	return found;
}
EXPORT_SYMBOL(kva_find);

/* ---- Kernel stacks ---- */

void *kernel_stack_alloc(void)
{
	unsigned long flags = local_irq_save();
	struct stack_stock *stock = this_cpu_ptr(&stack_stock);
	void *stack = stock->count ? stock->stacks[--stock->count] : NULL;

	local_irq_restore(flags);
	if (unlikely(!stack)) {
		stack = vmalloc(THREAD_STACK_SIZE, GFP_USER);
		if (!stack)
			return NULL;
	}
	asan_stack_reset(stack);
	memory_account_fast(MEMORY_STACK, STACK_PAGES);
	return stack;
}
EXPORT_SYMBOL(kernel_stack_alloc);

void kernel_stack_free(void *stack)
{
	unsigned long flags;
	struct stack_stock *stock;
	bool kept;

	memory_account_fast(MEMORY_STACK, -(long)STACK_PAGES);
	flags = local_irq_save();
	stock = this_cpu_ptr(&stack_stock);
	kept = stock->count + 1 <= STACK_STOCK;
	if (kept)
		stock->stacks[stock->count++] = stack;
	local_irq_restore(flags);
	if (!kept)
		vfree(stack);
}
EXPORT_SYMBOL(kernel_stack_free);

/* Of this CPU: the others' are few. */
unsigned long kernel_stack_reclaim(void)
{
	unsigned long flags, pages = 0;
	struct stack_stock *stock;
	void *stack;

	for (;;) {
		flags = local_irq_save();
		stock = this_cpu_ptr(&stack_stock);
		stack = stock->count ? stock->stacks[--stock->count] : NULL;
		local_irq_restore(flags);
		if (!stack)
			return pages;
		vfree(stack);
		pages += STACK_PAGES;
	}
}

void __init kva_init(void)
{
	area_slab = slab_cache_create("kva_area", sizeof(struct kva_area), 0, 0);
	if (!area_slab)
		panic("no memory for kernel mappings");
}
