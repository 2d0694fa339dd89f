/*
 * Files' bytes. A file is a row of compressed blocks, one behind the other in the image, and perhaps an end that shares a fragment with those of
 * other files. How long each block is, is in a list behind the inode: so a block is found by adding up those before it; of every
 * 1,024th it is remembered where it is. A block of length 0 is a hole.
 */
#include "squashfs.h"

#include <kumo/page.h>
#include <kumo/pagecache.h>

int file_map_init(struct inode *inode, struct place *list, u64 start)
{
	mutex_init(&inode->file.list_lock, "squashfs_list");
	inode->file.marks = kmalloc(sizeof(*inode->file.marks), GFP_USER);
	if (!inode->file.marks)
		return -ENOMEM;
	inode->file.marks[0] = (struct list_mark){ .place = *list, .position = start };
	inode->file.mark_count = inode->file.mark_room = 1;
	return 0;
}

void file_map_free(struct inode *inode)
{
	kfree(inode->file.marks);
}

static int mark_add(struct inode *inode, const struct list_mark *mark)
{
	u32 room = inode->file.mark_room * 2;
	struct list_mark *marks;

	if (inode->file.mark_count == inode->file.mark_room) {
		marks = kmalloc(room * sizeof(*marks), GFP_USER);
		if (!marks)
			return -ENOMEM;
		memcpy(marks, inode->file.marks, inode->file.mark_count * sizeof(*marks));
		kfree(inode->file.marks);
		inode->file.marks = marks;
		inode->file.mark_room = room;
	}
	inode->file.marks[inode->file.mark_count++] = *mark;
	return 0;
}

/* Moves `count` blocks on in the list. */
static int mark_advance(struct volume *volume, struct list_mark *mark, u32 count)
{
	u32 sizes[32];

	while (count) {
		u32 part = min(count, (u32)ARRAY_SIZE(sizes));
		int error = metadata_read(volume, &mark->place, sizes, part * (u32)sizeof(u32));

		if (error)
			return error;
		for (u32 i = 0; i < part; i++)
			mark->position += sizes[i] & (DATA_PLAIN - 1);
		count -= part;
	}
	return 0;
}

/* Where block `number` lies, and its length as the image has it. */
static int block_find(struct inode *inode, u64 number, u64 *position, u32 *size)
{
	struct volume *volume = inode->volume;
	u64 stretch = number / LIST_STRETCH;
	struct list_mark mark;
	int error = mutex_lock_killable(&inode->file.list_lock);

	if (error)
		return error;
	while (!error && inode->file.mark_count <= stretch) {
		mark = inode->file.marks[inode->file.mark_count - 1];
		error = mark_advance(volume, &mark, LIST_STRETCH);
		if (!error)
			error = mark_add(inode, &mark);
	}
	if (!error)
		mark = inode->file.marks[stretch];
	mutex_unlock(&inode->file.list_lock);
	if (!error)
		error = mark_advance(volume, &mark, number % LIST_STRETCH);
	*position = mark.position;
	return error ? error : metadata_read(volume, &mark.place, size, sizeof(*size));
}

/* Pages that lie in one block, and where in what it holds the first of them begins. */
struct part {
	struct page **pages;
	u32 count, offset;
	u32 length;    /* of the file's bytes there, from the beginning of what the block holds */
	bool short_of; /* the block holds less than that */
};

static void part_fill(void *context, const void *data, u32 length)
{
	struct part *part = context;

	part->short_of = length < part->length;
	length = min(length, part->length);
	for (u32 i = 0; i < part->count; i++) {
		u32 at = part->offset + i * (u32)PAGE_SIZE,
		    size = at < length ? min(length - at, (u32)PAGE_SIZE) : 0;
		char *bytes = page_address(part->pages[i]);

		if (size)
			memcpy(bytes, (const char *)data + at, size);
		memset(bytes + size, 0, PAGE_SIZE - size);
	}
}

static int part_read(struct inode *inode, u64 number, struct part *part)
{
	struct volume *volume = inode->volume;
	struct fragment_disk fragment;
	u64 position;
	u32 size, tail = (u32)(node_size(inode->node) & (volume->super.block_size - 1));
	int error;

	if (number < inode->file.block_count) {
		part->length = min(node_size(inode->node) - (number << volume->super.block_bits),
				   (u64)volume->super.block_size);
		error = block_find(inode, number, &position, &size);
		if (error)
			return error;
		if (size)
			return data_read(volume, position, size, volume->super.block_size,
					 part_fill, part);
		part->length = 0; /* a hole */
		part_fill(part, NULL, 0);
		return 0;
	}
	error = fragment_find(volume, inode->file.fragment, &fragment);
	if (error)
		return error;
	if (inode->file.offset > volume->super.block_size - tail)
		return volume_damaged(volume, "the end of a file is not within its fragment");
	part->offset += inode->file.offset;
	part->length = inode->file.offset + tail;
	return data_read(volume, fragment.start, fragment.size, volume->super.block_size, part_fill,
			 part);
}

void squashfs_read_pages(struct node *node, struct page **pages, unsigned int count)
{
	struct inode *inode = inode_of(node);
	struct volume *volume = inode->volume;
	u32 bits = volume->super.block_bits;

	for (u32 done = 0; done < count;) {
		u64 start = pages[done]->index << PAGE_SHIFT, number = start >> bits;
		struct part part = { .pages = pages + done, .offset = (u32)(start - (number << bits)) };
		int error;

		while (done + part.count < count &&
		       (pages[done + part.count]->index << PAGE_SHIFT) >> bits == number)
			part.count++;
		error = part_read(inode, number, &part);
		if (!error && part.short_of)
			error = volume_damaged(volume, "a block of a file is too short");
		for (u32 i = 0; i < part.count; i++)
			page_read_done(pages[done + i], error);
		done += part.count;
	}
}
