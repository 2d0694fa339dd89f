/*
 * Clearing and copying whole pages. Where the CPU has AVX this takes a quarter of the steps: one register is borrowed
 * and put back, so that it does not matter whose state the FPU holds, nor whether an interrupt does the same in between.
 */
#include <kumo/arch/cpu.h>
#include <kumo/arch/string.h>
#include <kumo/export.h>
#include <kumo/page.h>
#include "mm.h"

#define XCR0_SSE_AVX 6U

static bool wide; /* set once all CPUs have AVX switched on */

static inline void wide_borrow(void *save)
{
	__asm__ volatile("vmovdqu %%ymm0, %0" : "=m"(*(char(*)[32])save)::"memory");
}

static inline void wide_give_back(const void *save)
{
	__asm__ volatile("vmovdqu %0, %%ymm0" ::"m"(*(const char(*)[32])save) : "memory");
}

void page_clear(void *address)
{
	char save[32] __aligned(32);
	char *end = (char *)address + PAGE_SIZE;

	if (!wide) {
		words_fill(address, 0, PAGE_SIZE / 8);
		return;
	}
	wide_borrow(save);
	__asm__ volatile("vpxor %%xmm0, %%xmm0, %%xmm0\n"
			 "1:\n\t"
			 ".set offset, 0\n\t"
			 ".rept 16\n\t"
			 "vmovdqa %%ymm0, offset(%0)\n\t"
			 ".set offset, offset + 32\n\t"
			 ".endr\n\t"
			 "add $512, %0\n\t"
			 "cmp %1, %0\n\t"
			 "jne 1b"
			 : "+r"(address)
			 : "r"(end)
			 : "memory", "cc");
	wide_give_back(save);
}
EXPORT_SYMBOL(page_clear);

void page_copy(void *to, const void *from)
{
	char save[32] __aligned(32);
	char *end = (char *)to + PAGE_SIZE;

	if (!wide) {
		words_copy(to, from, PAGE_SIZE / 8);
		return;
	}
	wide_borrow(save);
	__asm__ volatile("1:\n\t"
			 ".set offset, 0\n\t"
			 ".rept 16\n\t"
			 "vmovdqa offset(%1), %%ymm0\n\t"
			 "vmovdqa %%ymm0, offset(%0)\n\t"
			 ".set offset, offset + 32\n\t"
			 ".endr\n\t"
			 "add $512, %0\n\t"
			 "add $512, %1\n\t"
			 "cmp %2, %0\n\t"
			 "jne 1b"
			 : "+r"(to), "+r"(from)
			 : "r"(end)
			 : "memory", "cc");
	wide_give_back(save);
}
EXPORT_SYMBOL(page_copy);

void page_ops_init(void)
{
	u32 low, high;

	if (!cpu_has(CPU_AVX) || !(read_cr4() & CR4_OSXSAVE))
		return;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	wide = (low & XCR0_SSE_AVX) == XCR0_SSE_AVX;
}
