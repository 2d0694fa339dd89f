/*
 * Physical pages: a descriptor for each page frame of RAM, and the buddy allocator with per-CPU lists (mm/page.c).
 */
#ifndef KUMO_PAGE_H
#define KUMO_PAGE_H

#include <kumo/arch/layout.h>	/* PAGE_SIZE, DIRECT_MAP_BASE, VMEMMAP_BASE, ... */
#include <kumo/arch/irqflags.h> /* cpu_relax */
#include <kumo/lines.h>
#include <kumo/list.h>
#include <kumo/rcu.h>
#include <kumo/refcount.h>
#include <kumo/track.h>

struct page_cache;
struct slab_cache;

/* One for each frame of RAM; 64 bytes in the release build. A union's live member follows from who holds the page. */
struct page {
	unsigned long flags; /* PG_*, changed atomically while others may hold the page */
	refcount_t refs;     /* zero: free, or not the first page of its allocation */
	union {
		u32 order;	  /* free, or head of an allocation of 2^order pages */
		u32 live_entries; /* page table of the lowest level: entries that are not empty */
	};
	union {
		struct list link; /* free lists, the owner's own lists */
		struct {	  /* in a page cache */
			struct page_cache *cache;
			u64 index; /* offset in pages */
		};
		struct {			       /* in a slab */
			struct slab_cache *slab_cache; /* in every page of the slab */
			void *slab_free;	       /* first free object */
		};
	};
	union {
		struct list lru;       /* page cache: its place in the reclaim lists */
		struct list slab_link; /* slab: in one of its cache's lists */
		struct rcu_head rcu;   /* slab: on its way out through a grace period */
	};
	union {
		u32 lock;      /* page table: the lock of its entries; see page_spin_lock() */
		u32 slab_used; /* slab: objects that are not on slab_free */
	};
	u32 waiters;   /* threads that wait for PG_LOCKED */
	void *private; /* the serving tree's own */
#ifdef CONFIG_DEBUG
	struct track track; /* of the allocation whose head it is */
#endif
};

enum page_flag {
	PG_RESERVED, /* never given out: holes, firmware, the kernel image */
	PG_FREE,     /* head of a block in the free lists */
	PG_SLAB,
	PG_LOCKED,   /* page cache: being filled or truncated; see page_lock() */
	PG_UPTODATE, /* page cache: holds the file's bytes */
	PG_DIRTY,
	PG_WRITEBACK,  /* page cache: being written out; stays in the cache */
	PG_READ_AHEAD, /* page cache: who asks for it has the next ones read */
	PG_LRU,	       /* page cache: linked by lru, under the lock of that list */
	PG_REFERENCED, /* page cache: used since it was last looked at for being given up */
	PG_TABLE,      /* a page table */
	PG_ANON,       /* a process's private page */
};

#define PAGE_MAX_ORDER 10 /* the largest allocation: 4 MiB */

/* How an allocation may behave. */
enum {
	GFP_KERNEL = 0, /* may sleep and reclaim */
	GFP_ATOMIC = 1, /* any context; may use the reserve */
	GFP_ZERO = 2,	/* cleared */
	GFP_DMA32 = 4,	/* below 4 GiB */
	GFP_NOWARN = 8, /* a failure is not logged */
	/* On behalf of a process: the first to fail when memory is short. Also for what of the kernel's own a process can have
	 * without end (processes, files, names, mappings): it is told ENOMEM, and nobody else has to go for it. */
	GFP_USER = 16,
	/* For the debug build's tracks (track.h). CORE: what the core keeps for everybody, and not the property of the module that
	 * happened to make it first. UNTRACKED: not an allocation of its own but a part of one,
	 * or of the tables that describe memory. */
	GFP_CORE = 32,
	GFP_UNTRACKED = 64,
};

/*
 * 2^order pages, contiguous, aligned to their size, with one reference (on the head); NULL when memory is short after
 * reclaim. GFP_ATOMIC: any context; else may sleep. page_put() of the last reference frees.
 */
struct page *page_alloc(unsigned int order, unsigned int gfp) __must_check;
void page_free(struct page *page, unsigned int order); /* whoever holds the only reference */

static inline void page_get(struct page *page)
{
	refcount_inc(&page->refs);
}

void page_put(struct page *page);
/* Drops one reference of each. */
void page_put_many(struct page **pages, unsigned int count);

/*
 * A cache that gives memory back when there is too little. `shrink` may be called with any mutex held: it takes spin locks
 * for short times, allocates nothing and does not wait, but hands what must wait to a worker or to RCU. False: it holds
 * nothing that it could do without. Only the core has such caches; they are never unregistered.
 */
struct shrinker {
	struct list link;
	bool (*shrink)(unsigned long pages_wanted);
};
void shrinker_register(struct shrinker *shrinker);

/* Hands memory that only caches hold to the free lists (names, slabs, stacks, per-CPU lists); true if there was any. Sleeps
 * a little for what comes late. */
bool page_reclaim(void);
/* Does so until there is nothing more, and empties what CPUs keep of the slabs, which page_reclaim() leaves: without it all
 * allocations would be slow when memory is short. -EINTR: killed. For tests: the rest is in use. Sleeps. */
int memory_drop_caches(void) __must_check;

#define page_array ((struct page *)VMEMMAP_BASE)

static inline u64 page_to_pfn(const struct page *page)
{
	return (u64)(page - page_array);
}

static inline struct page *pfn_to_page(u64 pfn)
{
	return page_array + pfn;
}

static inline phys_addr_t page_to_phys(const struct page *page)
{
	return page_to_pfn(page) << PAGE_SHIFT;
}

static inline struct page *phys_to_page(phys_addr_t phys)
{
	return pfn_to_page(phys >> PAGE_SHIFT);
}

static inline void *phys_to_virt(phys_addr_t phys)
{
	return (void *)(DIRECT_MAP_BASE + phys);
}

/* Of an address in the direct map or the kernel image (not of kva memory: see kva_to_page). */
static inline phys_addr_t virt_to_phys(const void *address)
{
	unsigned long virtual = (unsigned long)address;

	return virtual >= KERNEL_BASE ? virtual - KERNEL_BASE : virtual - DIRECT_MAP_BASE;
}

static inline void *page_address(const struct page *page)
{
	return phys_to_virt(page_to_phys(page));
}

static inline struct page *virt_to_page(const void *address)
{
	return phys_to_page(virt_to_phys(address));
}

/* True for a frame that is RAM with a descriptor. */
bool pfn_valid(u64 pfn);

struct memory_info {
	u64 total_pages, free_pages, cached_pages, slab_pages, table_pages, stack_pages, anon_pages;
	u64 faults; /* since the start */
};
void memory_info(struct memory_info *info);
enum memory_counter {
	MEMORY_CACHED,
	MEMORY_SLAB,
	MEMORY_TABLE,
	MEMORY_STACK,
	MEMORY_ANON,
	MEMORY_FAULTS, /* not pages: faults that were mended */
	MEMORY_COUNTERS
};
void memory_account(enum memory_counter counter, long pages); /* per-CPU counters; any context */

/* A byte of spin lock for what has no room for more: the entries of a page table. Interrupts stay on. */
static inline void page_spin_lock(struct page *page)
{
	while (unlikely(__atomic_exchange_n(&page->lock, 1, __ATOMIC_ACQUIRE))) {
		lines_contended(&page->lock);
		while (READ_ONCE(page->lock))
			cpu_relax();
	}
}

static inline void page_spin_unlock(struct page *page)
{
	__atomic_store_n(&page->lock, 0, __ATOMIC_RELEASE);
}

/* Contents of whole pages. */
void page_clear(void *address);
void page_copy(void *to, const void *from);

/* Boot (mm/boot.c): memory before the page allocator. Regions come from the boot loader's map. */
void boot_memory_add(phys_addr_t start, u64 size);     /* usable RAM */
void boot_memory_reserve(phys_addr_t start, u64 size); /* within it: kernel, initrd, tables */
phys_addr_t boot_memory_alloc(u64 size, u64 align); /* zeroed; panics when there is none; before page_init() only */
phys_addr_t boot_memory_place(u64 size, u64 align); /* the same, not zeroed, and mapped or not */
/* Walks the usable regions in ascending order; *cursor starts at 0. False at the end. */
bool boot_memory_next(unsigned int *cursor, phys_addr_t *start, phys_addr_t *end);
/* Until the direct map is complete only memory below 4 GiB can be handed out; arch_setup_memory() lifts that. */
void boot_memory_set_limit(phys_addr_t limit);
void page_init(void); /* builds page_array and the free lists */
void page_release_range(phys_addr_t start,
			phys_addr_t end); /* hands reserved memory (init sections, initrd) over */

#endif
