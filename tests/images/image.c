/* What the kernel's core does around the operations of a tree, as far as a test needs it: paths, parents, references. */
#include "image.h"
#include "tool.h"

#include <fcntl.h>
#include <kumo/file.h>
#include <kumo/slab.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct cred root;
const char *image_type;

/* ---- Open files, as far as operations need them ---- */

bool dir_emit_dots(struct file *file, struct dir_context *context)
{
	if (context->offset < 1)
		context->offset = 1;
	if (context->offset < 2)
		context->offset = 2;
	return true;
}

static struct file *open_node(struct node *node)
{
	struct file *file = calloc(1, sizeof(*file));

	if (file) {
		file->node = file->contents = node_get(node);
		file->ops = node->ops;
		file->cred = &root;
	}
	return file;
}

static void close_node(struct file *file)
{
	node_put(file->node);
	free(file);
}

/* ---- The image ---- */

int image_open(struct image *image, const char *path, const char *options, bool read_only)
{
	off_t size;

	image->path = path;
	image->fd = open(path, O_RDWR);
	size = image->fd < 0 ? -1 : lseek(image->fd, 0, SEEK_END);
	if (size < 0)
		return -ENOENT;
	image->device = device_open(image->fd, "image", (u64)size, false);
	if (!image->device)
		return -ENOMEM;
	image->tree = environment_mount(image_type ? image_type : image_tool.type, image->device,
					options, read_only);
	if (IS_ERR(image->tree)) {
		int error = (int)PTR_ERR(image->tree);

		image->tree = NULL;
		image_close(image);
		return error;
	}
	return 0;
}

void image_close(struct image *image)
{
	if (image->tree)
		environment_unmount(image->tree);
	image->tree = NULL;
	if (image->device)
		device_close(image->device);
	if (image->fd >= 0)
		close(image->fd);
}

static struct node *step(struct node *dir, const char *text, size_t length)
{
	struct name name = name_make(text, (u32)length);
	struct node *node = NULL;
	u64 until;
	int error;

	if (!S_ISDIR(dir->attr.mode))
		return ERR_PTR(-ENOTDIR);
	error = dir->ops->walk(dir, &name, 1, &node, &until, &root);
	return error < 0 ? ERR_PTR(error) : node;
}

struct node *image_node(struct image *image, const char *path)
{
	struct node *node = node_get(image->tree->root);

	while (*path && !IS_ERR(node)) {
		size_t length = strcspn(path, "/");

		if (length) {
			struct node *next = step(node, path, length);

			node_put(node);
			node = next;
		}
		path += length + (path[length] == '/');
	}
	return node;
}

/* The directory that a path's last name lies in, referenced, and that name. */
static struct node *parent_of(struct image *image, const char *path, struct name *name)
{
	const char *slash = strrchr(path, '/');
	char *above = slash ? strndup(path, (size_t)(slash - path)) : strdup("");
	struct node *dir = image_node(image, above);

	*name = name_make(slash ? slash + 1 : path, (u32)strlen(slash ? slash + 1 : path));
	free(above);
	if (!IS_ERR(dir) && !S_ISDIR(dir->attr.mode)) {
		node_put(dir);
		return ERR_PTR(-ENOTDIR);
	}
	return dir;
}

int image_create(struct image *image, const char *path, u32 mode, const char *target)
{
	struct node_new what = { .mode = mode, .target = target };
	struct name name;
	struct node *dir = parent_of(image, path, &name), *node = NULL, *there;
	int error;

	if (IS_ERR(dir))
		return (int)PTR_ERR(dir);
	there = step(dir, name.text, name.length);
	error = IS_ERR(there) ? (int)PTR_ERR(there) : -EEXIST;
	if (!IS_ERR(there))
		node_put(there);
	if (error == -ENOENT)
		error = dir->ops->create(dir, &name, &what, &node, &root);
	if (!error)
		node_put(node);
	node_put(dir);
	return error;
}

int image_link(struct image *image, const char *from, const char *to)
{
	struct node *node = image_node(image, from), *dir, *there;
	struct name name;
	int error;

	if (IS_ERR(node))
		return (int)PTR_ERR(node);
	dir = parent_of(image, to, &name);
	error = IS_ERR(dir) ? (int)PTR_ERR(dir) : 0;
	if (!error) {
		there = step(dir, name.text, name.length);
		error = IS_ERR(there) ? 0 : -EEXIST;
		if (error)
			node_put(there);
		if (!error)
			error = S_ISDIR(node->attr.mode) || !dir->ops->link
					? -EPERM
					: dir->ops->link(dir, &name, node, &root);
		node_put(dir);
	}
	node_put(node);
	return error;
}

int image_unlink(struct image *image, const char *path)
{
	struct name name;
	struct node *dir = parent_of(image, path, &name), *node;
	int error;

	if (IS_ERR(dir))
		return (int)PTR_ERR(dir);
	node = step(dir, name.text, name.length);
	error = IS_ERR(node) ? (int)PTR_ERR(node) : 0;
	if (!error) {
		error = dir->ops->unlink(dir, &name, node, S_ISDIR(node->attr.mode), &root);
		node_put(node);
	}
	node_put(dir);
	return error;
}

int image_rename(struct image *image, const char *from, const char *to, unsigned int flags)
{
	struct name old_name, new_name;
	struct node *old_dir = parent_of(image, from, &old_name),
		    *new_dir = parent_of(image, to, &new_name);
	struct node *node = IS_ERR(old_dir) ? old_dir : step(old_dir, old_name.text, old_name.length);
	struct node *there = IS_ERR(new_dir) ? new_dir : step(new_dir, new_name.text, new_name.length);
	struct node *nodes[] = { old_dir, new_dir, node, there };
	int error = 0;

	if (IS_ERR(node))
		error = (int)PTR_ERR(node);
	else if (IS_ERR(there) &&
		 (IS_ERR(new_dir) || PTR_ERR(there) != -ENOENT || flags & RENAME_EXCHANGE))
		error = (int)PTR_ERR(there);
	else if (!IS_ERR(there) && flags & RENAME_NOREPLACE)
		error = -EEXIST;
	if (!error && node != there)
		error = old_dir->ops->rename(old_dir, &old_name, node, new_dir, &new_name,
					     IS_ERR(there) ? NULL : there, flags, &root);
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++)
		if (!IS_ERR(nodes[i]))
			node_put(nodes[i]);
	return error;
}

/* Opens what a path leads to; ERR_PTR. */
static struct file *file_at(struct image *image, const char *path)
{
	struct node *node = image_node(image, path);
	struct file *file;

	if (IS_ERR(node))
		return (struct file *)node;
	file = open_node(node);
	node_put(node);
	return file;
}

ssize_t image_read_node(struct node *node, u64 offset, void *data, size_t size)
{
	struct file *file = open_node(node);
	loff_t position = (loff_t)offset;
	struct iter iter;
	ssize_t result;

	if (!file)
		return -ENOMEM;
	iter_init_kernel(&iter, data, size);
	if (S_ISLNK(node->attr.mode) && node->link_text) {
		result = (ssize_t)min(strlen(node->link_text), size);
		memcpy(data, node->link_text, (size_t)result);
	} else if (S_ISLNK(node->attr.mode)) {
		result = file->ops->readlink(node, data, size, &root);
	} else {
		result = S_ISREG(node->attr.mode) ? file->ops->read(file, &iter, &position) : -EISDIR;
	}
	close_node(file);
	return result;
}

ssize_t image_read(struct image *image, const char *path, u64 offset, void *data, size_t size)
{
	struct node *node = image_node(image, path);
	ssize_t result;

	if (IS_ERR(node))
		return PTR_ERR(node);
	result = image_read_node(node, offset, data, size);
	node_put(node);
	return result;
}

ssize_t image_write(struct image *image, const char *path, u64 offset, const void *data, size_t size)
{
	struct file *file = file_at(image, path);
	loff_t position = (loff_t)offset;
	struct iter iter;
	ssize_t result;

	if (IS_ERR(file))
		return PTR_ERR(file);
	iter_init_kernel(&iter, data, size);
	result = S_ISREG(file->node->attr.mode) ? file->ops->write(file, &iter, &position) : -EISDIR;
	close_node(file);
	return result;
}

static int change(struct image *image, const char *path, const struct attr_change *change)
{
	struct node *node = image_node(image, path);
	int error;

	if (IS_ERR(node))
		return (int)PTR_ERR(node);
	error = node->ops->setattr(node, change, &root);
	node_put(node);
	return error;
}

int image_truncate(struct image *image, const char *path, u64 size)
{
	struct attr_change to = { .valid = SETATTR_SIZE, .size = size };

	return change(image, path, &to);
}

int image_chmod(struct image *image, const char *path, u32 mode)
{
	struct attr_change to = { .valid = SETATTR_MODE, .mode = mode };

	return change(image, path, &to);
}

int image_allocate(struct image *image, const char *path, int mode, u64 offset, u64 length)
{
	struct file *file = file_at(image, path);
	int error;

	if (IS_ERR(file))
		return (int)PTR_ERR(file);
	error = S_ISREG(file->node->attr.mode) ? file->ops->fallocate(file, mode, offset, length)
					       : -ENODEV;
	close_node(file);
	return error;
}

int image_fsync(struct image *image, const char *path)
{
	struct file *file = file_at(image, path);
	int error;

	if (IS_ERR(file))
		return (int)PTR_ERR(file);
	error = file->ops->fsync(file, false);
	close_node(file);
	return error;
}

int image_set_attribute(struct image *image, const char *path, const char *name, const void *value,
			size_t size)
{
	struct node *node = image_node(image, path);
	int error;

	if (IS_ERR(node))
		return (int)PTR_ERR(node);
	error = node->ops->xattr_set(node, name, value, size, 0);
	node_put(node);
	return error;
}

ssize_t image_get_attribute(struct image *image, const char *path, const char *name, void *value,
			    size_t size)
{
	struct node *node = image_node(image, path);
	ssize_t result;

	if (IS_ERR(node))
		return PTR_ERR(node);
	result = node->ops->xattr_get ? node->ops->xattr_get(node, name, value, size) : -EOPNOTSUPP;
	node_put(node);
	return result;
}

int image_sync(struct image *image)
{
	return image->tree->ops->sync ? image->tree->ops->sync(image->tree) : 0;
}

struct listing {
	struct dir_context context;
	void (*each)(void *context, const char *name, u64 number);
	void *argument;
	u32 left;
};

static bool listing_add(struct dir_context *context, const char *name, u32 length, u64 next, u64 id,
			u32 type)
{
	struct listing *listing = container_of(context, struct listing, context);
	char text[NAME_MAX_LENGTH + 1];

	if (!listing->left)
		return false;
	listing->left--;
	memcpy(text, name, length);
	text[length] = 0;
	listing->each(listing->argument, text, id);
	return true;
}

int image_list(struct image *image, const char *path,
	       void (*each)(void *context, const char *name, u64 number), void *context)
{
	struct listing listing = { .context.add = listing_add, .each = each, .argument = context };
	struct file *file = file_at(image, path);
	int error = 0;

	if (IS_ERR(file))
		return (int)PTR_ERR(file);
	do { /* a few at a time, as getdents64(2) would */
		listing.left = 37;
		error = S_ISDIR(file->node->attr.mode) ? file->ops->readdir(file, &listing.context)
						       : -ENOTDIR;
	} while (!error && !listing.left);
	close_node(file);
	return error;
}

u32 random_number(u64 *state, u32 below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return below ? (u32)((*state >> 16) % below) : 0;
}

/* What the checker said, as far as it helps to see what is wrong. */
static void checker_show(const char *path)
{
	FILE *said = fopen(path, "r");
	char line[256];

	for (int i = 0; said && i < 40 && fgets(line, sizeof(line), said); i++)
		fputs(line, stderr);
	if (said)
		fclose(said);
}

int check_image(const char *path)
{
	const char *words[8] = {};
	int count = 0, status;
	char log[4096];
	pid_t child;

	if (!image_tool.checker)
		return 0;
	for (; image_tool.checker[count]; count++)
		words[count] = image_tool.checker[count];
	snprintf(log, sizeof(log), "%s.fsck", path);
	child = fork();
	if (!child) {
		int out = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0666);

		dup2(out, 1);
		dup2(out, 2);
		words[count] = path;
		execvp(words[0], (char *const *)words);
		_exit(127);
	}
	status = waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	if (status)
		checker_show(log);
	return status;
}
