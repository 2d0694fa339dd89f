/*
 * srv: a folder in which a process posts an open descriptor under a name, and others open it (Plan 9's srv(3)).
 *
 *	mount -t srv none /srv
 *	sh -c 'exec 3<>/tmp/log; echo 3 > /srv/log'     posts what descriptor 3 is open on
 *	echo hello >> /srv/log                          writes to that
 *
 * There is one such folder, wherever it is mounted. A new file is empty until the number of a descriptor is written to it, in
 * decimal, by who has it open; from then on to open the name gives that open file itself: its offset, its flags, whatever it
 * is open on. The name's mode and owner say who may; nobody gets more than what was posted allows. To remove the name ends that,
 * but for those who have it open. The names are gone with the last mount.
 */
#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/mutex.h>
#include <kumo/namespace.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>

#define MAGIC 0x737276 /* "srv" */

/* A name. Held by its node; in the list, which holds the node, until it is removed. */
struct post {
	struct list link;
	u64 place; /* in listings, 2 and up */
	struct node *node;
	struct file *file; /* what is posted; NULL: nothing yet. Set once, under `lock` */
	u32 length;
	char name[];
};

static struct mutex lock = MUTEX_INIT(lock, "srv"); /* of what follows */
static struct list posts = LIST_INIT(posts);
static u64 last_place;

static const struct tree_ops srv_ops;

static struct post *find(const struct name *name)
{
	struct post *post;

	list_for_each(post, &posts, link)
		if (post->length == name->length && !memcmp(post->name, name->text, name->length))
			return post;
	return NULL;
}

static int srv_walk(struct node *dir, const struct name *names, unsigned int count,
		    struct node **nodes, u64 *negative_until_ns, const struct cred *cred)
{
	struct post *post;

	mutex_lock(&lock);
	post = find(names);
	if (post)
		nodes[0] = node_get(post->node);
	mutex_unlock(&lock);
	return post ? 1 : -ENOENT;
}

static struct node *node_make(struct tree *tree, u32 mode, u32 uid, u32 gid, struct post *post)
{
	s64 now = (s64)time_realtime_ns();
	struct attr attr = { .id = tree_next_id(),
			     .mode = mode,
			     .uid = uid,
			     .gid = gid,
			     .nlink = S_ISDIR(mode) ? 2 : 1,
			     .block_size = PAGE_SIZE,
			     .atime_ns = now,
			     .mtime_ns = now,
			     .ctime_ns = now,
			     .btime_ns = now,
			     .believe_until_ns = BELIEVE_FOREVER };

	return node_alloc(tree, &attr, post);
}

static int srv_create(struct node *dir, const struct name *name, const struct node_new *what,
		      struct node **made, const struct cred *cred)
{
	struct post *post;

	if (!S_ISREG(what->mode))
		return -EPERM;
	post = kzalloc(sizeof(*post) + name->length, GFP_USER);
	if (!post)
		return -ENOMEM;
	post->length = name->length;
	memcpy(post->name, name->text, name->length);
	post->node = node_make(dir->tree, what->mode, what->uid, what->gid, post);
	if (!post->node) {
		kfree(post);
		return -ENOMEM;
	}
	mutex_lock(&lock);
	post->place = ++last_place + 1;
	list_add_tail(&posts, &post->link);
	mutex_unlock(&lock);
	node_touch(dir, false, true, true);
	*made = node_get(post->node);
	return 0;
}

static int srv_unlink(struct node *dir, const struct name *name, struct node *node, bool directory,
		      const struct cred *cred)
{
	struct post *post = node->private;

	mutex_lock(&lock);
	list_del_init(&post->link);
	mutex_unlock(&lock);
	node->attr.nlink = 0;
	node_touch(dir, false, true, true);
	node_put(node); /* the list's; the core has one, too */
	return 0;
}

static int srv_setattr(struct node *node, const struct attr_change *change, const struct cred *cred)
{
	struct attr_change kept = *change;

	kept.valid &= ~(u32)SETATTR_SIZE; /* open with O_TRUNC, as shells do */
	node_setattr_copy(node, &kept);
	return 0;
}

/* What is posted, if it may be had so; an empty name can only be written to. */
static int srv_open(struct file *file, const struct cred *cred)
{
	struct post *post = file->node->private;
	u32 wanted = file->mode & (FILE_READ | FILE_WRITE);
	struct file *posted;

	if (!post)
		return 0;			/* the folder */
	posted = smp_load_acquire(&post->file); /* pairs with post_file(); stays as long as the node */
	if (!posted)
		return wanted == FILE_WRITE ? 0 : -ENXIO;
	if (wanted & ~posted->mode)
		return -EACCES;
	file->private = file_get(posted);
	return OPEN_INSTEAD;
}

static int post_file(struct post *post, struct file *file)
{
	int error = -EBUSY;

	if (file->ops == &srv_ops)
		return -EINVAL; /* a name for a name */
	mutex_lock(&lock);
	if (!post->file) {
		smp_store_release(&post->file, file_get(file));
		error = 0;
	}
	mutex_unlock(&lock);
	return error;
}

/* The number of a descriptor of who writes. */
static ssize_t srv_write(struct file *file, struct iter *from, loff_t *pos)
{
	size_t size = from->count;
	char text[16];
	u64 number;
	int error;

	if (!size || size >= sizeof(text))
		return -EINVAL;
	if (iter_copy_from(from, text, size) != size)
		return -EFAULT;
	text[size] = '\0';
	if (parse_u64(text, 10, &number) || number > 0x7fffffff)
		return -EINVAL;
	struct file *posted = fd_get((unsigned int)number);

	if (!posted)
		return -EBADF;
	error = post_file(file->node->private, posted);
	file_put(posted);
	return error ? error : (ssize_t)size;
}

static int srv_readdir(struct file *file, struct dir_context *context)
{
	struct post *post;

	if (!dir_emit_dots(file, context))
		return 0;
	mutex_lock(&lock);
	list_for_each(post, &posts, link) {
		if (post->place < (u64)context->offset)
			continue;
		if (!context->add(context, post->name, post->length, post->place + 1,
				  post->node->attr.id, DT_REG))
			break;
		context->offset = (loff_t)post->place + 1;
	}
	mutex_unlock(&lock);
	return 0;
}

static int srv_attach(struct tree *tree, const struct cred *cred)
{
	tree->magic = MAGIC;
	tree->root = node_make(tree, S_IFDIR | S_ISVTX | 0777, 0, 0, NULL);
	return tree->root ? 0 : -ENOMEM;
}

static void srv_unmounted(struct tree *tree)
{
	while (!list_empty(&posts)) { /* nobody else can look any more */
		struct post *post = list_first(&posts, struct post, link);

		list_del_init(&post->link);
		node_put(post->node);
	}
}

static void srv_forget(struct node *node)
{
	struct post *post = node->private;

	if (!post)
		return;
	if (post->file)
		file_put(post->file);
	kfree(post);
}

static const struct tree_ops srv_ops = {
	.attach = srv_attach,
	.unmounted = srv_unmounted,
	.walk = srv_walk,
	.create = srv_create,
	.unlink = srv_unlink,
	.setattr = srv_setattr,
	.open = srv_open,
	.write = srv_write,
	.readdir = srv_readdir,
	.forget = srv_forget,
};

static struct tree_type srv_type = { .name = "srv",
				     .ops = &srv_ops,
				     .owner = THIS_MODULE,
				     .flags = TREE_TYPE_SINGLE | TREE_TYPE_FOR_ALL };

static int __init srv_init(void)
{
	return tree_type_register(&srv_type);
}

static void __exit srv_exit(void)
{
	tree_type_unregister(&srv_type);
}

module_init(srv_init);
module_exit(srv_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("a folder of open files that processes post for others");
MODULE_ALIAS("fs-srv");
