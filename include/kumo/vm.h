/*
 * Address spaces (mm/vm*.c): a tree of mappings (struct vma), page tables filled on demand, copy on write.
 *
 * Locks, outermost first: mm->map_lock (the tree of vmas; read for faults, write for changes), page cache locks
 * (pagecache.h), the lock of a page table page. map_lock is taken killably on behalf of user programs.
 */
#ifndef KUMO_VM_H
#define KUMO_VM_H

#include <kumo/kva.h>
#include <kumo/mutex.h>
#include <kumo/page.h>
#include <kumo/rbtree.h>

struct file;
struct pt_regs;

/* vma->flags; the low three equal Linux's PROT_ bits. */
enum {
	VM_READ = 1,
	VM_WRITE = 2,
	VM_EXEC = 4,
	VM_SHARED = 8,
	VM_GROWSDOWN = 0x10,
	VM_MAYREAD = 0x20,
	VM_MAYWRITE = 0x40, /* mprotect may allow it */
	VM_MAYEXEC = 0x80,
	VM_DONTCOPY = 0x100, /* MADV_DONTFORK */
	VM_WIPEONFORK = 0x200,
	VM_IO = 0x400, /* device memory: no struct page behind it */
	VM_LOCKED = 0x800,
	VM_STACK = 0x1000,
	VM_HAS_ANON = 0x2000, /* private pages may be mapped: fork must copy its tables */
	VM_NORESERVE = 0x4000,
	VM_DONTDUMP = 0x8000,
	VM_LOCKONFAULT = 0x10000, /* with VM_LOCKED: pages come with faults */
};

struct vma_ops;

struct vma {
	unsigned long start, end; /* page-aligned; end is exclusive */
	unsigned int flags;
	struct mm *mm;
	struct rb_node node;	/* in mm->vmas, by start */
	struct file *file;	/* owned reference; NULL: anonymous */
	u64 offset_pages;	/* file offset of start */
	struct list cache_link; /* in the page cache's list of mappings, for truncation */
	const struct vma_ops *ops;
	void *private;
	const char *name; /* "[vdso]", "[stack]"; static text */
};

struct vma_ops {
	/* The page for an offset that is not mapped yet, referenced; or ERR_PTR (-EIO: SIGBUS, -ENOMEM, -EINTR). May sleep;
	 * called with map_lock held for reading. */
	struct page *(*fault)(struct vma *vma, u64 offset_pages, bool write);
	/* A copy of the mapping came to be (fork, split, mremap) and shares `private`: takes its own reference. */
	void (*open)(struct vma *vma);
	void (*close)(struct vma *vma); /* the mapping, or part of it that was split off, is gone */
};

struct mm {
	refcount_t users; /* threads and borrowers of the mappings; the last drops the mappings */
	refcount_t count; /* plus those that only need the structure and its page table (lazy kernel threads) */
	struct rwsem map_lock;
	struct rb_root vmas;
	struct vma *recent; /* the last one found; a hint */
	unsigned long vma_count;
	void *page_table;	   /* top level, direct-map address */
	spinlock_t table_lock;	   /* upper page-table levels, table_pages */
	unsigned long table_pages; /* page tables below the top */
	unsigned long cpu_mask[1]; /* CPUs that may hold its translations in their TLB */
	unsigned long mmap_base;   /* mmap searches downwards from here */
	unsigned long search_from; /* where the next search starts: above it the largest hole is search_hole */
	unsigned long search_hole;
	unsigned long brk_start, brk;
	unsigned long code_start, code_end, data_start, data_end, stack_start;
	unsigned long arg_start, arg_end, env_start, env_end;
	unsigned long vdso;
	unsigned int around_pages; /* how many pages a fault on a file may map; a child begins with one */
	int barriers;		   /* of membarrier(2), that the program has said it will use */
	atomic64_t resident_file, resident_anon; /* pages */
	/* Of mappings, by kind: data is what may be written and is not shared, code what may be executed and not written. */
	unsigned long total_pages, locked_pages, data_pages, stack_pages, code_pages;
	u64 max_resident_pages;	  /* high-water mark, brought up to date by mm_resident_pages() */
	unsigned int lock_future; /* VM_LOCK* for new mappings: mlockall(MCL_FUTURE) */
	struct file *exe;	  /* owned */
	u64 saved_auxv[48];
};

extern int vm_overcommit,
	vm_overcommit_ratio; /* OVERCOMMIT_*; /proc/sys/vm/overcommit_memory, overcommit_ratio */
u64 vm_commit_limit(void);   /* pages that OVERCOMMIT_NEVER promises in all */
extern int vm_max_map_count; /* mappings that an address space may have: /proc/sys/vm/max_map_count */

struct mm *mm_create(void) __must_check;	/* empty, one user; NULL: no memory */
struct mm *mm_fork(struct mm *mm) __must_check; /* copy on write; ERR_PTR */
void mm_get(struct mm *mm);
bool mm_get_unless_dead(struct mm *mm) __must_check;
void mm_put(struct mm *mm); /* may sleep */
/* Of `count`: the structure and its top page table stay, the mappings need not. put: any context. */
void mm_structure_get(struct mm *mm);
void mm_structure_put(struct mm *mm);
/* `previous` NULL: the kernel's own page table is loaded. */
void mm_switch(struct mm *previous, struct mm *next); /* this CPU's page table; interrupts off */

/* With map_lock held (read or write). */
/* " in NAME[start+size]" for the mapping of a file at `address`, or "": for the log. Sleeps. */
void vm_describe(struct mm *mm, unsigned long address, char *text, size_t size);
struct vma *vma_find(struct mm *mm, unsigned long address); /* the first that ends above address, or NULL */
struct vma *vma_next(struct vma *vma);			    /* by address; NULL after the last */
struct vma *vma_previous(struct vma *vma);
struct vma *vma_first(struct mm *mm);
/* What a mapping has in memory, for /proc/PID/smaps; pages. */
struct vma_usage {
	u64 resident, anonymous, shared, private_dirty, proportional_bytes;
};
void vma_usage(struct vma *vma, struct vma_usage *usage);
u64 mm_resident_pages(struct mm *mm); /* no lock needed */

/* mincore: whether each page of the range is in memory. 0, -ENOMEM (something is not mapped), -EINTR. */
int vm_resident(struct mm *mm, unsigned long address, unsigned int pages, u8 *resident) __must_check;

/* Entries of /proc/PID/pagemap for consecutive pages; `numbers`: with those of page frames. 0, -EINTR. */
int vm_page_map(struct mm *mm, unsigned long address, unsigned int pages, u64 *entries,
		bool numbers) __must_check;

/* For tree_ops.mmap: the mapping becomes memory that is shared by who inherits it. 0 or -ENOMEM. */
int shared_memory_attach(struct vma *vma) __must_check;
/* For tree_ops.mmap of a device: [phys, phys + length of vma) is mapped as it is: KVA_DEVICE, KVA_WC, or KVA_RW for cached.
 * 0 or -ENOMEM. */
int vma_map_device(struct vma *vma, phys_addr_t phys, enum kva_prot memory_type) __must_check;
/* Unmaps [first_page, last_page] of the file from the address spaces that map it. FROM_WRITERS: only where stores reach the
 * file, so that the next one is noticed; FROM_ALL: everywhere; AND_COPIES: with the copies that processes made of the pages. */
struct page_cache;
enum unmap_reach { UNMAP_FROM_WRITERS, UNMAP_FROM_ALL, UNMAP_AND_COPIES };
void page_cache_unmap(struct page_cache *cache, u64 first_page, u64 last_page, enum unmap_reach reach);

/*
 * System-call level operations; they take map_lock for writing themselves. Addresses or negative errnos as Linux's
 * mmap(2), munmap(2) etc. `prot`/`flags` are Linux's PROT_/MAP_ bits. vm_map takes its own reference of `file`.
 */
long vm_map(struct mm *mm, unsigned long address, unsigned long length, unsigned long prot,
	    unsigned long flags, struct file *file, u64 offset_pages);
int vm_unmap(struct mm *mm, unsigned long address, unsigned long length);
int vm_protect(struct mm *mm, unsigned long address, unsigned long length, unsigned long prot);
long vm_remap(struct mm *mm, unsigned long old, unsigned long old_length, unsigned long new_length,
	      unsigned long flags, unsigned long new_address);
/* Part of a shared mapping shows other pages of the same memory (remap_file_pages(2)); `start`, `length` page-aligned. */
int vm_remap_pages(struct mm *mm, unsigned long start, unsigned long length, u64 offset_pages,
		   bool populate);
int vm_advise(struct mm *mm, unsigned long address, unsigned long length, int advice);
unsigned long vm_brk(struct mm *mm, unsigned long brk); /* the new break, or the old one on failure */
/* A special mapping (the vDSO, its data page): pages given by ops->fault. ERR_PTR on failure. */
struct vma *vm_map_special(struct mm *mm, unsigned long address, unsigned long length,
			   unsigned int vm_flags, const struct vma_ops *ops, void *private,
			   const char *name);

/* A page fault at `address`; 0 when it is mended, -EFAULT (SIGSEGV), -EACCES (SIGSEGV with SEGV_ACCERR), -EIO (SIGBUS), -ENOMEM,
 * -EINTR (killed). May sleep. */
enum { FAULT_WRITE = 1, FAULT_EXEC = 2, FAULT_USER = 4 };
int vm_fault(struct mm *mm, unsigned long address, unsigned int access);
/* Makes [address, address + length) present, as mlock and MAP_POPULATE do. 0 or -ENOMEM, -EFAULT, -EACCES, -EINTR. */
int vm_populate(struct mm *mm, unsigned long address, unsigned long length) __must_check;
/* Locking, by the flags VM_LOCKED and VM_LOCKONFAULT; 0 unlocks. `future`: of mappings to come. */
int vm_mlock(struct mm *mm, unsigned long address, unsigned long length, unsigned int lock) __must_check;
int vm_mlock_all(struct mm *mm, unsigned int present, unsigned int future) __must_check;
void vm_barrier_all_cpus(void); /* every CPU passes a memory barrier */
/* Reads or writes another process's memory (/proc/PID/cmdline, mem, ptrace): bytes done, or negative errno. */
ssize_t mm_access(struct mm *mm, unsigned long address, void *buffer, size_t size, bool write);
/* Pins the page behind a user address, faulting it in: for futexes. Referenced page or ERR_PTR. */
struct page *mm_get_page(struct mm *mm, unsigned long address, bool write);

/* TLB: after page tables of `mm` changed for [start, end), on every CPU that uses it. */
void tlb_flush_range(struct mm *mm, unsigned long start, unsigned long end);
/* This CPU's translation of one page: after an entry gained a right, when others may find out by themselves. */
void tlb_flush_local(unsigned long address);
void tlb_flush_kernel(unsigned long start, unsigned long end);

void vm_init(void);

#endif
