/* Decompression of squashfs's blocks (decompress.c), by zlib and zstd, which are Debian's (scripts/setup). */
#ifndef SQUASHFS_DECOMPRESS_H
#define SQUASHFS_DECOMPRESS_H

#include <kumo/mutex.h>
#include <kumo/types.h>

#define WORKSPACES 2u /* blocks that are decompressed at once */

struct workspace {
	struct mutex lock;
	void *memory;
};
struct decompressor {
	u16 compression;
	size_t workspace_size; /* 0: it needs none */
	struct workspace workspaces[WORKSPACES];
};

/* -EINVAL: it is not known here; -ENOMEM. */
int decompressor_init(struct decompressor *decompressor, u16 compression) __must_check;
void decompressor_free(struct decompressor *decompressor);
/* The length of what comes out, at most out_size; -EIO: it is damaged; -ENOMEM. */
ssize_t decompress(struct decompressor *decompressor, const void *in, size_t in_size, void *out,
		   size_t out_size) __must_check;

#endif
