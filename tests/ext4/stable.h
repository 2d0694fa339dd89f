/*
 * What the load in the guest (tests/host/ext4_load.c) and the tool that looks at its disk after a power cut (logged.c) agree on: where
 * marks lie, and what is in files.
 *
 * A mark is a line of text in a sector of the disk behind the filesystem, written directly, so that it has its place among the disk's
 * writes; each worker has a sector of its own. It is written when fsync(2) has returned, and before what was stable is taken back:
 *
 *	kept N SIZE         kept/fN has SIZE bytes of pattern N
 *	dropped N           it is about to be removed
 *	appended N SIZE     appended/fN has at least SIZE bytes of pattern N
 *	replaced N          replaced/current is version N or a later one
 */
#ifndef TESTS_EXT4_STABLE_H
#define TESTS_EXT4_STABLE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define MARKS_SIZE 65536u /* at the disk's end, not the filesystem's */
#define MARK_SPACING 4096u
#define MARK_SIZE 512u

#define KEPT_BYTES 60000u
#define APPENDED_BYTES 1500000u
#define VERSION_BYTES 50000u
#define VERSION_DIGITS 8

/* Bytes [from, from + size) of a pattern, which has no end. */
static inline void pattern_fill(uint64_t pattern, uint64_t from, uint64_t size, char *data)
{
	for (uint64_t i = 0; i < size; i++) {
		uint64_t word =
			((from + i) / 8 + pattern * 0x9e3779b97f4a7c15ULL) * 0xd6e8feb86659fd93ULL;

		word ^= word >> 29;
		data[i] = (char)(word >> (from + i) % 8 * 8);
	}
}

/* Version N of replaced/current: its number in digits, then a pattern; how many bytes. */
static inline uint32_t version_fill(uint32_t number, char *data)
{
	uint32_t size = VERSION_DIGITS + number * 7919u % (VERSION_BYTES - VERSION_DIGITS);

	pattern_fill(~(uint64_t)number, 0, size, data);
	for (uint32_t i = VERSION_DIGITS, rest = number; i--; rest /= 10)
		data[i] = (char)('0' + rest % 10);
	return size;
}

#endif
