#pragma once
/* CRC-32C by the processor's own instruction (SSE 4.2), which uses general registers only: any context may. */
#include <kumo/arch/cpu.h>

/* Does this processor have it? cpuid traps in virtual machines: ask once. Also right outside the kernel. */
static inline bool arch_has_crc32c(void)
{
	return cpuid(1, 0).ecx >> 20 & 1;
}

/* Continues the checksum `crc` (Intel's Software Developer's Manual, volume 2, CRC32), without inversions at its ends. */
static inline u32 arch_crc32c(u32 crc, const void *data, size_t size)
{
	const char *at = data, *words_end = at + (size & ~7ul), *end = at + size;
	u64 wide = crc;

	for (; at != words_end; at += 8)
		__asm__("crc32q %1, %0" : "+r"(wide) : "m"(*(const u64 *)at));
	crc = (u32)wide;
	for (; at != end; at++)
		__asm__("crc32b %1, %0" : "+r"(crc) : "m"(*at));
	return crc;
}
