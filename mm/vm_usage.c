/* What address spaces have in memory, for /proc and mincore; and mappings of device memory. */
#include "vm_internal.h"
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/file.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>

#define DESCRIBE_PATH 4096

void vma_usage(struct vma *vma, struct vma_usage *usage)
{
	unsigned long address = vma->start, stop;
	struct page *table, *page;
	pte_t *entry;
	int sharers;

	*usage = (struct vma_usage){};
	while ((table = user_table_next(vma->mm, &address, vma->end))) {
		stop = table_end(address, vma->end);
		entry = pte_in_table(table, address);
		page_spin_lock(table);
		for (; address < stop && table->live_entries; address += PAGE_SIZE, entry++) {
			if (pte_none(*entry) || pte_special(*entry))
				continue;
			page = pte_page(*entry);
			/* The cache's own reference is no sharer. */
			sharers = max(refcount_read(&page->refs) - !(page->flags & BIT(PG_ANON)), 1);
			usage->resident++;
			usage->proportional_bytes += PAGE_SIZE / sharers;
			if (page->flags & BIT(PG_ANON))
				usage->anonymous++;
			if (sharers > 1)
				usage->shared++;
			else if (page->flags & (BIT(PG_ANON) | BIT(PG_DIRTY)))
				usage->private_dirty++;
		}
		page_spin_unlock(table);
		address = stop;
	}
}
EXPORT_SYMBOL(vma_usage);

/* A page counts as resident when it is mapped, or in the cache of the mapping's file. map_lock held. */
static bool page_is_resident(struct vma *vma, unsigned long address)
{
	struct page *table = user_table_find(vma->mm, address);
	struct page_cache *cache = vma->private;
	bool resident;

	if (table && !pte_none(pte_read(pte_in_table(table, address))))
		return true;
	if (vma->ops != &page_cache_vma_ops)
		return false;
	spin_lock(&cache->lock);
	resident = xarray_load(&cache->pages, vma_offset_of(vma, address));
	spin_unlock(&cache->lock);
	return resident;
}

int vm_resident(struct mm *mm, unsigned long address, unsigned int pages, u8 *resident)
{
	struct vma *vma;
	int error = 0;

	if (down_read_killable(&mm->map_lock))
		return -EINTR;
	for (unsigned int i = 0; i < pages; i++, address += PAGE_SIZE) {
		vma = vma_find(mm, address);
		if (!vma || vma->start > address) {
			error = -ENOMEM;
			break;
		}
		resident[i] = page_is_resident(vma, address);
	}
	up_read(&mm->map_lock);
	return error;
}

/* An entry of /proc/PID/pagemap. */
#define MAP_PRESENT (1ULL << 63)
#define MAP_OF_FILE (1ULL << 61) /* or shared memory */
#define MAP_EXCLUSIVE (1ULL << 56)
#define MAP_SOFT_DIRTY (1ULL << 55) /* nobody has asked to know better */

static u64 page_map_entry(struct mm *mm, unsigned long address, bool numbers)
{
	struct page *table = user_table_find(mm, address), *page;
	u64 entry = 0;
	pte_t pte;

	if (!table)
		return 0;
	page_spin_lock(table);
	pte = pte_read(pte_in_table(table, address));
	if (!pte_none(pte) && pte_special(pte)) {
		entry = MAP_PRESENT | MAP_OF_FILE;
	} else if (!pte_none(pte)) {
		page = pte_page(pte);
		entry = MAP_PRESENT | MAP_SOFT_DIRTY;
		if (!(page->flags & BIT(PG_ANON)))
			entry |= MAP_OF_FILE;
		else if (refcount_read(&page->refs) == 1)
			entry |= MAP_EXCLUSIVE;
		if (numbers)
			entry |= page_to_pfn(page);
	}
	page_spin_unlock(table);
	return entry;
}

int vm_page_map(struct mm *mm, unsigned long address, unsigned int pages, u64 *entries, bool numbers)
{
	if (down_read_killable(&mm->map_lock))
		return -EINTR;
	for (unsigned int i = 0; i < pages; i++)
		entries[i] = page_map_entry(mm, address + i * PAGE_SIZE, numbers);
	up_read(&mm->map_lock);
	return 0;
}

void vm_describe(struct mm *mm, unsigned long address, char *text, size_t size)
{
	char *path = kmalloc(DESCRIBE_PATH, GFP_KERNEL), *name;
	struct vma *vma;

	*text = 0;
	if (!path || down_read_killable(&mm->map_lock))
		goto out;
	vma = vma_find(mm, address);
	if (vma && vma->start <= address && vma->file) {
		name = file_name(vma->file, path, DESCRIBE_PATH);
		if (IS_ERR(name))
			name = "?";
		else if (strrchr(name, '/'))
			name = strrchr(name, '/') + 1;
		scnprintf(text, size, " in %s[%lx+%lx]", name, vma->start, vma->end - vma->start);
	}
	up_read(&mm->map_lock);
out:
	kfree(path);
}

int vma_map_device(struct vma *vma, phys_addr_t phys, enum kva_prot memory_type)
{
	u64 type = memory_type == KVA_DEVICE ? PTE_TYPE_UC
		   : memory_type == KVA_WC   ? PTE_TYPE_WC
					     : 0;
	u64 protection = vma_protection(vma, true) | type | PTE_SPECIAL;
	struct unmap_batch batch;
	struct page *table;

	vma->flags |= VM_IO | VM_DONTDUMP;
	for (unsigned long address = vma->start; address < vma->end;
	     address += PAGE_SIZE, phys += PAGE_SIZE) {
		table = user_table_get(vma->mm, address);
		if (!table) {
			unmap_batch_init(&batch, vma->mm, false);
			unmap_entries(&batch, vma->start, address, false);
			unmap_batch_finish(&batch);
			return -ENOMEM;
		}
		page_spin_lock(table);
		pte_write(pte_in_table(table, address), pte_make(phys, protection));
		table->live_entries++;
		page_spin_unlock(table);
	}
	return 0;
}
EXPORT_SYMBOL(vma_map_device);
