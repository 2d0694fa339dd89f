/*
 * The page tables of user address spaces: four levels, the lowest of which mm/ works on entry by entry.
 *
 * Tables leave use empty, so each CPU keeps a few of them for the next address space, which need not clear them; top-level
 * tables even keep the kernel's half. Only threads touch these stocks, and kernel code is not preempted, so they need
 * no lock.
 */
#include <kumo/arch/cpu.h>
#include <kumo/printk.h>
#include <kumo/string.h>
#include <kumo/vm.h>
#include "mm.h"

#define STOCK_TABLES 16
#define STOCK_TOPS 4
#define TOP_LEVEL 4
#define TABLE_BITS (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED)

struct table_stock {
	unsigned int tables_count, tops_count;
	struct page *tables[STOCK_TABLES];
	struct page *tops[STOCK_TOPS];
};
static DEFINE_PER_CPU(struct table_stock, table_stock);

static inline unsigned int level_shift(unsigned int level)
{
	return PAGE_SHIFT + 9 * (level - 1);
}

static inline unsigned int level_index(unsigned long address, unsigned int level)
{
	return (address >> level_shift(level)) % PTES_PER_TABLE;
}

/* The table below an entry of an upper level that is not empty. */
static inline pte_t *table_below(pte_t entry)
{
	return phys_to_virt(pte_phys(entry));
}

static struct page *table_alloc(void)
{
	struct table_stock *stock = this_cpu_ptr(&table_stock);
	struct page *table;

	memory_account(MEMORY_TABLE, 1);
	if (likely(stock->tables_count))
		return stock->tables[--stock->tables_count];
	table = page_alloc(0, GFP_USER | GFP_CORE | GFP_ZERO);
	if (!table) {
		memory_account(MEMORY_TABLE, -1);
		return NULL;
	}
	table->flags = BIT(PG_TABLE);
	table->live_entries = 0;
	table->lock = 0;
	return table;
}

/* The table is empty. */
static void table_free(struct page *table)
{
	struct table_stock *stock = this_cpu_ptr(&table_stock);

	memory_account(MEMORY_TABLE, -1);
	if (likely(stock->tables_count < STOCK_TABLES))
		stock->tables[stock->tables_count++] = table;
	else
		page_free(table, 0);
}

struct page *user_table_find(struct mm *mm, unsigned long address)
{
	pte_t *table = mm->page_table, entry;

	for (unsigned int level = TOP_LEVEL;; level--) {
		entry = pte_read(&table[level_index(address, level)]);
		if (pte_none(entry))
			return NULL;
		if (level == 2)
			return pte_page(entry);
		table = table_below(entry);
	}
}

struct page *user_table_get(struct mm *mm, unsigned long address)
{
	pte_t *table = mm->page_table, *entry;
	struct page *below;

	for (unsigned int level = TOP_LEVEL;; level--) {
		entry = &table[level_index(address, level)];
		if (unlikely(pte_none(pte_read(entry)))) {
			below = table_alloc();
			if (!below)
				return NULL;
			spin_lock(&mm->table_lock);
			if (pte_none(*entry)) {
				/* Released: whoever finds it without the lock finds it empty. */
				__atomic_store_n(&entry->value, page_to_phys(below) | TABLE_BITS,
						 __ATOMIC_RELEASE);
				mm->table_pages++;
				below = NULL;
			}
			spin_unlock(&mm->table_lock);
			if (below)
				table_free(below);
		}
		if (level == 2)
			return pte_page(pte_read(entry));
		table = table_below(pte_read(entry));
	}
}

struct page *user_table_next(struct mm *mm, unsigned long *address, unsigned long end)
{
	pte_t *table, entry;
	unsigned int level;

	while (*address < end) {
		table = mm->page_table;
		for (level = TOP_LEVEL;; level--) {
			entry = pte_read(&table[level_index(*address, level)]);
			if (pte_none(entry))
				break;
			if (level == 2)
				return pte_page(entry);
			table = table_below(entry);
		}
		*address = ALIGN_DOWN(*address, BIT(level_shift(level))) + BIT(level_shift(level));
	}
	return NULL;
}

/* What user_tables_free() is to do, and the empty tables that it found. */
struct table_sweep {
	unsigned long start, end;     /* what was unmapped */
	unsigned long floor, ceiling; /* nothing is mapped from floor up to ceiling */
	struct list empty;
	unsigned long empty_count;
};

/* Unlinks the tables below `table`, which starts to map at `base`, that lie within the sweep's bounds. */
static void sweep_level(struct table_sweep *sweep, pte_t *table, unsigned int level,
			unsigned long start, unsigned long end)
{
	unsigned long span = BIT(level_shift(level)), base, next;
	pte_t *entry;

	for (; start < end; start = next) {
		base = ALIGN_DOWN(start, span);
		next = min(base + span, end);
		entry = &table[level_index(start, level)];
		if (pte_none(pte_read(entry)))
			continue;
		if (level > 2)
			sweep_level(sweep, table_below(*entry), level - 1, start, next);
		if (base >= sweep->floor && base + span <= sweep->ceiling) {
			list_add(&sweep->empty, &pte_page(*entry)->link);
			sweep->empty_count++;
			pte_clear(entry);
		}
	}
}

void user_tables_free(struct mm *mm, unsigned long start, unsigned long end, unsigned long floor,
		      unsigned long ceiling, bool unused)
{
	struct table_sweep sweep = { start, end, floor, ceiling, LIST_INIT(sweep.empty), 0 };
	struct page *table, *after;

	if (ALIGN_UP(floor, TABLE_SPAN) + TABLE_SPAN > ceiling)
		return; /* no table lies wholly in between */
	sweep_level(&sweep, mm->page_table, TOP_LEVEL, start, end);
	if (list_empty(&sweep.empty))
		return;
	spin_lock(&mm->table_lock);
	mm->table_pages -= sweep.empty_count;
	spin_unlock(&mm->table_lock);
	if (!unused)
		tlb_flush_range(mm, 0, USER_END); /* CPUs cache upper levels, too */
	list_for_each_safe(table, after, &sweep.empty, link)
		table_free(table);
}

void *page_table_create(void)
{
	struct table_stock *stock = this_cpu_ptr(&table_stock);
	const pte_t *kernel = phys_to_virt(kernel_page_table);
	struct page *top;
	pte_t *entries;

	memory_account(MEMORY_TABLE, 1);
	if (likely(stock->tops_count))
		return page_address(stock->tops[--stock->tops_count]);
	top = page_alloc(0, GFP_USER | GFP_CORE);
	if (!top) {
		memory_account(MEMORY_TABLE, -1);
		return NULL;
	}
	top->flags = BIT(PG_TABLE);
	entries = page_address(top);
	memset(entries, 0, PAGE_SIZE / 2);
	memcpy(entries + PTES_PER_TABLE / 2, kernel + PTES_PER_TABLE / 2, PAGE_SIZE / 2);
	return entries;
}

void page_table_destroy(void *table)
{
	struct table_stock *stock = this_cpu_ptr(&table_stock);

#ifdef CONFIG_DEBUG
	for (unsigned int i = 0; i < PTES_PER_TABLE / 2; i++)
		BUG_ON(((pte_t *)table)[i].value);
#endif
	memory_account(MEMORY_TABLE, -1);
	if (likely(stock->tops_count < STOCK_TOPS))
		stock->tops[stock->tops_count++] = virt_to_page(table);
	else
		page_free(virt_to_page(table), 0);
}
