/* What the files of mm/ that make up address spaces share. */
#ifndef MM_VM_INTERNAL_H
#define MM_VM_INTERNAL_H

#include "internal.h"
#include <kumo/arch/pagetable.h>
#include <kumo/pagecache.h>
#include <kumo/vm.h>

/* Distance that a stack keeps from the mapping below it. */
#define STACK_GUARD_GAP (256 * PAGE_SIZE)

/* Files end below 2^63. */
#define FILE_PAGES_MAX ((1ULL << (63 - PAGE_SHIFT)) - 1)

extern struct page *zero_page; /* read where nothing was written yet; never counted */
extern const struct vma_ops page_cache_vma_ops; /* vma->private: the struct page_cache */
extern const struct vma_ops shared_memory_ops;	/* MAP_SHARED | MAP_ANONYMOUS */

static inline u64 vma_protection(const struct vma *vma, bool writable)
{
	return pte_protection(vma->flags & (VM_READ | VM_WRITE | VM_EXEC),
			      writable && vma->flags & VM_WRITE, vma->flags & VM_EXEC);
}

static inline u64 vma_offset_of(const struct vma *vma, unsigned long address)
{
	return vma->offset_pages + ((address - vma->start) >> PAGE_SHIFT);
}

/* Private memory that a process can write, its stack aside: what RLIMIT_DATA counts. */
static inline bool flags_are_data(unsigned int flags)
{
	return (flags & (VM_WRITE | VM_SHARED | VM_GROWSDOWN | VM_STACK)) == VM_WRITE;
}

static inline unsigned long vma_pages(const struct vma *vma)
{
	return (vma->end - vma->start) >> PAGE_SHIFT;
}

/*
 * Pages taken out of page tables, to be freed when no CPU can reach them any more: the translations of [start, end) are
 * flushed first, once for all.
 */
#define UNMAP_BATCH 64
struct unmap_batch {
	struct mm *mm;
	bool unused; /* no CPU uses the address space: nothing to flush */
	unsigned int count;
	unsigned long start, end;
	long anon, file; /* to be taken off the counts of resident pages */
	struct page *pages[UNMAP_BATCH];
};

static inline void unmap_batch_init(struct unmap_batch *batch, struct mm *mm, bool unused)
{
	batch->mm = mm;
	batch->unused = unused;
	batch->count = 0;
	batch->start = ~0UL;
	batch->end = 0;
	batch->anon = batch->file = 0;
}
void unmap_batch_finish(struct unmap_batch *batch);
/* Empties the entries of [start, end). keep_anon: only pages of files. map_lock held, or the lock of the file's list of
 * mappings. */
void unmap_entries(struct unmap_batch *batch, unsigned long start, unsigned long end, bool keep_anon);

/* vm.c: with map_lock held for writing. */
struct vma *vma_alloc(struct mm *mm, unsigned long start, unsigned long end, unsigned int flags);
void vma_free(struct vma *vma); /* an unlinked one, with what it references */
/* Pages of a mapping with these flags came or (negative) went: what /proc tells of kinds of memory. map_lock held for writing. */
void mm_count_kind(struct mm *mm, unsigned int flags, long pages);
void vma_link(struct vma *vma); /* into the tree, and the list of its file's mappings */
void vma_unlink(struct vma *vma);
struct vma *vma_copy(struct vma *vma, struct mm *mm); /* not linked; with its own references. NULL: no memory */
int vma_split(struct vma *vma, unsigned long address); /* vma keeps the lower part */
void vma_set_range(struct vma *vma, unsigned long start, unsigned long end, u64 offset_pages);
struct vma *vma_merge(struct vma *vma); /* with its neighbours where they are alike; the one that remains */
void vma_link_copy(struct vma *copy, struct vma *original); /* fork: into the file's list, behind the original */
int unmap_range_locked(struct mm *mm, unsigned long start, unsigned long end);
unsigned long find_free_range(struct mm *mm, unsigned long length); /* or 0 */
bool range_is_free(struct mm *mm, unsigned long start, unsigned long length);
/* Limits on what is to be mapped with these flags: 0, -ENOMEM, -EAGAIN (locked memory). */
int may_grow(struct mm *mm, unsigned long pages, unsigned int flags);
int may_commit(struct mm *mm, unsigned long pages, unsigned int flags); /* of memory only: -ENOMEM */

/* fault.c */
int vma_grow_down(struct mm *mm, unsigned long address);
/* vm_populate() for an access, VM_READ or VM_WRITE: a write makes private copies. -EACCES: the mapping does not allow it. */
int vm_populate_access(struct mm *mm, unsigned long address, unsigned long length, unsigned int access);
bool vma_allows(const struct vma *vma, unsigned int access);

#define AROUND_PAGES 16 /* of mm->around_pages: the most; a power of two, at most 64 */
/* file_io.c: maps pages that are in the cache around `address`, whose own entry stays for the caller to fill. */
void page_cache_map_around(struct vma *vma, struct page *table, unsigned long address);
/* A store through a mapping made the page dirty. */
void page_cache_set_dirty(struct page *page);
/* The same of a page that was mapped for reading: takes room for it first. 0, -EIO, -ENOMEM, -EINTR. */
int page_cache_make_writable(struct vma *vma, struct page *page) __must_check;
void page_cache_start(void);
void page_lru_start(void);

/* shared.c: MADV_REMOVE */
void shared_memory_clear(struct vma *vma, u64 offset_pages, u64 count);

/* What the seals of a mapping's file leave of it: nothing (-EPERM), or no right to write. Called again when it is linked. */
int page_cache_check_seals(struct vma *vma) __must_check;

#endif
