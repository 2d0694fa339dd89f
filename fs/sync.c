/*
 * Making things stable: fsync(2), sync(2) and their kin. What is in the page cache is written out by the core (mm/writeback.c);
 * then the tree makes stable what it holds itself. An error in writing, whenever it happened since the file was opened, is
 * told once to each open file.
 */
#include <kumo/error_sequence.h>
#include <kumo/export.h>
#include <kumo/pagecache.h>
#include <kumo/serve.h>
#include <kumo/writeback.h>

#include "internal.h"

/* What went wrong in writing the file out, if this open file was not told yet. */
static int file_write_error(struct file *file)
{
	struct page_cache *cache = smp_load_acquire(&file->contents->cache);
	int error;

	if (likely(!cache || READ_ONCE(cache->errors) == READ_ONCE(file->error_seen)))
		return 0;
	spin_lock(&file->lock);
	error = error_sequence_check(&cache->errors, &file->error_seen);
	spin_unlock(&file->lock);
	return error;
}

int file_sync_range(struct file *file, u64 start, u64 end, bool data_only)
{
	struct page_cache *cache = smp_load_acquire(&file->contents->cache);
	u32 kind = file->node->attr.mode & S_IFMT;
	int error = 0, written;

	/* A tree in memory is as stable as it will be; a pipe cannot be. */
	if (!file->ops->fsync)
		return (kind == S_IFREG || kind == S_IFDIR) && file->path.entry ? 0 : -EINVAL;
	if (cache)
		error = page_cache_sync(cache, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
	if (!error)
		error = serve_fsync(file, data_only);
	written = file_write_error(file);
	return error ?: written;
}
EXPORT_SYMBOL(file_sync_range);

int file_sync(struct file *file, bool data_only)
{
	return file_sync_range(file, 0, ~0ULL, data_only);
}
EXPORT_SYMBOL(file_sync);

int file_write_out(struct file *file, u64 start, u64 end, bool wait)
{
	struct page_cache *cache = smp_load_acquire(&file->contents->cache);
	int error = 0;

	if (!cache)
		return 0;
	if (wait)
		error = page_cache_sync(cache, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
	else
		page_cache_write_out(cache, start >> PAGE_SHIFT, (end - 1) >> PAGE_SHIFT);
	return error ?: file_write_error(file);
}

int tree_sync(struct tree *tree)
{
	return serve_sync(tree);
}
EXPORT_SYMBOL(tree_sync);
