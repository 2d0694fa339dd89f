/*
 * Statistics of block devices, as Linux counts them: per CPU, for the disk and, where the request was for one, the
 * partition. /proc/diskstats, /proc/partitions, /sys/block/NAME/stat and inflight.
 */
#include "internal.h"

#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/percpu.h>

struct block_counts {
	struct {
		u64 started, done, merged, bytes, time_ns;
	} group[BLOCK_GROUPS];
};

/* As on Linux the flush that the disk gets is one; who waits for it wrote nothing, which counts as a write. */
static enum block_group group_of(const struct block_request *request)
{
	switch (request->operation) {
	case BLOCK_READ:
		return GROUP_READ;
	case BLOCK_DISCARD:
		return GROUP_DISCARD;
	case BLOCK_FLUSH:
		return request == request->device->disk->flush ? GROUP_FLUSH : GROUP_WRITE;
	default:
		return GROUP_WRITE;
	}
}

int counts_create(struct block_device *device)
{
	device->counts = alloc_percpu(sizeof(struct block_counts), 64);
	return device->counts ? 0 : -ENOMEM;
}

void counts_destroy(struct block_device *device)
{
	if (device->counts)
		free_percpu(device->counts);
}

/* Time counts as busy from the first request under way to the last, to the millisecond. */
static void busy_until(struct block_device *device, u64 now, bool busy)
{
	u64 before = READ_ONCE(device->busy_stamp_ns);

	if (now - before < NSEC_PER_MSEC)
		return;
	if (__atomic_compare_exchange_n(&device->busy_stamp_ns, &before, now, false,
					__ATOMIC_RELAXED, __ATOMIC_RELAXED))
		__atomic_fetch_add(&device->busy_ns, busy ? now - before : NSEC_PER_MSEC,
				   __ATOMIC_RELAXED);
}

static void start_on(struct block_device *device, enum block_group group, u64 now)
{
	this_cpu_ptr(device->counts)->group[group].started++;
	busy_until(device, now, false);
}

void count_start(struct block_request *request)
{
	enum block_group group = group_of(request);
	unsigned long flags = local_irq_save();

	request->started = true;
	request->start_ns = time_monotonic_ns();
	start_on(request->device, group, request->start_ns);
	if (request->device->partition)
		start_on(request->device->disk->whole, group, request->start_ns);
	local_irq_restore(flags);
}

void count_merge(const struct block_request *request)
{
	enum block_group group = group_of(request);
	unsigned long flags = local_irq_save();

	this_cpu_ptr(request->device->counts)->group[group].merged++;
	if (request->device->partition)
		this_cpu_ptr(request->device->disk->whole->counts)->group[group].merged++;
	local_irq_restore(flags);
}

static void end_on(struct block_device *device, const struct block_request *request, u64 now)
{
	enum block_group group = group_of(request);
	struct block_counts *counts = this_cpu_ptr(device->counts);

	counts->group[group].done++;
	counts->group[group].bytes += request->length;
	counts->group[group].time_ns += now - request->start_ns;
	busy_until(device, now, true);
}

void count_end(const struct block_request *request)
{
	unsigned long flags = local_irq_save();
	u64 now = time_monotonic_ns();

	end_on(request->device, request, now);
	if (request->device->partition)
		end_on(request->device->disk->whole, request, now);
	local_irq_restore(flags);
}

/* ---- What is shown ---- */

static void counts_sum(const struct block_device *device, struct block_counts *sum)
{
	*sum = (struct block_counts){};
	for_each_cpu(cpu) {
		const struct block_counts *counts = per_cpu_ptr(device->counts, cpu);

		for (int i = 0; i < BLOCK_GROUPS; i++) {
			sum->group[i].started += READ_ONCE(counts->group[i].started);
			sum->group[i].done += READ_ONCE(counts->group[i].done);
			sum->group[i].merged += READ_ONCE(counts->group[i].merged);
			sum->group[i].bytes += READ_ONCE(counts->group[i].bytes);
			sum->group[i].time_ns += READ_ONCE(counts->group[i].time_ns);
		}
	}
}

/* The CPUs' counts are read one after the other: what was begun on one and ended on another may be seen the other way round. */
static u64 in_flight(const struct block_counts *sum, enum block_group group)
{
	s64 count = (s64)(sum->group[group].started - sum->group[group].done);

	return count > 0 ? (u64)count : 0;
}

void statistics_print(struct text *text, struct block_device *device, int width)
{
	static const enum block_group full[] = { GROUP_READ, GROUP_WRITE, GROUP_DISCARD };
	u64 fields[17], time_ns = 0, *field = fields;
	struct block_counts sum;

	counts_sum(device, &sum);
	for (int i = 0; i < BLOCK_GROUPS; i++)
		time_ns += sum.group[i].time_ns;
	for (size_t i = 0; i < ARRAY_SIZE(full); i++) {
		if (full[i] == GROUP_DISCARD) { /* came later */
			*field++ = in_flight(&sum, GROUP_READ) + in_flight(&sum, GROUP_WRITE);
			*field++ = READ_ONCE(device->busy_ns) / NSEC_PER_MSEC;
			*field++ = time_ns / NSEC_PER_MSEC;
		}
		*field++ = sum.group[full[i]].done;
		*field++ = sum.group[full[i]].merged;
		*field++ = sum.group[full[i]].bytes / BLOCK_SECTOR;
		*field++ = sum.group[full[i]].time_ns / NSEC_PER_MSEC;
	}
	*field++ = sum.group[GROUP_FLUSH].done;
	*field++ = sum.group[GROUP_FLUSH].time_ns / NSEC_PER_MSEC;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		text_printf(text, i ? " %*llu" : "%*llu", width, (unsigned long long)fields[i]);
	text_puts(text, "\n");
}

int in_flight_show(struct text *text, void *object)
{
	struct block_counts sum;

	counts_sum(object, &sum);
	text_printf(text, "%8llu %8llu\n", (unsigned long long)in_flight(&sum, GROUP_READ),
		    (unsigned long long)in_flight(&sum, GROUP_WRITE));
	return 0;
}

/* Each disk and, behind it, its partitions. */
static void devices_each(void (*each)(struct text *text, struct block_device *device), struct text *text)
{
	struct block_disk *disk;
	struct block_device *partition;

	mutex_lock(&disks_lock);
	list_for_each(disk, &block_disks, link) {
		each(text, disk->whole);
		list_for_each(partition, &disk->partitions, link)
			each(text, partition);
	}
	mutex_unlock(&disks_lock);
}

static void disk_statistics_line(struct text *text, struct block_device *device)
{
	text_printf(text, "%4u %7u %s ", device_major(device->number), device_minor(device->number),
		    device->name);
	statistics_print(text, device, 0);
}

static void partition_line(struct text *text, struct block_device *device)
{
	u64 size = block_device_size(device);

	if (size)
		text_printf(text, "%4u  %7u %10llu %s\n", device_major(device->number),
			    device_minor(device->number), (unsigned long long)(size / 1024),
			    device->name);
}

int diskstats_show(struct text *text, void *unused)
{
	devices_each(disk_statistics_line, text);
	return 0;
}

int partitions_show(struct text *text, void *unused)
{
	text_puts(text, "major minor  #blocks  name\n\n");
	devices_each(partition_line, text);
	return 0;
}

static const struct {
	u32 major;
	const char *name;
} major_names[] = {
	{ 1, "ramdisk" },
	{ 7, "loop" },
	{ 254, "virtblk" },
	{ 259, "blkext" },
};

/* The lowest major above `above` that a device has; ~0: none. */
static u32 major_next(u32 above)
{
	struct block_device *partition;
	struct block_disk *disk;
	u32 next = ~0U, major;

	mutex_lock(&disks_lock);
	list_for_each(disk, &block_disks, link) {
		major = device_major(disk->whole->number);
		if (major > above)
			next = min(next, major);
		list_for_each(partition, &disk->partitions, link) {
			major = device_major(partition->number);
			if (major > above)
				next = min(next, major);
		}
	}
	mutex_unlock(&disks_lock);
	return next;
}

void block_majors_print(struct text *text)
{
	for (u32 major = major_next(0); major != ~0U; major = major_next(major)) {
		const char *name = "disk";

		for (size_t i = 0; i < ARRAY_SIZE(major_names); i++)
			if (major_names[i].major == major)
				name = major_names[i].name;
		text_printf(text, "%3u %s\n", major, name);
	}
}
