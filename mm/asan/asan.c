/*
 * The address sanitizer (debug build). For each 8 bytes of kernel memory a byte of shadow says how many of them, from the
 * first on, may be touched: 0 for all, 1 to 7, or one of enum asan_reason for none. The compiler calls the functions below
 * before each access, and writes itself the shadow of local variables; the allocators tell of theirs through <kumo/asan.h>.
 *
 *	heap	an object has a redzone behind it and is dead when freed; it rests in the quarantine (quarantine.c)
 *	pages	dead while free
 *	kva	dead when freed; the page behind each range is dead
 *	globals	have a redzone behind them, which constructors announce, of the core and of each module
 *	stacks	redzones between local variables, made by the compiled code itself
 *
 * Until there is shadow nothing is checked, since nothing is covered. What is neither RAM, image, nor an area in use is left
 * to the page tables. This file and its neighbours are compiled without checks.
 */
#ifdef CONFIG_DEBUG
#include "asan.h"
#include <kumo/arch/string.h>
#include <kumo/export.h>
#include <kumo/kallsyms.h>
#include <kumo/page.h>
#include <kumo/thread.h>

#define GRANULE (1UL << SHADOW_SHIFT)

/* May [address, address + size), within two granules, be touched? */
static __always_inline bool short_ok(unsigned long address, size_t size)
{
	unsigned long last = address + size - 1;
	s8 value;

	if (unlikely(!shadow_covers(address) || !shadow_covers(last)))
		return true;
	if (address >> SHADOW_SHIFT != last >> SHADOW_SHIFT && *shadow_of(address))
		return false;
	value = (s8)*shadow_of(last);
	return likely(!value) || (value > 0 && (s8)(last % GRANULE) < value);
}

/* The first byte of the range that may not be touched; its end if all may. */
static unsigned long first_bad(unsigned long address, size_t size)
{
	unsigned long end = address + size;

	if (!size || !shadow_covers(address) || !shadow_covers(end - 1))
		return end;
	while (address < end) {
		const u8 *shadow = shadow_of(address);
		unsigned long granule = ALIGN_DOWN(address, GRANULE);

		if (!*shadow) {
			/* Eight of them at once, as most of a large range is. */
			address = granule + GRANULE;
			while (IS_ALIGNED((unsigned long)(shadow + 1), 8) &&
			       address + 8 * GRANULE <= end && !*(const u64 *)(shadow + 1)) {
				shadow += 8;
				address += 8 * GRANULE;
			}
			continue;
		}
		if (*shadow >= GRANULE || address - granule >= *shadow)
			return address;
		address = granule + *shadow;
		if (address < end)
			return address;
	}
	return end;
}

static __always_inline void check_range(const void *address, size_t size, bool write, unsigned long from)
{
	unsigned long start = (unsigned long)address;
	bool wraps = start + size < start;
	unsigned long bad = wraps ? start : first_bad(start, size);

	if (unlikely(wraps || bad != start + size))
		asan_report(&(struct asan_access){
			.address = start, .size = size, .bad = bad, .from = from, .write = write });
}

void asan_check_read(const void *address, size_t size)
{
	check_range(address, size, false, (unsigned long)__builtin_return_address(0));
}
EXPORT_SYMBOL(asan_check_read);

void asan_check_write(const void *address, size_t size)
{
	check_range(address, size, true, (unsigned long)__builtin_return_address(0));
}
EXPORT_SYMBOL(asan_check_write);

/* ---- What the compiler calls ---- */

#define DEFINE_CHECKS(bytes)                                                                           \
	void __asan_load##bytes##_noabort(const void *address);                                        \
	void __asan_load##bytes##_noabort(const void *address)                                         \
	{                                                                                              \
		if (unlikely(!short_ok((unsigned long)address, bytes)))                                \
			check_range(address, bytes, false,                                             \
				    (unsigned long)__builtin_return_address(0));                       \
	}                                                                                              \
	void __asan_store##bytes##_noabort(const void *address);                                       \
	void __asan_store##bytes##_noabort(const void *address)                                        \
	{                                                                                              \
		if (unlikely(!short_ok((unsigned long)address, bytes)))                                \
			check_range(address, bytes, true, (unsigned long)__builtin_return_address(0)); \
	}

DEFINE_CHECKS(1)
DEFINE_CHECKS(2)
DEFINE_CHECKS(4)
DEFINE_CHECKS(8)

void __asan_load16_noabort(const void *address);
void __asan_load16_noabort(const void *address)
{
	check_range(address, 16, false, (unsigned long)__builtin_return_address(0));
}

void __asan_store16_noabort(const void *address);
void __asan_store16_noabort(const void *address)
{
	check_range(address, 16, true, (unsigned long)__builtin_return_address(0));
}

void __asan_loadN_noabort(const void *address, size_t size);
void __asan_loadN_noabort(const void *address, size_t size)
{
	check_range(address, size, false, (unsigned long)__builtin_return_address(0));
}

void __asan_storeN_noabort(const void *address, size_t size);
void __asan_storeN_noabort(const void *address, size_t size)
{
	check_range(address, size, true, (unsigned long)__builtin_return_address(0));
}

EXPORT_SYMBOL(__asan_load1_noabort);
EXPORT_SYMBOL(__asan_load2_noabort);
EXPORT_SYMBOL(__asan_load4_noabort);
EXPORT_SYMBOL(__asan_load8_noabort);
EXPORT_SYMBOL(__asan_load16_noabort);
EXPORT_SYMBOL(__asan_loadN_noabort);
EXPORT_SYMBOL(__asan_store1_noabort);
EXPORT_SYMBOL(__asan_store2_noabort);
EXPORT_SYMBOL(__asan_store4_noabort);
EXPORT_SYMBOL(__asan_store8_noabort);
EXPORT_SYMBOL(__asan_store16_noabort);
EXPORT_SYMBOL(__asan_storeN_noabort);

/* Before a call that does not return. The frames that are left for good are forgotten with their stack (asan_stack_reset). */
void __asan_handle_no_return(void);
void __asan_handle_no_return(void)
{
}
EXPORT_SYMBOL(__asan_handle_no_return);

/* Local variables too large for code in place. */
void __asan_poison_stack_memory(const void *address, size_t size);
void __asan_poison_stack_memory(const void *address, size_t size)
{
	asan_poison(address, size, ASAN_STACK_SCOPE);
}
EXPORT_SYMBOL(__asan_poison_stack_memory);

void __asan_unpoison_stack_memory(const void *address, size_t size);
void __asan_unpoison_stack_memory(const void *address, size_t size)
{
	asan_unpoison(address, size);
}
EXPORT_SYMBOL(__asan_unpoison_stack_memory);

/* An array of variable length: 32 bytes before it and what fills it up to a multiple of 32, and 32 more, are redzones. */
#define ALLOCA_REDZONE 32UL

void __asan_alloca_poison(unsigned long address, size_t size);
void __asan_alloca_poison(unsigned long address, size_t size)
{
	asan_poison((void *)(address - ALLOCA_REDZONE), ALLOCA_REDZONE, ASAN_ALLOCA_LEFT);
	asan_object((void *)address, size, ALIGN_UP(size, ALLOCA_REDZONE));
	asan_poison((void *)(address + ALIGN_UP(size, ALLOCA_REDZONE)), ALLOCA_REDZONE,
		    ASAN_ALLOCA_RIGHT);
}
EXPORT_SYMBOL(__asan_alloca_poison);

void __asan_allocas_unpoison(unsigned long top, unsigned long bottom);
void __asan_allocas_unpoison(unsigned long top, unsigned long bottom)
{
	if (top && top < bottom)
		asan_unpoison((void *)top, bottom - top);
}
EXPORT_SYMBOL(__asan_allocas_unpoison);

/* The compiler's description of a global variable (gcc 12, libsanitizer's version 8). */
struct asan_global {
	const void *start;
	size_t size, size_with_redzone;
	const char *name, *module_name;
	unsigned long dynamic;
	const void *location;
	unsigned long indicator;
};

void __asan_register_globals(const struct asan_global *globals, size_t count);
void __asan_register_globals(const struct asan_global *globals, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct asan_global *global = &globals[i];
		size_t whole = ALIGN_UP(global->size, GRANULE);

		asan_unpoison(global->start, global->size);
		asan_poison((const char *)global->start + whole, global->size_with_redzone - whole,
			    ASAN_GLOBAL);
	}
}
EXPORT_SYMBOL(__asan_register_globals);

/* A module's destructors are not called: its memory goes as a whole. */
void __asan_unregister_globals(const struct asan_global *globals, size_t count);
void __asan_unregister_globals(const struct asan_global *globals, size_t count)
{
}
EXPORT_SYMBOL(__asan_unregister_globals);

/* ---- What the allocators call ---- */

static void shadow_fill(unsigned long start, unsigned long end, u8 value)
{
	u8 *at = shadow_of(start), *last = shadow_of(end);

	for (; at < last && !IS_ALIGNED((unsigned long)at, 8); at++)
		*at = value;
	words_fill(at, 0x0101010101010101ULL * value, (unsigned long)(last - at) / 8);
	for (at += ALIGN_DOWN((unsigned long)(last - at), 8); at < last; at++)
		*at = value;
}

void asan_poison(const void *address, size_t size, enum asan_reason reason)
{
	unsigned long start = (unsigned long)address, end = start + ALIGN_UP(size, GRANULE);

	if (size && shadow_covers(start) && shadow_covers(end - 1))
		shadow_fill(start, end, (u8)reason);
}
EXPORT_SYMBOL(asan_poison);

void asan_unpoison(const void *address, size_t size)
{
	unsigned long start = (unsigned long)address, end = start + size;

	if (!size || !shadow_covers(start) || !shadow_covers(end - 1))
		return;
	shadow_fill(start, ALIGN_DOWN(end, GRANULE), 0);
	if (end % GRANULE)
		*shadow_of(end) = end % GRANULE;
}
EXPORT_SYMBOL(asan_unpoison);

void asan_object(const void *address, size_t size, size_t room)
{
	size_t whole = ALIGN_UP(size, GRANULE);

	asan_unpoison(address, size);
	if (room > whole)
		asan_poison((const char *)address + whole, room - whole, ASAN_HEAP);
}

unsigned int asan_reason(const void *address)
{
	unsigned long at = (unsigned long)address;
	u8 value;

	if (!shadow_covers(at))
		return 0;
	value = *shadow_of(at);
	return value < GRANULE && at % GRANULE < value ? 0 : value;
}
EXPORT_SYMBOL(asan_reason);

size_t asan_object_size(const void *object, size_t limit)
{
	unsigned long start = (unsigned long)object;

	return shadow_covers(start) ? first_bad(start, limit) - start : limit;
}

void asan_stack_reset(void *stack)
{
	asan_unpoison(stack, THREAD_STACK_SIZE);
}

typedef void (*constructor_t)(void);
extern const constructor_t __constructors_start[], __constructors_end[];

void __init asan_init(void)
{
	for (const constructor_t *constructor = __constructors_start;
	     constructor < __constructors_end; constructor++)
		(*constructor)();
}
#endif
