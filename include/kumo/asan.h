/*
 * The debug build's address sanitizer (mm/asan.c): which bytes of kernel memory may be touched. The compiler calls it
 * before each access; allocators say here what they give out and what they take back. Nothing in the release build.
 */
#ifndef KUMO_ASAN_H
#define KUMO_ASAN_H

#include <kumo/types.h>

/* Why memory may not be touched; 1 to 7 stand for 8 bytes of which only that many may be. The compiler's own first. */
enum asan_reason {
	ASAN_STACK_LEFT = 0xf1,
	ASAN_STACK_MIDDLE = 0xf2,
	ASAN_STACK_RIGHT = 0xf3,
	ASAN_STACK_SCOPE = 0xf8, /* a local variable whose block has ended */
	ASAN_ALLOCA_LEFT = 0xca,
	ASAN_ALLOCA_RIGHT = 0xcb,
	ASAN_GLOBAL = 0xf9,	/* behind a global variable */
	ASAN_HEAP = 0xfa,	/* around an object of the heap */
	ASAN_HEAP_FREED = 0xfb, /* an object that was freed */
	ASAN_AREA = 0xfc,	/* kernel virtual area: a guard, or freed */
	ASAN_PAGE_FREED = 0xff, /* a page that is free */
};

#ifdef CONFIG_DEBUG
#define __no_asan __attribute__((no_sanitize_address))

/* Reports when not all of [address, address + size) may be touched. For what the compiler does not see: assembly. */
void asan_check_read(const void *address, size_t size);
void asan_check_write(const void *address, size_t size);

/* Ranges that begin at a multiple of 8. asan_object: `size` bytes may be touched, the rest of `room` may not. */
void asan_poison(const void *address, size_t size, enum asan_reason reason);
void asan_unpoison(const void *address, size_t size);
void asan_object(const void *address, size_t size, size_t room);
/* Why the byte may not be touched; 0: it may. */
unsigned int asan_reason(const void *address);
/* How many bytes from `object` on may be touched, at most `limit`. */
size_t asan_object_size(const void *object, size_t limit);
/* An object or page is freed that is not there to be freed. */
void asan_report_free(const void *address, const char *what);
/* A thread leaves its stack for good, or takes a used one: whatever the frames on it left behind is void. */
void asan_stack_reset(void *stack);

/* Once there is shadow: calls the core's constructors, which the compiler made, and which announce global variables. */
void asan_init(void);

/* arch/x86/mm/shadow.c: makes the shadow of kernel virtual or module addresses up to `end`. -ENOMEM. May sleep. */
int asan_cover(unsigned long end) __must_check;
/* How many pages that took. They are kept: as many as the highest addresses that were ever in use need. */
u64 asan_cover_pages(void);
#else
#define __no_asan
static inline void asan_check_read(const void *address, size_t size)
{
}
static inline void asan_check_write(const void *address, size_t size)
{
}
static inline void asan_poison(const void *address, size_t size, enum asan_reason reason)
{
}
static inline void asan_unpoison(const void *address, size_t size)
{
}
static inline void asan_object(const void *address, size_t size, size_t room)
{
}
static inline size_t asan_object_size(const void *object, size_t limit)
{
	return limit;
}
static inline void asan_stack_reset(void *stack)
{
}
static inline void asan_init(void)
{
}
static inline int asan_cover(unsigned long end)
{
	return 0;
}
#endif

#endif
