/*
 * The RAM tree: files that live in memory alone. It is the root (rootfs, filled from the initramfs), ramfs, and with
 * limits tmpfs. The bytes of files are the page cache's and nowhere else; this file keeps names, nodes and limits.
 *
 * A directory holds its entries twice: in a tree by hash and name, for walk, and in a list in the order of their cookies.
 * A new entry gets the next cookie, so the list is sorted and a reader's position, the cookie to go on with, stays right
 * whatever is added or removed meanwhile. A reader that did not reach the end leaves a marker in the list, so that the
 * next call goes on there without a search.
 *
 * Locks: the directory's node->lock, taken by the core for changes, walks and reading, protects its entries; order_lock the list,
 * too, for a file that is closed, which takes its marker away: an instance must not wait for node->lock (rebind.h).
 */
#include <kumo/memfd.h>
#include <kumo/pagecache.h>
#include <kumo/rbtree.h>
#include <kumo/rebind.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <kumo/xattr.h>
#include <linux/falloc.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>

#include "internal.h"

#define ENTRY_SIZE                                                                                 \
	20 /* bytes that an entry adds to a directory's st_size, as on Linux; two are "." and ".." */

struct ram_entry {
	struct rb_node by_name;
	struct list link; /* by cookie */
	u64 cookie;
	struct node *node; /* referenced; NULL: a reader's marker */
	u32 hash;
	u32 length;
	char text[];
};

struct ram_directory {
	struct rb_root by_name;
	struct mutex order_lock; /* of the list, for who comes without node->lock: a reader whose file is closed */
	struct list by_cookie; /* with markers between */
	u64 next_cookie;
	u64 count;
};

struct ram_tree {
	u64 page_limit, node_limit; /* 0: none */
	atomic64_t pages, nodes;
	u32 mode, uid, gid; /* of the root */
};

/* node->private: of a directory its struct ram_directory; of a file in a tree with a page limit, the pages it is charged
 * with, as a number. */

static inline struct ram_tree *ram_of(const struct node *node)
{
	return node->tree->private;
}

static inline struct ram_directory *directory_of(const struct node *node)
{
	return node->private;
}

/* ---- Limits ---- */

static u64 charged_pages(const struct node *node)
{
	return (u64)(unsigned long)node->private;
}

/* Brings what the tree counts up to what the file holds now; pages that faults made are counted then, too. node->lock. */
static void charge_update(struct node *node)
{
	struct ram_tree *ram = ram_of(node);
	u64 pages = node->cache ? node->cache->page_count : 0;

	if (!ram->page_limit || !S_ISREG(node->attr.mode))
		return;
	atomic64_add(&ram->pages, (long)(pages - charged_pages(node)));
	node->private = (void *)(unsigned long)pages;
}

/* How many of `size` bytes at pos may be written before the tree is full. */
static size_t room_for_write(struct node *node, loff_t pos, size_t size)
{
	struct ram_tree *ram = ram_of(node);
	u64 index = (u64)pos >> PAGE_SHIFT, end = (u64)pos + size;
	long room = (long)ram->page_limit - atomic64_read(&ram->pages);

	for (; index << PAGE_SHIFT < end; index++) {
		bool there;

		rcu_read_lock();
		there = node->cache && xarray_load(&node->cache->pages, index);
		rcu_read_unlock();
		if (!there && room-- <= 0)
			return index << PAGE_SHIFT > (u64)pos
				       ? (size_t)((index << PAGE_SHIFT) - (u64)pos)
				       : 0;
	}
	return size;
}

/* ---- Nodes ---- */

static struct node *ram_node(struct tree *tree, u32 mode, u32 uid, u32 gid, u64 rdev, const char *target)
{
	struct ram_tree *ram = tree->private;
	s64 now = (s64)time_realtime_ns();
	struct attr attr = { .id = tree_next_id(),
			     .mode = mode,
			     .uid = uid,
			     .gid = gid,
			     .nlink = 1,
			     .rdev = rdev,
			     .block_size = PAGE_SIZE,
			     .blocks = BLOCKS_IN_CACHE,
			     .atime_ns = now,
			     .mtime_ns = now,
			     .ctime_ns = now,
			     .btime_ns = now,
			     .believe_until_ns = BELIEVE_FOREVER };
	struct ram_directory *directory = NULL;
	char *text = NULL;
	struct node *node;

	if (ram->node_limit && (u64)atomic64_add_return(&ram->nodes, 1) > ram->node_limit) {
		atomic64_add(&ram->nodes, -1);
		return ERR_PTR(-ENOSPC);
	}
	if (S_ISDIR(mode)) {
		directory = kmalloc(sizeof(*directory), GFP_USER);
		if (!directory)
			goto no_memory;
		*directory = (struct ram_directory){ .next_cookie = 2 };
		list_init(&directory->by_cookie);
		mutex_init(&directory->order_lock, "ram_directory");
		attr.nlink = 2;
		attr.size = 2 * ENTRY_SIZE;
	} else if (S_ISLNK(mode)) {
		text = kstrdup(target, GFP_KERNEL);
		if (!text)
			goto no_memory;
		attr.size = strlen(text);
	}
	node = node_alloc(tree, &attr, directory);
	if (node) {
		node->link_text = text;
		if (tree->flags & TREE_SEALS)
			node->seals = F_SEAL_SEAL; /* none will ever be added, but for memfd_create(2) */
		return node;
	}
no_memory:
	kfree(text);
	kfree(directory);
	if (ram->node_limit)
		atomic64_add(&ram->nodes, -1);
	return ERR_PTR(-ENOMEM);
}

static void ram_forget(struct node *node)
{
	struct ram_tree *ram = ram_of(node);
	struct ram_directory *directory = node->private;

	if (S_ISDIR(node->attr.mode)) {
		/* Only markers of readers can be left, and readers hold the node: there are none. */
		WARN_ON(!list_empty(&directory->by_cookie));
		kfree(directory);
	} else if (ram->page_limit && S_ISREG(node->attr.mode)) {
		atomic64_add(&ram->pages, -(long)charged_pages(node));
	}
	if (ram->node_limit)
		atomic64_add(&ram->nodes, -1);
}

/* ---- Entries of directories ---- */

static int compare(const struct name *name, const struct ram_entry *entry)
{
	if (name->hash != entry->hash)
		return name->hash < entry->hash ? -1 : 1;
	if (name->length != entry->length)
		return name->length < entry->length ? -1 : 1;
	return memcmp(name->text, entry->text, name->length);
}

static struct ram_entry *find(const struct ram_directory *directory, const struct name *name)
{
	struct rb_node *at = directory->by_name.node;

	while (at) {
		struct ram_entry *entry = container_of(at, struct ram_entry, by_name);
		int order = compare(name, entry);

		if (!order)
			return entry;
		at = order < 0 ? at->left : at->right;
	}
	return NULL;
}

static struct ram_entry *ram_entry_alloc(const struct name *name)
{
	struct ram_entry *entry = kmalloc(sizeof(*entry) + name->length, GFP_USER);

	if (!entry)
		return NULL;
	entry->hash = name->hash;
	entry->length = name->length;
	memcpy(entry->text, name->text, name->length);
	return entry;
}

/* Takes over a reference of the node. */
static void insert(struct node *dir, struct ram_entry *entry, struct node *node)
{
	struct ram_directory *directory = directory_of(dir);
	struct rb_node **link = &directory->by_name.node, *parent = NULL;
	struct name name = { .text = entry->text, .length = entry->length, .hash = entry->hash };

	entry->node = node;
	while (*link) {
		parent = *link;
		link = compare(&name, container_of(parent, struct ram_entry, by_name)) < 0
			       ? &parent->left
			       : &parent->right;
	}
	rb_insert(&directory->by_name, &entry->by_name, parent, link);
	entry->cookie = directory->next_cookie++;
	mutex_lock(&directory->order_lock);
	list_add_tail(&directory->by_cookie, &entry->link);
	mutex_unlock(&directory->order_lock);
	directory->count++;
	node_set_size(dir, dir->attr.size + ENTRY_SIZE);
	if (S_ISDIR(node->attr.mode))
		dir->attr.nlink++;
}

/* The entry's reference of its node is the caller's now. */
static void take_out(struct node *dir, struct ram_entry *entry)
{
	struct ram_directory *directory = directory_of(dir);

	rb_erase(&directory->by_name, &entry->by_name);
	mutex_lock(&directory->order_lock);
	list_del(&entry->link);
	mutex_unlock(&directory->order_lock);
	directory->count--;
	node_set_size(dir, dir->attr.size - ENTRY_SIZE);
	if (S_ISDIR(entry->node->attr.mode))
		dir->attr.nlink--;
}

/* ---- Operations on names ---- */

static int ram_walk(struct node *dir, const struct name *names, unsigned int count,
		    struct node **nodes, u64 *negative_until_ns, const struct cred *cred)
{
	struct ram_entry *entry = find(directory_of(dir), names);

	if (!entry) {
		*negative_until_ns = BELIEVE_FOREVER;
		return -ENOENT;
	}
	nodes[0] = node_get(entry->node);
	return 1; /* further ones cost the core no more than this one did */
}

static int ram_create(struct node *dir, const struct name *name, const struct node_new *what,
		      struct node **made, const struct cred *cred)
{
	struct ram_entry *entry;
	struct node *node;

	if (find(directory_of(dir), name))
		return -EEXIST;
	entry = ram_entry_alloc(name);
	if (!entry)
		return -ENOMEM;
	node = ram_node(dir->tree, what->mode, what->uid, what->gid, what->rdev, what->target);
	if (IS_ERR(node)) {
		kfree(entry);
		return (int)PTR_ERR(node);
	}
	insert(dir, entry, node_get(node));
	dir->attr.mtime_ns = dir->attr.ctime_ns = node->attr.btime_ns;
	*made = node;
	return 0;
}

static int ram_create_unnamed(struct node *dir, const struct node_new *what, struct node **made,
			      const struct cred *cred)
{
	struct node *node =
		ram_node(dir->tree, what->mode, what->uid, what->gid, what->rdev, what->target);

	if (IS_ERR(node))
		return (int)PTR_ERR(node);
	node->attr.nlink = 0;
	*made = node;
	return 0;
}

static int ram_link(struct node *dir, const struct name *name, struct node *node, const struct cred *cred)
{
	struct ram_entry *entry;

	if (find(directory_of(dir), name))
		return -EEXIST;
	if (node->attr.nlink == ~0U)
		return -EMLINK;
	entry = ram_entry_alloc(name);
	if (!entry)
		return -ENOMEM;
	insert(dir, entry, node_get(node));
	node->attr.nlink++;
	node_touch(dir, false, true, true);
	node_touch(node, false, false, true);
	return 0;
}

/* A name of the node is gone. */
static void lose_link(struct node *node)
{
	if (S_ISDIR(node->attr.mode))
		node->attr.nlink = 0;
	else
		node->attr.nlink--;
	node_touch(node, false, false, true);
}

static int ram_unlink(struct node *dir, const struct name *name, struct node *node,
		      bool is_directory, const struct cred *cred)
{
	struct ram_entry *entry = find(directory_of(dir), name);

	if (!entry || entry->node != node)
		return -ENOENT;
	if (is_directory && directory_of(node)->count)
		return -ENOTEMPTY;
	take_out(dir, entry);
	kfree(entry);
	lose_link(node);
	node_touch(dir, false, true, true);
	node_put(node);
	return 0;
}

static void swap_nodes(struct node *a_dir, struct ram_entry *a, struct node *b_dir, struct ram_entry *b)
{
	struct node *node = a->node;
	bool a_is_directory = S_ISDIR(a->node->attr.mode), b_is_directory = S_ISDIR(b->node->attr.mode);

	a->node = b->node;
	b->node = node;
	a_dir->attr.nlink += (u32)b_is_directory - (u32)a_is_directory;
	b_dir->attr.nlink += (u32)a_is_directory - (u32)b_is_directory;
}

/* RENAME_WHITEOUT: what says on behalf of a union that the name is gone. */
static struct ram_entry *whiteout_make(struct node *dir, const struct name *name,
				       struct node **node, const struct cred *cred)
{
	struct ram_entry *entry = ram_entry_alloc(name);

	if (!entry)
		return ERR_PTR(-ENOMEM);
	*node = ram_node(dir->tree, S_IFCHR, cred->fsuid, cred->fsgid, 0, NULL);
	if (IS_ERR(*node)) {
		kfree(entry);
		return (struct ram_entry *)*node;
	}
	return entry;
}

/* The entry gets its new place, in which `there` stands, or NULL. */
static int move_entry(struct node *old_dir, struct ram_entry *old, struct node *new_dir,
		      const struct name *new_name, struct ram_entry *there, unsigned int flags,
		      const struct cred *cred)
{
	struct name old_name = { .text = old->text, .length = old->length, .hash = old->hash };
	struct ram_entry *fresh, *whiteout = NULL;
	struct node *white_node = NULL, *replaced = there ? there->node : NULL;

	if (replaced && S_ISDIR(replaced->attr.mode) && directory_of(replaced)->count)
		return -ENOTEMPTY;
	fresh = ram_entry_alloc(new_name);
	if (!fresh)
		return -ENOMEM;
	if (flags & RENAME_WHITEOUT) {
		whiteout = whiteout_make(old_dir, &old_name, &white_node, cred);
		if (IS_ERR(whiteout)) {
			kfree(fresh);
			return (int)PTR_ERR(whiteout);
		}
	}
	if (there) {
		take_out(new_dir, there);
		kfree(there);
		lose_link(replaced);
		node_put(replaced); /* the core holds one more */
	}
	take_out(old_dir, old);
	insert(new_dir, fresh, old->node);
	kfree(old);
	if (whiteout)
		insert(old_dir, whiteout, white_node);
	return 0;
}

static int ram_rename(struct node *old_dir, const struct name *old_name, struct node *node,
		      struct node *new_dir, const struct name *new_name, struct node *replaced,
		      unsigned int flags, const struct cred *cred)
{
	struct ram_entry *old = find(directory_of(old_dir), old_name),
			 *there = find(directory_of(new_dir), new_name);

	if (!old || old->node != node || (replaced && (!there || there->node != replaced)))
		return -ENOENT;
	if (flags & RENAME_EXCHANGE) {
		swap_nodes(old_dir, old, new_dir, there);
		node_touch(replaced, false, false, true);
	} else {
		int error = move_entry(old_dir, old, new_dir, new_name, there, flags, cred);

		if (error)
			return error;
	}
	node_touch(node, false, false, true);
	node_touch(old_dir, false, true, true);
	if (new_dir != old_dir)
		node_touch(new_dir, false, true, true);
	return 0;
}

/* ---- Attributes ---- */

static int ram_setattr(struct node *node, const struct attr_change *change, const struct cred *cred)
{
	if (change->valid & SETATTR_SIZE) {
		u64 old = node_size(node);

		if (!S_ISREG(node->attr.mode))
			return -EINVAL;
		if ((change->size < old && (node->seals & F_SEAL_SHRINK)) ||
		    (change->size > old && (node->seals & F_SEAL_GROW)))
			return -EPERM;
		node_set_size(node, change->size);
		if (change->size < old && node->cache)
			page_cache_truncate(node->cache, change->size);
		charge_update(node);
	}
	node_setattr_copy(node, change);
	return 0;
}

/* Those that Linux's tmpfs has. */
static int ram_set_flags(struct node *node, u32 flags)
{
	if (flags & ~(u32)(FS_IMMUTABLE_FL | FS_APPEND_FL | FS_NODUMP_FL | FS_NOATIME_FL))
		return -EOPNOTSUPP;
	WRITE_ONCE(node->attr.flags, flags);
	node_touch(node, false, false, true);
	return 0;
}

static struct tree_type rootfs_type;

static int ram_statfs(struct tree *tree, struct statfs_info *info)
{
	struct ram_tree *ram = tree->private;
	u64 used = (u64)max(atomic64_read(&ram->pages), 0L);

	info->type = tree->magic;
	info->block_size = PAGE_SIZE;
	info->name_max = NAME_MAX_LENGTH;
	if (ram->page_limit) {
		info->blocks = ram->page_limit;
		info->free_blocks = info->available_blocks =
			ram->page_limit > used ? ram->page_limit - used : 0;
	} else if (tree->type == &rootfs_type) {
		/* Programs look whether there is room below /: what memory gives. */
		struct memory_info memory;

		memory_info(&memory);
		info->blocks = memory.total_pages;
		info->free_blocks = info->available_blocks = memory.free_pages;
	}
	if (ram->node_limit) {
		info->files = ram->node_limit;
		info->free_files =
			ram->node_limit - min((u64)atomic64_read(&ram->nodes), ram->node_limit);
	}
	return 0;
}

/* ---- Open files ---- */

/* How much of a write seals allow, in whole pages where the file must not grow; or -EPERM. */
static ssize_t sealed_write(const struct node *node, loff_t pos, size_t size)
{
	u64 whole = ALIGN_DOWN(node_size(node), PAGE_SIZE);

	if (node->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return -EPERM;
	if (!(node->seals & F_SEAL_GROW) || (u64)pos + size <= node_size(node))
		return (ssize_t)size;
	return (u64)pos < whole ? (ssize_t)(whole - (u64)pos) : -EPERM;
}

static ssize_t ram_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct node *node = file->node;
	ssize_t written;

	if (unlikely(node->seals & ~(u32)F_SEAL_SEAL)) {
		written = sealed_write(node, *pos, from->count);
		if (written < 0)
			return written;
		from->count = (size_t)written;
	}
	if (likely(!ram_of(node)->page_limit))
		return page_cache_write(file, from, pos);
	charge_update(node);
	from->count = room_for_write(node, *pos, from->count);
	if (!from->count)
		return -ENOSPC;
	written = page_cache_write(file, from, pos);
	charge_update(node);
	return written;
}

/* More than all memory and the tree's limit never fit: to try would only take what others need. */
static bool may_fit(const struct ram_tree *ram, u64 length)
{
	u64 pages = length >> PAGE_SHIFT;
	struct memory_info info;

	memory_info(&info);
	return pages <= info.total_pages && (!ram->page_limit || pages <= ram->page_limit);
}

static int ram_fallocate(struct file *file, int mode, u64 offset, u64 length)
{
	struct node *node = file->node;
	u64 end = offset + length, index;
	int error = 0;

	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE))
		return -EOPNOTSUPP;
	if (mode & FALLOC_FL_PUNCH_HOLE ? node->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
					: (node->seals & F_SEAL_GROW) && end > node_size(node))
		return -EPERM;
	if (mode & FALLOC_FL_PUNCH_HOLE) {
		if (node->cache)
			page_cache_punch(node->cache, offset, end);
		charge_update(node);
		node_touch(node, false, true, true);
		return 0;
	}
	if (!may_fit(ram_of(node), length))
		return -ENOSPC;
	if (!node_page_cache(node))
		return -ENOMEM;
	charge_update(node);
	if (ram_of(node)->page_limit && room_for_write(node, (loff_t)offset, length) < length)
		return -ENOSPC;
	for (index = offset >> PAGE_SHIFT; index << PAGE_SHIFT < end && !error; index++) {
		struct page *page = page_cache_get(node->cache, index, true);

		if (IS_ERR(page)) {
			error = PTR_ERR(page) == -ENOMEM ? -ENOSPC : (int)PTR_ERR(page);
			break;
		}
		page_put(page);
		if (signal_pending())
			error = -EINTR;
		cond_resched();
	}
	if (error) { /* what was asked for in vain shall not fill the memory: all behind the end goes */
		page_cache_truncate(node->cache, node_size(node));
	} else {
		if (!(mode & FALLOC_FL_KEEP_SIZE) && end > node_size(node))
			node_set_size(node, end);
		node_touch(node, false, true, true);
	}
	charge_update(node);
	return error;
}

static u32 type_of(const struct node *node)
{
	return (node->attr.mode & S_IFMT) >> 12;
}

/* Where a reader goes on: behind its marker, if it stands at the reader's position, else by a search. */
static struct list *find_cookie(struct ram_directory *directory, struct ram_entry *marker, u64 cookie)
{
	struct list *at;

	if (marker && marker->link.next && marker->cookie == cookie)
		return marker->link.next;
	for (at = directory->by_cookie.next; at != &directory->by_cookie; at = at->next) {
		struct ram_entry *entry = container_of(at, struct ram_entry, link);

		if (entry->node && entry->cookie >= cookie)
			break;
	}
	return at;
}

static int ram_readdir(struct file *file, struct dir_context *context)
{
	struct ram_directory *directory = directory_of(file->node);
	struct ram_entry *marker;
	struct list *at;
	int error;

	if (!dir_emit_dots(file, context))
		return 0;
	error = mutex_lock_killable(&directory->order_lock);
	if (error)
		return error;
	marker = file->private;
	at = find_cookie(directory, marker, (u64)context->offset);
	for (; at != &directory->by_cookie; at = at->next) {
		struct ram_entry *entry = container_of(at, struct ram_entry, link);

		if (!entry->node)
			continue;
		if (!context->add(context, entry->text, entry->length, entry->cookie + 1,
				  entry->node->attr.id, type_of(entry->node)))
			break;
		context->offset = (loff_t)entry->cookie + 1;
	}
	if (marker && marker->link.next)
		list_del(&marker->link);
	if (at != &directory->by_cookie) {
		if (!marker) {
			marker = kzalloc(sizeof(*marker), GFP_KERNEL);
			file->private = marker; /* without memory the next call searches */
		}
		if (marker) {
			marker->cookie = (u64)context->offset;
			list_insert(&marker->link, at->prev, at);
		}
	}
	mutex_unlock(&directory->order_lock);
	return 0;
}

static void ram_clunk(struct file *file)
{
	struct ram_entry *marker = file->private;

	if (!marker || !S_ISDIR(file->node->attr.mode))
		return;
	mutex_lock(&directory_of(file->node)->order_lock);
	if (marker->link.next)
		list_del(&marker->link);
	mutex_unlock(&directory_of(file->node)->order_lock);
	kfree(marker);
}

/* ---- The tree ---- */

/* One word of the options: size=, nr_blocks=, nr_inodes=, mode=, uid=, gid=. Without limits it is ramfs, which passes over what it
 * does not know. */
static int parse_option(struct ram_tree *ram, char *option, bool limits)
{
	char *value = strchr(option, '=');
	const char *end;
	u64 number;

	if (!value)
		return limits ? -EINVAL : 0;
	*value++ = 0;
	if (!strcmp(option, "mode")) {
		if (parse_u64(value, 8, &number) || number > 07777)
			return -EINVAL;
		ram->mode = (u32)number;
		return 0;
	}
	if (!strcmp(option, "uid") || !strcmp(option, "gid")) {
		if (parse_u64(value, 10, &number) || number >= ~0U)
			return -EINVAL;
		*(option[0] == 'u' ? &ram->uid : &ram->gid) = (u32)number;
		return 0;
	}
	if (!limits)
		return 0;
	number = parse_size(value, &end);
	if (end == value)
		return -EINVAL;
	if (!strcmp(option, "size")) {
		if (*end == '%' && !end[1]) {
			struct memory_info info;

			memory_info(&info);
			ram->page_limit = info.total_pages * number / 100;
			return 0;
		}
		ram->page_limit = DIV_ROUND_UP(number, PAGE_SIZE);
	} else if (!strcmp(option, "nr_blocks")) {
		ram->page_limit = number;
	} else if (!strcmp(option, "nr_inodes")) {
		ram->node_limit = number;
	} else {
		return -EINVAL;
	}
	return *end ? -EINVAL : 0;
}

static int parse_options(struct ram_tree *ram, const char *options, bool limits)
{
	char *copy = kstrdup(options, GFP_KERNEL), *at = copy, *comma;
	int error = 0;

	if (!copy)
		return -ENOMEM;
	for (; at && !error; at = comma) {
		comma = strchr(at, ',');
		if (comma)
			*comma++ = 0;
		if (*at)
			error = parse_option(ram, at, limits);
	}
	kfree(copy);
	return error;
}

/* What a successor finds: the limits, and nodes as they are described above. */
#define HANDOVER_LAYOUT "ram tree 1"

static int ram_handover(struct tree *tree, struct handover *handover)
{
	*handover = (struct handover){ .layout = HANDOVER_LAYOUT, .state = tree->private, .whole = true };
	tree->private = NULL;
	return 0;
}

static int take_over(struct tree *tree, struct ram_tree *ram)
{
	struct ram_tree *former = tree->handover->state;

	if (strcmp(tree->handover->layout, HANDOVER_LAYOUT))
		return -EINVAL;
	*ram = *former;
	tree->private = ram;
	tree->handover->state = NULL;
	kfree(former);
	return 0;
}

static int attach(struct tree *tree, struct ram_tree *ram, bool limits)
{
	int error = 0;

	if (tree->handover)
		return take_over(tree, ram);
	if (tree->options)
		error = parse_options(ram, tree->options, limits);
	if (error)
		return error;
	tree->private = ram;
	tree->flags |= TREE_NEGATIVE_FOREVER | TREE_ACL;
	tree->root = ram_node(tree, S_IFDIR | ram->mode, ram->uid, ram->gid, 0, NULL);
	return IS_ERR(tree->root) ? (int)PTR_ERR(tree->root) : 0;
}

static int ram_attach(struct tree *tree, const struct cred *cred)
{
	struct ram_tree *ram = kzalloc(sizeof(*ram), GFP_KERNEL);
	int error;

	if (!ram)
		return -ENOMEM;
	ram->mode = 0755;
	tree->magic = RAMFS_MAGIC;
	error = attach(tree, ram, false);
	if (error)
		kfree(ram);
	return error;
}

static int tmpfs_attach(struct tree *tree, const struct cred *cred)
{
	struct ram_tree *ram = kzalloc(sizeof(*ram), GFP_KERNEL);
	struct memory_info info;
	int error;

	if (!ram)
		return -ENOMEM;
	memory_info(&info);
	ram->mode = 01777;
	ram->uid = cred->fsuid;
	ram->gid = cred->fsgid;
	ram->page_limit = max(info.total_pages / 2, 1UL);
	ram->node_limit = max(info.total_pages / 2, 1UL);
	tree->magic = TMPFS_MAGIC;
	tree->flags |= TREE_SEALS;
	error = attach(tree, ram, true);
	if (error)
		kfree(ram);
	return error;
}

/* Takes apart what is left below the root: names first, so that a deep tree needs no deep stack. */
static void ram_empty(struct node *root)
{
	struct list pending = LIST_INIT(pending);
	struct node *dir = node_get(root);
	struct ram_entry *entry;

	for (;;) {
		struct ram_directory *directory = directory_of(dir);

		while (!list_empty(&directory->by_cookie)) {
			entry = list_first(&directory->by_cookie, struct ram_entry, link);
			list_del(&entry->link);
			if (S_ISDIR(entry->node->attr.mode)) {
				list_add(&pending, &entry->link);
				continue;
			}
			node_put(entry->node);
			kfree(entry);
			cond_resched();
		}
		directory->by_name.node = NULL;
		node_put(dir);
		if (list_empty(&pending))
			return;
		entry = list_first(&pending, struct ram_entry, link);
		list_del(&entry->link);
		dir = entry->node;
		kfree(entry);
	}
}

static void ram_detach(struct tree *tree)
{
	kfree(tree->private);
}

static void ram_unmounted(struct tree *tree)
{
	ram_empty(tree->root);
}

/* Directories and files share a table: the core asks a node's kind before it calls. */
#define RAM_OPERATIONS                                                                             \
	.detach = ram_detach, .handover = ram_handover, .unmounted = ram_unmounted,                \
	.statfs = ram_statfs, .walk = ram_walk, .create = ram_create,                              \
	.create_unnamed = ram_create_unnamed, .link = ram_link, .unlink = ram_unlink,              \
	.rename = ram_rename, .setattr = ram_setattr, .set_flags = ram_set_flags,                  \
	.xattr_get = node_xattr_get, .xattr_set = node_xattr_set, .xattr_list = node_xattr_list,   \
	.clunk = ram_clunk, .read = page_cache_read, .write = ram_write, .readdir = ram_readdir,   \
	.mmap = page_cache_mmap, .seek = page_cache_seek, .fallocate = ram_fallocate,              \
	.forget = ram_forget

static const struct tree_ops ram_ops = { .attach = ram_attach, RAM_OPERATIONS };
static const struct tree_ops tmpfs_ops = { .attach = tmpfs_attach, RAM_OPERATIONS };

static struct tree_type rootfs_type = { .name = "rootfs", .ops = &ram_ops };
static struct tree_type ramfs_type = { .name = "ramfs", .ops = &ram_ops, .flags = TREE_TYPE_FOR_ALL };
static struct tree_type tmpfs_type = { .name = "tmpfs", .ops = &tmpfs_ops, .flags = TREE_TYPE_FOR_ALL };

int ram_types_register(void)
{
	int error = tree_type_register(&rootfs_type);

	if (!error)
		error = tree_type_register(&ramfs_type);
	return error ? error : tree_type_register(&tmpfs_type);
}
