/*
 * The kernel's final page table, built once over the one that the entry code made: the direct map of all RAM with the
 * largest pages, the page descriptors where there is RAM to describe, and the image with the protections of its parts.
 * Nothing is both writable and executable, through whatever mapping: the direct map of the image's read-only part is
 * read-only, too.
 */
#define LOG_PREFIX "memory: "
#include <kumo/arch/cpu.h>
#include <kumo/arch/msr.h>
#include <kumo/arch/shadow.h>
#include <kumo/asan.h>
#include <kumo/boot.h>
#include <kumo/printk.h>
#include <kumo/uaccess.h>
#include <kumo/vm.h>
#include "mm.h"

/* Of the linker script. Each of these parts begins and ends at a page boundary. */
extern char _text[], _etext[], __rodata_start[], __rodata_end[], _data[], _edata[], __bss_start[],
	_end[];
extern char __init_begin[], __init_text_end[], __init_end[]; /* between data and bss */

struct smap_site {
	s32 place; /* relative to itself */
	u32 close;
};
extern const struct smap_site __start___smap_sites[], __stop___smap_sites[];

phys_addr_t kernel_page_table;

/* Pages of struct page for 4 MiB of RAM: what the page allocator initialises at once. */
#define BLOCK_SIZE (PAGE_SIZE << PAGE_MAX_ORDER)
#define BLOCK_DESCRIPTORS (sizeof(struct page) << PAGE_MAX_ORDER)

/* 0 write-back, 1 write-combining, 2 uncached unless MTRRs say better, 3 uncached; the same again. */
#define PAT_VALUE 0x0007010600070106ULL

/* Each CPU: memory types, and the final page table when there is one. */
void memory_init_cpu(void)
{
	if (cpu_has(CPU_PAT))
		wrmsr(MSR_PAT, PAT_VALUE);
	if (kernel_page_table)
		write_cr3(kernel_page_table);
}

void __init smap_patch(void)
{
	static const u8 code[2][3] __initconst = { { 0x0f, 0x01, 0xcb }, { 0x0f, 0x01, 0xca } }; /* stac, clac */

	if (!cpu_has(CPU_SMAP))
		return;
	for (const struct smap_site *site = __start___smap_sites; site < __stop___smap_sites; site++)
		__builtin_memcpy((u8 *)&site->place + site->place, code[site->close], sizeof(code[0]));
}

static void __init map(unsigned long address, phys_addr_t phys, u64 size, enum kva_prot prot)
{
	if (kernel_map(address, phys, size, prot))
		panic("the kernel's page table overlaps itself at %#lx", address);
}

static void __init map_direct(phys_addr_t start, phys_addr_t end, enum kva_prot prot)
{
	if (start < end)
		map(DIRECT_MAP_BASE + start, start, end - start, prot);
}

/* The image's part [from, to) at its linked address. */
static void __init map_image(const char *from, const char *to, enum kva_prot prot)
{
	unsigned long address = ALIGN_DOWN((unsigned long)from, PAGE_SIZE);

	for (; address < (unsigned long)to; address += PAGE_SIZE) /* single pages: their protections change */
		pte_write(kernel_entry(kernel_page_table, address, 1, true),
			  pte_make(address - KERNEL_BASE, kernel_protection(prot)));
}

/* The descriptors of one or more blocks of RAM: large pages where one is filled wholly. */
static void __init map_descriptors(phys_addr_t start, phys_addr_t end)
{
	unsigned long from = (unsigned long)phys_to_page(start),
		      to = (unsigned long)phys_to_page(end), step;

	for (; from < to; from += step) {
		step = IS_ALIGNED(from, LARGE_PAGE_SIZE) && to - from >= LARGE_PAGE_SIZE
			       ? LARGE_PAGE_SIZE
			       : BLOCK_DESCRIPTORS;
		map(from, boot_memory_place(step, step), step, KVA_RW);
	}
}

/* Makes the second-level tables of the slots that change later, so that all address spaces share them. */
static void __init reserve_slot(unsigned long address)
{
	(void)kernel_entry(kernel_page_table, address, 3, true);
}

void __init arch_setup_memory(void)
{
	phys_addr_t fixed_start = virt_to_phys(_text), fixed_end = virt_to_phys(__rodata_end),
		    start, end, done = 0;
	unsigned int cursor = 0;

	smap_patch();
	kernel_page_table = boot_memory_alloc(PAGE_SIZE, PAGE_SIZE);

	while (boot_memory_next(&cursor, &start, &end)) {
		map_direct(start, min(end, max(start, fixed_start)), KVA_RW);
		map_direct(max(start, fixed_start), min(end, fixed_end), KVA_RO);
		map_direct(max(start, min(end, fixed_end)), end, KVA_RW);
	}

	map_image(_text, _etext, KVA_RX);
	map_image(__rodata_start, __rodata_end, KVA_RO);
	map_image(_data, _edata, KVA_RW);
	map_image(__init_begin, __init_text_end, KVA_RX);
	map_image(__init_text_end, __init_end, KVA_RW);
	map_image(__bss_start, _end, KVA_RW); /* the page before it is the guard of the boot stack */

	reserve_slot(KVA_BASE);
	reserve_slot(VMEMMAP_BASE);
	reserve_slot(KERNEL_BASE);
	reserve_slot(MODULE_BASE);
	shadow_map_image();

	memory_init_cpu();
	write_cr4(read_cr4() & ~CR4_PGE); /* drops what the first page table had global */
	write_cr4(read_cr4() | CR4_PGE);
	boot_memory_set_limit(~0ULL);
	shadow_map_ram();
	asan_init();

	for (cursor = 0; boot_memory_next(&cursor, &start, &end); done = max(done, end)) {
		start = max(ALIGN_DOWN(start, BLOCK_SIZE), done);
		end = ALIGN_UP(end, BLOCK_SIZE);
		if (start < end)
			map_descriptors(start, end);
	}
	page_allocator_ready = true;
}

/* The init part of the image becomes free memory, its code erased. Its direct mapping is writable already. */
void arch_init_finish(void)
{
	unsigned long start = (unsigned long)__init_begin, end = (unsigned long)__init_end;

	page_ops_init();
	kernel_unmap(start, end - start);
	tlb_flush_kernel(start, end);
	for (const char *text = __init_begin; text < __init_text_end; text += PAGE_SIZE)
		page_clear(phys_to_virt((unsigned long)text - KERNEL_BASE));
	page_release_range(start - KERNEL_BASE, end - KERNEL_BASE);
	pr_info("%lu KiB of the kernel are free after the start\n", (end - start) / KIB);
}
