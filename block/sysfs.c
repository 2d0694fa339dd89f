/*
 * Block devices in /sys: /sys/devices/virtual/block/DISK with its partitions' folders inside, and the links in /sys/block,
 * /sys/class/block and /sys/dev/block by which lsblk, blkid and others find them.
 */
#include "internal.h"

#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/string.h>

#define PLACE "devices/virtual/block"

static int size_show(struct text *text, void *object)
{
	text_printf(text, "%llu\n", (unsigned long long)(block_device_size(object) / BLOCK_SECTOR));
	return 0;
}

static int dev_show(struct text *text, void *object)
{
	struct block_device *device = object;

	text_printf(text, "%u:%u\n", device_major(device->number), device_minor(device->number));
	return 0;
}

static int number_show(struct text *text, u64 number)
{
	text_printf(text, "%llu\n", (unsigned long long)number);
	return 0;
}

static int ro_show(struct text *text, void *object)
{
	return number_show(text, READ_ONCE(((struct block_device *)object)->read_only));
}

static int removable_show(struct text *text, void *object)
{
	return number_show(text, ((struct block_device *)object)->disk->removable);
}

static int range_show(struct text *text, void *object)
{
	return number_show(text, ((struct block_device *)object)->disk->minors);
}

static int ext_range_show(struct text *text, void *object)
{
	return number_show(text, ((struct block_device *)object)->disk->no_partitions ? 1 : 256);
}

static int zero_show(struct text *text, void *object)
{
	return number_show(text, 0);
}

static int partition_show(struct text *text, void *object)
{
	return number_show(text, ((struct block_device *)object)->partition);
}

static int start_show(struct text *text, void *object)
{
	return number_show(text, ((struct block_device *)object)->start_bytes / BLOCK_SECTOR);
}

static int stat_show(struct text *text, void *object)
{
	statistics_print(text, object, 8);
	return 0;
}

static int uevent_show(struct text *text, void *object)
{
	struct block_device *device = object;

	text_printf(text, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s\nDEVTYPE=%s\n",
		    device_major(device->number), device_minor(device->number), device->name,
		    device->partition ? "partition" : "disk");
	if (device->partition)
		text_printf(text, "PARTN=%u\n", device->partition);
	if (device->partition_name[0])
		text_printf(text, "PARTNAME=%s\n", device->partition_name);
	return 0;
}

static int disk_subsystem(char *buffer, size_t size, void *object)
{
	return scnprintf(buffer, size, "../../../../class/block");
}

static int partition_subsystem(char *buffer, size_t size, void *object)
{
	return scnprintf(buffer, size, "../../../../../class/block");
}

/* ---- queue/ ---- */

static struct block_limits *limits_of(void *object)
{
	return &((struct block_device *)object)->disk->limits;
}

static int logical_show(struct text *text, void *object)
{
	return number_show(text, limits_of(object)->logical_block_size);
}

static int physical_show(struct text *text, void *object)
{
	return number_show(text, limits_of(object)->physical_block_size);
}

static int io_minimum_show(struct text *text, void *object)
{
	struct block_limits *limits = limits_of(object);

	return number_show(text, limits->io_minimum ? limits->io_minimum : limits->physical_block_size);
}

static int io_optimum_show(struct text *text, void *object)
{
	return number_show(text, limits_of(object)->io_optimum);
}

static int segments_show(struct text *text, void *object)
{
	return number_show(text, limits_of(object)->pieces_max);
}

static int segment_size_show(struct text *text, void *object)
{
	return number_show(text, limits_of(object)->piece_bytes_max);
}

static int sectors_kb_show(struct text *text, void *object)
{
	return number_show(text, limits_of(object)->command_bytes_max / 1024);
}

static int discard_granularity_show(struct text *text, void *object)
{
	return number_show(text, limits_of(object)->discard_granularity);
}

static int discard_max_show(struct text *text, void *object)
{
	return number_show(text, limits_of(object)->discard_bytes_max);
}

static int write_zeroes_max_show(struct text *text, void *object)
{
	return number_show(text, limits_of(object)->write_zeroes_bytes_max);
}

static int rotational_show(struct text *text, void *object)
{
	return number_show(text, limits_of(object)->rotational);
}

static int fua_show(struct text *text, void *object)
{
	return number_show(text, limits_of(object)->fua);
}

static int write_cache_show(struct text *text, void *object)
{
	text_puts(text, limits_of(object)->write_cache ? "write back\n" : "write through\n");
	return 0;
}

static int requests_show(struct text *text, void *object)
{
	return number_show(text, ((struct block_device *)object)->disk->depth);
}

static int scheduler_show(struct text *text, void *object)
{
	text_puts(text, "[none]\n");
	return 0;
}

static int timeout_show(struct text *text, void *object)
{
	return number_show(text, READ_ONCE(((struct block_device *)object)->disk->timeout_ns) /
					 NSEC_PER_MSEC);
}

/* Milliseconds; for commands that are given to the driver from now on. */
static int timeout_store(const char *words, size_t length, void *object, const struct cred *cred)
{
	struct block_disk *disk = ((struct block_device *)object)->disk;
	u64 milliseconds;
	int error = parse_u64(words, 10, &milliseconds);

	if (error)
		return error;
	if (!milliseconds || milliseconds > ~0U || !disk->timeout_ns)
		return -EINVAL;
	WRITE_ONCE(disk->timeout_ns, milliseconds * NSEC_PER_MSEC);
	return 0;
}

static const struct pseudo_file queue_files[] = {
	PSEUDO_TEXT("discard_granularity", 0444, discard_granularity_show),
	PSEUDO_TEXT("discard_max_bytes", 0444, discard_max_show),
	PSEUDO_TEXT("discard_max_hw_bytes", 0444, discard_max_show),
	PSEUDO_TEXT("discard_zeroes_data", 0444, zero_show),
	PSEUDO_TEXT("fua", 0444, fua_show),
	PSEUDO_TEXT("hw_sector_size", 0444, logical_show),
	PSEUDO_CONTROL("io_timeout", 0644, timeout_show, timeout_store),
	PSEUDO_TEXT("logical_block_size", 0444, logical_show),
	PSEUDO_TEXT("max_hw_sectors_kb", 0444, sectors_kb_show),
	PSEUDO_TEXT("max_sectors_kb", 0444, sectors_kb_show),
	PSEUDO_TEXT("max_segment_size", 0444, segment_size_show),
	PSEUDO_TEXT("max_segments", 0444, segments_show),
	PSEUDO_TEXT("minimum_io_size", 0444, io_minimum_show),
	PSEUDO_TEXT("nomerges", 0444, zero_show),
	PSEUDO_TEXT("nr_requests", 0444, requests_show),
	PSEUDO_TEXT("optimal_io_size", 0444, io_optimum_show),
	PSEUDO_TEXT("physical_block_size", 0444, physical_show),
	PSEUDO_TEXT("rotational", 0444, rotational_show),
	PSEUDO_TEXT("scheduler", 0444, scheduler_show),
	PSEUDO_TEXT("write_cache", 0444, write_cache_show),
	PSEUDO_TEXT("write_zeroes_max_bytes", 0444, write_zeroes_max_show),
	{},
};
static const struct pseudo_file no_files[] = { {} };

static const struct pseudo_file disk_files[] = {
	PSEUDO_TEXT("alignment_offset", 0444, zero_show),
	PSEUDO_TEXT("capability", 0444, zero_show),
	PSEUDO_TEXT("dev", 0444, dev_show),
	PSEUDO_TEXT("discard_alignment", 0444, zero_show),
	PSEUDO_TEXT("ext_range", 0444, ext_range_show),
	PSEUDO_TEXT("hidden", 0444, zero_show),
	PSEUDO_DIRECTORY("holders", 0755, no_files),
	PSEUDO_TEXT("inflight", 0444, in_flight_show),
	PSEUDO_DIRECTORY("queue", 0755, queue_files),
	PSEUDO_TEXT("range", 0444, range_show),
	PSEUDO_TEXT("removable", 0444, removable_show),
	PSEUDO_TEXT("ro", 0444, ro_show),
	PSEUDO_TEXT("size", 0444, size_show),
	PSEUDO_DIRECTORY("slaves", 0755, no_files),
	PSEUDO_TEXT("stat", 0444, stat_show),
	PSEUDO_LINK("subsystem", disk_subsystem),
	PSEUDO_TEXT("uevent", 0444, uevent_show),
	{},
};

static const struct pseudo_file partition_files[] = {
	PSEUDO_TEXT("alignment_offset", 0444, zero_show),
	PSEUDO_TEXT("dev", 0444, dev_show),
	PSEUDO_TEXT("discard_alignment", 0444, zero_show),
	PSEUDO_DIRECTORY("holders", 0755, no_files),
	PSEUDO_TEXT("inflight", 0444, in_flight_show),
	PSEUDO_TEXT("partition", 0444, partition_show),
	PSEUDO_TEXT("ro", 0444, ro_show),
	PSEUDO_TEXT("size", 0444, size_show),
	PSEUDO_TEXT("start", 0444, start_show),
	PSEUDO_TEXT("stat", 0444, stat_show),
	PSEUDO_LINK("subsystem", partition_subsystem),
	PSEUDO_TEXT("uevent", 0444, uevent_show),
	{},
};

static int link_add(const char *folder, const char *up, const char *name, const char *target)
{
	char text[128];
	struct pseudo_directory *directory = pseudo_directory_path(sys_tree, folder);

	if (!directory)
		return -ENOMEM;
	scnprintf(text, sizeof(text), "%s/" PLACE "/%s", up, target);
	return pseudo_link_add(directory, name, text);
}

static void link_remove(const char *folder, const char *name)
{
	struct pseudo_directory *directory = pseudo_directory_path(sys_tree, folder);

	if (directory)
		pseudo_file_remove(directory, name);
}

static int links_add(struct block_device *device)
{
	char target[80], number[32];
	int error;

	if (device->partition)
		scnprintf(target, sizeof(target), "%s/%s", device->disk->whole->name, device->name);
	else
		scnprintf(target, sizeof(target), "%s", device->name);
	scnprintf(number, sizeof(number), "%u:%u", device_major(device->number),
		  device_minor(device->number));
	error = link_add("class/block", "../..", device->name, target);
	if (!error)
		error = link_add("dev/block", "../..", number, target);
	if (!error && !device->partition)
		error = link_add("block", "..", device->name, target);
	return error;
}

int sysfs_add(struct block_device *device)
{
	struct pseudo_directory *parent;
	int error;

	parent = device->partition ? device->disk->whole->directory
				   : pseudo_directory_path(sys_tree, PLACE);
	if (!parent)
		return -ENOMEM;
	device->directory = pseudo_directory_add(sys_tree, parent, device->name,
						 device->partition ? partition_files : disk_files,
						 device);
	if (IS_ERR(device->directory)) {
		error = (int)PTR_ERR(device->directory);
		device->directory = NULL;
		return error;
	}
	error = links_add(device);
	if (error)
		sysfs_remove(device);
	return error;
}

void sysfs_remove(struct block_device *device)
{
	char number[32];

	if (!device->directory)
		return;
	scnprintf(number, sizeof(number), "%u:%u", device_major(device->number),
		  device_minor(device->number));
	link_remove("class/block", device->name);
	link_remove("dev/block", number);
	if (!device->partition)
		link_remove("block", device->name);
	pseudo_directory_remove(device->directory);
	device->directory = NULL;
}
