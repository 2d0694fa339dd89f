/*
 * Commands of ioctl(2) for files of trees that keep them on a disk: the marks of chattr(1), where a file's bytes lie, and fstrim(8). Checks
 * and their order are Linux's.
 */
#include "file_ioctl.h"

#include <kumo/block.h>
#include <kumo/block_pages.h>
#include <kumo/file.h>
#include <kumo/namespace.h>
#include <kumo/notify.h>
#include <kumo/serve.h>
#include <kumo/signal.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <linux/capability.h>

/* ---- Marks ---- */

static long flags_change(struct node *node, u32 flags)
{
	const u32 guarded = FS_IMMUTABLE_FL | FS_APPEND_FL;

	if ((flags ^ node->attr.flags) & guarded && !capable(CAP_LINUX_IMMUTABLE))
		return -EPERM;
	return serve_set_flags(node, flags);
}

long file_flags_set(struct file *file, const u32 __user *from)
{
	struct node *node = file->node;
	u32 flags;
	long error;

	if (get_user(flags, from))
		return -EFAULT;
	error = file->path.mount ? mount_want_write(file->path.mount) : 0;
	if (!error && !node_owner_or_capable(node, current->cred))
		error = -EPERM;
	if (!error)
		error = mutex_lock_killable(&node->lock);
	if (error)
		return error;
	error = flags_change(node, flags);
	mutex_unlock(&node->lock);
	if (!error)
		notify_file(file, IN_ATTRIB);
	return error;
}

/* ---- Where bytes lie ---- */

/* What FS_IOC_FIEMAP has told so far. An extent waits until it is known whether another follows. */
struct telling {
	struct fiemap told; /* without its array */
	struct fiemap __user *user;
	struct block_extent waiting; /* length 0: none */
};

static u32 extent_flags(const struct block_extent *extent)
{
	if (extent->kind == EXTENT_INSIDE)
		return FIEMAP_EXTENT_DATA_INLINE | FIEMAP_EXTENT_NOT_ALIGNED;
	return extent->kind == EXTENT_UNWRITTEN ? FIEMAP_EXTENT_UNWRITTEN : 0;
}

/* Tells of the extent that waits; 1: there is room for no more. */
static int extent_tell(struct telling *telling, u32 flags)
{
	const struct block_extent *extent = &telling->waiting;
	struct fiemap_extent told = { .fe_logical = extent->offset,
				      .fe_physical = extent->position,
				      .fe_length = extent->length,
				      .fe_flags = flags | extent_flags(extent) };
	u32 number = telling->told.fm_mapped_extents, room = telling->told.fm_extent_count;

	if (!extent->length)
		return 0;
	telling->waiting.length = 0;
	if (!room) { /* who gives no room wants to know how many there are */
		telling->told.fm_mapped_extents++;
		return 0;
	}
	if (number >= room)
		return 1;
	if (copy_to_user(&telling->user->fm_extents[number], &told, sizeof(told)))
		return -EFAULT;
	telling->told.fm_mapped_extents++;
	return number + 1 == room;
}

static int extents_tell(struct telling *telling, struct node *node, u64 start, u64 end)
{
	int result = 0;

	while (start < end && !result) {
		struct block_extent extent;

		result = serve_extent(node, start, end - start, &extent);
		if (!result && fatal_signal_pending())
			result = -EINTR;
		if (result)
			break;
		start = extent.offset + extent.length;
		if (extent.kind == EXTENT_HOLE)
			continue;
		result = extent_tell(telling, 0);
		telling->waiting = extent;
	}
	if (!result)
		result = extent_tell(telling, FIEMAP_EXTENT_LAST);
	return result < 0 ? result : 0;
}

long file_extents_tell(struct file *file, struct fiemap __user *user)
{
	const u64 limit = INT64_MAX;
	struct telling telling = { .user = user };
	struct node *node = file->node;
	u64 start, length;
	long error = 0;

	if (!node->ops->block_map)
		return -EOPNOTSUPP;
	if (copy_from_user(&telling.told, user, sizeof(telling.told)))
		return -EFAULT;
	start = telling.told.fm_start;
	length = telling.told.fm_length;
	if (telling.told.fm_extent_count > ~0u / sizeof(struct fiemap_extent))
		return -EINVAL;
	telling.told.fm_mapped_extents = 0;
	if (!length)
		return -EINVAL;
	if (start >= limit)
		return -EFBIG;
	if (telling.told.fm_flags & ~(u32)FIEMAP_FLAG_SYNC) { /* says which it did not know */
		telling.told.fm_flags &= ~(u32)FIEMAP_FLAG_SYNC;
		error = -EBADR;
	} else if (telling.told.fm_flags) {
		error = file_sync_range(file, 0, limit, true);
	}
	if (!error)
		error = extents_tell(&telling, node, start, start + min(length, limit - start));
	if ((!error || error == -EBADR) && copy_to_user(user, &telling.told, sizeof(telling.told)))
		error = -EFAULT;
	return error;
}

long file_block_find(struct file *file, int __user *number)
{
	struct node *node = file->node;
	u32 size = node->attr.block_size;
	struct block_extent extent;
	int block, error;

	if (!capable(CAP_SYS_RAWIO))
		return -EPERM;
	if (!node->ops->block_map)
		return -EINVAL;
	if (get_user(block, number))
		return -EFAULT;
	if (block < 0)
		return -EINVAL;
	error = serve_extent(node, (u64)block * size, size, &extent);
	if (error)
		return error;
	block = extent.kind == EXTENT_MAPPED ? (int)(extent.position / size) : 0;
	return put_user(block, number);
}

/* ---- Trimming ---- */

long file_tree_trim(struct file *file, struct fstrim_range __user *user)
{
	struct tree *tree = file->node->tree;
	struct fstrim_range range;
	u64 trimmed = 0;
	int error;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&range, user, sizeof(range)))
		return -EFAULT;
	error = serve_trim(tree, range.start, range.len, range.minlen, &trimmed);
	if (error)
		return error;
	range.len = trimmed;
	return copy_to_user(user, &range, sizeof(range)) ? -EFAULT : 0;
}
