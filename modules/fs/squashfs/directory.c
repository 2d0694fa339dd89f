/*
 * Directories: a list sorted by name, in runs that have a header each. A large one has an index: where in the list, and where in the
 * image, some of the headers are, with the name that comes next.
 */
#include "squashfs.h"

#include <kumo/file.h>

/* Where one is in a directory's list. */
struct walk {
	struct volume *volume;
	struct place place;
	u32 left;    /* bytes of the list */
	u32 entries; /* of the run */
	struct directory_header_disk header;
	/* The entry that was read last. */
	struct directory_entry_disk entry;
	u32 length;
	char name[NAME_BYTES_MAX];
};

static struct walk walk_begin(const struct inode *dir)
{
	return (struct walk){ .volume = dir->volume,
			      .place = dir->directory.start,
			      .left = dir->directory.size };
}

static int take(struct walk *walk, void *to, u32 size)
{
	if (size > walk->left)
		return volume_damaged(walk->volume, "a directory is cut short");
	walk->left -= size;
	return metadata_read(walk->volume, &walk->place, to, size);
}

/* 1: there is another entry; 0: there is none; or an error. */
static int walk_next(struct walk *walk)
{
	int error = 0;

	if (!walk->entries) {
		if (!walk->left)
			return 0;
		error = take(walk, &walk->header, sizeof(walk->header));
		if (!error && walk->header.count >= ENTRIES_MAX)
			error = volume_damaged(walk->volume, "%u names at once", walk->header.count);
		if (error)
			return error;
		walk->entries = walk->header.count + 1;
	}
	walk->entries--;
	error = take(walk, &walk->entry, sizeof(walk->entry));
	walk->length = walk->entry.length + 1u;
	if (!error && walk->length > NAME_BYTES_MAX)
		error = volume_damaged(walk->volume, "a name of %u bytes", walk->length);
	if (!error)
		error = take(walk, walk->name, walk->length);
	if (!error && (memchr(walk->name, 0, walk->length) || memchr(walk->name, '/', walk->length) ||
		       (walk->name[0] == '.' &&
			(walk->length == 1 || (walk->length == 2 && walk->name[1] == '.')))))
		error = volume_damaged(walk->volume, "a name that cannot be one");
	return error ? error : 1;
}

static u64 walk_reference(const struct walk *walk)
{
	return (u64)walk->header.block << 16 | walk->entry.offset;
}

static u32 walk_number(const struct walk *walk)
{
	return walk->header.number + (u32)(s32)walk->entry.number;
}

static int names_compare(const char *a, u32 a_length, const char *b, u32 b_length)
{
	int order = memcmp(a, b, min(a_length, b_length));

	return order ? order : a_length < b_length ? -1 : a_length > b_length;
}

/* Goes on from the last header of the index whose names are not behind `name`. */
static int walk_skip(struct walk *walk, const struct inode *dir, const struct name *name)
{
	struct place index = dir->directory.index;

	for (u32 i = 0; i < dir->directory.index_count; i++) {
		struct directory_index_disk raw;
		int error = metadata_read(walk->volume, &index, &raw, sizeof(raw));

		if (!error && raw.length >= NAME_BYTES_MAX)
			error = volume_damaged(walk->volume, "a name of %u bytes in an index",
					       raw.length);
		if (!error)
			error = metadata_read(walk->volume, &index, walk->name, raw.length + 1);
		if (error)
			return error;
		if (names_compare(walk->name, raw.length + 1, name->text, name->length) > 0)
			break;
		if (raw.index > dir->directory.size)
			return volume_damaged(walk->volume, "an index leads out of its directory");
		walk->left = dir->directory.size - raw.index;
		walk->place.block = walk->volume->super.directory_table + raw.block;
		walk->place.offset = (dir->directory.start.offset + raw.index) % METADATA_SIZE;
	}
	return 0;
}

int squashfs_walk(struct node *dir_node, const struct name *names, unsigned int count,
		  struct node **nodes, u64 *negative_until_ns, const struct cred *cred)
{
	struct inode *dir = inode_of(dir_node);
	struct walk walk = walk_begin(dir);
	int found = walk_skip(&walk, dir, names);

	if (!found)
		while ((found = walk_next(&walk)) > 0)
			if (name_equal(names, walk.name, walk.length))
				break;
	if (found < 0)
		return found;
	if (!found)
		return -ENOENT;
	nodes[0] = inode_get(dir->volume, dir, walk_reference(&walk), walk_number(&walk));
	return IS_ERR(nodes[0]) ? (int)PTR_ERR(nodes[0]) : 1;
}

static u32 kind_shown(u32 kind)
{
	static const u8 kinds[] = { DT_UNKNOWN, DT_DIR, DT_REG,	 DT_LNK,
				    DT_BLK,	DT_CHR, DT_FIFO, DT_SOCK };

	return kind < ARRAY_SIZE(kinds) ? kinds[kind] : DT_UNKNOWN;
}

int squashfs_readdir(struct file *file, struct dir_context *context)
{
	struct inode *dir = inode_of(file->node);
	struct walk walk = walk_begin(dir);
	int found;

	if (!dir_emit_dots(file, context))
		return 0;
	/* An entry's offset is how much of the list it and what comes before are; those are above 2, which the dots have. */
	while ((found = walk_next(&walk)) > 0) {
		u64 next = dir->directory.size - walk.left;

		if (next <= (u64)context->offset)
			continue;
		if (walk.length <= NAME_MAX_LENGTH &&
		    !context->add(context, walk.name, walk.length, next, walk_number(&walk),
				  kind_shown(walk.entry.kind)))
			return 0;
		context->offset = (loff_t)next;
	}
	return found;
}
