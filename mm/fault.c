/*
 * Page faults: what a mapping promises is made present. Called with map_lock held for reading, so that mappings stay;
 * entries change under the lock of their table, and are looked at again there, since another thread, or a truncation, may
 * have been first.
 *
 * A page of the cache may be mapped only while it is in the cache: page->cache is looked at under the table's lock.
 * Truncation clears it before it looks for mappings, and takes that lock when it does, so one of the two sees the other.
 * Likewise it may be mapped for writing only while it is dirty: write-back clears PG_DIRTY first, and then unmaps it.
 */
#include "vm_internal.h"
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/serve.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <linux/resource.h>

bool vma_allows(const struct vma *vma, unsigned int access)
{
	if (access & FAULT_WRITE)
		return vma->flags & VM_WRITE;
	if (access & FAULT_EXEC)
		return vma->flags & VM_EXEC;
	return vma->flags & (VM_READ | VM_WRITE | VM_EXEC);
}

/* A new private page, cleared or not. */
static inline struct page *anon_page_alloc(unsigned int gfp)
{
	struct page *page = page_alloc(0, GFP_USER | gfp);

	if (likely(page)) {
		page->flags = BIT(PG_ANON);
		memory_account_fast(MEMORY_ANON, 1);
	}
	return page;
}

/* fork must copy the tables of this mapping from now on. Other threads may say so at the same time. */
static inline void vma_mark_anon(struct vma *vma)
{
	if (unlikely(!(vma->flags & VM_HAS_ANON)))
		__atomic_fetch_or(&vma->flags, VM_HAS_ANON, __ATOMIC_RELAXED);
}

/* Fills the empty entry; false: it is not empty any more. With the table's lock held. */
static inline bool entry_fill(struct page *table, pte_t *entry, pte_t pte)
{
	if (unlikely(!pte_none(*entry)))
		return false;
	pte_write(entry, pte);
	table->live_entries++;
	return true;
}

static int fault_anonymous(struct vma *vma, struct page *table, pte_t *entry, bool write)
{
	struct page *page;
	bool filled;

	if (!write) {
		page_spin_lock(table);
		entry_fill(table, entry,
			   pte_make(page_to_phys(zero_page), vma_protection(vma, false) | PTE_SPECIAL));
		page_spin_unlock(table);
		return 0;
	}
	page = anon_page_alloc(GFP_ZERO);
	if (!page)
		return -ENOMEM;
	vma_mark_anon(vma);
	page_spin_lock(table);
	filled = entry_fill(table, entry, pte_make(page_to_phys(page), vma_protection(vma, true)));
	page_spin_unlock(table);
	if (likely(filled))
		atomic64_add(&vma->mm->resident_anon, 1);
	else
		page_put(page);
	return 0;
}

/* A private mapping is written where nothing is mapped yet: the copy is made at once. Takes over `source`. */
static int fault_private_copy(struct vma *vma, struct page *table, pte_t *entry, struct page *source)
{
	struct page *page = anon_page_alloc(0);
	bool filled;

	if (!page) {
		page_put(source);
		return -ENOMEM;
	}
	page_copy(page_address(page), page_address(source));
	page_put(source);
	vma_mark_anon(vma);
	page_spin_lock(table);
	filled = entry_fill(table, entry, pte_make(page_to_phys(page), vma_protection(vma, true)));
	page_spin_unlock(table);
	if (filled)
		atomic64_add(&vma->mm->resident_anon, 1);
	else
		page_put(page);
	return 0;
}

/* Has the page of the cache neither been truncated meanwhile, nor (write) written back? With the table's lock held. */
static inline bool still_mappable(const struct vma *vma, const struct page *page, bool write)
{
	return READ_ONCE(page->cache) == vma->private &&
	       (!write || READ_ONCE(page->flags) & BIT(PG_DIRTY));
}

static int fault_object(struct vma *vma, struct page *table, pte_t *entry, unsigned long address,
			bool write)
{
	bool cached = vma->ops == &page_cache_vma_ops, shared = vma->flags & VM_SHARED, filled;
	struct page *page;

	if (!vma->ops->fault)
		return -EIO;
	page = vma->ops->fault(vma, vma_offset_of(vma, address), write && shared);
	if (IS_ERR(page))
		return PTR_ERR(page);
	if (write && !shared)
		return fault_private_copy(vma, table, entry, page);
	if (write && cached)
		page_cache_set_dirty(page);

	page_spin_lock(table);
	if (unlikely(cached && !still_mappable(vma, page, write))) { /* try again */
		page_spin_unlock(table);
		page_put(page);
		return 0;
	}
	filled = entry_fill(table, entry, pte_make(page_to_phys(page), vma_protection(vma, write)));
	page_spin_unlock(table);
	if (filled)
		atomic64_add(&vma->mm->resident_file, 1);
	else
		page_put(page);
	if (cached && !write)
		page_cache_map_around(vma, table, address);
	return 0;
}

/* Gives the entry, if it is still `pte`, the protection that the mapping allows. `cached`: its page, if that is one of a cache. */
static void entry_make_writable(struct vma *vma, struct page *table, pte_t *entry, pte_t pte,
				unsigned long address, const struct page *cached)
{
	page_spin_lock(table);
	if (entry->value == pte.value && (!cached || still_mappable(vma, cached, true)))
		pte_write(entry, pte_modify(pte, vma_protection(vma, true)));
	page_spin_unlock(table);
	tlb_flush_range(vma->mm, address, address + PAGE_SIZE);
}

/* A write to a page that is mapped read-only. */
static int fault_write_protected(struct vma *vma, struct page *table, pte_t *entry, pte_t pte,
				 unsigned long address)
{
	struct page *old, *page;
	bool alone, special, cached;
	int error;

	page_spin_lock(table);
	if (unlikely(entry->value != pte.value)) {
		page_spin_unlock(table);
		return 0;
	}
	special = pte_special(pte);
	old = pte_page(pte);
	if (vma->flags & VM_SHARED) {
		cached = vma->ops == &page_cache_vma_ops;
		if (cached)
			page_get(old);
		page_spin_unlock(table);
		error = cached ? page_cache_make_writable(vma, old) : 0;
		if (!error)
			entry_make_writable(vma, table, entry, pte, address, cached ? old : NULL);
		if (cached)
			page_put(old);
		return error;
	}
	alone = !special && old->flags & BIT(PG_ANON) && refcount_read(&old->refs) == 1;
	if (alone) { /* the others who shared it have their own copies, or are gone */
		pte_write(entry, pte_modify(pte, vma_protection(vma, true)));
		page_spin_unlock(table);
		/* Other CPUs that still have it read-only fault once more and find it mended. */
		tlb_flush_local(address);
		return 0;
	}
	if (!special)
		page_get(old);
	page_spin_unlock(table);

	page = anon_page_alloc(special ? GFP_ZERO : 0);
	if (page && !special)
		page_copy(page_address(page), page_address(old));
	if (!page) {
		if (!special)
			page_put(old);
		return -ENOMEM;
	}
	vma_mark_anon(vma);
	page_spin_lock(table);
	if (unlikely(entry->value != pte.value)) {
		page_spin_unlock(table);
		page_put(page);
		if (!special)
			page_put(old);
		return 0;
	}
	pte_write(entry, pte_make(page_to_phys(page), vma_protection(vma, true)));
	page_spin_unlock(table);
	tlb_flush_range(vma->mm, address, address + PAGE_SIZE);
	if (special || !(old->flags & BIT(PG_ANON)))
		atomic64_add(&vma->mm->resident_anon, 1);
	if (!special) {
		if (!(old->flags & BIT(PG_ANON)))
			atomic64_add(&vma->mm->resident_file, -1);
		page_put(old); /* ours */
		page_put(old); /* the entry's */
	}
	return 0;
}

/* With map_lock held for reading; the mapping covers the address and allows the access. */
static int fault_in_mapping(struct vma *vma, unsigned long address, bool write)
{
	struct page *table = user_table_get(vma->mm, address);
	pte_t *entry, pte;

	if (unlikely(!table))
		return -ENOMEM;
	entry = pte_in_table(table, address);
	pte = pte_read(entry);
	if (pte_none(pte)) {
		if (likely(!vma->ops))
			return fault_anonymous(vma, table, entry, write);
		return fault_object(vma, table, entry, address, write);
	}
	if (write && !pte_writable(pte))
		return fault_write_protected(vma, table, entry, pte, address);
	if (!pte_present(pte)) /* held over a time without access, which mprotect has ended: cannot be, but heals */
		entry_make_writable(vma, table, entry, pte, address, NULL);
	else
		tlb_flush_local(address); /* another CPU mended it */
	return 0;
}

/* A stack reaches down to `address`. Takes map_lock for writing. */
int vma_grow_down(struct mm *mm, unsigned long address)
{
	struct vma *vma, *below;
	unsigned long size;
	int error = -EFAULT;

	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	address = ALIGN_DOWN(address, PAGE_SIZE);
	vma = vma_find(mm, address);
	if (!vma || !(vma->flags & VM_GROWSDOWN))
		goto out;
	if (address >= vma->start) { /* another thread was first */
		error = 0;
		goto out;
	}
	size = vma->end - address;
	below = vma_previous(vma);
	if (address < USER_MMAP_MIN || size > process_limit(RLIMIT_STACK))
		goto out;
	if (below && (address < below->end || (address - below->end < STACK_GUARD_GAP &&
					       below->flags & (VM_READ | VM_WRITE | VM_EXEC))))
		goto out;
	error = may_grow(mm, (vma->start - address) >> PAGE_SHIFT, 0);
	if (!error)
		vma_set_range(vma, address, vma->end,
			      vma->offset_pages - ((vma->start - address) >> PAGE_SHIFT));
out:
	up_write(&mm->map_lock);
	return error;
}

/* The mapping's file has no instance that serves it now: waits for one, without the lock of the address space, which is let go of.
 * 0: try again; -EIO, -EINTR. */
static int fault_wait_served(struct vma *vma)
{
	struct mm *mm = vma->mm;
	struct file *file = file_get(vma->file);
	struct tree *tree = file->contents->tree;
	int error;

	up_read(&mm->map_lock);
	error = tree_is_inside(tree) ? -EIO : tree_wait_served(tree); /* nor can its own instance wait */
	file_put(file);
	return error;
}

int vm_fault(struct mm *mm, unsigned long address, unsigned int access)
{
	struct vma *vma;
	int error;

	for (;;) {
		if (unlikely(down_read_killable(&mm->map_lock)))
			return -EINTR;
		vma = vma_find(mm, address);
		if (unlikely(!vma || address < vma->start)) {
			bool grows = vma && vma->flags & VM_GROWSDOWN;

			up_read(&mm->map_lock);
			error = grows ? vma_grow_down(mm, address) : -EFAULT;
			if (error)
				return error;
			continue;
		}
		error = likely(vma_allows(vma, access))
				? fault_in_mapping(vma, address, access & FAULT_WRITE)
				: -EACCES;
		if (unlikely(error == -ETREELOST)) {
			error = fault_wait_served(vma);
			if (error)
				return error;
			continue;
		}
		up_read(&mm->map_lock);
		return error;
	}
}
EXPORT_SYMBOL(vm_fault);

/* ---- Pages of an address space, for the kernel's own use ---- */

/* The page at `address`, with a reference, or NULL when it must be faulted in first (again). map_lock held. */
static struct page *page_if_mapped(struct mm *mm, unsigned long address, bool write)
{
	struct page *table = user_table_find(mm, address), *page = NULL;
	pte_t pte;

	if (!table)
		return NULL;
	page_spin_lock(table);
	pte = *pte_in_table(table, address);
	if (!pte_none(pte) && (!write || pte_writable(pte)) &&
	    (!pte_special(pte) || pte_page(pte) == zero_page)) {
		page = pte_page(pte);
		page_get(page);
	}
	page_spin_unlock(table);
	return page;
}

/* The page at `address`; `force`: whatever the mapping's protection (a debugger writes to text: a private copy). */
static struct page *get_page(struct mm *mm, unsigned long address, bool write, bool force)
{
	struct page *page;
	struct vma *vma;
	int error;

	for (;;) {
		if (down_read_killable(&mm->map_lock))
			return ERR_PTR(-EINTR);
		vma = vma_find(mm, address);
		if (!vma || address < vma->start) {
			bool grows = vma && vma->flags & VM_GROWSDOWN && !force;

			up_read(&mm->map_lock);
			error = grows ? vma_grow_down(mm, address) : -EFAULT;
			if (error)
				return ERR_PTR(error);
			continue;
		}
		error = 0;
		if (vma->flags & VM_IO)
			error = -EFAULT;
		else if (!vma_allows(vma, write ? FAULT_WRITE : 0))
			error = force && (!write || !(vma->flags & VM_SHARED)) ? 0 : -EFAULT;
		page = error ? NULL : page_if_mapped(mm, address, write);
		if (!page && !error) {
			error = fault_in_mapping(vma, address, write);
			if (!error)
				page = page_if_mapped(mm, address, write && vma->flags & VM_WRITE);
		}
		if (unlikely(error == -ETREELOST))
			error = fault_wait_served(vma);
		else
			up_read(&mm->map_lock);
		if (page)
			return page;
		if (error)
			return ERR_PTR(error);
		cond_resched();
	}
}

struct page *mm_get_page(struct mm *mm, unsigned long address, bool write)
{
	return get_page(mm, address, write, false);
}
EXPORT_SYMBOL(mm_get_page);

ssize_t mm_access(struct mm *mm, unsigned long address, void *buffer, size_t size, bool write)
{
	size_t done = 0, part;
	struct page *page;
	char *there;

	while (done < size) {
		if (address + done >= USER_END)
			break;
		page = get_page(mm, address + done, write, true);
		if (IS_ERR(page)) {
			if (done)
				break;
			return PTR_ERR(page) == -EFAULT ? -EIO : PTR_ERR(page);
		}
		part = min(size - done, PAGE_SIZE - (address + done) % PAGE_SIZE);
		there = (char *)page_address(page) + (address + done) % PAGE_SIZE;
		if (write)
			memcpy(there, (char *)buffer + done, part);
		else
			memcpy((char *)buffer + done, there, part);
		page_put(page);
		done += part;
	}
	return (ssize_t)done;
}
EXPORT_SYMBOL(mm_access);

int vm_populate_access(struct mm *mm, unsigned long address, unsigned long length, unsigned int access)
{
	bool write = access & FAULT_WRITE;
	unsigned long end = address + ALIGN_UP(length, PAGE_SIZE);
	struct page *table;
	struct vma *vma;
	int error = 0;
	pte_t pte;

	for (; address < end && !error; address += PAGE_SIZE) {
		if (fatal_signal_pending() || down_read_killable(&mm->map_lock))
			return -EINTR;
		vma = vma_find(mm, address);
		if (!vma || vma->start > address) {
			error = -ENOMEM;
		} else if (vma->flags & VM_IO && !access) {
			address = vma->end - PAGE_SIZE;
		} else if (vma->flags & VM_IO || (vma->flags & access) != access ||
			   !vma_allows(vma, 0)) {
			error = -EACCES;
		} else {
			table = user_table_find(mm, address);
			pte = table ? pte_read(pte_in_table(table, address)) : (pte_t){};
			if (pte_none(pte) || (write && !pte_writable(pte)))
				error = fault_in_mapping(
					vma, address,
					write || (vma->flags & (VM_WRITE | VM_SHARED)) == VM_WRITE);
		}
		if (unlikely(error == -ETREELOST)) {
			error = fault_wait_served(vma);
			address -= PAGE_SIZE; /* once more */
		} else {
			up_read(&mm->map_lock);
		}
		cond_resched();
	}
	return error == -EIO ? -EFAULT : error;
}

int vm_populate(struct mm *mm, unsigned long address, unsigned long length)
{
	return vm_populate_access(mm, address, length, 0);
}
EXPORT_SYMBOL(vm_populate);
