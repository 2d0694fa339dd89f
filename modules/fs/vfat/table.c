/*
 * The table of clusters, which gives the volume its name: an entry of 12, 16 or 32 bits for each cluster, which says what follows it in
 * its file, or that it is free. There are mostly two copies; one is read, all are written.
 */
#include "vfat.h"

/* ---- Bytes ---- */

/* The byte at `offset` of a copy, in a buffer that stays held. table_lock held. */
static u8 *table_byte(struct volume *volume, u32 copy, u32 offset, struct buffer **buffer)
{
	struct table_cursor *cursor = &volume->table_cursors[copy % TABLE_CURSORS];
	u64 sector = volume->table_sector + (u64)copy * volume->table_sectors +
		     (offset >> volume->sector_bits);

	if (!cursor->buffer || cursor->sector != sector) {
		struct buffer *fresh = sector_read(volume, sector);

		if (IS_ERR(fresh))
			return (u8 *)fresh;
		if (cursor->buffer)
			buffer_put(cursor->buffer);
		*cursor = (struct table_cursor){ .buffer = fresh, .sector = sector };
	}
	*buffer = cursor->buffer;
	return (u8 *)cursor->buffer->data + (offset & (volume->sector_size - 1));
}

static u32 entry_offset(const struct volume *volume, u32 cluster)
{
	return volume->bits == 12 ? cluster + cluster / 2 : cluster * (volume->bits / 8);
}

static u32 entry_bytes(const struct volume *volume)
{
	return volume->bits == 32 ? 4 : 2;
}

/* The bytes that an entry lies in, as they are: of FAT12 a part of its neighbour is among them. */
static int bytes_read(struct volume *volume, u32 copy, u32 cluster, u32 *bytes)
{
	u32 offset = entry_offset(volume, cluster);
	struct buffer *buffer;

	*bytes = 0;
	for (u32 i = 0; i < entry_bytes(volume); i++) {
		u8 *byte = table_byte(volume, copy, offset + i, &buffer);

		if (IS_ERR(byte))
			return (int)PTR_ERR(byte);
		*bytes |= (u32)*byte << 8 * i;
	}
	return 0;
}

static int bytes_write(struct volume *volume, u32 copy, u32 cluster, u32 bytes)
{
	u32 offset = entry_offset(volume, cluster);
	struct buffer *buffer;

	for (u32 i = 0; i < entry_bytes(volume); i++) {
		u8 *byte = table_byte(volume, copy, offset + i, &buffer);

		if (IS_ERR(byte))
			return (int)PTR_ERR(byte);
		*byte = (u8)(bytes >> 8 * i);
		buffer_mark_dirty(buffer);
	}
	return 0;
}

/* ---- Entries ---- */

static int entry_read(struct volume *volume, u32 cluster, u32 *value)
{
	u32 bytes;
	int error = bytes_read(volume, volume->table_active, cluster, &bytes);

	if (error)
		return error;
	switch (volume->bits) {
	case 12:
		bytes = cluster % 2 ? bytes >> 4 : bytes & 0xFFF;
		*value = bytes >= 0xFF7 ? bytes | 0x0FFFF000 : bytes;
		break;
	case 16:
		*value = bytes >= 0xFFF7 ? bytes | 0x0FFF0000 : bytes;
		break;
	default:
		*value = bytes & 0x0FFFFFFF;
	}
	return 0;
}

static u32 entry_merge(const struct volume *volume, u32 cluster, u32 bytes, u32 value)
{
	switch (volume->bits) {
	case 12:
		return cluster % 2 ? (bytes & 0xF) | (value & 0xFFF) << 4
				   : (bytes & 0xF000) | (value & 0xFFF);
	case 16:
		return value & 0xFFFF;
	default:
		return (bytes & 0xF0000000) | (value & 0x0FFFFFFF);
	}
}

static int entry_write(struct volume *volume, u32 cluster, u32 value)
{
	u32 first = volume->tables_alike ? 0 : volume->table_active;
	u32 count = volume->tables_alike ? volume->table_count : 1;
	int error = 0;

	for (u32 copy = first; copy < first + count && !error; copy++) {
		u32 bytes;

		error = bytes_read(volume, copy, cluster, &bytes);
		if (!error)
			error = bytes_write(volume, copy, cluster,
					    entry_merge(volume, cluster, bytes, value));
	}
	return error;
}

static int next_of(struct volume *volume, u32 cluster, u32 *next)
{
	u32 value;
	int error = entry_read(volume, cluster, &value);

	if (error)
		return error;
	*next = 0;
	if (value >= CLUSTER_END)
		return 0;
	if (!cluster_valid(volume, value) || value == cluster)
		return volume_damaged(volume, "cluster %u of a file leads to %x", cluster, value);
	*next = value;
	return 0;
}

int table_next(struct volume *volume, u32 cluster, u32 *next)
{
	int error;

	mutex_lock(&volume->table_lock);
	error = next_of(volume, cluster, next);
	mutex_unlock(&volume->table_lock);
	return error;
}

int table_link(struct volume *volume, u32 cluster, u32 next)
{
	int error;

	mutex_lock(&volume->table_lock);
	error = entry_write(volume, cluster, next ? next : CLUSTER_END_WRITTEN);
	mutex_unlock(&volume->table_lock);
	return error;
}

/* ---- Allocation ---- */

/* The first free cluster of [from, to); 0: none. */
static int find_free(struct volume *volume, u32 from, u32 to, u32 *found)
{
	u32 value;
	int error = 0;

	for (*found = 0; from < to && !*found && !error; from++) {
		error = entry_read(volume, from, &value);
		if (!error && value == CLUSTER_FREE)
			*found = from;
	}
	return error;
}

/* Takes the free clusters from `first` on, in a row and linked, `*count` at most. */
static int take(struct volume *volume, u32 first, u32 *count)
{
	u32 last = first, value, wanted = *count;
	int error = entry_write(volume, first, CLUSTER_END_WRITTEN);

	*count = 1;
	while (!error && *count < wanted && last + 1 < volume->cluster_limit) {
		error = entry_read(volume, last + 1, &value);
		if (error || value != CLUSTER_FREE)
			break;
		error = entry_write(volume, last + 1, CLUSTER_END_WRITTEN);
		if (!error)
			error = entry_write(volume, last, last + 1);
		last++;
		++*count;
	}
	volume->next_cluster = last + 1;
	volume->free_clusters -= min(volume->free_clusters, *count);
	return error;
}

int table_alloc(struct volume *volume, u32 goal, u32 *count, u32 *first)
{
	u32 from = cluster_valid(volume, goal) ? goal : volume->next_cluster;
	int error;

	if (!cluster_valid(volume, from))
		from = CLUSTER_FIRST;
	mutex_lock(&volume->table_lock);
	error = volume->read_only ? -EROFS : find_free(volume, from, volume->cluster_limit, first);
	if (!error && !*first)
		error = find_free(volume, CLUSTER_FIRST, from, first);
	if (!error && !*first) {
		volume->free_clusters = 0;
		volume->free_known = true;
		error = -ENOSPC;
	}
	if (!error)
		error = take(volume, *first, count);
	mutex_unlock(&volume->table_lock);
	return error;
}

int table_free(struct volume *volume, u32 first)
{
	u32 next = 0;
	int error = 0;

	for (; first && !error; first = next) {
		if (!cluster_valid(volume, first))
			return volume_damaged(volume, "a file begins at cluster %u", first);
		mutex_lock(&volume->table_lock);
		error = next_of(volume, first, &next);
		if (!error)
			error = entry_write(volume, first, CLUSTER_FREE);
		if (!error)
			volume->free_clusters++;
		mutex_unlock(&volume->table_lock);
	}
	return error;
}

int table_free_count(struct volume *volume, u32 *count)
{
	u32 value, counted = 0;
	int error = 0;

	mutex_lock(&volume->table_lock);
	for (u32 cluster = CLUSTER_FIRST;
	     cluster < volume->cluster_limit && !volume->free_known && !error; cluster++) {
		error = entry_read(volume, cluster, &value);
		counted += !error && value == CLUSTER_FREE;
	}
	if (!error && !volume->free_known) {
		volume->free_clusters = counted;
		volume->free_known = true;
	}
	*count = volume->free_clusters;
	mutex_unlock(&volume->table_lock);
	return error;
}

void table_put(struct volume *volume)
{
	for (u32 i = 0; i < TABLE_CURSORS; i++)
		if (volume->table_cursors[i].buffer)
			buffer_put(volume->table_cursors[i].buffer);
	memset(volume->table_cursors, 0, sizeof(volume->table_cursors));
}
