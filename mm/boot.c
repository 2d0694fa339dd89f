/*
 * Memory before the page allocator: which physical ranges are RAM, and which of them are taken.
 *
 * Two sorted tables of ranges that neither touch nor overlap. The first stays after the start, since it answers
 * pfn_valid() for the life of the machine. Allocations come from the top of memory, so that what is low (and scarce for
 * devices and other CPUs' start-up code) stays free.
 */
#define LOG_PREFIX "memory: "
#include "internal.h"
#include <kumo/export.h>
#include <kumo/printk.h>
#include <kumo/string.h>

#define BOOT_RANGES 128

struct range {
	phys_addr_t start, end;
};

struct range_table {
	unsigned int count;
	struct range ranges[BOOT_RANGES];
};

static struct range_table usable;
static __initdata struct range_table reserved;
static __initdata phys_addr_t allocation_limit = 4 * GIB;
static __initdata bool closed;

/* Adds [start, end), merging it with the ranges that it touches. */
static void __init range_add(struct range_table *table, phys_addr_t start, phys_addr_t end)
{
	unsigned int first = 0, after;

	if (start >= end)
		return;
	while (first < table->count && table->ranges[first].end < start)
		first++;
	after = first;
	while (after < table->count && table->ranges[after].start <= end) {
		start = min(start, table->ranges[after].start);
		end = max(end, table->ranges[after].end);
		after++;
	}
	if (after == first && table->count == BOOT_RANGES)
		panic("the memory map has more than %d ranges", BOOT_RANGES);
	memmove(&table->ranges[first + 1], &table->ranges[after],
		(table->count - after) * sizeof(struct range));
	table->count += 1 - (after - first);
	table->ranges[first] = (struct range){ start, end };
}

void __init boot_memory_add(phys_addr_t start, u64 size)
{
	phys_addr_t end = ALIGN_DOWN(start + size, PAGE_SIZE);

	start = ALIGN_UP(start, PAGE_SIZE);
	if (!start) /* frame 0: nobody shall get a physical address that looks like none */
		start = PAGE_SIZE;
	range_add(&usable, start, end);
}

void __init boot_memory_reserve(phys_addr_t start, u64 size)
{
	if (size)
		range_add(&reserved, ALIGN_DOWN(start, PAGE_SIZE), ALIGN_UP(start + size, PAGE_SIZE));
}

void __init boot_memory_set_limit(phys_addr_t limit)
{
	allocation_limit = limit;
}

/* The highest place for [*, * + size) in `range` that no reservation touches; 0: none. */
static phys_addr_t __init range_place(const struct range *range, u64 size, u64 align)
{
	phys_addr_t end = min(range->end, allocation_limit), start;
	unsigned int i = reserved.count;

	for (;;) {
		if (end < size)
			return 0;
		start = ALIGN_DOWN(end - size, align);
		if (start < range->start)
			return 0;
		while (i && reserved.ranges[i - 1].start >= start + size)
			i--;
		if (!i || reserved.ranges[i - 1].end <= start)
			return start;
		end = reserved.ranges[i - 1].start;
	}
}

phys_addr_t __init boot_memory_place(u64 size, u64 align)
{
	phys_addr_t start = 0;

	if (closed)
		panic("boot memory asked for after the page allocator took over");
	size = ALIGN_UP(size, PAGE_SIZE);
	align = max(align, PAGE_SIZE);
	for (unsigned int i = usable.count; i-- && !start;)
		start = range_place(&usable.ranges[i], size, align);
	if (!start)
		panic("out of memory during the start: %llu KiB wanted", (unsigned long long)size / KIB);
	boot_memory_reserve(start, size);
	return start;
}

phys_addr_t __init boot_memory_alloc(u64 size, u64 align)
{
	phys_addr_t start = boot_memory_place(size, align);

	memset(phys_to_virt(start), 0, ALIGN_UP(size, PAGE_SIZE));
	return start;
}

bool boot_memory_next(unsigned int *cursor, phys_addr_t *start, phys_addr_t *end)
{
	if (*cursor >= usable.count)
		return false;
	*start = usable.ranges[*cursor].start;
	*end = usable.ranges[*cursor].end;
	(*cursor)++;
	return true;
}

bool __init boot_memory_next_free(phys_addr_t *start, phys_addr_t end, phys_addr_t *free_end)
{
	phys_addr_t at = *start;
	unsigned int r = 0;

	for (unsigned int i = 0; i < usable.count && usable.ranges[i].start < end; i++) {
		if (usable.ranges[i].end <= at)
			continue;
		at = max(at, usable.ranges[i].start);
		while (at < usable.ranges[i].end && at < end) {
			while (r < reserved.count && reserved.ranges[r].end <= at)
				r++;
			if (r < reserved.count && reserved.ranges[r].start <= at) {
				at = reserved.ranges[r].end;
				continue;
			}
			*start = at;
			*free_end = min(end, usable.ranges[i].end);
			if (r < reserved.count)
				*free_end = min(*free_end, reserved.ranges[r].start);
			return true;
		}
	}
	return false;
}

void __init boot_memory_close(void)
{
	closed = true;
}

bool pfn_valid(u64 pfn)
{
	phys_addr_t phys = pfn << PAGE_SHIFT;
	unsigned int low = 0, high = usable.count, middle;

	while (low < high) {
		middle = (low + high) / 2;
		if (phys >= usable.ranges[middle].end)
			low = middle + 1;
		else if (phys < usable.ranges[middle].start)
			high = middle;
		else
			return true;
	}
	return false;
}
EXPORT_SYMBOL(pfn_valid);
