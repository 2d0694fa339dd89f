/* /proc/PID/fd, fdinfo, cwd, root: what a process has open and where it stands. */
#include <kumo/serve.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/fs.h>

#include "internal.h"

#define PATH_SIZE 4096

/* ---- Paths ---- */

int path_target(const struct path *path, char *buffer, size_t size)
{
	char *whole = kmalloc(PATH_SIZE, GFP_KERNEL), *name;
	int length;

	if (!whole)
		return -ENOMEM;
	name = path_name(path, NULL, whole, PATH_SIZE, true);
	if (IS_ERR(name)) {
		length = (int)PTR_ERR(name);
	} else {
		length = (int)min(strlen(name), size);
		memcpy(buffer, name, (size_t)length);
	}
	kfree(whole);
	return length;
}

/* The working directory or root of a thread, referenced. */
static int context_path(struct thread *thread, bool root, struct path *path)
{
	struct fs_context *fs = thread_fs_get(thread);

	if (!fs)
		return -ENOENT;
	spin_lock(&fs->lock);
	*path = root ? fs->root : fs->working;
	path_get(path);
	spin_unlock(&fs->lock);
	fs_context_put(fs);
	return 0;
}

static int context_target(struct thread *thread, bool root, char *buffer, size_t size)
{
	struct path path;
	int result = context_path(thread, root, &path);

	if (result)
		return result;
	result = path_target(&path, buffer, size);
	path_put(&path);
	return result;
}

int cwd_follow(struct path *path, void *object)
{
	return context_path(object, false, path);
}

int cwd_target(char *buffer, size_t size, void *object)
{
	return context_target(object, false, buffer, size);
}

int root_follow(struct path *path, void *object)
{
	return context_path(object, true, path);
}

int root_target(char *buffer, size_t size, void *object)
{
	return context_target(object, true, buffer, size);
}

/* ---- Descriptors ---- */

/* An entry of fd/ or fdinfo/. What is open there may change: it is looked up at each use. */
struct descriptor {
	struct thread *thread; /* owned reference */
	unsigned int number;
};

/* What is open, referenced; NULL: nothing. */
static struct file *descriptor_file(struct thread *thread, unsigned int number)
{
	struct files *files = thread_files_get(thread);
	unsigned int found = number;
	struct file *file;

	if (!files)
		return NULL;
	file = files_next(files, &found);
	files_put(files);
	if (file && found != number) {
		file_put(file);
		return NULL;
	}
	return file;
}

static void descriptor_put(void *object)
{
	struct descriptor *descriptor = object;

	thread_put(descriptor->thread);
	kfree(descriptor);
}

static void descriptor_owner(void *object, u32 *uid, u32 *gid)
{
	thread_object_owner(((struct descriptor *)object)->thread, uid, gid);
}

static int descriptor_allow(void *object, const struct cred *cred)
{
	return may_inspect(((struct descriptor *)object)->thread, cred);
}

static int descriptor_target(char *buffer, size_t size, void *object)
{
	struct descriptor *descriptor = object;
	struct file *file = descriptor_file(descriptor->thread, descriptor->number);
	char *whole, *name;
	int length = -ENOMEM;

	if (!file)
		return -ENOENT;
	whole = kmalloc(PATH_SIZE, GFP_KERNEL);
	if (whole) {
		name = file_name(file, whole, PATH_SIZE);
		if (IS_ERR(name)) {
			length = (int)PTR_ERR(name);
		} else {
			length = (int)min(strlen(name), size);
			memcpy(buffer, name, (size_t)length);
		}
	}
	kfree(whole);
	file_put(file);
	return length;
}

static int descriptor_follow(struct path *path, void *object)
{
	struct descriptor *descriptor = object;
	struct file *file = descriptor_file(descriptor->thread, descriptor->number);
	int error;

	if (!file)
		return -ENOENT;
	error = file_path(file, path);
	file_put(file);
	return error;
}

static int descriptor_info_show(struct text *text, void *object)
{
	struct descriptor *descriptor = object;
	struct file *file = descriptor_file(descriptor->thread, descriptor->number);

	if (!file)
		return -ENOENT;
	text_printf(text, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n",
		    (long long)(file->mode & FILE_STREAM ? 0 : file->pos), file->flags,
		    file->path.mount ? file->path.mount->id : 0,
		    (unsigned long long)(file->node ? file->node->attr.id : 0));
	if (file->ops->show_info)
		serve_show_info(file, text);
	file_put(file);
	return 0;
}

/* The mode of a link says how the file is open. */
#define DESCRIPTOR_LINK(mode_)                                                                     \
	{                                                                                          \
		.name = "", .mode = S_IFLNK | (mode_), .target = descriptor_target,                \
		.follow = descriptor_follow, .allow = descriptor_allow                             \
	}
static const struct pseudo_file descriptor_links[] = {
	DESCRIPTOR_LINK(0000),
	DESCRIPTOR_LINK(0500),
	DESCRIPTOR_LINK(0300),
	DESCRIPTOR_LINK(0700),
};
static const struct pseudo_file descriptor_info = {
	.name = "", .mode = S_IFREG | 0444, .show = descriptor_info_show, .allow = descriptor_allow
};

static struct descriptor *lookup(const struct name *name, struct thread *thread, u32 *mode)
{
	int number = number_of_name(name);
	struct file *file = number >= 0 ? descriptor_file(thread, (unsigned int)number) : NULL;
	struct descriptor *descriptor;

	if (!file)
		return NULL;
	*mode = file->mode & (FILE_READ | FILE_WRITE);
	file_put(file);
	descriptor = kmalloc(sizeof(*descriptor), GFP_KERNEL);
	if (!descriptor)
		return NULL;
	thread_get(thread);
	*descriptor = (struct descriptor){ .thread = thread, .number = (unsigned int)number };
	return descriptor;
}

static void *link_lookup(const struct name *name, void *object, const struct pseudo_file **file)
{
	u32 mode = 0;
	struct descriptor *descriptor = lookup(name, object, &mode);

	*file = &descriptor_links[mode];
	return descriptor;
}

static void *info_lookup(const struct name *name, void *object, const struct pseudo_file **file)
{
	u32 mode;

	*file = &descriptor_info;
	return lookup(name, object, &mode);
}

static int list(struct dir_context *context, struct thread *thread, u32 type)
{
	struct files *files = thread_files_get(thread);
	unsigned int number = (unsigned int)context->offset;
	struct file *file;

	if (!files)
		return 0;
	for (; (file = files_next(files, &number)); number++) {
		file_put(file);
		if (!emit_number(context, number, type))
			break;
	}
	files_put(files);
	return 0;
}

static int link_list(struct dir_context *context, void *object)
{
	return list(context, object, DT_LNK);
}

static int info_list(struct dir_context *context, void *object)
{
	return list(context, object, DT_REG);
}

const struct pseudo_dynamic descriptor_names = {
	.lookup = link_lookup,
	.list = link_list,
	.put = descriptor_put,
	.owner = descriptor_owner,
};
const struct pseudo_dynamic descriptor_info_names = {
	.lookup = info_lookup,
	.list = info_list,
	.put = descriptor_put,
	.owner = descriptor_owner,
};
