/*
 * cpio archives in the "newc" form (magic 070701, or 070702 with a checksum that nobody checks), as an initramfs is made of:
 * several in a row, with zeros between them. A reader over memory that trusts nothing in it; builds on a host, too.
 */
#ifndef FS_CPIO_H
#define FS_CPIO_H

#include <kumo/types.h>

struct cpio_reader {
	const u8 *data;
	size_t size;
	size_t at;	   /* where the next header is looked for */
	size_t segment;	   /* where the current archive starts: fields are aligned relative to it */
	bool inside;	   /* an archive has begun and its trailer has not been seen */
	const char *error; /* what is wrong, after CPIO_DAMAGED */
};

struct cpio_entry {
	const char *name; /* NUL-terminated, without leading '/' or './'; "" is the root */
	u32 name_length;
	u32 mode, uid, gid, nlink;
	u32 mtime;			       /* seconds since 1970 */
	u32 inode, device_major, device_minor; /* the same for all links of a file */
	u32 rdev_major, rdev_minor;
	const u8 *content;
	u32 size;
};

enum cpio_result {
	CPIO_END,     /* nothing more */
	CPIO_ENTRY,   /* *entry is filled */
	CPIO_TRAILER, /* an archive ended: links do not reach beyond */
	CPIO_OTHER,   /* at reader->at something begins that is no cpio archive (compressed data) */
	CPIO_DAMAGED, /* reader->error says why */
};

static inline void cpio_reader_init(struct cpio_reader *reader, const void *data, size_t size)
{
	*reader = (struct cpio_reader){ .data = data, .size = size };
}
enum cpio_result cpio_next(struct cpio_reader *reader, struct cpio_entry *entry);

#endif
