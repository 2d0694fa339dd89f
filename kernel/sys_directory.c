/*
 * System calls that list directories. Entries are collected in kernel memory, a page or more at a time, and copied out between
 * calls of the tree, so that no lock of a directory is held while user memory is faulted in.
 */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>

#define BUFFER_MAX (32 * KIB)

/* The two forms of an entry; names follow, NUL-terminated, padded to 8 bytes. */
struct dirent64 {
	u64 id;
	s64 next_offset;
	u16 length;
	u8 type;
	char name[];
};
struct dirent_old { /* the type is the last byte */
	unsigned long id, next_offset;
	u16 length;
	char name[];
};

struct listing {
	struct dir_context context;
	char *buffer;
	size_t used, limit, room;
	bool old, full;
};

static bool add_entry(struct dir_context *context, const char *name, u32 length, u64 next_offset,
		      u64 id, u32 type)
{
	struct listing *listing = container_of(context, struct listing, context);
	struct dirent64 *entry = (struct dirent64 *)(listing->buffer + listing->used);
	size_t size = ALIGN_UP(offsetof(struct dirent64, name) + length + 1, 8UL);

	if (size > listing->limit - listing->used) {
		listing->full = true;
		return false;
	}
	*(u64 *)((char *)entry + size - 8) = 0; /* the padding; what else the last word holds comes after */
	entry->id = id;
	entry->next_offset = (s64)next_offset;
	entry->length = (u16)size;
	entry->type = (u8)type;
	memcpy(entry->name, name, length);
	listing->used += size;
	return true;
}

static bool add_entry_old(struct dir_context *context, const char *name, u32 length,
			  u64 next_offset, u64 id, u32 type)
{
	struct listing *listing = container_of(context, struct listing, context);
	struct dirent_old *entry = (struct dirent_old *)(listing->buffer + listing->used);
	size_t size = ALIGN_UP(offsetof(struct dirent_old, name) + length + 2, 8UL);

	if (size > listing->limit - listing->used) {
		listing->full = true;
		return false;
	}
	memset(entry, 0, size);
	entry->id = id;
	entry->next_offset = next_offset;
	entry->length = (u16)size;
	memcpy(entry->name, name, length);
	((char *)entry)[size - 1] = (char)type;
	listing->used += size;
	return true;
}

/* A directory that fills the buffer is read on with a larger one: what a tree does for each part it does less often then. */
static void listing_grow(struct listing *listing, size_t wanted)
{
	size_t room = min(wanted, (size_t)BUFFER_MAX);
	char *larger = room > listing->room ? kmalloc(room, GFP_USER) : NULL;

	if (!larger)
		return;
	kfree(listing->buffer);
	listing->buffer = larger;
	listing->room = room;
}

static long list(unsigned int fd, char __user *to, unsigned int size, bool old)
{
	struct listing listing = { .context.add = old ? add_entry_old : add_entry };
	struct fd_ref ref = fd_borrow(fd);
	size_t done = 0;
	int error = 0;

	if (!ref.file)
		return -EBADF;
	if (size > 0x7fffffff) {
		fd_release(ref);
		return -EINVAL;
	}
	listing.room = PAGE_SIZE;
	listing.buffer = kmalloc(listing.room, GFP_KERNEL);
	if (!listing.buffer) {
		fd_release(ref);
		return -ENOMEM;
	}
	for (;;) {
		loff_t from = ref.file->pos;

		listing.used = 0;
		listing.limit = min(size - done, listing.room);
		listing.full = false;
		error = file_readdir(ref.file, &listing.context);
		if (error)
			break;
		if (listing.full && !listing.used) {
			error = -EINVAL; /* not even one has room */
			break;
		}
		if (copy_to_user(to + done, listing.buffer, listing.used)) {
			ref.file->pos = from; /* they are still to be told */
			error = -EFAULT;
			break;
		}
		done += listing.used;
		if (!listing.full || listing.limit < listing.room)
			break;
		listing_grow(&listing, size - done);
	}
	kfree(listing.buffer);
	fd_release(ref);
	return done ? (long)done : error;
}

long sys_getdents64(unsigned int fd, void __user *to, unsigned int size)
{
	return list(fd, to, size, false);
}

long sys_getdents(unsigned int fd, void __user *to, unsigned int size)
{
	return list(fd, to, size, true);
}
