/*
 * The address sanitizer's shadow in the debug build: one byte for 8 bytes of kernel memory, at a fixed distance, so that the
 * compiler's code finds it. There is shadow for the direct map of RAM, the image, and the kernel virtual and module
 * areas as far as these were ever used; elsewhere accesses are left to the page tables.
 *
 * The first page table (entry.S) has one page as the shadow of everything: it is written, and nobody reads it.
 */
#ifndef KUMO_ARCH_SHADOW_H
#define KUMO_ARCH_SHADOW_H

#define SHADOW_SHIFT 3
#define SHADOW_OFFSET 0xdffffc0000000000 /* the Makefile tells the compiler */

/* Top-level entries of the page table that the shadow of the kernel's half takes. */
#define SHADOW_TOP_FIRST 472
#define SHADOW_TOP_COUNT 32

#ifndef __ASSEMBLER__
#include <kumo/arch/layout.h>
#include <kumo/types.h>

/* Up to where there is shadow: each zero until then. */
struct shadow_ends {
	unsigned long direct, area, image, module;
};
extern struct shadow_ends shadow_ends;

static inline u8 *shadow_of(unsigned long address)
{
	return (u8 *)((address >> SHADOW_SHIFT) + SHADOW_OFFSET);
}

/* Whether `address` has shadow. */
static __always_inline bool shadow_covers(unsigned long address)
{
	if (address >= MODULE_BASE)
		return address < shadow_ends.module;
	if (address >= KERNEL_BASE)
		return address < shadow_ends.image;
	if (address >= KVA_BASE)
		return address < shadow_ends.area;
	return address >= DIRECT_MAP_BASE && address < shadow_ends.direct;
}

/* The shadow of the image, before the final page table is loaded; that of RAM, after; then shadow_ends is set. */
#ifdef CONFIG_DEBUG
void shadow_map_image(void);
void shadow_map_ram(void);
#else
static inline void shadow_map_image(void)
{
}
static inline void shadow_map_ram(void)
{
}
#endif
#endif

#endif
