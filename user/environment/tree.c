/*
 * Trees, nodes and files' bytes, without a kernel: nodes are found by identity as the core does it; reads and writes go through
 * the same operations on pages, but nothing is cached.
 */
#include <kumo/acl.h>
#include <kumo/block.h>
#include <kumo/block_pages.h>
#include <kumo/file.h>
#include <kumo/pagecache.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <kumo/tree.h>
#include <kumo/wait.h>
#include <kumo/writeback.h>
#include <stdlib.h>

#include "environment.h"

#define BUCKETS 4096
#define RUN 64 /* pages that are read or written together */

static struct tree_type *types[8];

void environment_module_init(int (*init)(void), const char *name)
{
	if (init())
		panic("%s failed\n", name);
}

int tree_type_register(struct tree_type *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		if (!types[i]) {
			types[i] = type;
			return 0;
		}
	}
	return -ENOMEM;
}

void tree_type_unregister(struct tree_type *type)
{
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i] == type)
			types[i] = NULL;
}

/* ---- Nodes ---- */

struct entry_of_index {
	struct node node;
	struct hlist_node link;
	bool ready;
};
static struct hlist index_buckets[BUCKETS];
static struct wait_queue index_changed = { .lock = PTHREAD_MUTEX_INITIALIZER,
					   .changed = PTHREAD_COND_INITIALIZER };

static struct entry_of_index *index_find(struct tree *tree, u64 id)
{
	struct entry_of_index *entry;

	hlist_for_each(entry, &index_buckets[id % BUCKETS], link)
		if (entry->node.tree == tree && entry->node.attr.id == id)
			return entry;
	return NULL;
}

/* No instance comes after this one. */
void node_set_internal(struct node *node)
{
	(void)node;
}

struct node *node_obtain(struct tree *tree, u64 id, bool *fresh)
{
	struct entry_of_index *entry;

	*fresh = false;
	pthread_mutex_lock(&index_changed.lock);
	while ((entry = index_find(tree, id)) &&
	       (!entry->ready || !refcount_inc_not_zero(&entry->node.refs)))
		pthread_cond_wait(&index_changed.changed, &index_changed.lock);
	if (!entry) {
		entry = kzalloc(sizeof(*entry), GFP_USER);
		if (!entry) {
			pthread_mutex_unlock(&index_changed.lock);
			return ERR_PTR(-ENOMEM);
		}
		entry->node.tree = tree;
		entry->node.attr.id = id;
		entry->node.ops = tree->ops;
		refcount_set(&entry->node.refs, 1);
		mutex_init(&entry->node.lock, "node");
		hlist_add(&index_buckets[id % BUCKETS], &entry->link);
		*fresh = true;
	}
	pthread_mutex_unlock(&index_changed.lock);
	return &entry->node;
}

static void index_remove(struct entry_of_index *entry)
{
	pthread_mutex_lock(&index_changed.lock);
	hlist_del(&entry->link);
	pthread_cond_broadcast(&index_changed.changed);
	pthread_mutex_unlock(&index_changed.lock);
}

void node_ready(struct node *node, int error)
{
	struct entry_of_index *entry = container_of(node, struct entry_of_index, node);

	if (error) {
		index_remove(entry);
		return;
	}
	pthread_mutex_lock(&index_changed.lock);
	entry->ready = true;
	pthread_cond_broadcast(&index_changed.changed);
	pthread_mutex_unlock(&index_changed.lock);
}

void node_put(struct node *node)
{
	struct entry_of_index *entry = container_of(node, struct entry_of_index, node);

	if (!refcount_dec_and_test(&node->refs))
		return;
	if (entry->ready) {
		node->tree->ops->forget(node);
		index_remove(entry);
	}
	acl_put(node->acl);
	acl_put(node->default_acl);
	kfree(node->link_text);
	kfree(node->cache);
	kfree(entry);
}

void node_touch(struct node *node, bool access, bool modify, bool change)
{
	s64 now = (s64)time_realtime_ns();

	if (access)
		node->attr.atime_ns = now;
	if (modify)
		node->attr.mtime_ns = now;
	if (change)
		node->attr.ctime_ns = now;
}

void node_attr_changed(struct node *node)
{
	if (!__atomic_exchange_n(&node->attr_dirty, true, __ATOMIC_SEQ_CST) &&
	    node->tree->ops->attr_changed)
		node->tree->ops->attr_changed(node);
}

void node_setattr_copy(struct node *node, const struct attr_change *change)
{
	struct attr *attr = &node->attr;

	if (change->valid & SETATTR_MODE)
		attr->mode = (attr->mode & S_IFMT) | (change->mode & 07777);
	if (change->valid & SETATTR_UID)
		attr->uid = change->uid;
	if (change->valid & SETATTR_GID)
		attr->gid = change->gid;
	if (change->valid & SETATTR_ATIME)
		attr->atime_ns = change->atime_ns;
	if (change->valid & SETATTR_MTIME)
		attr->mtime_ns = change->mtime_ns;
	if (change->valid & SETATTR_CTIME)
		attr->ctime_ns = change->ctime_ns;
	if (change->valid & SETATTR_ACL)
		acl_assign(&node->acl, change->acl);
	if (change->valid & SETATTR_DEFAULT_ACL)
		acl_assign(&node->default_acl, change->acl);
}

struct page_cache *node_page_cache(struct node *node)
{
	if (!node->cache) {
		node->cache = kzalloc(sizeof(*node->cache), GFP_KERNEL);
		if (node->cache)
			node->cache->node = node;
	}
	return node->cache;
}

/* ---- Iterators, over memory of this process ---- */

static char *iter_at(struct iter *iter, size_t size)
{
	char *at = (char *)iter->segments->iov_base + iter->offset;

	if (iter->segment_count != 1 || size > iter->count)
		abort();
	iter->offset += size;
	iter->count -= size;
	return at;
}

size_t iter_copy_to(struct iter *iter, const void *from, size_t size)
{
	size = min(size, iter->count);
	memcpy(iter_at(iter, size), from, size);
	return size;
}

size_t iter_copy_from(struct iter *iter, void *to, size_t size)
{
	size = min(size, iter->count);
	memcpy(to, iter_at(iter, size), size);
	return size;
}

/* ---- Files' bytes ---- */

void page_read_done(struct page *page, int error)
{
	page->error = error;
}

void page_write_done(struct page *page, int error)
{
	page->error = error;
}

static int page_read(struct node *node, struct page *page)
{
	const struct block_map_ops *map = node->tree->ops->block_map;
	u64 start = page->index << PAGE_SHIFT, size = node_size(node), at = start;

	memset(page->address, 0, PAGE_SIZE);
	while (at < start + PAGE_SIZE && at < size) {
		struct block_extent extent;
		int error = map->map(node, at, start + PAGE_SIZE - at, false, &extent);
		u64 end = error ? 0 : min(extent.offset + extent.length, start + PAGE_SIZE);

		if (!error && extent.kind == EXTENT_MAPPED)
			error = device_read_bytes(map->device(node),
						  extent.position + (at - extent.offset),
						  (char *)page->address + (at - start), end - at, 512);
		if (error)
			return error;
		at = end;
	}
	if (size < start + PAGE_SIZE)
		memset((char *)page->address + (size - start), 0, start + PAGE_SIZE - size);
	return 0;
}

void block_read_pages(struct node *node, struct page **pages, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		page_read_done(pages[i], page_read(node, pages[i]));
}

static int page_write(struct node *node, struct page *page)
{
	const struct block_map_ops *map = node->tree->ops->block_map;
	u64 start = page->index << PAGE_SHIFT, at = start,
	    end = min(start + PAGE_SIZE, node_size(node));

	while (at < end) {
		struct block_extent extent;
		int error = map->map(node, at, end - at, true, &extent);
		u64 until = error ? 0 : min(extent.offset + extent.length, start + PAGE_SIZE);

		if (!error)
			error = device_write_bytes(map->device(node),
						   extent.position + (at - extent.offset),
						   (char *)page->address + (at - start), until - at);
		if (error)
			return error;
		at = until;
	}
	return map->written ? map->written(node, start, end - start) : 0;
}

void block_write_pages(struct node *node, struct page **pages, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		page_write_done(pages[i], page_write(node, pages[i]));
}

ssize_t block_direct(struct file *file, struct iter *iter, loff_t pos, bool write)
{
	return -EINVAL;
}

int page_cache_mmap(struct file *file, struct vma *vma)
{
	return -ENODEV;
}

/* Up to RUN pages with the bytes that the file has there. */
struct run {
	struct page pages[RUN], *pointers[RUN];
	char *memory;
};

static int run_make(struct run *run, struct page_cache *cache, u64 index, unsigned int count)
{
	run->memory = aligned_alloc(PAGE_SIZE, count * PAGE_SIZE);
	if (!run->memory)
		return -ENOMEM;
	for (unsigned int i = 0; i < count; i++) {
		run->pages[i] = (struct page){ .cache = cache,
					       .index = index + i,
					       .address = run->memory + i * PAGE_SIZE };
		run->pointers[i] = &run->pages[i];
	}
	return 0;
}

static int run_read(struct run *run, struct node *node, unsigned int first, unsigned int count)
{
	int error = 0;

	node->ops->read_pages(node, run->pointers + first, count);
	for (unsigned int i = first; i < first + count; i++)
		error = error ? error : run->pages[i].error;
	return error;
}

ssize_t page_cache_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct node *node = file->node;
	size_t done = 0;

	while (to->count && (u64)*pos < node_size(node)) {
		u64 index = (u64)*pos >> PAGE_SHIFT, end = min((u64)*pos + to->count, node_size(node));
		unsigned int count = (unsigned int)min(DIV_ROUND_UP(end, PAGE_SIZE) - index, (u64)RUN);
		u64 until = min(end, (index + count) << PAGE_SHIFT);
		struct run run;
		int error = run_make(&run, node_page_cache(node), index, count);

		if (!error)
			error = run_read(&run, node, 0, count);
		if (!error)
			done += iter_copy_to(to, run.memory + ((u64)*pos - (index << PAGE_SHIFT)),
					     until - (u64)*pos);
		free(run.memory);
		if (error)
			return done ? (ssize_t)done : error;
		*pos = (loff_t)until;
	}
	return (ssize_t)done;
}

/* Pages that will not be overwritten as a whole have their bytes read first. */
static int edges_read(struct run *run, struct node *node, u64 start, u64 end, unsigned int count)
{
	u64 base = run->pages[0].index << PAGE_SHIFT;
	int error = 0;

	memset(run->memory, 0, count * PAGE_SIZE);
	if (start > base && base < node_size(node))
		error = run_read(run, node, 0, 1);
	if (!error && end < base + count * PAGE_SIZE && (count > 1 || start == base) &&
	    base + (count - 1) * PAGE_SIZE < node_size(node))
		error = run_read(run, node, count - 1, 1);
	return error;
}

static int run_write(struct run *run, struct node *node, unsigned int count)
{
	int error = 0;

	node->ops->write_pages(node, run->pointers, count);
	for (unsigned int i = 0; i < count; i++)
		error = error ? error : run->pages[i].error;
	return error;
}

ssize_t page_cache_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct node *node = file->node;
	size_t done = 0;

	while (from->count) {
		u64 start = (u64)*pos, index = start >> PAGE_SHIFT;
		u64 end = min(start + from->count, (index + RUN) << PAGE_SHIFT);
		unsigned int count = (unsigned int)(DIV_ROUND_UP(end, PAGE_SIZE) - index);
		struct run run;
		int error = node->ops->reserve_pages(node, index, count);

		if (!error)
			error = run_make(&run, node_page_cache(node), index, count);
		if (error)
			return done ? (ssize_t)done : error;
		error = edges_read(&run, node, start, end, count);
		if (!error) {
			done += iter_copy_from(from, run.memory + (start - (index << PAGE_SHIFT)),
					       end - start);
			if (end > node_size(node))
				node_set_size(node, end);
			node_touch(node, false, true, true);
			node_attr_changed(node);
			error = run_write(&run, node, count);
		}
		free(run.memory);
		if (error)
			return error;
		*pos = (loff_t)end;
	}
	return (ssize_t)done;
}

/* Zeroes a part of one page, if the file has bytes there. */
static int part_zero(struct node *node, u64 start, u64 end)
{
	const struct block_map_ops *map = node->tree->ops->block_map;
	int error = 0;

	while (start < end && !error) {
		struct block_extent extent;
		u64 until;

		error = map->map(node, start, end - start, false, &extent);
		if (error)
			break;
		until = min(extent.offset + extent.length, end);
		if (extent.kind == EXTENT_MAPPED)
			error = block_zero(map->device(node),
					   extent.position + (start - extent.offset), until - start);
		start = until;
	}
	return error;
}

int page_cache_sync(struct page_cache *cache, u64 first, u64 last)
{
	return 0; /* nothing waits here to be written */
}

int page_cache_truncate(struct page_cache *cache, u64 size)
{
	return part_zero(cache->node, size, ALIGN_UP(size, PAGE_SIZE));
}

int page_cache_punch(struct page_cache *cache, u64 start, u64 end)
{
	return part_zero(cache->node, start, end);
}

void page_cache_extend(struct page_cache *cache, u64 size)
{
}

/* ---- What operations of open files call ---- */

loff_t file_seek_size(struct file *file, loff_t offset, int whence, u64 size)
{
	file->pos = offset;
	return offset;
}

bool dir_emit_dots(struct file *file, struct dir_context *context)
{
	if (context->offset < 1)
		context->offset = 1;
	if (context->offset < 2)
		context->offset = 2;
	return true;
}

struct file *environment_open(struct node *node)
{
	struct file *file = calloc(1, sizeof(*file));

	if (file) {
		file->node = file->contents = node_get(node);
		file->ops = node->ops;
	}
	return file;
}

void environment_close(struct file *file)
{
	node_put(file->node);
	free(file);
}

/* ---- Mounting ---- */

struct tree *environment_mount(const char *name, struct block_device *device, const char *options,
			       bool read_only)
{
	static const struct cred root;
	struct tree_type *type = NULL;
	struct tree *tree;
	int error;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (types[i] && !strcmp(types[i]->name, name))
			type = types[i];
	tree = type ? calloc(1, sizeof(*tree)) : NULL;
	if (!tree)
		return ERR_PTR(type ? -ENOMEM : -ENODEV);
	tree->type = type;
	tree->ops = type->ops;
	tree->block_device = device;
	tree->options = (char *)options;
	tree->flags = read_only ? TREE_READ_ONLY : 0;
	error = tree->ops->attach(tree, &root);
	if (!error)
		return tree;
	free(tree);
	return ERR_PTR(error);
}

void environment_unmount(struct tree *tree)
{
	node_put(tree->root);
	tree->ops->detach(tree);
	free(tree);
}
