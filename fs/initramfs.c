/*
 * Fills the root from an initramfs: cpio archives, plain or compressed with gzip, one after another; a later file
 * replaces an earlier one of the same name.
 *
 * Files are made in their directory's tree directly, not through the name cache: of hundreds of names a boot uses a few.
 * Where the archive lies in memory that is handed over, and a file's contents lie at a page's start, whole pages of it
 * become the file's pages without being copied.
 */
#define LOG_PREFIX "initramfs: "
#include <kumo/device.h>
#include <kumo/gunzip.h>
#include <kumo/kva.h>
#include <kumo/pagecache.h>
#include <kumo/slab.h>
#include <kumo/string.h>

#include "cpio.h"
#include "internal.h"

/* A file with more than one link, until its archive ends. */
struct link {
	struct hlist_node hash_link;
	u32 inode, device_major, device_minor;
	struct node *node; /* referenced */
};

struct unpacking {
	struct path parent; /* of the last file, as long as parent_name stays the same; referenced */
	char *parent_name;  /* PATH_MAX_BYTES; ends in '/' but for "" */
	size_t parent_length;
	bool have_parent;
	struct hlist links[64];
	/* Memory handed over: what lies before is released or adopted already. 0: the archive stays the caller's. */
	phys_addr_t release_from;
	phys_addr_t adopted_start, adopted_end; /* of the current file */
	unsigned int failures;
};

static void links_forget(struct unpacking *unpacking)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(unpacking->links); i++)
		while (unpacking->links[i].first) {
			struct link *link =
				container_of(unpacking->links[i].first, struct link, hash_link);

			hlist_del(&link->hash_link);
			node_put(link->node);
			kfree(link);
		}
}

static struct hlist *link_bucket(struct unpacking *unpacking, const struct cpio_entry *entry)
{
	return &unpacking->links[hash_u64(entry->inode) % ARRAY_SIZE(unpacking->links)];
}

static struct node *link_find(struct unpacking *unpacking, const struct cpio_entry *entry)
{
	struct link *link;

	hlist_for_each(link, link_bucket(unpacking, entry), hash_link)
		if (link->inode == entry->inode && link->device_major == entry->device_major &&
		    link->device_minor == entry->device_minor &&
		    !((link->node->attr.mode ^ entry->mode) & S_IFMT))
			return link->node;
	return NULL;
}

static int link_remember(struct unpacking *unpacking, const struct cpio_entry *entry, struct node *node)
{
	struct link *link = kmalloc(sizeof(*link), GFP_KERNEL);

	if (!link)
		return -ENOMEM;
	link->inode = entry->inode;
	link->device_major = entry->device_major;
	link->device_minor = entry->device_minor;
	link->node = node_get(node);
	hlist_add(link_bucket(unpacking, entry), &link->hash_link);
	return 0;
}

/* ---- Contents ---- */

/* Gives the file its bytes. */
static int fill(struct unpacking *unpacking, struct node *node, const u8 *content, u32 size)
{
	struct page_cache *cache;
	u64 index = 0;
	u32 done = 0;
	int error = 0;

	if (!size)
		return 0;
	cache = node_page_cache(node);
	if (!cache)
		return -ENOMEM;
	if (node_size(node)) { /* another link brought contents already: these replace them */
		node_set_size(node, 0);
		page_cache_truncate(cache, 0);
	}
	if (unpacking->release_from && IS_ALIGNED((unsigned long)content, PAGE_SIZE)) {
		unpacking->adopted_start = unpacking->adopted_end = virt_to_phys(content);
		for (; !error && size - done >= PAGE_SIZE; index++) {
			error = page_cache_adopt(cache, index, virt_to_page(content + done));
			if (!error) {
				done += PAGE_SIZE;
				unpacking->adopted_end += PAGE_SIZE;
			}
		}
	}
	for (; !error && done < size; index++) {
		u32 part = min((u32)PAGE_SIZE, size - done);
		struct page *page = page_alloc(0, GFP_KERNEL);

		if (!page)
			return -ENOMEM;
		memcpy(page_address(page), content + done, part);
		memset((char *)page_address(page) + part, 0, PAGE_SIZE - part);
		error = page_cache_adopt(cache, index, page);
		if (error)
			page_put(page);
		done += part;
	}
	node_set_size(node, error ? 0 : size);
	return error;
}

/* ---- Names ---- */

/* Finds the directory of the entry and its last element. */
static int find_parent(struct unpacking *unpacking, const struct cpio_entry *entry, struct name *last)
{
	u32 length = entry->name_length, start;
	int error;

	while (length && entry->name[length - 1] == '/')
		length--;
	for (start = length; start && entry->name[start - 1] != '/';)
		start--;
	*last = name_make(entry->name + start, length - start);
	if (last->length > NAME_MAX_LENGTH || start >= PATH_MAX_BYTES - 1)
		return -ENAMETOOLONG;
	if (unpacking->have_parent && unpacking->parent_length == start &&
	    !memcmp(unpacking->parent_name, entry->name, start))
		return 0;
	if (unpacking->have_parent)
		path_put(&unpacking->parent);
	unpacking->have_parent = false;
	memcpy(unpacking->parent_name, entry->name, start);
	unpacking->parent_name[start] = 0;
	unpacking->parent_length = start;
	if (start) {
		error = path_walk(NULL, unpacking->parent_name, WALK_FOLLOW | WALK_DIRECTORY,
				  &root_cred, &unpacking->parent);
		if (error)
			return error;
	} else {
		fs_root(&unpacking->parent);
	}
	unpacking->have_parent = true;
	return 0;
}

/* What the name cache believes of the name (that there is none) is not so any more. */
static void forget_name(struct entry *parent, const struct name *name)
{
	struct entry *stale = entry_find(parent, name);

	if (stale) {
		entry_drop(stale);
		entry_put(stale);
	}
}

/* Makes a node, or a further link of `node` if it is not NULL; *made is referenced. */
static int make(struct unpacking *unpacking, const struct name *last, const struct node_new *what,
		struct node *node, struct node **made)
{
	struct node *dir = path_node(&unpacking->parent);
	int error;

	mutex_lock(&dir->lock);
	if (node) {
		error = dir->ops->link(dir, last, node, &root_cred);
		*made = error ? NULL : node_get(node);
	} else {
		error = dir->ops->create(dir, last, what, made, &root_cred);
	}
	if (!error)
		forget_name(unpacking->parent.entry, last);
	mutex_unlock(&dir->lock);
	return error;
}

/* The directory is there already: a later archive tells its owner and mode anew. */
static int make_again(struct unpacking *unpacking, const struct name *last,
		      const struct node_new *what, struct node **made)
{
	struct node *dir = path_node(&unpacking->parent);
	u64 unused;
	int found;

	mutex_lock(&dir->lock);
	found = dir->ops->walk(dir, last, 1, made, &unused, &root_cred);
	mutex_unlock(&dir->lock);
	if (found < 1)
		return found ? found : -ENOENT;
	if (!S_ISDIR((*made)->attr.mode)) {
		node_put(*made);
		return -EEXIST;
	}
	(*made)->attr.mode = what->mode;
	(*made)->attr.uid = what->uid;
	(*made)->attr.gid = what->gid;
	return 0;
}

static int unpack_entry(struct unpacking *unpacking, const struct cpio_entry *entry)
{
	struct node_new what = { .mode = entry->mode & (S_IFMT | 07777),
				 .uid = entry->uid,
				 .gid = entry->gid };
	struct node *known = NULL, *node = NULL;
	char *target = NULL;
	struct name last;
	int error;

	if (!entry->name_length) /* the root itself: it is there */
		return 0;
	error = find_parent(unpacking, entry, &last);
	if (error)
		return error;
	switch (entry->mode & S_IFMT) {
	case S_IFREG:
		if (entry->nlink > 1)
			known = link_find(unpacking, entry);
		break;
	case S_IFDIR:
		break;
	case S_IFLNK:
		if (!entry->size || entry->size >= PATH_MAX_BYTES)
			return -ENAMETOOLONG;
		target = kstrndup((const char *)entry->content, entry->size, GFP_KERNEL);
		if (!target)
			return -ENOMEM;
		what.target = target;
		break;
	case S_IFCHR:
	case S_IFBLK:
		what.rdev = device_make(entry->rdev_major, entry->rdev_minor);
		break;
	case S_IFIFO:
	case S_IFSOCK:
		break;
	default:
		return -EINVAL;
	}
	error = make(unpacking, &last, &what, known, &node);
	if (error == -EEXIST) {
		if (S_ISDIR(what.mode))
			error = make_again(unpacking, &last, &what, &node);
		if (error) {
			/* Something of another kind, or an earlier file: the later one counts. */
			error = path_unlink(&unpacking->parent, &last, false, &root_cred);
			if (error == -EISDIR)
				error = path_unlink(&unpacking->parent, &last, true, &root_cred);
			if (!error)
				error = make(unpacking, &last, &what, known, &node);
		}
	}
	kfree(target);
	if (error)
		return error;
	if (S_ISREG(what.mode)) {
		if (entry->nlink > 1 && !known)
			error = link_remember(unpacking, entry, node);
		if (!error)
			error = fill(unpacking, node, entry->content, entry->size);
	}
	node->attr.mtime_ns = node->attr.atime_ns = (s64)entry->mtime * (s64)NSEC_PER_SEC;
	node_put(node);
	return error;
}

/* ---- Archives ---- */

struct expanded {
	u8 *data;
	size_t size, capacity;
};

static int expand(void *arg, const void *data, size_t size)
{
	struct expanded *expanded = arg;

	if (size > expanded->capacity - expanded->size) {
		size_t capacity = max(expanded->capacity * 2, expanded->size + size);
		u8 *larger = kvmalloc(capacity, GFP_KERNEL | GFP_NOWARN);

		if (!larger)
			return -ENOMEM;
		if (expanded->size)
			memcpy(larger, expanded->data, expanded->size);
		kvfree(expanded->data);
		expanded->data = larger;
		expanded->capacity = capacity;
	}
	memcpy(expanded->data + expanded->size, data, size);
	expanded->size += size;
	return 0;
}

static int unpack_archives(struct unpacking *unpacking, const void *data, size_t size,
			   bool compressed_too);

static int unpack_compressed(struct unpacking *unpacking, struct cpio_reader *reader)
{
	struct expanded expanded = { .capacity = 0 };
	phys_addr_t release_from = unpacking->release_from;
	size_t consumed = 0;
	int error;

	error = gunzip(reader->data + reader->at, reader->size - reader->at, expand, &expanded,
		       &consumed);
	if (!error) {
		unpacking->release_from = 0; /* what was expanded is not the loader's memory */
		error = unpack_archives(unpacking, expanded.data, expanded.size, false);
		unpacking->release_from = release_from;
		reader->at += consumed;
	}
	kvfree(expanded.data);
	return error;
}

static int unpack_archives(struct unpacking *unpacking, const void *data, size_t size, bool compressed_too)
{
	struct cpio_reader reader;
	struct cpio_entry entry;
	int error;

	cpio_reader_init(&reader, data, size);
	for (;;) {
		switch (cpio_next(&reader, &entry)) {
		case CPIO_END:
			return 0;
		case CPIO_TRAILER:
			links_forget(unpacking);
			break;
		case CPIO_ENTRY:
			error = unpack_entry(unpacking, &entry);
			if (error == -ENOMEM)
				return error;
			/* One file that cannot be made is no reason to go without the others. */
			if (error && unpacking->failures++ < 10)
				pr_warn("'%s' could not be made (error %d)\n", entry.name, error);
			if (unpacking->adopted_end) {
				if (unpacking->adopted_start > unpacking->release_from)
					page_release_range(unpacking->release_from,
							   unpacking->adopted_start);
				unpacking->release_from = unpacking->adopted_end;
				unpacking->adopted_end = 0;
			}
			break;
		case CPIO_OTHER:
			if (!compressed_too ||
			    !gunzip_recognises(reader.data + reader.at, reader.size - reader.at)) {
				pr_err("at byte %zu: neither cpio (newc) nor gzip\n", reader.at);
				return -EINVAL;
			}
			error = unpack_compressed(unpacking, &reader);
			if (error)
				return error;
			break;
		case CPIO_DAMAGED:
			pr_err("at byte %zu: %s\n", reader.at, reader.error);
			return -EINVAL;
		}
	}
}

static int unpack(phys_addr_t release_from, const void *archive, size_t size, phys_addr_t *released_to)
{
	struct unpacking *unpacking = kzalloc(sizeof(*unpacking), GFP_KERNEL);
	int error = -ENOMEM;

	*released_to = release_from;
	if (!unpacking)
		return -ENOMEM;
	unpacking->release_from = release_from;
	unpacking->parent_name = kmalloc(PATH_MAX_BYTES, GFP_KERNEL);
	if (unpacking->parent_name)
		error = unpack_archives(unpacking, archive, size, true);
	links_forget(unpacking);
	if (unpacking->have_parent)
		path_put(&unpacking->parent);
	*released_to = unpacking->release_from;
	kfree(unpacking->parent_name);
	kfree(unpacking);
	return error;
}

int initramfs_unpack(const void *archive, size_t size)
{
	phys_addr_t unused;

	return unpack(0, archive, size, &unused);
}

int initramfs_load(phys_addr_t start, u64 size)
{
	phys_addr_t released_to;
	int error = unpack(ALIGN_DOWN(start, PAGE_SIZE), phys_to_virt(start), size, &released_to);

	page_release_range(released_to, ALIGN_UP(start + size, PAGE_SIZE));
	return error;
}
