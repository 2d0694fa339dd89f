/* What the address sanitizer says about an access that must not be: what kind of memory it hit, and whose that is. */
#ifdef CONFIG_DEBUG
#include "asan.h"
#include "../internal.h"
#include <kumo/kallsyms.h>
#include <kumo/kva.h>
#include <kumo/report.h>
#include <kumo/thread.h>
#include <kumo/track.h>

static const char *reason_name(unsigned long bad)
{
	unsigned int reason = *shadow_of(bad);

	if (reason < 1U << SHADOW_SHIFT) /* the redzone begins within these 8 bytes: what follows says which */
		reason = *shadow_of(bad + (1 << SHADOW_SHIFT));
	switch (reason) {
	case ASAN_STACK_LEFT:
	case ASAN_STACK_MIDDLE:
	case ASAN_STACK_RIGHT:
		return "stack out of bounds";
	case ASAN_STACK_SCOPE:
		return "stack use after scope";
	case ASAN_ALLOCA_LEFT:
	case ASAN_ALLOCA_RIGHT:
		return "array of variable length out of bounds";
	case ASAN_GLOBAL:
		return "global out of bounds";
	case ASAN_HEAP:
		return "heap out of bounds";
	case ASAN_HEAP_FREED:
		return "heap use after free";
	case ASAN_AREA:
		return "kernel area out of bounds or after free";
	case ASAN_PAGE_FREED:
		return "page use after free";
	default:
		return "out of bounds";
	}
}

/* "3 bytes behind", "in", "8 bytes before" [start, start + size). */
static void say_distance(unsigned long bad, unsigned long start, size_t size, const char *what)
{
	if (bad < start)
		report_line("%lu bytes before %s of %zu bytes at %#lx", start - bad, what, size, start);
	else if (bad >= start + size)
		report_line("%lu bytes behind %s of %zu bytes at %#lx", bad - (start + size), what,
			    size, start);
	else
		report_line("byte %lu of %s of %zu bytes at %#lx", bad - start, what, size, start);
}

static void say_page(unsigned long bad)
{
	struct page *page = virt_to_page((void *)bad);
	struct slab_object object;

	if (slab_object_find((void *)bad, &object)) {
		say_distance(bad, (unsigned long)object.start, object.size, object.cache);
		track_print(object.track);
	} else {
		report_line("in the page at %#llx, flags %#lx, %u references",
			    (unsigned long long)page_to_phys(page), page->flags,
			    (unsigned int)atomic_read(&page->refs.refs));
		track_print(&page->track);
	}
}

static void say_area(unsigned long bad)
{
	unsigned long stack = (unsigned long)current->stack, start;
	size_t size;

	if (bad >= stack && bad < stack + THREAD_STACK_SIZE)
		report_line("byte %lu of the stack of this thread", bad - stack);
	else if (kva_find((void *)bad, &start, &size))
		say_distance(bad, start, size, "a range");
	else if (kva_find((void *)(bad - PAGE_SIZE), &start, &size))
		say_distance(bad, start, size, "a range");
}

/* What lies at and around `bad`. */
static void say_object(unsigned long bad)
{
	char name[KALLSYMS_TEXT_SIZE];
	u8 *shadow = shadow_of(bad);

	if (bad >= KERNEL_BASE) {
		kallsyms_format(name, sizeof(name), bad, true);
		report_line("at %s", name);
	} else if (bad >= KVA_BASE) {
		say_area(bad);
	} else {
		say_page(bad);
	}
	shadow = (u8 *)ALIGN_DOWN((unsigned long)shadow, 8);
	report_line("shadow of %#lx: %02x %02x %02x %02x %02x %02x %02x %02x",
		    ALIGN_DOWN(bad, 64UL), shadow[0], shadow[1], shadow[2], shadow[3], shadow[4],
		    shadow[5], shadow[6], shadow[7]);
}

void asan_report(const struct asan_access *access)
{
	if (!report_begin("asan", "%s: %s of %zu bytes at %#lx by %pS", reason_name(access->bad),
			  access->write ? "write" : "read", access->size, access->address,
			  (void *)access->from))
		return;
	say_object(access->bad);
	report_end();
}

void asan_report_free(const void *address, const char *what)
{
	if (!report_begin("asan", "%s: %p", what, address))
		return;
	say_object((unsigned long)address);
	report_end();
}
#endif
