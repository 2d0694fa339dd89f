/*
 * The memory of the address sanitizer's shadow (see <kumo/arch/shadow.h>). The image and RAM get theirs at the start. The
 * two areas of kernel addresses are used from the bottom up, and so is their shadow made: what was made stays.
 */
#ifdef CONFIG_DEBUG
#include <kumo/arch/shadow.h>
#include <kumo/asan.h>
#include <kumo/boot.h>
#include <kumo/err.h>
#include <kumo/printk.h>
#include <kumo/spinlock.h>
#include <kumo/string.h>
#include "mm.h"

/* What a page of shadow stands for. */
#define PAGE_COVERS (PAGE_SIZE << SHADOW_SHIFT)

extern char _text[], _end[];

struct shadow_ends shadow_ends;
static u32 growing; /* raw: the lock checker is checked, too */
static u64 grown;   /* pages, after the start; written by who holds `growing` */

/* Cleared shadow for [start, end), except for what is mapped already. */
static void __init map_shadow(unsigned long start, unsigned long end)
{
	unsigned long from = ALIGN_DOWN((unsigned long)shadow_of(start), PAGE_SIZE),
		      to = ALIGN_UP((unsigned long)shadow_of(end - 1) + 1, PAGE_SIZE), step;
	phys_addr_t there;

	for (; from < to; from += step) {
		step = IS_ALIGNED(from, LARGE_PAGE_SIZE) && to - from >= LARGE_PAGE_SIZE
			       ? LARGE_PAGE_SIZE
			       : PAGE_SIZE;
		if (!kernel_lookup(from, &there) &&
		    kernel_map(from, boot_memory_alloc(step, step), step, KVA_RW))
			panic("the shadow overlaps something at %#lx", from);
	}
}

void __init shadow_map_image(void)
{
	map_shadow((unsigned long)_text, (unsigned long)_end);
	/* So that all address spaces share the tables. */
	(void)kernel_entry(kernel_page_table, (unsigned long)shadow_of(DIRECT_MAP_BASE), 3, true);
	(void)kernel_entry(kernel_page_table, (unsigned long)shadow_of(KVA_BASE), 3, true);
}

void __init shadow_map_ram(void)
{
	unsigned long last = 0;
	unsigned int cursor = 0;
	phys_addr_t start, end;

	while (boot_memory_next(&cursor, &start, &end)) {
		map_shadow(DIRECT_MAP_BASE + start, DIRECT_MAP_BASE + end);
		last = max(last, DIRECT_MAP_BASE + end);
	}
	shadow_ends = (struct shadow_ends){
		.direct = last, .area = KVA_BASE, .image = (unsigned long)_end, .module = MODULE_BASE
	};
}

/* Gives the next page of shadow to the area that ends at *limit, unless another CPU did. */
static int grow(unsigned long *limit, unsigned long at)
{
	unsigned long shadow = (unsigned long)shadow_of(at), flags;
	struct page *page = page_alloc(0, GFP_KERNEL | GFP_UNTRACKED);
	pte_t *entry;
	bool used;

	if (!page)
		return -ENOMEM;
	entry = kernel_entry(kernel_page_table, shadow, 1, true);
	if (!entry) {
		page_free(page, 0);
		return -ENOMEM;
	}
	memset(page_address(page), ASAN_AREA, PAGE_SIZE);
	flags = local_irq_save();
	while (__atomic_exchange_n(&growing, 1, __ATOMIC_ACQUIRE))
		cpu_relax();
	used = READ_ONCE(*limit) == at;
	if (used) {
		pte_write(entry, pte_make(page_to_phys(page), kernel_protection(KVA_RW)));
		WRITE_ONCE(*limit, at + PAGE_COVERS);
		grown++;
	}
	__atomic_store_n(&growing, 0, __ATOMIC_RELEASE);
	local_irq_restore(flags);
	if (!used)
		page_free(page, 0);
	return 0;
}

u64 asan_cover_pages(void)
{
	return READ_ONCE(grown);
}

int asan_cover(unsigned long end)
{
	unsigned long *limit = end > MODULE_BASE ? &shadow_ends.module : &shadow_ends.area, at;
	int error = 0;

	while (!error && (at = READ_ONCE(*limit)) < end)
		error = grow(limit, at);
	return error;
}
#endif
