/*
 * fork: a copy of an address space that shares its pages until one of the two writes.
 *
 * Page tables are copied only for mappings that have pages of their own (VM_HAS_ANON) or cannot be faulted in again
 * (VM_IO): what lies in the page cache the child faults in itself, sixteen pages at a time, if it ever needs it.
 */
#include "vm_internal.h"
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/string.h>
#include <kumo/thread.h>

/* Copies the entries of one table; both sides lose write access to private pages. True: the parent lost some. */
static bool copy_entries(struct vma *vma, struct page *from, struct page *to, unsigned long address,
			 unsigned long end, long *anon, long *file)
{
	pte_t *source = pte_in_table(from, address), *target = pte_in_table(to, address), pte;
	bool private = !(vma->flags & VM_SHARED), protected = false;
	unsigned int left, copied = 0;
	struct page *page;

	/* Another address space's table: nobody takes two of these in the other order. */
	page_spin_lock(from);
	page_spin_lock(to);
	left = from->live_entries; /* may lie outside the mapping: only a bound */
	for (; address < end && left; address += PAGE_SIZE, source++, target++) {
		pte = *source;
		if (pte_none(pte))
			continue;
		left--;
		if (!pte_special(pte)) {
			page = pte_page(pte);
			page_get(page);
			if (page->flags & BIT(PG_ANON))
				(*anon)++;
			else
				(*file)++;
		}
		if (private && pte_writable(pte)) {
			pte = pte_write_protect(pte);
			pte_write(source, pte);
			protected = true;
		}
		pte_write(target, pte);
		copied++;
	}
	to->live_entries += copied;
	page_spin_unlock(to);
	page_spin_unlock(from);
	return protected;
}

static int copy_tables(struct vma *vma, struct vma *copy, bool *protected)
{
	unsigned long address = vma->start, stop;
	struct page *from, *to;
	long anon = 0, file = 0;
	int error = 0;

	while ((from = user_table_next(vma->mm, &address, vma->end))) {
		stop = table_end(address, vma->end);
		if (from->live_entries) {
			to = user_table_get(copy->mm, address);
			if (!to) {
				error = -ENOMEM;
				break;
			}
			*protected |= copy_entries(vma, from, to, address, stop, &anon, &file);
			cond_resched();
		}
		address = stop;
	}
	if (anon)
		atomic64_add(&copy->mm->resident_anon, anon);
	if (file)
		atomic64_add(&copy->mm->resident_file, file);
	return error;
}

static int fork_mappings(struct mm *mm, struct mm *child, bool *protected)
{
	struct vma *vma, *copy;
	int error;

	for (vma = vma_first(mm); vma; vma = vma_next(vma)) {
		if (vma->flags & VM_DONTCOPY)
			continue;
		copy = vma_copy(vma, child);
		if (!copy)
			return -ENOMEM;
		copy->flags &= ~(VM_LOCKED | VM_LOCKONFAULT); /* locks are not inherited */
		if (vma->flags & VM_WIPEONFORK)
			copy->flags &= ~VM_HAS_ANON;
		vma_link_copy(copy, vma);
		if (copy->flags & (VM_HAS_ANON | VM_IO)) {
			error = copy_tables(vma, copy, protected);
			if (error)
				return error;
		}
		if (fatal_signal_pending())
			return -EINTR;
	}
	return 0;
}

struct mm *mm_fork(struct mm *mm)
{
	struct mm *child = mm_create();
	bool protected = false;
	int error;

	if (!child)
		return ERR_PTR(-ENOMEM);
	if (down_write_killable(&mm->map_lock)) {
		mm_put(child);
		return ERR_PTR(-EINTR);
	}
	child->around_pages = 1;
	child->mmap_base = mm->mmap_base;
	child->search_from = mm->search_from;
	child->search_hole = mm->search_hole;
	child->brk_start = mm->brk_start;
	child->brk = mm->brk;
	child->code_start = mm->code_start;
	child->code_end = mm->code_end;
	child->data_start = mm->data_start;
	child->data_end = mm->data_end;
	child->stack_start = mm->stack_start;
	child->arg_start = mm->arg_start;
	child->arg_end = mm->arg_end;
	child->env_start = mm->env_start;
	child->env_end = mm->env_end;
	child->vdso = mm->vdso;
	child->barriers = READ_ONCE(mm->barriers);
	memcpy(child->saved_auxv, mm->saved_auxv, sizeof(child->saved_auxv));
	child->exe = mm->exe ? file_get(mm->exe) : NULL;

	error = fork_mappings(mm, child, &protected);
	if (protected)
		tlb_flush_range(mm, 0, USER_END);
	up_write(&mm->map_lock);
	if (error) {
		mm_put(child);
		return ERR_PTR(error);
	}
	return child;
}
EXPORT_SYMBOL(mm_fork);
