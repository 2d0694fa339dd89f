/* The machine's way to move and fill memory by words. Chosen for blocks of WORDS_BY_STRING_MIN bytes and more, where the
 * start-up of the string instructions has paid. */
#ifndef KUMO_ARCH_STRING_H
#define KUMO_ARCH_STRING_H

#include <kumo/types.h>

#define WORDS_BY_STRING_MIN 64

static inline void words_copy(void *to, const void *from, size_t words)
{
	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words)::"memory");
}

static inline void words_fill(void *to, u64 word, size_t words)
{
	__asm__ volatile("rep stosq" : "+D"(to), "+c"(words) : "a"(word) : "memory");
}

#endif
