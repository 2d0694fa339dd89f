/*
 * The clusters of a file: where in its chain which lies (chain.c). What was walked once is remembered as runs, up to a limit; then
 * every other run is forgotten, and walked again from the one before.
 */
#ifndef VFAT_CHAIN_H
#define VFAT_CHAIN_H

#include <kumo/types.h>

struct buffer;
struct volume;

/* The sector of the table that was used last. */
#define TABLE_CURSORS 2
struct table_cursor {
	struct buffer *buffer;
	u64 sector;
};

struct chain_run {
	u32 index; /* in the file, of its first cluster */
	u32 cluster, count;
};

#define CHAIN_RUNS_MAX 512u

struct chain {
	u32 start;  /* 0: the file has no clusters */
	u32 length; /* clusters; what is known of it, until `complete` */
	bool complete;
	struct chain_run *runs; /* by index; the last one is as far as the chain was walked */
	u32 run_count, run_room;
};

void chain_init(struct chain *chain, u32 start);
void chain_free(struct chain *chain);		   /* the memory, not the clusters */
void chain_forget(struct chain *chain, u32 start); /* nothing is known any more but the start */
/* Cluster `index` of the file, and how many lie there in a row, of `*count` at most. -ENODATA: the chain is shorter; -EIO: it is damaged. */
int chain_find(struct volume *volume, struct chain *chain, u32 index, u32 *cluster,
	       u32 *count) __must_check;
/* How many there are. */
int chain_length(struct volume *volume, struct chain *chain, u32 *length) __must_check;
/* More clusters, up to `length`. What could be had stays. -ENOSPC. */
int chain_extend(struct volume *volume, struct chain *chain, u32 length) __must_check;
/* No more clusters than `length`. */
int chain_shrink(struct volume *volume, struct chain *chain, u32 length) __must_check;

#endif
