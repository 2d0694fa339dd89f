/*
 * The two checksums of the format: CRC-32C (Castagnoli) of metadata_csum and the journal, by the processor's instruction or by
 * tables, and CRC-16 of group descriptors.
 */
#include "ext4.h"

#include <kumo/arch/crc32c.h>

#define CRC32C_POLYNOMIAL 0x82F63B78u /* bits reversed */
#define CRC16_POLYNOMIAL 0xA001u

/* tables[n][b]: what byte b does to the checksum when n bytes of zeros follow it. */
static u32 tables[8][256];
static enum { UNKNOWN, BY_INSTRUCTION, BY_TABLES } way;

static void make_tables(void)
{
	for (u32 i = 0; i < 256; i++) {
		u32 crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ CRC32C_POLYNOMIAL : crc >> 1;
		tables[0][i] = crc;
	}
	for (u32 i = 0; i < 256; i++)
		for (int n = 1; n < 8; n++)
			tables[n][i] = tables[n - 1][i] >> 8 ^ tables[0][tables[n - 1][i] & 0xff];
}

/* Whoever does it at the same time stores the same. */
static void find_way(void)
{
	bool instruction = arch_has_crc32c();

	if (!instruction)
		make_tables();
	smp_store_release(&way, instruction ? BY_INSTRUCTION : BY_TABLES);
}

static u32 crc32c_by_tables(u32 crc, const void *data, size_t size)
{
	const u8 *at = data;

	for (; size >= 8; at += 8, size -= 8) {
		u64 word;

		__builtin_memcpy(&word, at, 8);
		word ^= crc;
		crc = 0;
#pragma GCC unroll 8
		for (int i = 0; i < 8; i++)
			crc ^= tables[7 - i][word >> 8 * i & 0xff];
	}
	while (size--)
		crc = crc >> 8 ^ tables[0][(crc ^ *at++) & 0xff];
	return crc;
}

u32 crc32c(u32 crc, const void *data, size_t size)
{
	if (unlikely(!smp_load_acquire(&way)))
		find_way();
	return way == BY_INSTRUCTION ? arch_crc32c(crc, data, size) : crc32c_by_tables(crc, data, size);
}

u16 crc16(u16 crc, const void *data, size_t size)
{
	for (const u8 *at = data; size--; at++) {
		crc ^= *at;
		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ CRC16_POLYNOMIAL : crc >> 1;
	}
	return crc;
}
