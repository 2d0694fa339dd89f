/*
 * Memory and strings. The compiler calls memcpy, memmove, memset and memcmp on its own, so they lie here under C's names, and
 * the loops below must not be turned into calls to themselves. Blocks are moved by words; the bytes that remain are covered
 * by one more word that overlaps what is done already.
 */
#include <kumo/arch/string.h>
#include <kumo/asan.h>
#include <kumo/err.h>
#include <kumo/export.h>
#include <kumo/string.h>

#pragma GCC optimize("no-tree-loop-distribute-patterns")
#undef memcpy

/* Unaligned accesses of each width, which may alias anything. */
typedef u64 __attribute__((may_alias, aligned(1))) word64;
typedef u32 __attribute__((may_alias, aligned(1))) word32;
typedef u16 __attribute__((may_alias, aligned(1))) word16;

/* At most 8 bytes; everything is loaded before anything is stored, so the blocks may overlap. */
static __always_inline void move_short(u8 *to, const u8 *from, size_t size)
{
	if (size >= 4) {
		u32 first = *(const word32 *)from, last = *(const word32 *)(from + size - 4);

		*(word32 *)to = first;
		*(word32 *)(to + size - 4) = last;
	} else if (size >= 2) {
		u16 first = *(const word16 *)from, last = *(const word16 *)(from + size - 2);

		*(word16 *)to = first;
		*(word16 *)(to + size - 2) = last;
	} else if (size) {
		*to = *from;
	}
}

__no_asan void *memcpy(void *to, const void *from, size_t size)
{
	u8 *t = to;
	const u8 *f = from;
	size_t left = size;

	asan_check_read(from, size);
	asan_check_write(to, size);
	if (size < 8) {
		move_short(t, f, size);
		return to;
	}
	if (size >= WORDS_BY_STRING_MIN) {
		words_copy(t, f, size / 8);
	} else {
		for (; left >= 8; left -= 8, t += 8, f += 8)
			*(word64 *)t = *(const word64 *)f;
	}
	if (size % 8)
		*(word64 *)((u8 *)to + size - 8) = *(const word64 *)((const u8 *)from + size - 8);
	return to;
}
EXPORT_SYMBOL(memcpy);

__no_asan void *memmove(void *to, const void *from, size_t size)
{
	u8 *t = to;
	const u8 *f = from;

	if (size >= 8 && (t - f >= (long)size || f - t >= (long)size))
		return memcpy(to, from, size);
	asan_check_read(from, size);
	asan_check_write(to, size);
	if (size < 8) {
		move_short(t, f, size);
	} else if (t < f) {
		u64 last = *(const word64 *)(f + size - 8);

		for (size_t at = 0; at + 8 <= size; at += 8)
			*(word64 *)(t + at) = *(const word64 *)(f + at);
		*(word64 *)(t + size - 8) = last;
	} else if (t > f) {
		u64 first = *(const word64 *)f;
		size_t at = size;

		for (; at >= 8; at -= 8)
			*(word64 *)(t + at - 8) = *(const word64 *)(f + at - 8);
		*(word64 *)t = first;
	}
	return to;
}
EXPORT_SYMBOL(memmove);

__no_asan void *memset(void *to, int byte, size_t size)
{
	u8 *t = to;
	u64 word = 0x0101010101010101ULL * (u8)byte;

	asan_check_write(to, size);
	if (size >= 8) {
		size_t words = size / 8;

		if (size >= WORDS_BY_STRING_MIN) {
			words_fill(t, word, words);
		} else {
			for (size_t i = 0; i < words; i++)
				((word64 *)t)[i] = word;
		}
		*(word64 *)(t + size - 8) = word;
	} else if (size >= 4) {
		*(word32 *)t = (u32)word;
		*(word32 *)(t + size - 4) = (u32)word;
	} else {
		for (size_t i = 0; i < size; i++)
			t[i] = (u8)byte;
	}
	return to;
}
EXPORT_SYMBOL(memset);

__no_asan int memcmp(const void *a, const void *b, size_t size)
{
	const u8 *x = a, *y = b;

	asan_check_read(a, size);
	asan_check_read(b, size);
	while (size >= 8 && *(const word64 *)x == *(const word64 *)y) {
		x += 8;
		y += 8;
		size -= 8;
	}
	for (; size; size--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}
EXPORT_SYMBOL(memcmp);

void *memchr(const void *s, int byte, size_t size)
{
	const u8 *at = s;

	for (; size; size--, at++)
		if (*at == (u8)byte)
			return (void *)at;
	return NULL;
}
EXPORT_SYMBOL(memchr);

bool bytes_are_zero(const void *bytes, size_t size)
{
	const u8 *at = bytes;

	return !size || (!*at && !memcmp(at, at + 1, size - 1));
}
EXPORT_SYMBOL(bytes_are_zero);

size_t strlen(const char *s)
{
	const char *end = s;

	while (*end)
		end++;
	return (size_t)(end - s);
}
EXPORT_SYMBOL(strlen);

size_t strnlen(const char *s, size_t limit)
{
	size_t length = 0;

	while (length < limit && s[length])
		length++;
	return length;
}
EXPORT_SYMBOL(strnlen);

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (u8)*a - (u8)*b;
}
EXPORT_SYMBOL(strcmp);

int strncmp(const char *a, const char *b, size_t limit)
{
	for (; limit; limit--, a++, b++) {
		if (*a != *b)
			return (u8)*a - (u8)*b;
		if (!*a)
			break;
	}
	return 0;
}
EXPORT_SYMBOL(strncmp);

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)s;
		if (!*s)
			return NULL;
	}
}
EXPORT_SYMBOL(strchr);

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (!*s)
			return (char *)last;
	}
}
EXPORT_SYMBOL(strrchr);

char *strstr(const char *s, const char *part)
{
	size_t length = strlen(part);

	for (;; s++) {
		if (!strncmp(s, part, length))
			return (char *)s;
		if (!*s)
			return NULL;
	}
}
EXPORT_SYMBOL(strstr);

ssize_t strscpy(char *to, const char *from, size_t size)
{
	size_t length;

	if (!size)
		return -E2BIG;
	length = strnlen(from, size);
	if (length < size) {
		memcpy(to, from, length + 1);
		return (ssize_t)length;
	}
	memcpy(to, from, size - 1);
	to[size - 1] = '\0';
	return -E2BIG;
}
EXPORT_SYMBOL(strscpy);
