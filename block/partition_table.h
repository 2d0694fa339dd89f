/*
 * Partition tables: MBR (with extended partitions) and GPT, read from a disk that may be anybody's. Plain C over a function that reads
 * blocks, so that it is also built as a program of the host (tests/fuzz).
 */
#ifndef BLOCK_PARTITION_TABLE_H
#define BLOCK_PARTITION_TABLE_H

#include <kumo/types.h>

#define PARTITIONS_MAX 256 /* that are looked at; Linux's limit */

struct partition_entry {
	u32 number;	   /* 1, 2, ... */
	u64 start, length; /* bytes: within the disk, whole blocks, and overlapping no other */
	char uuid[40];	   /* text, in lower case; "": none */
	char name[112];	   /* GPT's label as UTF-8; "": none */
};

struct partition_source {
	u64 size_bytes;
	u32 block_size; /* logical: a power of two from 512 to 4096 */
	/* Reads `length` bytes, whole blocks within the disk. 0 or negative errno. */
	int (*read)(struct partition_source *source, u64 position, void *buffer, u32 length);
	/* Takes a partition. 0, or a negative errno that ends it all. */
	int (*found)(struct partition_source *source, const struct partition_entry *entry);
	/* A line for the log: what is wrong with the table. */
	void (*complain)(struct partition_source *source, const char *what, u32 number);
	void *private;
};

/* 0 (also when there is no table), or what read, found or memory said. Sleeps as read does. */
int partition_table_read(struct partition_source *source) __must_check;

#endif
