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

static int protect_locked(struct mm *mm, unsigned long start, unsigned long end, unsigned int rights)
{
	bool flush = false;
	struct vma *vma;
	int error;

	for (vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(vma))
		if ((rights & VM_READ && !(vma->flags & VM_MAYREAD)) ||
		    (rights & VM_WRITE && !(vma->flags & VM_MAYWRITE)) ||
		    (rights & VM_EXEC && !(vma->flags & VM_MAYEXEC)))
			return -EACCES;
	error = isolate_range(mm, start, end);
	if (error)
		return error;
	for (vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(vma)) {
		if ((vma->flags & (VM_READ | VM_WRITE | VM_EXEC)) != rights) {
			vma->flags = (vma->flags & ~(VM_READ | VM_WRITE | VM_EXEC)) | rights;
			flush |= protect_entries(vma);
		}
		vma = vma_merge(vma);
	}
	if (flush)
		tlb_flush_range(mm, start, end);
	return 0;
}

int vm_protect(struct mm *mm, unsigned long address, unsigned long length, unsigned long prot)
{
	unsigned int rights = prot & (VM_READ | VM_WRITE | VM_EXEC);
	struct vma *vma;
	int error;

	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP) ||
	    prot & PROT_GROWSUP)
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
		error = -EINVAL;
		if (vma->start >= address + length || !(vma->flags & VM_GROWSDOWN))
			goto out;
		length += address - vma->start;
		address = vma->start;
	}
	error = -ENOMEM;
	if (!range_is_mapped(mm, address, address + length))
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

static long remap_locked(struct mm *mm, unsigned long old, unsigned long old_length,
			 unsigned long new_length, unsigned long flags, unsigned long new_address)
{
	unsigned long place, more = new_length;
	struct vma *vma = vma_find(mm, old);
	int error;

	if (!vma || vma->start > old)
		return -EFAULT;
	if (!old_length) { /* a second mapping of the same shared pages */
		if (!(vma->flags & VM_SHARED))
			return -EINVAL;
	} else if (vma->end - old < old_length) {
		return -EFAULT;
	}
	if (flags & MREMAP_DONTUNMAP && (vma->file || vma->flags & VM_SHARED || old_length != new_length))
		return -EINVAL;
	if (vma->flags & VM_IO && new_length > old_length)
		return -EFAULT;
	if (!(flags & MREMAP_DONTUNMAP))
		more = new_length > old_length ? new_length - old_length : 0;
	error = more ? may_grow(mm, more >> PAGE_SHIFT, vma->flags) : 0;
	if (error)
		return error;

	if (!(flags & (MREMAP_FIXED | MREMAP_DONTUNMAP))) {
		if (new_length <= old_length) {
			if (new_length == old_length)
				return (long)old;
			error = unmap_range_locked(mm, old + new_length, old + old_length);
			return error ? error : (long)old;
		}
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
	if (!old_length) {
		struct vma *copy = vma_copy(vma, mm);

		if (!copy)
			return -ENOMEM;
		copy->offset_pages = vma_offset_of(vma, old);
		copy->start = place;
		copy->end = place + new_length;
		vma_link_copy(copy, vma);
		return (long)place;
	}
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
	if (!new_length || new_length > USER_END || old_length > USER_END || old > USER_END - old_length)
		return -EINVAL;
	old_length = ALIGN_UP(old_length, PAGE_SIZE);
	new_length = ALIGN_UP(new_length, PAGE_SIZE);
	if (flags & MREMAP_FIXED) {
		if (new_address % PAGE_SIZE || new_length > USER_END ||
		    new_address > USER_END - new_length)
			return -EINVAL;
		if (new_address < old + old_length && old < new_address + new_length)
			return -EINVAL;
		if (new_address < USER_MMAP_MIN && !capable(CAP_SYS_RAWIO))
			return -EPERM;
	}
	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	result = remap_locked(mm, old, old_length, new_length, flags, new_address);
	populate = result >= 0 && new_length > old_length && vma_find(mm, result)->flags & VM_LOCKED;
	up_write(&mm->map_lock);
	if (populate && vm_populate(mm, result + old_length, new_length - old_length) == -EINTR)
		return result; /* moved all the same; the pages come with faults */
	return result;
}
EXPORT_SYMBOL(vm_remap);

/* ---- mlock ---- */

int vm_mlock(struct mm *mm, unsigned long address, unsigned long length, bool lock)
{
	unsigned long end, start = ALIGN_DOWN(address, PAGE_SIZE), pages;
	u64 limit = process_limit(RLIMIT_MEMLOCK);
	struct vma *vma;
	int error;

	length += address - start;
	error = check_range(start, &length);
	if (error || !length)
		return error;
	end = start + length;
	pages = length >> PAGE_SHIFT;
	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	error = -ENOMEM;
	if (lock && limit != RLIM_INFINITY && mm->locked_pages + pages > limit >> PAGE_SHIFT &&
	    !capable(CAP_IPC_LOCK)) {
		if (!limit)
			error = -EPERM;
		goto out;
	}
	if (!range_is_mapped(mm, start, end))
		goto out;
	error = isolate_range(mm, start, end);
	if (error)
		goto out;
	for (vma = vma_find(mm, start); vma && vma->start < end; vma = vma_next(vma)) {
		if (!(vma->flags & VM_LOCKED) != !lock && !(vma->flags & VM_IO)) {
			vma->flags ^= VM_LOCKED;
			mm->locked_pages += lock ? vma_pages(vma) : -vma_pages(vma);
		}
		vma = vma_merge(vma);
	}
out:
	up_write(&mm->map_lock);
	if (!error && lock)
		error = vm_populate(mm, start, length);
	return error == -EFAULT ? -ENOMEM : error;
}

int vm_mlock_all(struct mm *mm, bool present, bool future)
{
	u64 limit = process_limit(RLIMIT_MEMLOCK);
	unsigned long address = 0;
	struct vma *vma;
	int error = 0;

	if (down_write_killable(&mm->map_lock))
		return -EINTR;
	if (present && limit != RLIM_INFINITY && mm->total_pages > limit >> PAGE_SHIFT &&
	    !capable(CAP_IPC_LOCK)) {
		up_write(&mm->map_lock);
		return -ENOMEM;
	}
	mm->lock_future = future;
	for (vma = vma_first(mm); vma && (present || !future); vma = vma_next(vma)) {
		if (vma->flags & VM_IO || !(vma->flags & VM_LOCKED) == !present)
			continue;
		vma->flags ^= VM_LOCKED;
		mm->locked_pages += present ? vma_pages(vma) : -vma_pages(vma);
	}
	up_write(&mm->map_lock);

	/* As on Linux, what cannot be made present is left to later faults. */
	while (present && error != -EINTR) {
		unsigned long start;

		if (down_read_killable(&mm->map_lock))
			return -EINTR;
		vma = vma_find(mm, address);
		start = vma ? vma->start : 0;
		address = vma ? vma->end : 0;
		up_read(&mm->map_lock);
		if (!vma)
			break;
		error = vm_populate(mm, start, address - start);
	}
	return error == -EINTR ? error : 0;
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
		if (vma->flags & (VM_LOCKED | VM_IO) ||
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

/* MADV_REMOVE: a hole in the file of a shared mapping. */
static int advise_remove(struct mm *mm, unsigned long start, unsigned long end)
{
	struct file *file = NULL;
	loff_t offset = 0, length = 0;
	struct vma *vma;
	int error = -EINVAL;

	while (start < end) {
		if (down_read_killable(&mm->map_lock))
			return -EINTR;
		vma = vma_find(mm, start);
		if (!vma || vma->start > start) {
			error = -ENOMEM;
		} else if (!vma->file ||
			   (vma->flags & (VM_SHARED | VM_WRITE)) != (VM_SHARED | VM_WRITE)) {
			error = vma->file ? -EACCES : -EINVAL;
		} else {
			file = file_get(vma->file);
			offset = (loff_t)(vma_offset_of(vma, start) << PAGE_SHIFT);
			length = (loff_t)(min(vma->end, end) - start);
		}
		up_read(&mm->map_lock);
		if (!file)
			return error;
		error = file_allocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
		file_put(file);
		file = NULL;
		if (error)
			return error;
		start += (unsigned long)length;
	}
	return 0;
}

int vm_advise(struct mm *mm, unsigned long address, unsigned long length, int advice)
{
	unsigned long end;
	int error = 0;

	if (address % PAGE_SIZE || length > USER_END)
		return -EINVAL;
	length = ALIGN_UP(length, PAGE_SIZE);
	if (address > USER_END - length)
		return -EINVAL;
	end = address + length;

	switch (advice) {
	case MADV_NORMAL:
	case MADV_RANDOM:
	case MADV_SEQUENTIAL:
	case MADV_COLD:
	case MADV_PAGEOUT:
	case MADV_HUGEPAGE:
	case MADV_NOHUGEPAGE:
	case MADV_MERGEABLE:
	case MADV_UNMERGEABLE:
		if (!length)
			return 0;
		if (down_read_killable(&mm->map_lock))
			return -EINTR;
		if (!range_is_mapped(mm, address, end))
			error = -ENOMEM;
		up_read(&mm->map_lock);
		return error;
	case MADV_WILLNEED:
	case MADV_POPULATE_READ:
	case MADV_POPULATE_WRITE:
		if (!length)
			return 0;
		error = vm_populate(mm, address, length);
		return advice == MADV_WILLNEED && error == -EFAULT ? 0 : error;
	case MADV_DONTNEED:
	case MADV_FREE:
		return length ? advise_drop(mm, address, end, advice) : 0;
	case MADV_REMOVE:
		return length ? advise_remove(mm, address, end) : 0;
	case MADV_DONTFORK:
	case MADV_DOFORK:
	case MADV_WIPEONFORK:
	case MADV_KEEPONFORK:
	case MADV_DONTDUMP:
	case MADV_DODUMP:
		return length ? advise_change(mm, address, end, advice) : 0;
	default:
		return -EINVAL;
	}
}
EXPORT_SYMBOL(vm_advise);
