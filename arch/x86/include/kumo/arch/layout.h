/* Where things lie in the virtual address space (4-level paging). Also read by assembly and the linker script. */
#ifndef KUMO_ARCH_LAYOUT_H
#define KUMO_ARCH_LAYOUT_H

#define PAGE_SHIFT 12
#ifdef __ASSEMBLER__
#define PAGE_SIZE 4096
#else
#define PAGE_SIZE 4096UL
#endif
#define PAGE_MASK (~(PAGE_SIZE - 1))

/* User space ends a page before the non-canonical hole, so that sysret never returns to a non-canonical address. */
#define USER_END 0x00007ffffffff000
#define USER_MMAP_MIN 0x10000

#define DIRECT_MAP_BASE 0xffff888000000000 /* all RAM, one to one (64 TiB) */
#define KVA_BASE                                                                                   \
	0xffffc90000000000 /* stacks, large allocations, device registers (one top-level slot) */
#define KVA_END 0xffffc98000000000
#define VMEMMAP_BASE 0xffffea0000000000 /* struct page of each frame (one top-level slot) */
#define KERNEL_BASE 0xffffffff80000000	/* the kernel image, physical address 0 */
#define KERNEL_PHYS 0x100000		/* where it is loaded */
#define MODULE_BASE 0xffffffffa0000000	/* module text and data, within 2 GiB of the kernel */
#define MODULE_END 0xffffffffff000000

#ifdef CONFIG_DEBUG /* redzones between local variables take their room */
#define THREAD_STACK_SIZE 32768
#else
#define THREAD_STACK_SIZE 16384
#endif

#endif
