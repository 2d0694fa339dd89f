/*
 * Mounts: which trees stand where. A mount covers an entry seen through another mount, and is found by that pair in a
 * hash, without a lock. Which mounts there are, in all namespaces, changes under mounts_lock, as one change may reach
 * many of them (propagation.c); names_lock and names_sequence are held for the moment in which walkers could see it half done.
 *
 * The files: mount.c has the mount itself, how it is counted and found; mount_tree.c what stands on what, and copies of that;
 * propagation.c peers, masters and slaves; mount_change.c the changes that system calls ask for; union.c unions;
 * mount_show.c what /proc tells; namespace.c namespaces.
 *
 * A mount is counted per CPU, since each open file holds one and the counts of a mount would otherwise be the most
 * contended words of the machine. While it is attached the counts need no sum. Detaching takes its namespace away, waits for
 * a grace period, so that everybody counts under names_lock from then on, and drops the namespace's reference: from then
 * on the sum that reaches zero frees the mount.
 */
#include <kumo/export.h>
#include <kumo/kva.h>
#include <kumo/page.h>
#include <kumo/percpu.h>
#include <kumo/rcu.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/mount.h>

#include "internal.h"
#include "mount_internal.h"

struct rwsem mounts_lock;

/* By what is covered, for walkers, and by the entry alone, for who removes its name. Changed under names_lock. */
static struct hlist *mount_buckets, *place_buckets;
static u32 bucket_mask;
static atomic_t last_mount_id;

static struct hlist *mount_bucket(const struct mount *mount, const struct entry *entry)
{
	return &mount_buckets[(hash_u64((unsigned long)mount >> 6) ^ hash_u64((unsigned long)entry >> 4)) & bucket_mask];
}

static struct hlist *place_bucket(const struct entry *entry)
{
	return &place_buckets[hash_u64((unsigned long)entry >> 4) & bucket_mask];
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

long mount_count(const struct mount *mount)
{
	long sum = 0;

	for_each_cpu(cpu)
		sum += READ_ONCE(mount->counts[cpu].refs);
	return sum;
}

static void mount_free_rcu(struct rcu_head *head)
{
	struct mount *mount = container_of(head, struct mount, rcu);

	kfree(mount->counts);
	kfree(mount->members);
	kfree(mount);
}

/* What was detached together with what it covers stands there until that goes. names_lock held. */
static void unlink_connected(struct mount *mount, struct list *connected)
{
	struct mount *child;

	list_splice_tail(connected, &mount->children);
	if (list_empty(connected))
		return;
	names_move_begin();
	list_for_each(child, connected, sibling) {
		if (!child->member)
			mount_unhash(child);
		child->detached_from = child->over;
		child->over = (struct path){};
	}
	names_move_end();
}

void mount_put_detached(struct mount *mount)
{
	struct list connected = LIST_INIT(connected);
	struct mount *child;
	bool last;

	spin_lock(&names_lock);
	mount_counts(mount)->refs -= 1;
	/* A walker that came too late takes and drops a reference of a mount that is going: it must not go twice. */
	last = !mount->doomed && mount_count(mount) == 0;
	if (last) {
		mount->doomed = true;
		unlink_connected(mount, &connected);
	}
	spin_unlock(&names_lock);
	if (!last)
		return;
	while (!list_empty(&connected)) {
		child = list_first(&connected, struct mount, sibling);
		list_del_init(&child->sibling);
		entry_put(child->detached_from.entry); /* of the mount it held no reference */
		mount_put(child);
	}
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
	mount->counts = kzalloc(cpu_possible * sizeof(*mount->counts), GFP_KERNEL);
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
	list_init(&mount->peer_link);
	list_init(&mount->slave_link);
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

	mount_counts(mount)->writers += 1;
	mount->tree->cpus[smp_processor_id()].writers += 1;
	smp_mb();
	error = mount_want_write(mount);
	if (error)
		mount_writer_put(mount);
	return error;
}

bool mount_has_writers(const struct mount *mount)
{
	long sum = 0;

	for_each_cpu(cpu)
		sum += READ_ONCE(mount->counts[cpu].writers);
	return sum > 0;
}

bool tree_has_writers(const struct tree *tree)
{
	long sum = 0;

	for_each_cpu(cpu)
		sum += READ_ONCE(tree->cpus[cpu].writers);
	return sum > 0;
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
			mount_used(mount);
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

bool path_is_below(const struct path *path, const struct path *above)
{
	const struct mount *mount = path->mount;
	const struct entry *entry = path->entry;
	bool below;

	spin_lock(&names_lock);
	for (; mount != above->mount && mount->over.mount; mount = mount->over.mount)
		entry = mount->over.entry;
	below = mount == above->mount && entry_is_below(entry, above->entry);
	spin_unlock(&names_lock);
	return below;
}

/* ---- Where it stands: names_lock held ---- */

void mount_hash(struct mount *mount)
{
	mount->over.entry->flags |= ENTRY_MOUNTED;
	hlist_add(mount_bucket(mount->over.mount, mount->over.entry), &mount->hash_link);
	hlist_add(place_bucket(mount->over.entry), &mount->place_link);
}

void mount_unhash(struct mount *mount)
{
	struct entry *entry = mount->over.entry;
	struct mount *other;

	hlist_del(&mount->hash_link);
	hlist_del(&mount->place_link);
	hlist_for_each(other, place_bucket(entry), place_link)
		if (other->over.entry == entry)
			return;
	entry->flags &= ~(u32)ENTRY_MOUNTED;
}

/* The first mount on the entry, in that namespace or (NULL) in any. */
static struct mount *mount_on_entry(const struct namespace *namespace, const struct entry *entry)
{
	struct mount *mount;

	hlist_for_each(mount, place_bucket(entry), place_link)
		if (mount->over.entry == entry && mount->namespace &&
		    (!namespace || mount->namespace == namespace))
			return mount;
	return NULL;
}

bool mount_stands_on(const struct entry *entry)
{
	bool found;

	if (likely(!(READ_ONCE(entry->flags) & ENTRY_MOUNTED)))
		return false;
	spin_lock(&names_lock);
	found = mount_on_entry(fs_current()->namespace, entry);
	spin_unlock(&names_lock);
	return found;
}

struct mount *mount_on_removed(const struct entry *entry)
{
	struct mount *mount;

	spin_lock(&names_lock);
	mount = mount_on_entry(NULL, entry);
	spin_unlock(&names_lock);
	return mount;
}

void mounts_init(void)
{
	struct memory_info info;
	u32 count = 256;

	memory_info(&info);
	while (count < info.total_pages / 32 && count < (1U << 16))
		count *= 2;
	bucket_mask = count - 1;
	mount_buckets = kvmalloc(2 * count * sizeof(*mount_buckets), GFP_ZERO);
	if (!mount_buckets)
		panic("no memory for the hash of mounts");
	place_buckets = mount_buckets + count;
	rwsem_init(&mounts_lock, "mounts");
	atomic_set(&last_mount_id, 0);
}
EXPORT_SYMBOL(path_get);
EXPORT_SYMBOL(path_put);
EXPORT_SYMBOL(path_is_below);
EXPORT_SYMBOL(mount_want_write);
