/* Unpacking of gzip data and of zlib's own (lib/gunzip.c). */
#ifndef KUMO_GUNZIP_H
#define KUMO_GUNZIP_H

#include <kumo/types.h>

/* Whether `in` starts as gzip data does. */
static inline bool gunzip_recognises(const void *in, size_t in_size)
{
	const u8 *bytes = in;

	return in_size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

/*
 * Unpacks one gzip member and hands what comes out to `sink`, piece by piece; a negative errno from `sink` ends it and is the
 * result. *consumed is set to the size of the member, when it was read to its end. -EINVAL: damaged or cut short; -ENOMEM.
 */
int gunzip(const void *in, size_t in_size, int (*sink)(void *arg, const void *data, size_t size),
	   void *arg, size_t *consumed) __must_check;

/* The same of zlib's format, from memory to memory: the length of what comes out. -EINVAL: damaged, or there is more; -ENOMEM. May sleep. */
ssize_t unzlib(const void *in, size_t in_size, void *out, size_t out_size) __must_check;

#endif
