/*
 * Random operations on an image, and the same on a model in memory; now and then the image is mounted anew, every file is compared, and
 * the filesystem's checker looks at it. The model is a table of paths that lead to objects (for there are hard links) with all their bytes.
 */
#include "image.h"
#include "tool.h"

#include <kumo/err.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PATHS 96
#define SIZE_MAX_TRIED 400000u
#define ATTRIBUTES 4

struct object {
	u32 mode; /* S_IFREG, S_IFDIR, S_IFLNK */
	int links;
	char *data;
	size_t size;
	char *attribute[ATTRIBUTES];
	size_t attribute_size[ATTRIBUTES];
};

struct entry {
	char path[600];
	struct object *object; /* NULL: a free place */
};

struct model {
	struct image image;
	const char *path, *options;
	u64 state;
	struct entry entries[PATHS];
	int step;
};

static u32 pick(struct model *model, u32 below)
{
	return random_number(&model->state, below);
}

static int fail(struct model *model, const char *what, const char *path, long got)
{
	fprintf(stderr, "step %d: %s %s: %ld\n", model->step, what, path, got);
	return 1;
}

/* A path that is in use, of that kind (0: any); NULL: none was found soon. */
static struct entry *existing(struct model *model, u32 mode)
{
	for (int tries = 0; tries < 50; tries++) {
		struct entry *entry = &model->entries[pick(model, PATHS)];

		if (entry->object && (!mode || entry->object->mode == mode))
			return entry;
	}
	return NULL;
}

static struct entry *unused(struct model *model)
{
	for (int i = 0; i < PATHS; i++)
		if (!model->entries[i].object)
			return &model->entries[i];
	return NULL;
}

static bool has(unsigned int feature)
{
	return image_tool.features & feature;
}

static struct entry *find(struct model *model, const char *path)
{
	int (*compare)(const char *, const char *) = has(TOOL_FOLDS_CASE) ? strcasecmp : strcmp;

	for (int i = 0; i < PATHS; i++)
		if (model->entries[i].object && !compare(model->entries[i].path, path))
			return &model->entries[i];
	return NULL;
}

/* A new path below a random directory; false: it exists, or is too long. */
static bool new_path(struct model *model, char path[600])
{
	static const char *const shapes[] = { "%s/n%u",	    "%s/N%u",	   "%s/n%u.t",
					      "%s/n%u.TXT", "%s/+ n%u. x", "%s/\u00e4\U0001f600%u",
					      "%s/.%u" };
	struct entry *dir = pick(model, 3) ? existing(model, S_IFDIR) : NULL;
	u32 shape = pick(model, 2) ? 0 : pick(model, ARRAY_SIZE(shapes));
	int length = snprintf(path, 600, shapes[shape], dir ? dir->path : "", pick(model, 100000));
	u32 more = pick(model, 8) ? pick(model, 12) : pick(model, 240);

	if (length + more >= 590)
		return false;
	memset(path + length, 'x', more);
	path[length + (int)more] = 0;
	return !find(model, path);
}

static void object_put(struct object *object)
{
	if (--object->links > 0)
		return;
	free(object->data);
	for (int i = 0; i < ATTRIBUTES; i++)
		free(object->attribute[i]);
	free(object);
}

static bool is_below(const char *path, const char *dir)
{
	size_t length = strlen(dir);

	return !strncmp(path, dir, length) && path[length] == '/';
}

static bool has_children(struct model *model, const char *dir)
{
	for (int i = 0; i < PATHS; i++)
		if (model->entries[i].object && is_below(model->entries[i].path, dir))
			return true;
	return false;
}

/* ---- Operations: 0, or 1 when the two disagree ---- */

static int create(struct model *model)
{
	static const u32 modes[] = { S_IFREG, S_IFREG, S_IFDIR, S_IFLNK };
	struct entry *entry = unused(model);
	u32 mode = modes[pick(model, 4)];
	char target[700] = "t";
	int error;

	if (!entry || !new_path(model, entry->path))
		return 0;
	if (mode == S_IFLNK && !has(TOOL_SYMLINKS))
		mode = S_IFREG;
	if (mode == S_IFLNK) {
		u32 length = 1 + pick(model, pick(model, 2) ? 59 : 600);

		memset(target, 'a', length);
		target[length] = 0;
	}
	error = image_create(&model->image, entry->path, mode | 0644, mode == S_IFLNK ? target : NULL);
	if (error == -ENOSPC)
		return 0;
	if (error)
		return fail(model, "create", entry->path, error);
	entry->object = calloc(1, sizeof(*entry->object));
	entry->object->mode = mode;
	entry->object->links = 1;
	if (mode == S_IFLNK) {
		entry->object->data = strdup(target);
		entry->object->size = strlen(target);
	}
	return 0;
}

static void object_resize(struct object *object, size_t size)
{
	if (size > object->size) {
		object->data = realloc(object->data, size);
		memset(object->data + object->size, 0, size - object->size);
	}
	object->size = size;
}

static int write_some(struct model *model)
{
	struct entry *entry = existing(model, S_IFREG);
	u32 offset = pick(model, SIZE_MAX_TRIED),
	    size = 1 + pick(model, pick(model, 4) ? 9000 : 100000);
	static char data[100001];
	ssize_t done;

	if (!entry)
		return 0;
	if (pick(model, 2) && entry->object->size < SIZE_MAX_TRIED) /* at the end, as files grow */
		offset = (u32)entry->object->size;
	for (u32 i = 0; i < size; i++)
		data[i] = (char)(model->step * 31 + (int)i * 7);
	done = image_write(&model->image, entry->path, offset, data, size);
	if (done == -ENOSPC)
		return 2;
	if (done != (ssize_t)size && done < 0)
		return fail(model, "write", entry->path, done);
	if (offset + (size_t)done > entry->object->size)
		object_resize(entry->object, offset + (size_t)done);
	memcpy(entry->object->data + offset, data, (size_t)done);
	return 0;
}

static int truncate_some(struct model *model)
{
	struct entry *entry = existing(model, S_IFREG);
	u32 size = pick(model, pick(model, 3) ? 20000 : SIZE_MAX_TRIED);
	int error;

	if (!entry)
		return 0;
	error = image_truncate(&model->image, entry->path, size);
	if (error == -ENOSPC)
		return 0;
	if (error)
		return fail(model, "truncate", entry->path, error);
	object_resize(entry->object, size);
	return 0;
}

static int allocate_some(struct model *model)
{
	static const int modes[] = { 0,
				     FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_ZERO_RANGE,
				     FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };
	struct entry *entry = existing(model, S_IFREG);
	u32 offset = pick(model, SIZE_MAX_TRIED), length = 1 + pick(model, 60000), end = offset + length;
	int mode = modes[pick(model, 6)], error;
	struct object *object;

	if (!entry)
		return 0;
	object = entry->object;
	if (!has(TOOL_HOLES))
		mode &= FALLOC_FL_KEEP_SIZE;
	error = image_allocate(&model->image, entry->path, mode, offset, length);
	if (error == -ENOSPC)
		return 2;
	if (error == -EOPNOTSUPP && !(mode & FALLOC_FL_PUNCH_HOLE))
		return 0; /* a block map */
	if (error)
		return fail(model, "fallocate", entry->path, error);
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE) && offset < object->size)
		memset(object->data + offset, 0, (end < object->size ? end : object->size) - offset);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > object->size)
		object_resize(object, end);
	return 0;
}

static int unlink_some(struct model *model)
{
	struct entry *entry = existing(model, 0);
	int error, expected;

	if (!entry)
		return 0;
	expected = entry->object->mode == S_IFDIR && has_children(model, entry->path) ? -ENOTEMPTY : 0;
	error = image_unlink(&model->image, entry->path);
	if (error == -ENOSPC)
		return 0;
	if (error != expected)
		return fail(model, "unlink", entry->path, error);
	if (!error) {
		object_put(entry->object);
		entry->object = NULL;
	}
	return 0;
}

static int link_some(struct model *model)
{
	struct entry *from = existing(model, S_IFREG), *to = unused(model);
	int error;

	if (!has(TOOL_LINKS) || !from || !to || !new_path(model, to->path))
		return 0;
	error = image_link(&model->image, from->path, to->path);
	if (error == -ENOSPC)
		return 0;
	if (error)
		return fail(model, "link", to->path, error);
	to->object = from->object;
	to->object->links++;
	return 0;
}

/* All paths below `from` are below `to` from now on. */
static void paths_move(struct model *model, const char *from, const char *to)
{
	char was[600], moved[600];

	snprintf(was, sizeof(was), "%s", from);
	for (int i = 0; i < PATHS; i++) {
		struct entry *entry = &model->entries[i];

		if (!entry->object || !is_below(entry->path, was))
			continue;
		if (snprintf(moved, sizeof(moved), "%s%s", to, entry->path + strlen(was)) >=
		    (int)sizeof(moved))
			abort();
		strcpy(entry->path, moved);
	}
}

static bool fits_below(struct model *model, const char *from, const char *to)
{
	for (int i = 0; i < PATHS; i++)
		if (model->entries[i].object && is_below(model->entries[i].path, from) &&
		    strlen(model->entries[i].path) - strlen(from) + strlen(to) > 590)
			return false;
	return true;
}

static int rename_some(struct model *model)
{
	struct entry *from = existing(model, 0), *there = pick(model, 2) ? existing(model, 0) : NULL;
	char to[600];
	int error, expected = 0;

	if (!from || (!there && !new_path(model, to)))
		return 0;
	if (there)
		strcpy(to, there->path);
	if (!strcmp(to, from->path) || is_below(to, from->path) || is_below(from->path, to) ||
	    !fits_below(model, from->path, to))
		return 0; /* the core answers these */
	if (there && (there->object->mode == S_IFDIR) != (from->object->mode == S_IFDIR))
		return 0;
	if (there && there->object->mode == S_IFDIR && has_children(model, to))
		expected = -ENOTEMPTY;
	if (there && there->object == from->object)
		return 0;
	error = image_rename(&model->image, from->path, to, 0);
	if (error == -ENOSPC)
		return 0;
	if (error != expected)
		return fail(model, "rename", from->path, error);
	if (error)
		return 0;
	if (there) {
		object_put(there->object);
		there->object = NULL;
	}
	if (from->object->mode == S_IFDIR)
		paths_move(model, from->path, to);
	strcpy(from->path, to);
	return 0;
}

static int exchange_some(struct model *model)
{
	struct entry *a = existing(model, 0), *b = existing(model, 0);
	struct object *object;
	char first[600];
	int error;

	if (!a || !b || a == b || is_below(a->path, b->path) || is_below(b->path, a->path) ||
	    a->object == b->object || !fits_below(model, a->path, b->path) ||
	    !fits_below(model, b->path, a->path))
		return 0;
	error = image_rename(&model->image, a->path, b->path, RENAME_EXCHANGE);
	if (error)
		return fail(model, "exchange", a->path, error);
	snprintf(first, sizeof(first), "%s", a->path);
	paths_move(model, first, "\1");
	paths_move(model, b->path, first);
	paths_move(model, "\1", b->path);
	object = a->object;
	a->object = b->object;
	b->object = object;
	return 0;
}

static int attribute_some(struct model *model)
{
	struct entry *entry = existing(model, 0);
	u32 which = pick(model, ATTRIBUTES), size = pick(model, pick(model, 3) ? 60 : 700);
	char name[40], *value;
	int error;

	if (!entry || !has(TOOL_ATTRIBUTES))
		return 0;
	snprintf(name, sizeof(name), which % 2 ? "trusted.of_%u" : "user.number_%u", which);
	value = pick(model, 4) ? calloc(1, size + 1) : NULL;
	for (u32 i = 0; value && i < size; i++)
		value[i] = (char)(model->step + (int)i);
	error = image_set_attribute(&model->image, entry->path, name, value, size);
	if (error == -ENOSPC || (error == -ENODATA && !value && !entry->object->attribute[which])) {
		free(value);
		return 0;
	}
	if (error)
		return fail(model, "set attribute", entry->path, error);
	free(entry->object->attribute[which]);
	entry->object->attribute[which] = value;
	entry->object->attribute_size[which] = size;
	return 0;
}

/* ---- Comparing ---- */

static int compare_attributes(struct model *model, struct entry *entry)
{
	char name[40], value[1024];

	for (u32 i = 0; i < ATTRIBUTES && has(TOOL_ATTRIBUTES); i++) {
		ssize_t size;

		snprintf(name, sizeof(name), i % 2 ? "trusted.of_%u" : "user.number_%u", i);
		size = image_get_attribute(&model->image, entry->path, name, value, sizeof(value));
		if (!entry->object->attribute[i]
			    ? size != -ENODATA
			    : size != (ssize_t)entry->object->attribute_size[i] ||
				      memcmp(value, entry->object->attribute[i], (size_t)size))
			return fail(model, "attribute", entry->path, size);
	}
	return 0;
}

static int compare_one(struct model *model, struct entry *entry)
{
	struct object *object = entry->object;
	struct node *node = image_node(&model->image, entry->path);
	static char data[SIZE_MAX_TRIED + 200000];
	ssize_t got;

	if (IS_ERR(node))
		return fail(model, "look up", entry->path, PTR_ERR(node));
	if ((node->attr.mode & S_IFMT) != object->mode ||
	    (object->mode != S_IFDIR &&
	     (node_size(node) != object->size || (int)node->attr.nlink != object->links)))
		return fail(model, "attributes", entry->path, (long)node_size(node));
	node_put(node);
	if (object->mode != S_IFDIR) {
		memset(data, 0x55, object->size + 1);
		got = image_read(&model->image, entry->path, 0, data, sizeof(data));
		if (got != (ssize_t)object->size)
			return fail(model, "read", entry->path, got);
		for (size_t i = 0; i < object->size; i++)
			if (data[i] != object->data[i])
				return fail(model, "contents", entry->path, (long)i);
	}
	return compare_attributes(model, entry);
}

struct count {
	struct model *model;
	const char *dir;
	int found, strange;
};

static void count_name(void *context, const char *name, u64 number)
{
	struct count *count = context;
	char path[1200];

	snprintf(path, sizeof(path), "%s/%s", count->dir, name);
	if (find(count->model, path))
		count->found++;
	else if (strcmp(path, "/lost+found"))
		count->strange++;
}

static int compare_directory(struct model *model, const char *dir)
{
	struct count count = { .model = model, .dir = dir };
	int error = image_list(&model->image, dir, count_name, &count), expected = 0;

	for (int i = 0; i < PATHS; i++)
		if (model->entries[i].object && is_below(model->entries[i].path, dir) &&
		    !strchr(model->entries[i].path + strlen(dir) + 1, '/'))
			expected++;
	if (error || count.strange || count.found != expected)
		return fail(model, "list", dir, error ? error : count.found - expected);
	return 0;
}

static int compare(struct model *model)
{
	int wrong = compare_directory(model, "");

	for (int i = 0; i < PATHS && !wrong; i++) {
		struct entry *entry = &model->entries[i];

		if (entry->object)
			wrong = compare_one(model, entry);
		if (!wrong && entry->object && entry->object->mode == S_IFDIR)
			wrong = compare_directory(model, entry->path);
	}
	return wrong;
}

static int remount(struct model *model)
{
	int status;

	image_close(&model->image);
	model->image = (struct image){ .fd = -1 };
	status = check_image(model->path);
	if (status)
		return fail(model, image_tool.checker[0], model->path, status);
	status = image_open(&model->image, model->path, model->options, false);
	return status ? fail(model, "mount", model->path, status) : compare(model);
}

static int step(struct model *model)
{
	static int (*const operations[])(struct model *) = {
		create,	       create,	      create,	     write_some,     write_some,
		write_some,    write_some,    write_some,    truncate_some,  truncate_some,
		allocate_some, allocate_some, unlink_some,   unlink_some,    link_some,
		rename_some,   rename_some,   exchange_some, attribute_some, attribute_some,
	};
	struct entry *entry;

	switch (pick(model, 60)) {
	case 0:
		return image_sync(&model->image) ? fail(model, "sync", "", 0) : 0;
	case 1:
		entry = existing(model, S_IFREG);
		return entry && image_fsync(&model->image, entry->path)
			       ? fail(model, "fsync", entry->path, 0)
			       : 0;
	case 2:
		device_write_back(model->image.device, 1 + pick(model, 4));
		return 0;
	default:
		return operations[pick(model, ARRAY_SIZE(operations))](model);
	}
}

int random_main(int count, char **words)
{
	static struct model model;
	int steps = count > 2 ? atoi(words[2]) : 0, wrong;

	if (count < 3)
		return 2;
	model.path = words[0];
	model.options = tool_options;
	model.state = (u64)atoll(words[1]) * 0x9e3779b97f4a7c15ULL + 1;
	wrong = image_open(&model.image, model.path, model.options, false);
	if (wrong) {
		fprintf(stderr, "not mounted: error %d\n", wrong);
		return 1;
	}
	for (model.step = 1; model.step <= steps && !wrong; model.step++) {
		wrong = step(&model);
		if (wrong == 2) { /* a write that found no room may have been done in part: such a file is not compared */
			wrong = 0;
			continue;
		}
		if (!wrong && model.step % 500 == 0)
			wrong = remount(&model);
	}
	if (!wrong)
		wrong = remount(&model);
	image_close(&model.image);
	for (int i = 0; i < PATHS; i++)
		if (model.entries[i].object)
			object_put(model.entries[i].object);
	return wrong;
}
