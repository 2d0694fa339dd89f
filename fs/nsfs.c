/*
 * Files that stand for namespaces: where the links in /proc/PID/ns lead. An open one, or a bind mount of one, keeps its
 * namespace; setns(2) enters it. They lie in a tree that is mounted nowhere. Of all kinds but that of mounts there is one namespace, with
 * the number that Linux gives its first one.
 */
#include <kumo/pseudo.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/uaccess.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <linux/sched.h>

#include "internal.h"
#include "mount_internal.h"

static struct mount *namespace_mount;

static const struct {
	const char *name;
	unsigned long flag; /* CLONE_NEW* */
	u64 id;
} kinds[NAMESPACE_KINDS] = {
	[NAMESPACE_CGROUP] = { "cgroup", CLONE_NEWCGROUP, 4026531835 },
	[NAMESPACE_IPC] = { "ipc", CLONE_NEWIPC, 4026531839 },
	[NAMESPACE_MOUNTS] = { "mnt", CLONE_NEWNS },
	[NAMESPACE_NET] = { "net", CLONE_NEWNET, 4026531840 },
	[NAMESPACE_PID] = { "pid", CLONE_NEWPID, 4026531836 },
	[NAMESPACE_TIME] = { "time", CLONE_NEWTIME, 4026531834 },
	[NAMESPACE_USER] = { "user", CLONE_NEWUSER, 4026531837 },
	[NAMESPACE_UTS] = { "uts", CLONE_NEWUTS, 4026531838 },
};

/* What a node stands for: a kind, or a namespace of mounts, which it holds. */
struct shown {
	enum namespace_kind kind;
	struct namespace *mounts;
};

static const struct tree_ops namespace_ops;

static struct shown *shown_by(const struct node *node)
{
	return node->ops == &namespace_ops && S_ISREG(node->attr.mode) ? node->private : NULL;
}

struct namespace *node_namespace(const struct node *node)
{
	const struct shown *shown = shown_by(node);

	return shown ? shown->mounts : NULL;
}

unsigned long namespace_of_file(struct file *file, struct namespace **mounts)
{
	const struct shown *shown = shown_by(file->node);

	*mounts = NULL;
	if (!shown)
		return 0;
	if (shown->mounts)
		*mounts = namespace_get(shown->mounts);
	return kinds[shown->kind].flag;
}

static u64 id_of(enum namespace_kind kind, const struct namespace *mounts)
{
	return kind == NAMESPACE_MOUNTS ? mounts->id : kinds[kind].id;
}

int namespace_text(enum namespace_kind kind, const struct namespace *mounts, char *buffer, size_t size)
{
	return scnprintf(buffer, size, "%s:[%llu]", kinds[kind].name,
			 (unsigned long long)id_of(kind, mounts));
}

int namespace_path(enum namespace_kind kind, struct namespace *mounts, struct path *path)
{
	struct attr attr = { .id = id_of(kind, mounts),
			     .mode = S_IFREG | 0444,
			     .nlink = 1,
			     .block_size = PAGE_SIZE,
			     .believe_until_ns = BELIEVE_FOREVER };
	struct shown *shown = kzalloc(sizeof(*shown), GFP_KERNEL);
	struct node *node = shown ? node_alloc(namespace_mount->tree, &attr, shown) : NULL;
	char text[40];

	if (!node) {
		kfree(shown);
		return -ENOMEM;
	}
	shown->kind = kind;
	if (kind == NAMESPACE_MOUNTS)
		shown->mounts = namespace_get(mounts);
	(void)namespace_text(kind, mounts, text, sizeof(text));
	path->mount = namespace_mount;
	path->entry = entry_make_loose(node, text);
	node_put(node);
	if (!path->entry)
		return -ENOMEM;
	mount_get(path->mount);
	return 0;
}

static void namespace_forget(struct node *node)
{
	struct shown *shown = shown_by(node);

	if (shown && shown->mounts)
		namespace_put(shown->mounts);
	kfree(shown);
}

static int namespace_open(struct file *file, const struct cred *cred)
{
	return file->mode & FILE_WRITE ? -EPERM : 0;
}

/* A descriptor of the one namespace of users, which all others belong to. */
static long open_users(void)
{
	struct path path;
	struct file *file;
	int error = namespace_path(NAMESPACE_USER, NULL, &path);

	if (error)
		return error;
	file = file_open(&path, O_RDONLY, current->cred);
	path_put(&path);
	return IS_ERR(file) ? PTR_ERR(file) : fd_add(file, O_CLOEXEC);
}

static long namespace_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	enum namespace_kind kind = shown_by(file->node)->kind;

	switch (command) {
	case NS_GET_NSTYPE:
		return (long)kinds[kind].flag;
	case NS_GET_USERNS:
		return kind == NAMESPACE_USER ? -EPERM : open_users();
	case NS_GET_PARENT:
		return kind == NAMESPACE_USER || kind == NAMESPACE_PID ? -EPERM : -EINVAL;
	case NS_GET_OWNER_UID:
		if (kind != NAMESPACE_USER)
			return -EINVAL;
		return put_user((u32)0, (u32 __user *)argument);
	default:
		return -ENOTTY;
	}
}

static int namespace_attach(struct tree *tree, const struct cred *cred)
{
	struct attr attr = {
		.id = 1, .mode = S_IFDIR | 0500, .nlink = 2, .believe_until_ns = BELIEVE_FOREVER
	};

	tree->magic = NSFS_MAGIC;
	tree->root = node_alloc(tree, &attr, NULL);
	return tree->root ? 0 : -ENOMEM;
}

static const struct tree_ops namespace_ops = {
	.attach = namespace_attach,
	.open = namespace_open,
	.ioctl = namespace_ioctl,
	.forget = namespace_forget,
};
struct tree_type namespace_tree_type = { .name = "nsfs", .ops = &namespace_ops };

void namespace_files_init(void)
{
	struct tree *tree = tree_attach(&namespace_tree_type, "nsfs", NULL, &root_cred);

	if (!IS_ERR(tree))
		namespace_mount = mount_alloc(tree, tree->root_entry, MS_NOSUID | MS_NODEV | MS_NOEXEC);
	if (!namespace_mount)
		panic("no memory for the tree of namespaces");
	tree_put(tree); /* the mount holds it */
}
