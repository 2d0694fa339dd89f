/*
 * Page tables (Intel SDM volume 3, 4.5), as typed helpers; mm/ knows the machine only through these.
 *
 * Entries of user mappings: an entry that is not zero holds a reference of its page, unless it is PTE_SPECIAL. An entry
 * can hold a page without the CPU seeing it (PTE_HELD, not present): PROT_NONE over a page that was touched before.
 */
#ifndef KUMO_ARCH_PAGETABLE_H
#define KUMO_ARCH_PAGETABLE_H

#include <kumo/kva.h>
#include <kumo/page.h>

struct mm;

typedef struct {
	u64 value;
} pte_t;

#define PTE_PRESENT BIT(0)
#define PTE_WRITE BIT(1)
#define PTE_USER BIT(2)
#define PTE_PWT BIT(3)
#define PTE_PCD BIT(4)
#define PTE_ACCESSED BIT(5)
#define PTE_DIRTY BIT(6)
#define PTE_LARGE BIT(7)   /* levels 2 and 3: a page of 2 MiB or 1 GiB */
#define PTE_GLOBAL BIT(8)  /* stays in the TLB when CR3 is loaded */
#define PTE_SPECIAL BIT(9) /* ours: no reference of the page is held (zero page, device memory) */
#define PTE_HELD BIT(10)   /* ours: see above */
#define PTE_NX BIT(63)
#define PTE_FRAME 0x000ffffffffff000UL

/* Memory types, with the PAT as memory_init_cpu() sets it: 0 write-back, 1 write-combining, 3 uncached. */
#define PTE_TYPE_WC PTE_PWT
#define PTE_TYPE_UC (PTE_PCD | PTE_PWT)

#define PTES_PER_TABLE 512
#define LARGE_PAGE_SIZE (2 * MIB)
#define HUGE_PAGE_SIZE GIB
#define TABLE_SPAN LARGE_PAGE_SIZE /* what a table of the lowest level maps */

static inline pte_t pte_read(const pte_t *entry)
{
	return (pte_t){ READ_ONCE(entry->value) };
}

static inline void pte_write(pte_t *entry, pte_t pte)
{
	WRITE_ONCE(entry->value, pte.value);
}

static inline void pte_clear(pte_t *entry)
{
	WRITE_ONCE(entry->value, 0);
}

static inline bool pte_none(pte_t pte)
{
	return !pte.value;
}

static inline bool pte_present(pte_t pte)
{
	return pte.value & PTE_PRESENT;
}

static inline bool pte_writable(pte_t pte)
{
	return pte.value & PTE_WRITE;
}

static inline bool pte_special(pte_t pte)
{
	return pte.value & PTE_SPECIAL;
}

static inline phys_addr_t pte_phys(pte_t pte)
{
	return pte.value & PTE_FRAME;
}

static inline struct page *pte_page(pte_t pte)
{
	return phys_to_page(pte_phys(pte));
}

static inline pte_t pte_write_protect(pte_t pte)
{
	return (pte_t){ pte.value & ~PTE_WRITE };
}

/* `protection`: from pte_protection(). */
static inline pte_t pte_make(phys_addr_t phys, u64 protection)
{
	return (pte_t){ phys | protection };
}

/* The same page with another protection; what is ours stays. */
static inline pte_t pte_modify(pte_t pte, u64 protection)
{
	return (pte_t){ (pte.value & (PTE_FRAME | PTE_SPECIAL | PTE_PWT | PTE_PCD)) | protection };
}

/* The bits of a user mapping. Accessed and dirty are set at once: nothing reads them, and the CPU need not. */
static inline u64 pte_protection(bool access, bool write, bool execute)
{
	if (!access)
		return PTE_HELD;
	return PTE_PRESENT | PTE_USER | PTE_ACCESSED | PTE_DIRTY | (write ? PTE_WRITE : 0) |
	       (execute ? 0 : PTE_NX);
}

static inline unsigned int pte_index(unsigned long address)
{
	return (address >> PAGE_SHIFT) % PTES_PER_TABLE;
}

/* The entry of `address` in the lowest-level table that covers it. */
static inline pte_t *pte_in_table(struct page *table, unsigned long address)
{
	return (pte_t *)page_address(table) + pte_index(address);
}

static inline unsigned long table_end(unsigned long address, unsigned long end)
{
	unsigned long next = ALIGN_DOWN(address, TABLE_SPAN) + TABLE_SPAN;

	return min(next, end);
}

/*
 * User page tables. Lowest-level tables are named by their page; their entries change under page_spin_lock(table), and
 * table->live_entries counts those that are not zero. Tables stay until user_tables_free() is called for a range without
 * mappings, or the address space goes.
 */
struct page *user_table_find(struct mm *mm, unsigned long address); /* NULL: none */
struct page *user_table_get(struct mm *mm, unsigned long address); /* made if missing; NULL: no memory */
/* The first table that maps anything in [*address, end), where *address is moved to; NULL: none up to end. */
struct page *user_table_next(struct mm *mm, unsigned long *address, unsigned long end);
/* Frees the tables of [start, end), which was just unmapped, that lie wholly between floor and ceiling, where nothing is
 * mapped. map_lock held for writing; `unused`: no CPU uses the address space, so none need be flushed. */
void user_tables_free(struct mm *mm, unsigned long start, unsigned long end, unsigned long floor,
		      unsigned long ceiling, bool unused);

#define USER_TABLES_END                                                                            \
	BIT(47) /* the ceiling when nothing is mapped above: where the user half of the tables ends */

/* The top level: the kernel's half filled in. NULL: no memory. */
void *page_table_create(void) __must_check;
void page_table_destroy(void *table); /* no CPU uses it, and nothing is left in the user half */
/* Takes `mm`, which no thread uses any more, off every CPU that still runs on its page table. */
void mm_unload(struct mm *mm);

/*
 * Kernel mappings (arch/x86/mm/kernel_map.c) at page-aligned addresses. kernel_map uses the largest pages that fit;
 * kernel_map_pages single ones. kernel_unmap forgets; the caller flushes the TLB. The caller owns the range.
 */
int kernel_map(unsigned long address, phys_addr_t phys, u64 size, enum kva_prot prot) __must_check; /* -ENOMEM */
int kernel_map_pages(unsigned long address, struct page **pages, unsigned long count,
		     enum kva_prot prot) __must_check;
void kernel_unmap(unsigned long address, u64 size);
/* -EINVAL when the range is not mapped by single pages throughout (nothing is changed then). */
int kernel_protect(unsigned long address, u64 size, enum kva_prot prot) __must_check;
bool kernel_lookup(unsigned long address, phys_addr_t *phys); /* where a kernel address lies */

/* The kernel's own top-level table, for CPUs that start and threads without an address space. Below 4 GiB. */
extern phys_addr_t kernel_page_table;

#endif
