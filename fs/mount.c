/*
 * Mounts: which trees stand where. A mount covers an entry seen through another mount, and is found by that pair in a
 * hash, without a lock. Changes hold namespace->lock for writing, and names_lock with names_sequence for the moment in
 * which walkers could see them half done.
 *
 * A mount is counted per CPU, since each open file holds one and the counts of a mount would otherwise be the most
 * contended words of the machine. While it is attached the counts need no sum. Detaching takes its namespace away, waits for
 * a grace period, so that everybody counts under names_lock from then on, and drops the namespace's reference: from then
 * on the sum that reaches zero frees the mount.
 */
#include <kumo/export.h>
#include <kumo/percpu.h>
#include <kumo/pseudo.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/mount.h>

#include "internal.h"

/* umount2(2); the uapi headers leave these to libc. */
#define MNT_FORCE 1
#define MNT_DETACH 2
#define MNT_EXPIRE 4

#define MOUNT_BUCKETS 256
/* The flags that a mount itself keeps. */
#define MOUNT_FLAGS                                                                                \
	(MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | \
	 MS_NOSYMFOLLOW)

static struct hlist mount_buckets[MOUNT_BUCKETS]; /* changed under names_lock */
static atomic_t last_mount_id;

static struct hlist *mount_bucket(const struct mount *mount, const struct entry *entry)
{
	return &mount_buckets[(hash_u64((unsigned long)mount >> 6) ^ hash_u64((unsigned long)entry >> 4)) %
			      MOUNT_BUCKETS];
}

struct mount *mount_find_rcu(const struct mount *mount, const struct entry *entry)
{
	struct mount *found;

	hlist_for_each(found, mount_bucket(mount, entry), hash_link)
		if (found->over.mount == mount && found->over.entry == entry)
			return found;
	return NULL;
}

/* ---- Counting ---- */

static long mount_count(const struct mount *mount)
{
	long sum = 0;

	for_each_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(mount->counts, cpu)->refs);
	return sum;
}

static void mount_free_rcu(struct rcu_head *head)
{
	struct mount *mount = container_of(head, struct mount, rcu);

	free_percpu(mount->counts);
	kfree(mount);
}

void mount_put_detached(struct mount *mount)
{
	bool last;

	spin_lock(&names_lock);
	this_cpu_ptr(mount->counts)->refs -= 1;
	/* A walker that came too late takes and drops a reference of a mount that is going: it must not go twice. */
	last = !mount->doomed && mount_count(mount) == 0;
	if (last)
		mount->doomed = true;
	spin_unlock(&names_lock);
	if (!last)
		return;
	entry_put(mount->root);
	tree_put(mount->tree);
	call_rcu(&mount->rcu, mount_free_rcu);
}

void path_get(const struct path *path)
{
	mount_get(path->mount);
	entry_get(path->entry);
}

void path_put(const struct path *path)
{
	entry_put(path->entry);
	mount_put(path->mount);
}

struct mount *mount_alloc(struct tree *tree, struct entry *root, unsigned long flags)
{
	struct mount *mount = kzalloc(sizeof(*mount), GFP_KERNEL);

	if (!mount)
		return NULL;
	mount->counts = alloc_percpu(sizeof(*mount->counts), sizeof(long));
	if (!mount->counts) {
		kfree(mount);
		return NULL;
	}
	mount->id = atomic_inc_return(&last_mount_id);
	tree_get(tree);
	mount->tree = tree;
	entry_get(root);
	mount->root = root;
	mount->flags = flags & MOUNT_FLAGS;
	if (!(flags & (MS_NOATIME | MS_STRICTATIME)))
		mount->flags |= MS_RELATIME;
	list_init(&mount->children);
	list_init(&mount->sibling);
	list_init(&mount->namespace_link);
	mount_get(mount);
	return mount;
}

int mount_want_write(const struct mount *mount)
{
	return unlikely((mount->flags & MS_RDONLY) || (mount->tree->flags & TREE_READ_ONLY)) ? -EROFS
											     : 0;
}

/* Counted before the look, as mount_remount() forbids before it counts: one of the two sees the other. */
int mount_writer_get(struct mount *mount)
{
	int error;

	this_cpu_ptr(mount->counts)->writers += 1;
	smp_mb();
	error = mount_want_write(mount);
	if (error)
		mount_writer_put(mount);
	return error;
}

static bool mount_has_writers(const struct mount *mount)
{
	long sum = 0;

	for_each_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(mount->counts, cpu)->writers);
	return sum > 0;
}

/* Does any mount of the tree have writers? namespace->lock held. */
static bool tree_has_writers(const struct namespace *namespace, const struct tree *tree)
{
	const struct mount *mount;

	list_for_each(mount, &namespace->mounts, namespace_link)
		if (mount->tree == tree && mount_has_writers(mount))
			return true;
	return false;
}

/* ---- Crossing ---- */

void path_cross_mounts(struct path *path)
{
	while (READ_ONCE(path->entry->flags) & ENTRY_MOUNTED) {
		struct mount *mount;
		u32 sequence;

		rcu_read_lock();
		sequence = names_sequence_read();
		mount = mount_find_rcu(path->mount, path->entry);
		if (mount) {
			mount_get(mount);
			smp_mb(); /* counted before the check: who detaches sees the count, or we see the change */
		}
		if (unlikely(sequence & 1 || names_sequence_changed(sequence))) {
			rcu_read_unlock();
			if (mount)
				mount_put(mount);
			cpu_relax();
			continue;
		}
		rcu_read_unlock();
		if (!mount)
			return;
		entry_get(mount->root);
		path_put(path);
		*path = (struct path){ .mount = mount, .entry = mount->root };
	}
}

bool path_cross_up(struct path *path)
{
	struct path over;

	spin_lock(&names_lock);
	over = path->mount->over;
	if (over.mount)
		path_get(&over);
	spin_unlock(&names_lock);
	if (!over.mount)
		return false;
	path_put(path);
	*path = over;
	return true;
}

bool mount_stands_on(const struct namespace *namespace, const struct entry *entry)
{
	struct mount *mount;
	bool found = false;

	if (likely(!(READ_ONCE(entry->flags) & ENTRY_MOUNTED)))
		return false;
	spin_lock(&names_lock);
	for (unsigned int i = 0; i < MOUNT_BUCKETS && !found; i++)
		hlist_for_each(mount, &mount_buckets[i], hash_link)
			if (mount->over.entry == entry && (!namespace || mount->namespace == namespace))
				found = true;
	spin_unlock(&names_lock);
	return found;
}

/* ---- Attaching and detaching: namespace->lock held for writing ---- */

/* Puts the mount on `over`, whose reference it takes over. */
static void mount_link(struct mount *mount, const struct path *over, struct namespace *namespace)
{
	spin_lock(&names_lock);
	names_move_begin();
	mount->over = *over;
	mount->namespace = namespace;
	over->entry->flags |= ENTRY_MOUNTED;
	hlist_add(mount_bucket(over->mount, over->entry), &mount->hash_link);
	list_add_tail(&over->mount->children, &mount->sibling);
	names_move_end();
	spin_unlock(&names_lock);
	list_add_tail(&namespace->mounts, &mount->namespace_link);
	namespace->change_count++;
}

/* Takes it off; names_lock held, within a move. The reference of what it covered is the caller's now. */
static struct path mount_unlink(struct mount *mount)
{
	struct path over = mount->over;
	struct mount *other;
	bool covered = false;

	hlist_del(&mount->hash_link);
	list_del_init(&mount->sibling);
	mount->over = (struct path){};
	for (unsigned int i = 0; i < MOUNT_BUCKETS && !covered; i++)
		hlist_for_each(other, &mount_buckets[i], hash_link)
			if (other->over.entry == over.entry)
				covered = true;
	if (!covered)
		over.entry->flags &= ~ENTRY_MOUNTED;
	return over;
}

/* A place where something of kind `root` may be mounted. */
static int mount_place_ok(const struct path *over, const struct entry *root,
			  const struct namespace *namespace)
{
	if (over->mount->namespace != namespace)
		return -EINVAL;
	if (over->entry->flags & ENTRY_DELETED)
		return -ENOENT;
	if (S_ISDIR(path_node(over)->attr.mode) != S_ISDIR(root->node->attr.mode))
		return -ENOTDIR;
	return 0;
}

static void mount_place_unlock(struct namespace *namespace, const struct path *over)
{
	mutex_unlock(&path_node(over)->lock); /* first: the namespace's lock keeps what stands there */
	up_write(&namespace->lock);
	wake_up_all(&namespace->changed);
}

/* Finds what is on top at the place, and locks it, so that it is not removed meanwhile, and the namespace. */
static int mount_place_lock(const struct path *at, struct namespace *namespace, struct path *over)
{
	*over = *at;
	path_get(over);
	for (;;) {
		struct path top;
		int error;

		path_cross_mounts(over);
		error = mutex_lock_killable(&path_node(over)->lock);
		if (error) {
			path_put(over);
			return error;
		}
		error = down_write_killable(&namespace->lock);
		if (error) {
			mutex_unlock(&path_node(over)->lock);
			path_put(over);
			return error;
		}
		top = *over;
		path_get(&top);
		path_cross_mounts(&top);
		if (path_equal(&top, over)) {
			path_put(&top);
			return 0;
		}
		up_write(&namespace->lock);
		mutex_unlock(&path_node(over)->lock);
		path_put(over);
		*over = top;
	}
}

int mount_attach(struct tree *tree, const struct path *at, unsigned long flags)
{
	struct namespace *namespace = fs_current()->namespace;
	struct mount *mount = mount_alloc(tree, tree->root_entry, flags);
	struct path over;
	int error;

	if (!mount)
		return -ENOMEM;
	error = mount_place_lock(at, namespace, &over);
	if (error)
		goto out_mount;
	error = mount_place_ok(&over, mount->root, namespace);
	if (!error && over.mount->tree == tree && over.entry == over.mount->root)
		error = -EBUSY; /* the very tree stands there already */
	if (!error)
		mount_link(mount, &over, namespace);
	mount_place_unlock(namespace, &over);
	if (!error)
		return 0;
	path_put(&over);
out_mount:
	mount_put(mount);
	return error;
}

/* Detaches `top` and all that stands on it. namespace->lock is held for writing, and released. */
static int mount_detach_locked(struct mount *top, struct namespace *namespace, bool lazy, long references)
{
	struct list going = LIST_INIT(going);
	struct mount *mount, *child;

	spin_lock(&names_lock);
	names_move_begin(); /* from here on no walk without references ends in success, so the count is the count */
	if (!lazy && (!list_empty(&top->children) || mount_count(top) != references)) {
		names_move_end();
		spin_unlock(&names_lock);
		up_write(&namespace->lock);
		return -EBUSY;
	}
	list_add_tail(&going, &top->work_link);
	list_for_each(mount, &going, work_link)
		list_for_each(child, &mount->children, sibling)
			list_add_tail(&going, &child->work_link);
	list_for_each(mount, &going, work_link) {
		mount->detached_from = mount->over.mount ? mount_unlink(mount) : (struct path){};
		WRITE_ONCE(mount->namespace, NULL);
		list_del_init(&mount->namespace_link);
	}
	names_move_end();
	spin_unlock(&names_lock);
	namespace->change_count++;
	up_write(&namespace->lock);
	wake_up_all(&namespace->changed);

	/* Whoever saw the namespace still there has counted by now; from here on all count under names_lock. */
	synchronize_rcu();
	while (!list_empty(&going)) {
		/* Children first: a parent is held by what stands on it. */
		mount = list_last(&going, struct mount, work_link);
		list_del(&mount->work_link);
		if (mount->detached_from.mount)
			path_put(&mount->detached_from);
		mount_put(mount);
	}
	return 0;
}

int mount_detach(const struct path *path, int flags)
{
	struct namespace *namespace = fs_current()->namespace;
	struct mount *mount = path->mount;
	int error = down_write_killable(&namespace->lock);

	if (error)
		return error;
	/* Only whole mounts of this namespace, and never its root. */
	error = -EINVAL;
	if (path->entry != mount->root || mount->namespace != namespace || !mount->over.mount)
		goto out;
	if (flags & MNT_EXPIRE) { /* the first call only marks */
		if (flags & (MNT_FORCE | MNT_DETACH))
			goto out;
		error = -EBUSY;
		if (!list_empty(&mount->children) || mount_count(mount) != 2)
			goto out;
		error = -EAGAIN;
		if (!mount->expiring) {
			mount->expiring = true;
			goto out;
		}
	}
	return mount_detach_locked(mount, namespace, flags & MNT_DETACH,
				   2 /* the namespace's and the caller's */);
out:
	up_write(&namespace->lock);
	return error;
}

/* ---- Bind, move, remount ---- */

/* Copies the mounts that stand on `from`, below the root of its copy `to`, and on those. What stands elsewhere (on a directory
 * that was moved out of what is bound) is left out. */
static int mount_copy_children(struct mount *from, struct mount *to, struct list *made)
{
	struct list queue = LIST_INIT(queue);
	struct mount *mount, *child;

	from->copy = to;
	list_add_tail(&queue, &from->work_link);
	list_for_each(mount, &queue, work_link)
		list_for_each(child, &mount->children, sibling) {
			struct path over = { .mount = mount->copy, .entry = child->over.entry };
			bool inside;

			spin_lock(&names_lock);
			inside = entry_is_below(over.entry, mount->copy->root);
			spin_unlock(&names_lock);
			if (!inside)
				continue;
			child->copy = mount_alloc(child->tree, child->root, child->flags);
			if (!child->copy)
				return -ENOMEM;
			path_get(&over);
			child->copy->over = over; /* not yet to be found: linked when all are made */
			list_add_tail(made, &child->copy->work_link);
			list_add_tail(&queue, &child->work_link);
		}
	return 0;
}

int mount_bind(const struct path *from, const struct path *at, bool recursive)
{
	struct namespace *namespace = fs_current()->namespace;
	struct list made = LIST_INIT(made);
	struct mount *mount, *copy;
	struct path over;
	int error = mount_place_lock(at, namespace, &over);

	if (error)
		return error;
	error = from->mount->namespace != namespace ? -EINVAL
						    : mount_place_ok(&over, from->entry, namespace);
	if (error)
		goto fail;
	error = -ENOMEM;
	mount = mount_alloc(from->mount->tree, from->entry, from->mount->flags);
	if (!mount)
		goto fail;
	error = recursive ? mount_copy_children(from->mount, mount, &made) : 0;
	if (!error)
		mount_link(mount, &over, namespace);
	while (!list_empty(&made)) {
		copy = list_first(&made, struct mount, work_link);
		list_del(&copy->work_link);
		if (!error) {
			struct path place = copy->over;

			mount_link(copy, &place, namespace);
		} else {
			path_put(&copy->over);
			mount_put(copy);
		}
	}
	if (error)
		mount_put(mount);
fail:
	mount_place_unlock(namespace, &over);
	if (error)
		path_put(&over);
	return error;
}

int mount_move(const struct path *from, const struct path *at)
{
	struct namespace *namespace = fs_current()->namespace;
	struct mount *mount = from->mount, *above;
	struct path over, old;
	int error = mount_place_lock(at, namespace, &over);

	if (error)
		return error;
	error = -EINVAL;
	if (from->entry != mount->root || mount->namespace != namespace || !mount->over.mount)
		goto fail;
	error = mount_place_ok(&over, mount->root, namespace);
	if (error)
		goto fail;
	error = -ELOOP;
	for (above = over.mount; above; above = above->over.mount)
		if (above == mount)
			goto fail;
	spin_lock(&names_lock);
	names_move_begin();
	old = mount_unlink(mount);
	mount->over = over;
	over.entry->flags |= ENTRY_MOUNTED;
	hlist_add(mount_bucket(over.mount, over.entry), &mount->hash_link);
	list_add_tail(&over.mount->children, &mount->sibling);
	names_move_end();
	spin_unlock(&names_lock);
	namespace->change_count++;
	mount_place_unlock(namespace, &over);
	path_put(&old);
	return 0;
fail:
	mount_place_unlock(namespace, &over);
	path_put(&over);
	return error;
}

/* namespace->lock held. bind: of this mount alone, else of its tree, too. -EBUSY: something is open for writing. */
static int mount_change_flags(struct mount *mount, unsigned long flags, bool bind)
{
	unsigned long kept = flags & MOUNT_FLAGS, before = mount->flags;
	struct tree *tree = mount->tree;
	unsigned int tree_before = tree->flags;

	if (!(flags & (MS_NOATIME | MS_STRICTATIME)))
		kept |= MS_RELATIME;
	WRITE_ONCE(mount->flags, kept);
	if (!bind && (flags & MS_RDONLY))
		tree->flags |= TREE_READ_ONLY;
	else if (!bind)
		tree->flags &= ~(unsigned int)TREE_READ_ONLY;
	smp_mb(); /* pairs with the one in mount_writer_get() */
	if (!(flags & MS_RDONLY) ||
	    !(bind ? mount_has_writers(mount) : tree_has_writers(mount->namespace, tree)))
		return 0;
	tree->flags = tree_before;
	WRITE_ONCE(mount->flags, before);
	return -EBUSY;
}

int mount_remount(const struct path *path, unsigned long flags, bool bind)
{
	struct namespace *namespace = fs_current()->namespace;
	struct mount *mount = path->mount;
	int error = down_write_killable(&namespace->lock);

	if (error)
		return error;
	error = -EINVAL;
	if (path->entry == mount->root && mount->namespace == namespace) {
		namespace->change_count++;
		error = mount_change_flags(mount, flags, bind);
	}
	up_write(&namespace->lock);
	wake_up_all(&namespace->changed);
	return error;
}

int kernel_mount(const char *type_name, const char *source, const char *target, unsigned long flags,
		 const char *options)
{
	struct tree_type *type = tree_type_get(type_name);
	struct tree *tree;
	struct path over;
	int error;

	if (IS_ERR(type))
		return PTR_ERR(type);
	tree = tree_attach(type, source, options, &root_cred);
	tree_type_put(type);
	if (IS_ERR(tree))
		return PTR_ERR(tree);
	error = path_walk(NULL, target, WALK_FOLLOW, &root_cred, &over);
	if (!error) {
		error = mount_attach(tree, &over, flags);
		path_put(&over);
	}
	tree_put(tree);
	return error;
}

/* ---- /proc/PID/mounts ---- */

static void show_escaped(struct text *text, const char *s)
{
	for (; *s; s++)
		if (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\\')
			text_printf(text, "\\%03o", (unsigned int)(u8)*s);
		else
			text_putc(text, *s);
}

static void show_flags(struct text *text, const struct mount *mount)
{
	static const struct {
		unsigned long flag;
		const char *name;
	} names[] = {
		{ MS_NOSUID, ",nosuid" },	    { MS_NODEV, ",nodev" },
		{ MS_NOEXEC, ",noexec" },	    { MS_NOATIME, ",noatime" },
		{ MS_NODIRATIME, ",nodiratime" },   { MS_RELATIME, ",relatime" },
		{ MS_NOSYMFOLLOW, ",nosymfollow" },
	};

	text_puts(text, mount_want_write(mount) ? "ro" : "rw");
	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (mount->flags & names[i].flag)
			text_puts(text, names[i].name);
}

static void show_options(struct text *text, const struct tree *tree)
{
	if (tree->options && *tree->options)
		text_printf(text, ",%s", tree->options);
}

static void show_table_line(struct text *text, const struct mount *mount, const char *place)
{
	const struct tree *tree = mount->tree;

	show_escaped(text, tree->source);
	text_putc(text, ' ');
	show_escaped(text, place);
	text_printf(text, " %s ", tree->type->name);
	show_flags(text, mount);
	show_options(text, tree);
	text_puts(text, " 0 0\n");
}

static void show_info_line(struct text *text, const struct mount *mount, const char *place,
			   const char *root)
{
	const struct tree *tree = mount->tree;

	text_printf(text, "%d %d %u:%u ", mount->id,
		    mount->over.mount ? mount->over.mount->id : mount->id,
		    (u32)(tree->device >> 8) & 0xfff,
		    (u32)(tree->device & 0xff) | (u32)(tree->device >> 12 & ~0xffU));
	show_escaped(text, root);
	text_putc(text, ' ');
	show_escaped(text, place);
	text_putc(text, ' ');
	show_flags(text, mount);
	text_printf(text, " - %s ", tree->type->name);
	show_escaped(text, tree->source);
	text_puts(text, tree->flags & TREE_READ_ONLY ? " ro" : " rw");
	show_options(text, tree);
	text_putc(text, '\n');
}

static void show_statistics_line(struct text *text, const struct mount *mount, const char *place)
{
	text_puts(text, "device ");
	show_escaped(text, mount->tree->source);
	text_puts(text, " mounted on ");
	show_escaped(text, place);
	text_printf(text, " with fstype %s\n", mount->tree->type->name);
}

void mounts_show(struct text *text, struct fs_context *fs, enum mounts_form form)
{
	struct namespace *namespace = fs->namespace;
	struct path top;
	char *buffer = kmalloc(2 * PATH_MAX_BYTES, GFP_KERNEL);
	struct mount *mount;

	if (!buffer) {
		text->failed = true;
		return;
	}
	fs_root_of(fs, &top);
	down_read(&namespace->lock);
	list_for_each(mount, &namespace->mounts, namespace_link) {
		struct path path = { .mount = mount, .entry = mount->root };
		struct path within = { .mount = mount, .entry = mount->tree->root_entry };
		char *place = path_name(&path, &top, buffer, PATH_MAX_BYTES, true);
		char *root = "/";

		if (IS_ERR(place))
			continue;
		if (form == MOUNTS_TABLE) {
			show_table_line(text, mount, place);
		} else if (form == MOUNTS_STATISTICS) {
			show_statistics_line(text, mount, place);
		} else {
			if (mount->root != mount->tree->root_entry)
				root = path_name(&path, &within, buffer + PATH_MAX_BYTES,
						 PATH_MAX_BYTES, true);
			show_info_line(text, mount, place, IS_ERR(root) ? "/" : root);
		}
	}
	up_read(&namespace->lock);
	path_put(&top);
	kfree(buffer);
}

/* ---- Namespaces ---- */

/* Around a mount that is nobody's yet; NULL: no memory. */
static struct namespace *namespace_around(struct mount *root)
{
	struct namespace *namespace = kzalloc(sizeof(*namespace), GFP_KERNEL);

	if (!namespace)
		return NULL;
	refcount_set(&namespace->refs, 1);
	rwsem_init(&namespace->lock, "namespace");
	list_init(&namespace->mounts);
	wait_queue_init(&namespace->changed);
	namespace->id = tree_next_id();
	namespace->root = root;
	root->namespace = namespace;
	list_add_tail(&namespace->mounts, &root->namespace_link);
	return namespace;
}

struct namespace *namespace_create(struct tree *tree, unsigned long flags)
{
	struct mount *root = mount_alloc(tree, tree->root_entry, flags);
	struct namespace *namespace = root ? namespace_around(root) : NULL;

	if (namespace)
		return namespace;
	if (root)
		mount_put(root);
	return ERR_PTR(-ENOMEM);
}

/* Leads to the same place seen through the copy of its mount. */
static void path_follow_copy(struct path *path, const struct namespace *from)
{
	struct mount *old = path->mount;

	if (old->namespace != from || !old->copy)
		return;
	mount_get(old->copy);
	path->mount = old->copy;
	mount_put(old);
}

struct namespace *namespace_copy(struct namespace *from, struct path *root, struct path *working)
{
	struct namespace *namespace = NULL;
	struct list made = LIST_INIT(made);
	struct mount *top, *copy;
	int error = down_write_killable(&from->lock);

	if (error)
		return ERR_PTR(error);
	list_for_each(copy, &from->mounts, namespace_link)
		copy->copy = NULL; /* of an earlier copying */
	top = mount_alloc(from->root->tree, from->root->root, from->root->flags);
	if (!top)
		goto out;
	namespace = mount_copy_children(from->root, top, &made) ? NULL : namespace_around(top);
	while (!list_empty(&made)) {
		copy = list_first(&made, struct mount, work_link);
		list_del(&copy->work_link);
		if (namespace) {
			struct path place = copy->over;

			mount_link(copy, &place, namespace);
		} else {
			path_put(&copy->over);
			mount_put(copy);
		}
	}
	if (namespace) {
		path_follow_copy(root, from);
		path_follow_copy(working, from);
	} else {
		mount_put(top);
	}
out:
	up_write(&from->lock);
	return namespace ? namespace : ERR_PTR(-ENOMEM);
}

void namespace_put(struct namespace *namespace)
{
	if (!refcount_dec_and_test(&namespace->refs))
		return;
	down_write(&namespace->lock);
	(void)mount_detach_locked(namespace->root, namespace, true, 0); /* lazily: cannot be busy */
	kfree(namespace);
}

void mounts_init(void)
{
	atomic_set(&last_mount_id, 0);
}
EXPORT_SYMBOL(path_get);
EXPORT_SYMBOL(path_put);
EXPORT_SYMBOL(kernel_mount);
EXPORT_SYMBOL(mount_attach);
EXPORT_SYMBOL(mount_detach);
EXPORT_SYMBOL(mount_want_write);
