/*
 * Per-CPU memory that is allocated at run time.
 *
 * A pointer into per-CPU memory becomes a CPU's own by adding that CPU's offset, which is how far its copy of the section
 * .data..percpu lies from the section as linked. So what is allocated must lie in each copy at the same distance from its start.
 * It comes out of one per-CPU variable, from which blocks are given out, alike for all CPUs, by a bitmap of units.
 */
#include <kumo/export.h>
#include <kumo/fault_inject.h>
#include <kumo/mutex.h>
#include <kumo/percpu.h>
#include <kumo/printk.h>
#include <kumo/string.h>
#include <kumo/track.h>

#define UNIT 16UL
#define AREA_SIZE (8 * KIB)
#define UNITS (AREA_SIZE / UNIT)
#define SIZE_LIMIT (4 * KIB)
#define ALIGN_LIMIT 64UL

static DEFINE_PER_CPU(char, area)[AREA_SIZE] __aligned(ALIGN_LIMIT);

static unsigned long used[UNITS / 64];	 /* bit by unit: it belongs to a block */
static unsigned long begins[UNITS / 64]; /* a block begins here */
static struct mutex percpu_mutex = MUTEX_INIT(percpu_mutex, "percpu"); /* both */
#ifdef CONFIG_DEBUG
static struct track tracks[UNITS]; /* by the first unit of a block */
#endif

/* `count` free units from `first` on? Otherwise where to go on looking. */
static bool range_free(unsigned long first, unsigned long count, unsigned long *next)
{
	for (unsigned long unit = first + count; unit-- > first;) {
		if (test_bit(used, unit)) {
			*next = unit + 1;
			return false;
		}
	}
	return true;
}

void *alloc_percpu(size_t size, size_t align)
{
	unsigned long count = DIV_ROUND_UP(size, UNIT), step = max(align, UNIT) / UNIT, first = 0, next;
	char *block = NULL;

	if (!size || size > SIZE_LIMIT || align > ALIGN_LIMIT || fault_inject(FAIL_PERCPU))
		return NULL;
	mutex_lock(&percpu_mutex);
	for (; first + count <= UNITS; first = ALIGN_UP(next, step)) {
		if (!range_free(first, count, &next))
			continue;
		for (unsigned long unit = first; unit < first + count; unit++)
			set_bit(used, unit);
		set_bit(begins, first);
		block = area + first * UNIT;
#ifdef CONFIG_DEBUG
		track_allocated(&tracks[first], size, 0);
#endif
		break;
	}
	mutex_unlock(&percpu_mutex);
	if (block)
		for (unsigned int cpu = 0; cpu < MAX_CPUS; cpu++)
			if (per_cpu_offset[cpu])
				memset(per_cpu_ptr(block, cpu), 0, size);
	return block;
}
EXPORT_SYMBOL(alloc_percpu);

void free_percpu(void *pointer)
{
	unsigned long first;

	if (!pointer)
		return;
	first = (unsigned long)((char *)pointer - area) / UNIT;
	if (WARN_ON(first >= UNITS || !test_bit(begins, first)))
		return;
	mutex_lock(&percpu_mutex);
#ifdef CONFIG_DEBUG
	track_freed(&tracks[first]);
#endif
	clear_bit(begins, first);
	do
		clear_bit(used, first++);
	while (first < UNITS && test_bit(used, first) && !test_bit(begins, first));
	mutex_unlock(&percpu_mutex);
}
EXPORT_SYMBOL(free_percpu);
