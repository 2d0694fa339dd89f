/* Changes of mappings that exist: protection, size and place, locking, and advice about their contents. */
#include "vm_internal.h"
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/thread.h>
#include <linux/capability.h>
#include <linux/falloc.h>
#include <linux/mman.h>
#include <linux/resource.h>

/* Cuts mappings at start and end, so that [start, end) consists of whole ones. 0, -ENOMEM. */
static int isolate_range(struct mm *mm, unsigned long start, unsigned long end)
{
	struct vma *vma = vma_find(mm, start);
	int error = 0;

	if (vma && vma->start < start)
		error = vma_split(vma, start);
	if (error)
		return error;
	vma = vma_find(mm, end - 1);
	if (vma && vma->start < end && vma->end > end)
		error = vma_split(vma, end);
	return error;
}

/* Takes back what isolate_range() split and nothing came of. */
static void join_range(struct mm *mm, unsigned long start, unsigned long end)
{
	struct vma *vma = vma_find(mm, start);

	if (vma)
		vma_merge(vma);
	vma = vma_find(mm, end);
	if (vma && vma->start == end)
		vma_merge(vma);
}

/* Whether mappings cover all of [start, end). */
static bool range_is_mapped(struct mm *mm, unsigned long start, unsigned long end)
{
	struct vma *vma = vma_find(mm, start);

	while (vma && vma->start <= start) {
		if (vma->end >= end)
			return true;
		start = vma->end;
		vma = vma_next(vma);
	}
	return false;
}

static int check_range(unsigned long address, unsigned long *length)
{
	if (address % PAGE_SIZE)
		return -EINVAL;
	if (*length > USER_END)
		return -ENOMEM;
	*length = ALIGN_UP(*length, PAGE_SIZE);
	return address > USER_END - *length ? -ENOMEM : 0;
}

/* ---- mprotect ---- */

/* Rewrites the entries of a mapping for its flags. True if any lost a right, so that TLBs must be flushed. */
static bool protect_entries(struct vma *vma)
{
	unsigned long address = vma->start, stop;
	struct page *table, *page;
	pte_t *entry, pte, changed;
	bool flush = false, writable;

	while ((table = user_table_next(vma->mm, &address, vma->end))) {
		stop = table_end(address, vma->end);
		entry = pte_in_table(table, address);
		page_spin_lock(table);
		for (; address < stop && table->live_entries; address += PAGE_SIZE, entry++) {
			pte = *entry;
			if (pte_none(pte))
				continue;
			/* A page that is the process's alone, or was written in a shared mapping, needs no fault to be written. */
			page = pte_page(pte);
			writable = pte_writable(pte);
			if (!writable && !pte_special(pte) && !(vma->flags & VM_SHARED))
				writable = page->flags & BIT(PG_ANON) &&
					   refcount_read(&page->refs) == 1;
			if (vma->flags & VM_IO)
				writable = true;
			changed = pte_modify(pte, vma_protection(vma, writable));
			if (changed.value == pte.value)
				continue;
			pte_write(entry, changed);
			flush |= pte_present(pte);
		}
		page_spin_unlock(table);
		address = stop;
		cond_resched();
	}
	return flush;
}

/* Whether a mapping may get these rights: 0, -EACCES, -ENOMEM (that would promise more memory than there is). */
static int may_protect(const struct vma *vma, unsigned int rights)
{
	unsigned int flags = (vma->flags & ~(VM_READ | VM_WRITE | VM_EXEC)) | rights;

	if ((rights & VM_READ && !(vma->flags & VM_MAYREAD)) ||
	    (rights & VM_WRITE && !(vma->flags & VM_MAYWRITE)) ||
	    (rights & VM_EXEC && !(vma->flags & VM_MAYEXEC)))
		return -EACCES;
	return flags_are_data(vma->flags) ? 0 : may_commit(vma->mm, vma_pages(vma), flags);
}

/* As on Linux, what comes before a hole, or before a mapping that refuses, is changed all the same. */
static int protect_locked(struct mm *mm, unsigned long start, unsigned long end, unsigned int rights)
{
	int error = isolate_range(mm, start, end);
	unsigned long done = start;
	bool flush = false;
	struct vma *vma;

	for (vma = vma_find(mm, start); !error && done < end; vma = vma_next(vma)) {
		error = vma && vma->start <= done ? may_protect(vma, rights) : -ENOMEM;
		if (error)
			break;
		if ((vma->flags & (VM_READ | VM_WRITE | VM_EXEC)) != rights) {
			mm_count_kind(mm, vma->flags, -(long)vma_pages(vma));
			vma->flags = (vma->flags & ~(VM_READ | VM_WRITE | VM_EXEC)) | rights;
			mm_count_kind(mm, vma->flags, (long)vma_pages(vma));
			flush |= protect_entries(vma);
		}
		vma = vma_merge(vma);
		done = vma->end;
	}
	if (error)
		join_range(mm, start, end);
	if (flush)
		tlb_flush_range(mm, start, end);
	return error;
}

int vm_protect(struct mm *mm, unsigned long address, unsigned long length, unsigned long prot)
{
	unsigned int rights = prot & (VM_READ | VM_WRITE | VM_EXEC);
	struct vma *vma;
	int error;

	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP) ||
	    (prot & (PROT_GROWSDOWN | PROT_GROWSUP)) == (PROT_GROWSDOWN | PROT_GROWSUP))
		return -EINVAL;
	error = check_range(address, &length);
	if (error || !length)
		return error;
	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	error = -ENOMEM;
	vma = vma_find(mm, address);
	if (!vma)
		goto out;
	if (prot & PROT_GROWSDOWN) {
		if (vma->start >= address + length)
			goto out;
		error = -EINVAL;
		if (!(vma->flags & VM_GROWSDOWN))
			goto out;
		length += address - vma->start;
		address = vma->start;
	}
	error = -EINVAL; /* nothing grows upwards */
	if (prot & PROT_GROWSUP && vma->start <= address)
		goto out;
	error = protect_locked(mm, address, address + length, rights);
out:
	up_write(&mm->map_lock);
	return error;
}
EXPORT_SYMBOL(vm_protect);

/* ---- mremap ---- */

/* Moves the entries of `vma` to where `target` has the same pages. Translations of the old place are gone when the lock of a
 * table is: a truncation may take a page out of the new place as soon as it gets that, and flushes only this one. */
static int move_entries(struct vma *vma, struct vma *target)
{
	unsigned long address = vma->start, first, to, stop, distance = target->start - vma->start;
	struct page *source_table, *target_table;
	pte_t *from, *into;

	while ((source_table = user_table_next(vma->mm, &address, vma->end))) {
		stop = table_end(address, vma->end);
		while (address < stop) {
			to = address + distance;
			target_table = user_table_get(vma->mm, to);
			if (!target_table)
				return -ENOMEM;
			/* Others take one of these locks at a time; map_lock keeps other movers away. */
			page_spin_lock(source_table);
			if (target_table != source_table)
				page_spin_lock(target_table);
			from = pte_in_table(source_table, address);
			into = pte_in_table(target_table, to);
			first = address;
			do {
				if (!pte_none(*from)) {
					pte_write(into, *from);
					pte_clear(from);
					source_table->live_entries--;
					target_table->live_entries++;
				}
				from++;
				into++;
				address += PAGE_SIZE;
				to += PAGE_SIZE;
			} while (address < stop && to % TABLE_SPAN);
			tlb_flush_range(vma->mm, first, address);
			if (target_table != source_table)
				page_spin_unlock(target_table);
			page_spin_unlock(source_table);
		}
		cond_resched();
	}
	return 0;
}

/* The mapping [old, old + old_length), which is the whole of `vma`, goes to `place` and becomes new_length long. */
static long move_mapping(struct mm *mm, struct vma *vma, unsigned long place,
			 unsigned long new_length, bool keep_old)
{
	struct vma *copy = vma_copy(vma, mm);
	unsigned long start = vma->start, end = vma->end;
	int error;

	if (!copy)
		return -ENOMEM;
	copy->start = place;
	copy->end = place + new_length;
	vma_link_copy(copy, vma); /* behind the original in the file's list: truncation finds a page before or after its move */
	error = move_entries(vma, copy);
	if (error) {
		/* What was moved goes back; the tables that it came from are still there. */
		struct vma part = *copy, whole = *vma;

		part.end = place + (end - start);
		if (move_entries(&part, &whole))
			error = -ENOMEM;
		unmap_range_locked(mm, copy->start, copy->end);
		return error;
	}
	if (keep_old) {
		vma->flags &= ~VM_HAS_ANON;
		return (long)place;
	}
	error = unmap_range_locked(mm, start, end);
	return error ? error : (long)place;
}

/* May this part of the mapping be moved, or become longer? */
static int may_remap(struct mm *mm, const struct vma *vma, unsigned long old,
		     unsigned long old_length, unsigned long new_length, unsigned long flags)
{
	unsigned long more = new_length;

	if (!old_length) { /* a second mapping of the same shared pages */
		if (!(vma->flags & VM_SHARED))
			return -EINVAL;
	} else if (vma->end - old < old_length) {
		return -EFAULT;
	}
	if (flags & MREMAP_DONTUNMAP && vma->flags & VM_IO)
		return -EINVAL;
	if (vma->flags & VM_IO && new_length > old_length)
		return -EFAULT;
	if (!(flags & MREMAP_DONTUNMAP))
		more = new_length > old_length ? new_length - old_length : 0;
	return more ? may_grow(mm, more >> PAGE_SHIFT, vma->flags) : 0;
}

/* The same shared pages from `old` on at another place, too. */
static long remap_again(struct mm *mm, struct vma *vma, unsigned long old, unsigned long place,
			unsigned long length)
{
	struct vma *copy = vma_copy(vma, mm);

	if (!copy)
		return -ENOMEM;
	copy->offset_pages = vma_offset_of(vma, old);
	copy->start = place;
	copy->end = place + length;
	vma_link_copy(copy, vma);
	return (long)place;
}

static long remap_locked(struct mm *mm, unsigned long old, unsigned long old_length,
			 unsigned long new_length, unsigned long flags, unsigned long new_address)
{
	struct vma *vma = vma_find(mm, old);
	unsigned long place;
	int error;

	if (!vma || vma->start > old)
		return -EFAULT;
	if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && old_length >= new_length) {
		error = old_length > new_length
				? unmap_range_locked(mm, old + new_length, old + old_length)
				: 0;
		return error ? error : (long)old;
	}
	error = may_remap(mm, vma, old, old_length, new_length, flags);
	if (error)
		return error;

	if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
		/* In place, where there is room behind it. */
		if (old_length && vma->end == old + old_length && old + new_length <= USER_END &&
		    range_is_free(mm, vma->end, new_length - old_length)) {
			vma_set_range(vma, vma->start, old + new_length, vma->offset_pages);
			vma_merge(vma);
			return (long)old;
		}
		if (!(flags & MREMAP_MAYMOVE))
			return -ENOMEM;
	}

	if (flags & MREMAP_FIXED) {
		error = unmap_range_locked(mm, new_address, new_address + new_length);
		if (error)
			return error;
		place = new_address;
		if (old_length > new_length) {
			error = unmap_range_locked(mm, old + new_length, old + old_length);
			if (error)
				return error;
			old_length = new_length;
		}
	} else {
		place = find_free_range(mm, new_length);
		if (!place)
			return -ENOMEM;
	}
	vma = vma_find(mm, old);
	if (!vma || vma->start > old)
		return -EFAULT; /* of no length, and in the new place: unmapped just now */
	if (!old_length)
		return remap_again(mm, vma, old, place, new_length);
	error = isolate_range(mm, old, old + old_length);
	if (error)
		return error;
	return move_mapping(mm, vma_find(mm, old), place, new_length, flags & MREMAP_DONTUNMAP);
}

long vm_remap(struct mm *mm, unsigned long old, unsigned long old_length, unsigned long new_length,
	      unsigned long flags, unsigned long new_address)
{
	bool populate;
	long result;

	if (flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP) || old % PAGE_SIZE)
		return -EINVAL;
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (flags & MREMAP_DONTUNMAP && old_length != new_length)
		return -EINVAL;
	old_length = ALIGN_UP(old_length, PAGE_SIZE);
	new_length = ALIGN_UP(new_length, PAGE_SIZE);
	if (!new_length)
		return -EINVAL;
	if (old > USER_END)
		return -EFAULT;
	if (old_length > USER_END - old)
		return -EINVAL;
	if (new_length > USER_END)
		return flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) ? -EINVAL : -ENOMEM;
	if (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) {
		if (new_address % PAGE_SIZE || new_address > USER_END - new_length)
			return -EINVAL;
		if (new_address < old + old_length && old < new_address + new_length)
			return -EINVAL;
		if (flags & MREMAP_FIXED && new_address < USER_MMAP_MIN && !capable(CAP_SYS_RAWIO))
			return -EPERM;
	}
	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	result = remap_locked(mm, old, old_length, new_length, flags, new_address);
	populate = result >= 0 && new_length > old_length &&
		   (vma_find(mm, result)->flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED;
	up_write(&mm->map_lock);
	if (populate && vm_populate(mm, result + old_length, new_length - old_length) == -EINTR)
		return result; /* moved all the same; the pages come with faults */
	return result;
}
EXPORT_SYMBOL(vm_remap);

/* ---- remap_file_pages ---- */

/* Whether all of [start, end) shows, in one way, one memory that is shared and whose pages are found by their offset. */
static bool shows_one_memory(struct mm *mm, unsigned long start, unsigned long end)
{
	struct vma *first = vma_find(mm, start), *vma, *next;

	if (!first || first->start > start || !(first->flags & VM_SHARED) ||
	    (first->ops != &page_cache_vma_ops && first->ops != &shared_memory_ops))
		return false;
	for (vma = first; vma->end < end; vma = next) {
		next = vma_next(vma);
		if (!next || next->start != vma->end || next->file != first->file ||
		    next->private != first->private || next->flags != first->flags)
			return false;
	}
	return true;
}

static int show_other_pages(struct mm *mm, unsigned long start, unsigned long end, u64 offset_pages)
{
	struct unmap_batch batch;
	struct vma *vma;
	int error;

	if (!shows_one_memory(mm, start, end))
		return -EINVAL;
	error = isolate_range(mm, start, end);
	if (error)
		return error;
	unmap_batch_init(&batch, mm, false);
	unmap_entries(&batch, start, end, false);
	unmap_batch_finish(&batch);
	for (vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(vma)) {
		vma_set_range(vma, vma->start, vma->end,
			      offset_pages + ((vma->start - start) >> PAGE_SHIFT));
		vma = vma_merge(vma);
	}
	return 0;
}

int vm_remap_pages(struct mm *mm, unsigned long start, unsigned long length, u64 offset_pages,
		   bool populate)
{
	int error;

	if (length > USER_END || start > USER_END - length)
		return -EINVAL;
	if (offset_pages >> (64 - PAGE_SHIFT))
		return -EOVERFLOW;
	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	error = show_other_pages(mm, start, start + length, offset_pages);
	up_write(&mm->map_lock);
	if (!error && populate && vm_populate(mm, start, length) == -EINTR)
		return 0; /* the pages come with faults */
	return error;
}

/* ---- mlock ---- */

static void lock_mapping(struct vma *vma, unsigned int lock)
{
	if (vma->flags & VM_IO)
		return;
	if (!(vma->flags & VM_LOCKED) != !lock)
		vma->mm->locked_pages += lock ? vma_pages(vma) : -vma_pages(vma);
	vma->flags = (vma->flags & ~(VM_LOCKED | VM_LOCKONFAULT)) | lock;
}

/* Pages of [start, end) that are not locked yet. */
static unsigned long unlocked_pages(struct mm *mm, unsigned long start, unsigned long end)
{
	unsigned long pages = (end - start) >> PAGE_SHIFT;
	struct vma *vma;

	for (vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(vma))
		if (vma->flags & VM_LOCKED)
			pages -= (min(vma->end, end) - max(vma->start, start)) >> PAGE_SHIFT;
	return pages;
}

/* -ENOMEM for a hole, but what comes before it is locked all the same, as on Linux. */
static int lock_range(struct mm *mm, unsigned long start, unsigned long end, unsigned int lock)
{
	u64 limit = process_limit(RLIMIT_MEMLOCK);
	unsigned long done = start;
	struct vma *vma;
	int error;

	if (lock && limit != RLIM_INFINITY && !capable(CAP_IPC_LOCK) &&
	    mm->locked_pages + unlocked_pages(mm, start, end) > limit >> PAGE_SHIFT)
		return -ENOMEM;
	error = isolate_range(mm, start, end);
	for (vma = vma_find(mm, start); !error && done < end; vma = vma_next(vma)) {
		if (!vma || vma->start > done)
			return -ENOMEM;
		lock_mapping(vma, lock);
		vma = vma_merge(vma);
		done = vma->end;
	}
	return error;
}

int vm_mlock(struct mm *mm, unsigned long address, unsigned long length, unsigned int lock)
{
	unsigned long start = ALIGN_DOWN(address, PAGE_SIZE);
	int error;

	if (lock && !process_limit(RLIMIT_MEMLOCK) && !capable(CAP_IPC_LOCK))
		return -EPERM;
	length = ALIGN_UP(length + (address - start), PAGE_SIZE);
	if (!length)
		return 0;
	if (start + length < start)
		return -EINVAL;
	if (start > USER_END || length > USER_END - start)
		return -ENOMEM;
	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	error = lock_range(mm, start, start + length, lock);
	up_write(&mm->map_lock);
	if (!error && lock == VM_LOCKED)
		error = vm_populate(mm, start, length);
	return error == -EFAULT || error == -EACCES ? -ENOMEM : error;
}

/* As on Linux, what cannot be made present is left to later faults. */
static int populate_all(struct mm *mm)
{
	unsigned long start, address = 0;
	struct vma *vma;

	do {
		if (down_read_killable(&mm->map_lock))
			return -EINTR;
		vma = vma_find(mm, address);
		start = vma ? vma->start : 0;
		address = vma ? vma->end : 0;
		up_read(&mm->map_lock);
		if (vma && vm_populate(mm, start, address - start) == -EINTR)
			return -EINTR;
	} while (vma);
	return 0;
}

int vm_mlock_all(struct mm *mm, unsigned int present, unsigned int future)
{
	u64 limit = process_limit(RLIMIT_MEMLOCK);
	struct vma *vma;

	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	if (present && limit != RLIM_INFINITY && mm->total_pages > limit >> PAGE_SHIFT &&
	    !capable(CAP_IPC_LOCK)) {
		up_write(&mm->map_lock);
		return -ENOMEM;
	}
	mm->lock_future = future;
	for (vma = vma_first(mm); vma && (present || !future); vma = vma_next(vma))
		lock_mapping(vma, present);
	up_write(&mm->map_lock);
	return present == VM_LOCKED ? populate_all(mm) : 0;
}

/* ---- madvise ---- */

/* Advice that changes what the mapping is. Whole mappings, map_lock held for writing. */
static int advise_flags(struct vma *vma, int advice)
{
	switch (advice) {
	case MADV_DONTFORK:
		vma->flags |= VM_DONTCOPY;
		return 0;
	case MADV_DOFORK:
		if (vma->flags & VM_IO)
			return -EINVAL;
		vma->flags &= ~VM_DONTCOPY;
		return 0;
	case MADV_WIPEONFORK:
		if (vma->file || vma->flags & VM_SHARED)
			return -EINVAL;
		vma->flags |= VM_WIPEONFORK;
		return 0;
	case MADV_KEEPONFORK:
		vma->flags &= ~VM_WIPEONFORK;
		return 0;
	case MADV_DONTDUMP:
		vma->flags |= VM_DONTDUMP;
		return 0;
	case MADV_DODUMP:
		vma->flags &= ~VM_DONTDUMP;
		return 0;
	}
	return -EINVAL;
}

static int advise_change(struct mm *mm, unsigned long start, unsigned long end, int advice)
{
	struct vma *vma;
	int error;

	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	error = isolate_range(mm, start, end);
	for (vma = vma_find(mm, start); !error && vma && vma->start < end; vma = vma_next(vma)) {
		error = advise_flags(vma, advice);
		if (!error)
			vma = vma_merge(vma);
	}
	if (!error && !range_is_mapped(mm, start, end))
		error = -ENOMEM;
	up_write(&mm->map_lock);
	return error;
}

/* Pages are dropped: memory of the process's own reads as zeros again, that of files as the file. */
static int advise_drop(struct mm *mm, unsigned long start, unsigned long end, int advice)
{
	struct unmap_batch batch;
	struct vma *vma;
	int error = 0;

	if (down_read_killable(&mm->map_lock))
		return -EINTR;
	unmap_batch_init(&batch, mm, false);
	for (vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(vma)) {
		if (vma->flags & VM_IO || (vma->flags & VM_LOCKED && advice != MADV_DONTNEED_LOCKED) ||
		    (advice == MADV_FREE && (vma->file || vma->flags & VM_SHARED))) {
			error = -EINVAL;
			break;
		}
		unmap_entries(&batch, max(vma->start, start), min(vma->end, end), false);
	}
	unmap_batch_finish(&batch);
	if (!error && !range_is_mapped(mm, start, end))
		error = -ENOMEM;
	up_read(&mm->map_lock);
	return error;
}

static int may_remove(const struct vma *vma)
{
	if (vma->flags & VM_LOCKED || (!vma->file && vma->ops != &shared_memory_ops))
		return -EINVAL;
	return (vma->flags & (VM_SHARED | VM_MAYWRITE)) == (VM_SHARED | VM_MAYWRITE) ? 0 : -EACCES;
}

/* MADV_REMOVE: a hole in the file of a shared mapping, or in shared memory without one. */
static int advise_remove(struct mm *mm, unsigned long start, unsigned long end)
{
	struct file *file;
	loff_t offset, length;
	struct vma *vma;
	int error, hole = 0;

	while (start < end) {
		if (down_read_killable(&mm->map_lock))
			return -EINTR;
		vma = vma_find(mm, start);
		if (!vma || vma->start > start) {
			hole = -ENOMEM;
			start = vma ? vma->start : end;
			up_read(&mm->map_lock);
			continue;
		}
		error = may_remove(vma);
		offset = (loff_t)(vma_offset_of(vma, start) << PAGE_SHIFT);
		length = (loff_t)(min(vma->end, end) - start);
		file = !error && vma->ops != &shared_memory_ops ? file_get(vma->file) : NULL;
		if (!error && !file)
			shared_memory_clear(vma, (u64)offset >> PAGE_SHIFT, (u64)length >> PAGE_SHIFT);
		up_read(&mm->map_lock);
		if (file) {
			error = file_allocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					      offset, length);
			file_put(file);
		}
		if (error)
			return error;
		start += (unsigned long)length;
	}
	return hole;
}

/* Advice that Kumo has no use for, except that the range must be one that it could be given for. */
static int advise_nothing(struct mm *mm, unsigned long start, unsigned long end, int advice)
{
	bool reclaim = advice == MADV_COLD || advice == MADV_PAGEOUT;
	struct vma *vma;
	int error = 0;

	if (down_read_killable(&mm->map_lock))
		return -EINTR;
	for (vma = vma_find(mm, start); vma && vma->start < end && !error; vma = vma_next(vma))
		if (reclaim && vma->flags & (VM_LOCKED | VM_IO))
			error = -EINVAL;
	if (!error && !range_is_mapped(mm, start, end))
		error = -ENOMEM;
	up_read(&mm->map_lock);
	return error;
}

int vm_advise(struct mm *mm, unsigned long address, unsigned long length, int advice)
{
	unsigned long end;
	int error;

	if (advice < MADV_NORMAL || advice > MADV_COLLAPSE ||
	    (advice > MADV_DONTNEED && advice < MADV_FREE))
		return -EINVAL;
	if (address % PAGE_SIZE || (length && !ALIGN_UP(length, PAGE_SIZE)))
		return -EINVAL;
	end = address + ALIGN_UP(length, PAGE_SIZE);
	if (end <= address)
		return end < address ? -EINVAL : 0;

	switch (advice) {
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		error = vm_populate_access(mm, address, end - address,
					   advice == MADV_POPULATE_READ ? VM_READ : VM_WRITE);
		return error == -EACCES ? -EINVAL : error;
	case MADV_DONTNEED:
	case MADV_DONTNEED_LOCKED:
	case MADV_FREE:
		return advise_drop(mm, address, end, advice);
	case MADV_REMOVE:
		return advise_remove(mm, address, end);
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
		return advise_change(mm, address, end, advice);
	case MADV_COLLAPSE: /* no large pages here */
		error = advise_nothing(mm, address, end, advice);
		return error ? error : -EINVAL;
	default:
		return advise_nothing(mm, address, end, advice);
	}
}
EXPORT_SYMBOL(vm_advise);
