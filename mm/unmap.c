/* Taking pages out of page tables, and freeing them once no CPU can reach them any more. */
#include "vm_internal.h"
#include <kumo/thread.h>

static void batch_flush(struct unmap_batch *batch)
{
	if (batch->end && !batch->unused)
		tlb_flush_range(batch->mm, batch->start, batch->end);
	page_put_many(batch->pages, batch->count);
	batch->count = 0;
	batch->start = ~0UL;
	batch->end = 0;
}

void unmap_batch_finish(struct unmap_batch *batch)
{
	batch_flush(batch);
	if (batch->anon)
		atomic64_add(&batch->mm->resident_anon, -batch->anon);
	if (batch->file)
		atomic64_add(&batch->mm->resident_file, -batch->file);
	batch->anon = batch->file = 0;
}

/* The entries of one table from `address` up to `end`. Returns where it stopped because the batch is full, or end. */
static unsigned long unmap_in_table(struct unmap_batch *batch, struct page *table,
				    unsigned long address, unsigned long end, bool keep_anon)
{
	pte_t *entry = pte_in_table(table, address), pte;
	struct page *page;

	page_spin_lock(table);
	for (; address < end && table->live_entries; address += PAGE_SIZE, entry++) {
		pte = *entry;
		if (pte_none(pte))
			continue;
		if (!pte_special(pte)) {
			if (batch->count == UNMAP_BATCH)
				break;
			page = pte_page(pte);
			if (page->flags & BIT(PG_ANON)) {
				if (keep_anon)
					continue;
				batch->anon++;
			} else {
				batch->file++;
			}
			batch->pages[batch->count++] = page;
		} else if (keep_anon && pte_page(pte) == zero_page) {
			continue;
		}
		pte_clear(entry);
		table->live_entries--;
		if (address < batch->start)
			batch->start = address;
		batch->end = address + PAGE_SIZE; /* ascending within a flush */
	}
	if (!table->live_entries)
		address = end;
	page_spin_unlock(table);
	return address;
}

void unmap_entries(struct unmap_batch *batch, unsigned long start, unsigned long end, bool keep_anon)
{
	unsigned long address = start, stop, reached;
	struct page *table;

	while ((table = user_table_next(batch->mm, &address, end))) {
		stop = table_end(address, end);
		while ((reached = unmap_in_table(batch, table, address, stop, keep_anon)) < stop) {
			batch_flush(batch);
			address = reached;
		}
		address = stop;
	}
}
