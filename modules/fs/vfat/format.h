/*
 * What lies on a FAT volume: the boot sector, the sector of hints (FSINFO), entries of directories (Microsoft, "FAT: General
 * Overview of On-Disk Format", 1.03). The disk's byte order is little endian, and so is the machine's. Whatever is read from
 * here was written by somebody else: it is checked before it is believed.
 */
#ifndef VFAT_FORMAT_H
#define VFAT_FORMAT_H

#include <kumo/types.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "fields are read as they lie on the disk");

/* What says who made it, and whether it was unmounted; behind the fields that all have, or behind FAT32's. */
struct boot_tail {
	u8 drive, state, signature;
	u8 volume_id[4];
	char label[11], type[8];
} __packed;

struct boot_disk {
	u8 jump[3];
	char system[8];
	u16 sector_size;
	u8 cluster_sectors;
	u16 reserved_sectors;
	u8 table_count;
	u16 root_entries;
	u16 sector_count_16;
	u8 media;
	u16 table_sectors_16;
	u16 track_sectors, heads;
	u32 hidden_sectors;
	u32 sector_count_32;
	union {
		struct boot_tail tail; /* FAT12, FAT16 */
		struct {
			u32 table_sectors;
			u16 flags, version;
			u32 root_cluster;
			u16 hints_sector, backup_sector;
			u8 reserved[12];
			struct boot_tail tail;
		} __packed fat32;
	};
} __packed;
_Static_assert(sizeof(struct boot_disk) == 90, "as on the disk");

enum {
	BOOT_STATE_DIRTY = 1, /* boot_tail.state: was not unmounted */
	BOOT_ONE_TABLE = 0x80, /* fat32.flags: copies are not kept; which one is used is in the low bits */
	BOOT_WHICH_TABLE = 0x0f,
	BOOT_SIGNATURE_OFFSET = 510, /* of the bytes 55 AA */
};

/* FSINFO, of FAT32 alone: hints. */
struct hints_disk {
	u32 signature_1;
	u8 reserved_1[480];
	u32 signature_2;
	u32 free_clusters, next_cluster; /* ~0: not known */
	u8 reserved_2[12];
	u32 signature_3;
} __packed;
_Static_assert(sizeof(struct hints_disk) == 512, "as on the disk");
#define HINTS_SIGNATURE_1 0x41615252u
#define HINTS_SIGNATURE_2 0x61417272u

/* An entry of a directory: of a file, of a directory, or a label. */
#define SHORT_NAME_BYTES 11
#define ENTRY_SIZE 32u
struct entry_disk {
	u8 name[SHORT_NAME_BYTES]; /* 8 and 3, with blanks behind; the first: 0 end, E5 deleted, 05 for E5 */
	u8 attributes;
	u8 name_case; /* CASE_* */
	u8 creation_centiseconds;
	u16 creation_time, creation_date, access_date;
	u16 cluster_high; /* of FAT32 */
	u16 time, date;
	u16 cluster_low;
	u32 size;
} __packed;

/* One of those before it that hold 13 characters each of a long name, the last first. */
#define LONG_NAME_PART 13u
#define LONG_NAME_MAX 255u /* characters of 16 bits */
#define LONG_SLOTS_MAX 20u
struct long_disk {
	u8 sequence; /* from 1 on; LONG_LAST in the one with the end of the name */
	u16 name_1[5];
	u8 attributes; /* ATTRIBUTES_LONG */
	u8 type;
	u8 checksum; /* of the short name */
	u16 name_2[6];
	u16 zero;
	u16 name_3[2];
} __packed;
_Static_assert(sizeof(struct entry_disk) == ENTRY_SIZE && sizeof(struct long_disk) == ENTRY_SIZE,
	       "as on the disk");

enum {
	ATTRIBUTE_READ_ONLY = 1,
	ATTRIBUTE_HIDDEN = 2,
	ATTRIBUTE_SYSTEM = 4,
	ATTRIBUTE_LABEL = 8,
	ATTRIBUTE_DIRECTORY = 16,
	ATTRIBUTE_ARCHIVE = 32,
	ATTRIBUTES_LONG = 15,
	ATTRIBUTES_ALL = 63,

	SLOT_END = 0,
	SLOT_DELETED = 0xE5,
	SLOT_E5 = 0x05,

	CASE_LOWER_BASE = 8, /* Windows NT: the short name is shown in small letters */
	CASE_LOWER_EXTENSION = 16,

	LONG_LAST = 0x40,
};

/* Entries of the table of clusters, as FAT32 has them (28 bits); those of FAT12 and FAT16 are widened to these. */
enum {
	CLUSTER_FREE = 0,
	CLUSTER_FIRST = 2,
	CLUSTER_BAD = 0x0FFFFFF7,
	CLUSTER_END = 0x0FFFFFF8, /* this and above: the last of a chain */
	CLUSTER_END_WRITTEN = 0x0FFFFFFF,
	CLUSTERS_MAX_12 = 0xFF4,
	CLUSTERS_MAX_16 = 0xFFF4,
	CLUSTERS_MAX_32 = 0x0FFFFFF6,
};

#define FILE_SIZE_MAX 0xFFFFFFFFu
#define DIRECTORY_ENTRIES_MAX 65536u

#endif
