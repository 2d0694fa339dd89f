/* Between the files of the address sanitizer. */
#ifndef MM_ASAN_H
#define MM_ASAN_H

#include <kumo/arch/shadow.h>
#include <kumo/asan.h>

struct asan_access {
	unsigned long address, bad; /* its first byte; the first one that may not be touched */
	size_t size;
	unsigned long from; /* the code that did it */
	bool write;
};

void asan_report(const struct asan_access *access);

#endif
