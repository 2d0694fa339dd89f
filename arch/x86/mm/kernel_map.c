/*
 * Kernel mappings. The top-level entries of the kernel's half are made once, at the start, and shared by all address
 * spaces; the tables below them are made as needed and never freed.
 */
#include <kumo/arch/cpu.h>
#include <kumo/err.h>
#include <kumo/spinlock.h>
#include "mm.h"

bool page_allocator_ready;
static spinlock_t table_lock = SPINLOCK_INIT(
	"kernel_tables"); /* the making of tables; their entries belong to who owns the range */

static inline unsigned int level_shift(unsigned int level)
{
	return PAGE_SHIFT + 9 * (level - 1);
}

static inline pte_t *table_entry(phys_addr_t table, unsigned long address, unsigned int level)
{
	return (pte_t *)phys_to_virt(table) + (address >> level_shift(level)) % PTES_PER_TABLE;
}

/* A cleared table, or 0. */
static phys_addr_t table_alloc(void)
{
	struct page *page;

	if (!page_allocator_ready)
		return boot_memory_alloc(PAGE_SIZE, PAGE_SIZE);
	page = page_alloc(0, GFP_KERNEL | GFP_ZERO | GFP_UNTRACKED);
	if (!page)
		return 0;
	page->flags |= BIT(PG_TABLE);
	memory_account(MEMORY_TABLE, 1);
	return page_to_phys(page);
}

/* Links a new table below *entry, unless another CPU was first. */
static bool table_link(pte_t *entry)
{
	phys_addr_t table = table_alloc();
	bool linked = false;

	if (!table)
		return false;
	spin_lock(&table_lock);
	if (pte_none(*entry)) {
		/* Released, so that a CPU that walks here finds the table cleared. */
		__atomic_store_n(&entry->value, table | PTE_PRESENT | PTE_WRITE | PTE_ACCESSED,
				 __ATOMIC_RELEASE);
		linked = true;
	}
	spin_unlock(&table_lock);
	if (!linked) {
		memory_account(MEMORY_TABLE, -1);
		page_free(phys_to_page(table), 0);
	}
	return true;
}

pte_t *kernel_entry(phys_addr_t table, unsigned long address, unsigned int level, bool create)
{
	pte_t *entry;

	for (unsigned int at = 4;; at--) {
		entry = table_entry(table, address, at);
		if (at == level)
			return entry;
		if (pte_none(pte_read(entry)) && (!create || !table_link(entry)))
			return NULL;
		if (entry->value & PTE_LARGE)
			return NULL;
		table = pte_phys(*entry);
	}
}

u64 kernel_protection(enum kva_prot prot)
{
	u64 bits = PTE_PRESENT | PTE_ACCESSED | PTE_DIRTY | PTE_GLOBAL;

	switch (prot) {
	case KVA_RW:
		return bits | PTE_WRITE | PTE_NX;
	case KVA_RO:
		return bits | PTE_NX;
	case KVA_RX:
		return bits;
	case KVA_DEVICE:
		return bits | PTE_WRITE | PTE_NX | PTE_TYPE_UC;
	case KVA_WC:
		return bits | PTE_WRITE | PTE_NX | PTE_TYPE_WC;
	}
	return bits | PTE_NX;
}

int kernel_map(unsigned long address, phys_addr_t phys, u64 size, enum kva_prot prot)
{
	u64 protection = kernel_protection(prot), step;
	unsigned int level;
	pte_t *entry;

	for (u64 done = 0; done < size; done += step) {
		level = 1;
		if (IS_ALIGNED((address + done) | (phys + done), HUGE_PAGE_SIZE) &&
		    size - done >= HUGE_PAGE_SIZE && cpu_has(CPU_GB_PAGES))
			level = 3;
		else if (IS_ALIGNED((address + done) | (phys + done), LARGE_PAGE_SIZE) &&
			 size - done >= LARGE_PAGE_SIZE)
			level = 2;
		step = 1UL << level_shift(level);
		entry = kernel_entry(kernel_page_table, address + done, level, true);
		/* A range that was used before may have tables where a large page would fit. */
		if (entry && level > 1 && !pte_none(*entry)) {
			level = 1;
			step = PAGE_SIZE;
			entry = kernel_entry(kernel_page_table, address + done, level, true);
		}
		if (!entry) {
			kernel_unmap(address, done);
			return -ENOMEM;
		}
		pte_write(entry, pte_make(phys + done, protection | (level > 1 ? PTE_LARGE : 0)));
	}
	return 0;
}

int kernel_map_pages(unsigned long address, struct page **pages, unsigned long count, enum kva_prot prot)
{
	u64 protection = kernel_protection(prot);
	pte_t *entry = NULL;

	for (unsigned long i = 0; i < count; i++) {
		if (!entry || !pte_index(address + i * PAGE_SIZE)) {
			entry = kernel_entry(kernel_page_table, address + i * PAGE_SIZE, 1, true);
			if (!entry) {
				kernel_unmap(address, i * PAGE_SIZE);
				return -ENOMEM;
			}
		}
		pte_write(entry++, pte_make(page_to_phys(pages[i]), protection));
	}
	return 0;
}

/* The entry that maps `address`, and its level; NULL where nothing is mapped. */
static pte_t *kernel_find(unsigned long address, unsigned int *level)
{
	phys_addr_t table = kernel_page_table;
	pte_t *entry;

	for (*level = 4; *level; (*level)--) {
		entry = table_entry(table, address, *level);
		if (pte_none(pte_read(entry)))
			return NULL;
		if (*level == 1 || entry->value & PTE_LARGE)
			return entry;
		table = pte_phys(*entry);
	}
	return NULL;
}

void kernel_unmap(unsigned long address, u64 size)
{
	unsigned long end = address + size, step;
	unsigned int level;
	pte_t *entry;

	for (; address < end; address += step) {
		step = PAGE_SIZE;
		entry = kernel_find(address, &level);
		if (!entry)
			continue;
		step = 1UL << level_shift(level);
		pte_clear(entry);
	}
}

int kernel_protect(unsigned long address, u64 size, enum kva_prot prot)
{
	u64 protection = kernel_protection(prot);
	unsigned int level;
	pte_t *entry;

	for (u64 done = 0; done < size; done += PAGE_SIZE) {
		entry = kernel_find(address + done, &level);
		if (!entry || level != 1)
			return -EINVAL;
	}
	for (u64 done = 0; done < size; done += PAGE_SIZE) {
		entry = kernel_find(address + done, &level);
		pte_write(entry, pte_make(pte_phys(*entry), protection));
	}
	return 0;
}

bool kernel_lookup(unsigned long address, phys_addr_t *phys)
{
	unsigned int level;
	pte_t *entry = kernel_find(address, &level);

	if (!entry)
		return false;
	*phys = (pte_phys(*entry) & ~(BIT(level_shift(level)) - 1)) |
		(address & (BIT(level_shift(level)) - 1));
	return true;
}
