/* A fuzz target's input, read a byte at a time; behind its end all bytes are 0. And what must hold. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <kumo/types.h>
#include <stdlib.h>

static inline void require(bool condition)
{
	if (!condition)
		abort();
}

static const u8 *input, *input_end;

static inline u8 next(void)
{
	return input < input_end ? *input++ : 0;
}

static inline u64 next_bytes(unsigned int count)
{
	u64 value = 0;

	while (count--)
		value = value << 8 | next();
	return value;
}

#endif
