/*
 * The libraries decompress from memory to memory. zstd works in memory that is lent to it once; there is some for two blocks at a time. zlib
 * asks for its own, a few KiB, each time.
 */
#include "squashfs.h"

#include <kumo/gunzip.h>
#include <kumo/kva.h>

#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>

int decompressor_init(struct decompressor *decompressor, u16 compression)
{
	decompressor->compression = compression;
	decompressor->workspace_size = 0;
	for (u32 i = 0; i < WORKSPACES; i++)
		mutex_init(&decompressor->workspaces[i].lock, "squashfs_workspace");
	if (compression == COMPRESSED_GZIP)
		return 0;
	if (compression != COMPRESSED_ZSTD)
		return -EINVAL;
	decompressor->workspace_size = ZSTD_estimateDCtxSize();
	for (u32 i = 0; i < WORKSPACES; i++) {
		decompressor->workspaces[i].memory = kvmalloc(decompressor->workspace_size, GFP_KERNEL);
		if (!decompressor->workspaces[i].memory) {
			decompressor_free(decompressor);
			return -ENOMEM;
		}
	}
	return 0;
}

void decompressor_free(struct decompressor *decompressor)
{
	for (u32 i = 0; i < WORKSPACES; i++) {
		kvfree(decompressor->workspaces[i].memory);
		decompressor->workspaces[i].memory = NULL;
	}
}

static ssize_t unzstd(struct decompressor *decompressor, const void *in, size_t in_size, void *out,
		      size_t out_size)
{
	struct workspace *workspace = &decompressor->workspaces[0];
	ZSTD_DCtx *zstd;
	size_t length;

	if (!mutex_trylock(&workspace->lock)) {
		workspace = &decompressor->workspaces[1];
		mutex_lock(&workspace->lock);
	}
	zstd = ZSTD_initStaticDCtx(workspace->memory, decompressor->workspace_size);
	length = zstd ? ZSTD_decompressDCtx(zstd, out, out_size, in, in_size) : 0;
	mutex_unlock(&workspace->lock);
	return !zstd || ZSTD_isError(length) ? -EIO : (ssize_t)length;
}

ssize_t decompress(struct decompressor *decompressor, const void *in, size_t in_size, void *out,
		   size_t out_size)
{
	ssize_t length;

	if (decompressor->compression == COMPRESSED_ZSTD)
		return unzstd(decompressor, in, in_size, out, out_size);
	length = unzlib(in, in_size, out, out_size);
	return length == -EINVAL ? -EIO : length;
}
