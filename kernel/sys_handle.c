/*
 * System calls by which files are named without a path: name_to_handle_at(2), open_by_handle_at(2).
 *
 * A handle holds the identity of a file in its tree, as tmpfs's does on Linux. No tree can be asked for a file by its identity,
 * so it is searched for from the mount's root; a file without a name is not found. That takes as long as listing the tree,
 * which only who may read everything is let do.
 */
#include <kumo/err.h>
#include <kumo/file.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/thread.h>
#include <kumo/user_path.h>
#include <linux/capability.h>

#define HANDLE_BYTES_MAX 128
#define HANDLE_TYPE 1 /* generation, and the identity's halves */

struct handle_head {
	u32 bytes;
	s32 type;
};

struct identity {
	u32 generation, low, high;
};

/* Trees made up as they are read have files that are other ones tomorrow. */
static bool tree_has_handles(const struct tree *tree)
{
	return !(tree->flags & TREE_NO_CACHE_NAMES) && tree->root->ops->create;
}

/* ---- name_to_handle_at ---- */

static long handle_of(const struct path *path, struct handle_head __user *user, int __user *user_mount)
{
	const struct attr *attr = &path_node(path)->attr;
	const struct identity identity = { .generation = attr->generation,
					   .low = (u32)attr->id,
					   .high = (u32)(attr->id >> 32) };
	struct handle_head head;
	bool fits;

	if (!tree_has_handles(path_tree(path)))
		return -EOPNOTSUPP;
	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (head.bytes > HANDLE_BYTES_MAX)
		return -EINVAL;
	fits = head.bytes >= sizeof(identity);
	head = (struct handle_head){ .bytes = sizeof(identity), .type = HANDLE_TYPE };
	if (put_user(path->mount->id, user_mount) || copy_to_user(user, &head, sizeof(head)) ||
	    (fits && copy_to_user(user + 1, &identity, sizeof(identity))))
		return -EFAULT;
	return fits ? 0 : -EOVERFLOW;
}

long sys_name_to_handle_at(int fd, const char __user *name, void __user *handle,
			   int __user *mount_id, int flags)
{
	struct path path;
	long result;

	if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
		return -EINVAL;
	result = user_path_walk(fd, name,
				(flags & AT_SYMLINK_FOLLOW ? WALK_FOLLOW : 0U) |
					(flags & AT_EMPTY_PATH ? WALK_EMPTY_PATH : 0U),
				&path);
	if (result)
		return result;
	result = handle_of(&path, handle, mount_id);
	path_put(&path);
	return result;
}

/* ---- The search ---- */

/* A directory that is still to be searched. */
struct pending {
	struct list link;
	struct path path;
};

/* Names in one directory that are of interest: the one with the identity, and those of directories. */
struct search {
	struct dir_context context;
	u64 id;
	struct list names; /* struct found_name */
	bool found;	   /* the last name is it */
	int error;
};

struct found_name {
	struct list link;
	char text[];
};

static bool search_add(struct dir_context *context, const char *text, u32 length, u64 next_offset,
		       u64 id, u32 type)
{
	struct search *search = container_of(context, struct search, context);
	bool dots = (length == 1 && text[0] == '.') ||
		    (length == 2 && text[0] == '.' && text[1] == '.');
	struct found_name *name;

	if (dots || search->found || (id != search->id && type != DT_DIR))
		return !search->found;
	name = kmalloc(sizeof(*name) + length + 1, GFP_USER);
	if (!name) {
		search->error = -ENOMEM;
		return false;
	}
	memcpy(name->text, text, length);
	name->text[length] = '\0';
	list_add_tail(&search->names, &name->link);
	search->found = id == search->id;
	return true;
}

static int pending_add(struct list *queue, const struct path *path)
{
	struct pending *pending = kmalloc(sizeof(*pending), GFP_USER);

	if (!pending)
		return -ENOMEM;
	pending->path = *path;
	path_get(path);
	list_add_tail(queue, &pending->link);
	return 0;
}

static bool is_it(const struct path *path, const struct identity *identity)
{
	const struct attr *attr = &path_node(path)->attr;

	return attr->id == ((u64)identity->high << 32 | identity->low) &&
	       attr->generation == identity->generation;
}

/* Goes to each name that was found in `dir`. 1: *path is the file, referenced. */
static int visit_names(struct search *search, const struct path *dir,
		       const struct identity *identity, struct list *queue, struct path *path)
{
	struct found_name *name, *after;
	int result = search->error;

	list_for_each_safe(name, after, &search->names, link) {
		struct path child;

		if (!result && !path_walk(dir, name->text, 0, &root_cred, &child)) {
			if (child.mount == dir->mount && is_it(&child, identity)) {
				*path = child;
				path_get(path);
				result = 1;
			} else if (child.mount == dir->mount && S_ISDIR(path_node(&child)->attr.mode)) {
				result = pending_add(queue, &child);
			}
			path_put(&child);
		}
		list_del(&name->link);
		kfree(name);
	}
	return result;
}

/* 1: it is in this directory. */
static int search_directory(const struct path *dir, const struct identity *identity,
			    struct list *queue, struct path *path)
{
	struct search search = { .context.add = search_add,
				 .id = (u64)identity->high << 32 | identity->low };
	struct file *file = file_open(dir, O_RDONLY | O_DIRECTORY, &root_cred);
	loff_t before;

	if (IS_ERR(file))
		return PTR_ERR(file) == -ENOENT ? 0 : (int)PTR_ERR(file);
	list_init(&search.names);
	do {
		before = file->pos;
		search.error = file_readdir(file, &search.context);
	} while (!search.error && !search.found && file->pos != before && !signal_pending());
	file_put(file);
	return visit_names(&search, dir, identity, queue, path);
}

/* The file's path below `root`, referenced. -ESTALE: it is not there. */
static int find_identity(const struct path *root, const struct identity *identity, struct path *path)
{
	struct list queue = LIST_INIT(queue);
	int result;

	if (is_it(root, identity)) {
		*path = *root;
		path_get(path);
		return 0;
	}
	result = pending_add(&queue, root);
	while (!list_empty(&queue)) {
		struct pending *pending = list_first(&queue, struct pending, link);

		list_del(&pending->link);
		if (!result)
			result = signal_pending()
					 ? -ERESTARTNOINTR
					 : search_directory(&pending->path, identity, &queue, path);
		path_put(&pending->path);
		kfree(pending);
		cond_resched();
	}
	return result == 1 ? 0 : result ? result : -ESTALE;
}

/* ---- open_by_handle_at ---- */

static int handle_get(struct identity *identity, const struct handle_head __user *user)
{
	struct handle_head head;

	if (copy_from_user(&head, user, sizeof(head)))
		return -EFAULT;
	if (!head.bytes || head.bytes > HANDLE_BYTES_MAX)
		return -EINVAL;
	if (head.bytes < sizeof(*identity))
		return -ESTALE;
	return copy_from_user(identity, user + 1, sizeof(*identity)) ? -EFAULT : 0;
}

static long open_found(const struct path *path, int flags)
{
	struct file *file = file_open(path, (u32)flags | O_LARGEFILE, current->cred);

	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, flags & O_CLOEXEC ? O_CLOEXEC : 0);
}

/* Something on the mount that is meant, referenced. */
static int place_of(int fd, struct path *path)
{
	struct fd_ref ref;
	int error;

	if (fd == AT_FDCWD)
		return path_walk(NULL, ".", 0, current->cred, path);
	ref = fd_borrow((unsigned int)fd);
	if (!ref.file)
		return -EBADF;
	error = file_path(ref.file, path);
	fd_release(ref);
	return error;
}

long sys_open_by_handle_at(int fd, void __user *handle, int flags)
{
	struct identity identity;
	struct path path, root, here;
	int error, placed;

	if (!capable(CAP_DAC_READ_SEARCH))
		return -EPERM;
	error = handle_get(&identity, handle);
	if (error && error != -ESTALE)
		return error;
	placed = place_of(fd, &here); /* before what the handle says */
	if (placed)
		return placed;
	root = (struct path){ .mount = here.mount, .entry = here.mount->root };
	if (!error)
		error = tree_has_handles(path_tree(&here)) ? find_identity(&root, &identity, &path)
							   : -ESTALE;
	if (!error) {
		error = (int)open_found(&path, flags);
		path_put(&path);
	}
	path_put(&here);
	return error;
}
