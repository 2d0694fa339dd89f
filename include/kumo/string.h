/* Memory and strings (lib/string.c), formatted text (lib/printf.c), numbers from text (lib/parse.c). */
#ifndef KUMO_STRING_H
#define KUMO_STRING_H

#include <kumo/types.h>

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
#ifndef CONFIG_DEBUG
/* Of a few words, known when compiled, the compiler makes moves. (In the debug build memcpy() checks the block as a whole.) */
#define memcpy(to, from, size) __builtin_memcpy(to, from, size)
#endif
void *memchr(const void *s, int byte, size_t size);
bool bytes_are_zero(const void *bytes, size_t size);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t limit);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t limit);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *s, const char *part);
/* Copies at most size-1 bytes and ends with NUL; the length copied, or -E2BIG when `from` was cut short. */
ssize_t strscpy(char *to, const char *from, size_t size);
/* Shell patterns with * ? [..] (for kunit filters and the like). */
bool glob_match(const char *pattern, const char *s);

/* As C's, with %pS (symbol+offset) added; the length that the whole would have. */
int snprintf(char *to, size_t size, const char *format, ...) __printf(3, 4);
int vsnprintf(char *to, size_t size, const char *format, va_list args);
/* The length written (without NUL), never more than size-1. */
int scnprintf(char *to, size_t size, const char *format, ...) __printf(3, 4);

/* Whole-string numbers in `base` (0: by prefix), a trailing newline allowed. 0, -EINVAL or -ERANGE. */
int parse_u64(const char *s, int base, u64 *value) __must_check;
int parse_s64(const char *s, int base, s64 *value) __must_check;
int parse_bool(const char *s, bool *value) __must_check; /* y Y 1 on, n N 0 off */
/* A number with an optional K, M, G suffix; *end is set behind it. */
u64 parse_size(const char *s, const char **end);

u32 hash_bytes(const void *data, size_t size, u32 seed);
static inline u32 hash_u64(u64 value)
{
	return (u32)((value * 0x9e3779b97f4a7c15ULL) >> 32);
}

#endif
