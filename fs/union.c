/*
 * Unions: directories that show what is in several (Plan 9's union directories).
 *
 *	mount --bind -o after A B        lookup in B: first what B was, then A
 *
 *	   (M, B) <---covers--- head ---members---> 0: (M, B) itself, what it was
 *	                         ^                  1: (T, A), T a bind mount of A
 *	                         +----stands on---- T
 *
 * The head is a mount like others: it covers the place, and its root is what a path to the union names; attributes of the
 * union are that directory's. A name in it is looked for in the members in their order, and the walk goes on in the member that
 * has it: from there on nothing is special. The mounts of members stand on the head, but are not found by what they cover, so that
 * ".." in a member leads to the head (path_leave_member), and what the place was is no copy, but the directory itself, with all
 * that is mounted below it: ".." there leads to the place, which the head covers.
 *
 * New names are made in the first member marked `create`. What is there already is removed, opened or renamed where it was
 * found. Listing merges; of a name that several have the first one's counts.
 *
 * A head has no peers: a union is its namespace's own, and is copied with it. The table of members is read under RCU, and
 * replaced as a whole with names_sequence odd.
 */
#include <kumo/export.h>
#include <kumo/kva.h>
#include <kumo/rcu.h>
#include <kumo/signal.h>
#include <kumo/slab.h>
#include <kumo/string.h>

#include "internal.h"
#include "mount_internal.h"

struct union_member {
	struct path path; /* held by the head: what it covers, or a mount that stands on it */
	bool create, own; /* own: a mount, else what the head covers */
};
struct mount_union {
	unsigned int count;
	struct union_member members[];
};

static struct mount_union *table_alloc(unsigned int count)
{
	return kzalloc(sizeof(struct mount_union) + count * sizeof(struct union_member), GFP_KERNEL);
}

/* Members of the head's table from now on. */
static void table_publish(struct mount *head, struct mount_union *table)
{
	struct mount_union *old = head->members;

	spin_lock(&names_lock);
	names_move_begin();
	smp_store_release(&head->members, table);
	names_move_end();
	spin_unlock(&names_lock);
	if (old)
		kfree_rcu(old);
}

unsigned int union_size(const struct mount *head)
{
	unsigned int count = 0;

	for (unsigned int i = 0; head->members && i < head->members->count; i++)
		count += head->members->members[i].own;
	return count;
}

/* ---- Looking up ---- */

struct entry *union_find_rcu(struct path *path, const struct name *name, const struct cred *cred)
{
	const struct mount_union *table = smp_load_acquire(&path->mount->members);
	struct entry *entry = NULL;

	for (unsigned int i = 0; table && i < table->count; i++) {
		const struct path *member = &table->members[i].path;
		const struct node *dir = READ_ONCE(member->entry->node);

		if (!dir || dir->ops->permission || !mode_permits(dir, MAY_EXEC, cred))
			return NULL;
		entry = entry_find_rcu(member->entry, name);
		if (!entry || entry->believe_until_ns != BELIEVE_FOREVER)
			return NULL;
		if (READ_ONCE(entry->node)) {
			*path = *member;
			return entry;
		}
	}
	return entry;
}

/* Member number `index` of the union, referenced; false: there are not so many. */
static bool member_get(const struct path *head, unsigned int index, struct path *member, bool *create)
{
	for (;;) {
		const struct mount_union *table;
		bool there;
		u32 sequence;

		rcu_read_lock();
		sequence = names_sequence_read();
		table = smp_load_acquire(&head->mount->members);
		there = table && index < table->count;
		if (there && !(sequence & 1)) {
			*member = table->members[index].path;
			*create = table->members[index].create;
			path_get(member);
			smp_mb(); /* counted before the check, as in path_cross_mounts() */
		}
		if (likely(!(sequence & 1) && !names_sequence_changed(sequence))) {
			rcu_read_unlock();
			return there;
		}
		rcu_read_unlock();
		if (there && !(sequence & 1))
			path_put(member);
		cpu_relax();
	}
}

int union_find(struct path *path, const struct name *name, const struct cred *cred)
{
	struct path member;
	int result = -ENOENT;
	bool create;

	for (unsigned int i = 0; member_get(path, i, &member, &create); i++) {
		int error = node_permission(path_node(&member), MAY_EXEC, cred);
		struct entry *entry = error ? ERR_PTR(error) : entry_lookup(member.entry, name, cred);

		if (!IS_ERR(entry)) {
			entry_put(entry);
			path_put(path);
			*path = member;
			return 0;
		}
		path_put(&member);
		error = (int)PTR_ERR(entry);
		if (error == -EINTR)
			return error;
		if (result == -ENOENT)
			result = error;
	}
	return result;
}

int union_find_creator(struct path *path)
{
	struct path member;
	bool create;

	for (unsigned int i = 0; member_get(path, i, &member, &create); i++) {
		if (create) {
			path_put(path);
			*path = member;
			return 0;
		}
		path_put(&member);
	}
	return -EACCES;
}

int union_parent(const struct path *parent, const struct name *last, bool making,
		 const struct cred *cred, struct path *real)
{
	int error = 0;

	*real = *parent;
	path_get(real);
	if (path_is_union(real) && name_kind(last) == NAME_NORMAL)
		error = union_find(real, last, cred);
	if (error == -ENOENT && making)
		error = union_find_creator(real);
	if (error)
		path_put(real);
	return error;
}

bool union_comes_before(const struct path *head, const struct path *first, const struct path *second)
{
	const struct mount_union *table;
	bool before = false;

	rcu_read_lock();
	table = smp_load_acquire(&head->mount->members);
	for (unsigned int i = 0; table && i < table->count; i++) {
		if (path_equal(&table->members[i].path, second))
			break;
		before |= path_equal(&table->members[i].path, first);
	}
	rcu_read_unlock();
	return before;
}

/* ---- Listing ---- */

struct listed {
	struct listed *next; /* of the same bucket */
	u64 id;
	u32 hash;
	u8 type, length;
	char name[];
};

#define CHUNK_SIZE (64 * KIB)
struct chunk {
	struct chunk *next;
	size_t used;
	char bytes[] __aligned(8);
};

/* What an open union shows: all names at once, so that a place in it stays what it is. */
struct listing {
	struct chunk *chunks;
	struct listed **places, **buckets; /* `room` of each, a power of 2 */
	unsigned int count, room;
	bool made;
};

static void listing_empty(struct listing *listing)
{
	while (listing->chunks) {
		struct chunk *chunk = listing->chunks;

		listing->chunks = chunk->next;
		kvfree(chunk);
	}
	kvfree(listing->places);
	*listing = (struct listing){};
}

static bool listing_grow(struct listing *listing)
{
	unsigned int room = listing->room ? 2 * listing->room : 256;
	struct listed **places = kvmalloc(2 * (size_t)room * sizeof(*places), GFP_ZERO);
	struct listed **buckets;

	if (!places)
		return false;
	buckets = places + room;
	for (unsigned int i = 0; i < listing->count; i++) {
		struct listed *listed = places[i] = listing->places[i];

		listed->next = buckets[listed->hash & (room - 1)];
		buckets[listed->hash & (room - 1)] = listed;
	}
	kvfree(listing->places);
	listing->places = places;
	listing->buckets = buckets;
	listing->room = room;
	return true;
}

static struct listed *listed_alloc(struct listing *listing, size_t size)
{
	struct chunk *chunk = listing->chunks;

	size = ALIGN_UP(size, 8UL);
	if (!chunk || chunk->used + size > CHUNK_SIZE - sizeof(*chunk)) {
		chunk = kvmalloc(CHUNK_SIZE, 0);
		if (!chunk)
			return NULL;
		chunk->next = listing->chunks;
		chunk->used = 0;
		listing->chunks = chunk;
	}
	chunk->used += size;
	return (struct listed *)(chunk->bytes + chunk->used - size);
}

/* Adds a name, unless it is there. -ENOMEM. */
static int listing_add(struct listing *listing, const struct name *name, u64 id, u32 type)
{
	struct listed *listed;

	if (listing->count == listing->room && !listing_grow(listing))
		return -ENOMEM;
	for (listed = listing->buckets[name->hash & (listing->room - 1)]; listed; listed = listed->next)
		if (listed->hash == name->hash && name_equal(name, listed->name, listed->length))
			return 0;
	listed = listed_alloc(listing, sizeof(*listed) + name->length);
	if (!listed)
		return -ENOMEM;
	listed->id = id;
	listed->hash = name->hash;
	listed->type = (u8)type;
	listed->length = (u8)name->length;
	memcpy(listed->name, name->text, name->length);
	listed->next = listing->buckets[name->hash & (listing->room - 1)];
	listing->buckets[name->hash & (listing->room - 1)] = listed;
	listing->places[listing->count++] = listed;
	return 0;
}

/* Takes what a member lists. */
struct collector {
	struct dir_context context;
	struct listing *listing;
	unsigned int taken;
	int error;
};

static bool collect(struct dir_context *context, const char *text, u32 length, u64 next_offset,
		    u64 id, u32 type)
{
	struct collector *collector = container_of(context, struct collector, context);
	struct name name = name_make(text, length);

	collector->taken++;
	if (name_kind(&name) != NAME_NORMAL)
		return true;
	collector->error = fatal_signal_pending() ? -EINTR
						  : listing_add(collector->listing, &name, id, type);
	return !collector->error;
}

/* A member that cannot be listed is passed over; -ENOMEM, -EINTR end it. */
static int collect_member(struct listing *listing, const struct path *member, const struct cred *cred)
{
	struct collector collector = { .context.add = collect, .listing = listing };
	struct file *file = file_open(member, O_RDONLY | O_DIRECTORY | O_LARGEFILE, cred);
	int error;

	if (IS_ERR(file))
		return PTR_ERR(file) == -ENOMEM || PTR_ERR(file) == -EINTR ? (int)PTR_ERR(file) : 0;
	do {
		collector.taken = 0;
		error = file_readdir(file, &collector.context);
		cond_resched();
	} while (!error && !collector.error && collector.taken);
	file_put(file);
	return collector.error;
}

static int listing_make(struct file *file, struct listing *listing)
{
	struct path member;
	int error = 0;
	bool create;

	listing_empty(listing);
	for (unsigned int i = 0; !error && member_get(&file->path, i, &member, &create); i++) {
		error = collect_member(listing, &member, file->cred);
		path_put(&member);
	}
	listing->made = !error;
	return error;
}

static int union_readdir(struct file *file, struct dir_context *context)
{
	struct listing *listing = file->private;
	int error = 0;

	if (!listing->made || !context->offset)
		error = listing_make(file, listing);
	if (error || !dir_emit_dots(file, context))
		return error;
	while ((u64)context->offset - 2 < listing->count) {
		const struct listed *listed = listing->places[context->offset - 2];

		if (!context->add(context, listed->name, listed->length, (u64)context->offset + 1,
				  listed->id, listed->type))
			break;
		context->offset++;
	}
	return 0;
}

static void union_clunk(struct file *file)
{
	listing_empty(file->private);
	kfree(file->private);
}

static const struct tree_ops union_ops = { .clunk = union_clunk, .readdir = union_readdir };

int union_open(struct file *file)
{
	file->private = kzalloc(sizeof(struct listing), GFP_KERNEL);
	if (!file->private)
		return -ENOMEM;
	file->ops = &union_ops;
	return 0;
}

/* ---- Members come and go: mounts_lock held for writing ---- */

/* Does the table have what is to be copied of it after the head was? */
static bool member_was_copied(const struct mount *head, const struct mount *original)
{
	const struct mount *copy = original->copy;

	return copy && copy->copy == original && copy->over.mount == head;
}

static int union_copy(struct mount *head)
{
	const struct mount_union *from = head->copy->members;
	struct mount_union *table = table_alloc(from->count);

	if (!table)
		return -ENOMEM;
	for (unsigned int i = 0; i < from->count; i++) {
		struct union_member member = from->members[i];

		if (member.own && !member_was_copied(head, member.path.mount))
			continue;
		member.path.mount = member.own ? member.path.mount->copy : head->over.mount;
		table->members[table->count++] = member;
	}
	head->members = table;
	return 0;
}

int unions_copy(struct mount *top)
{
	int error = 0;

	for (struct mount *mount = mount_next(top, top); mount && !error; mount = mount_next(mount, top))
		if (mount->copy->members)
			error = union_copy(mount);
	return error;
}

/* A mount of what is at the path, as a member on the head. ERR_PTR. */
static struct mount *member_make(struct mount *head, const struct path *from, bool recursive)
{
	struct path over = { .mount = head, .entry = head->root };
	struct mount *mount = recursive ? mount_tree_copy(from->mount, from->entry, COPY_PEER)
					: mount_clone(from->mount, from->entry, COPY_PEER);

	if (IS_ERR(mount))
		return mount;
	mount->locks &= (u8)~MOUNT_LOCK_PLACE;
	mount->member = true;
	mount_join(mount, &over);
	return mount;
}

/* Takes back members that were made for a table, and the table. */
static void members_discard(struct mount_union *table, unsigned int first, unsigned int count)
{
	for (unsigned int i = first; i < first + count; i++)
		mount_tree_discard(table->members[i].path.mount);
	kfree(table);
}

/* Makes members of `from` (of all of its own, if it is a union) in the table from `first` on. */
static int members_make(struct mount *head, const struct path *from, unsigned int how,
			bool recursive, struct mount_union *table, unsigned int first)
{
	const struct mount_union *source = path_is_union(from) ? from->mount->members : NULL;
	unsigned int count = source ? source->count : 1;

	for (unsigned int i = 0; i < count; i++) {
		struct mount *mount =
			member_make(head, source ? &source->members[i].path : from, recursive);

		if (IS_ERR(mount)) {
			members_discard(table, first, i);
			return (int)PTR_ERR(mount);
		}
		table->members[first + i] = (struct union_member){
			.path = { .mount = mount, .entry = mount->root },
			.create = (how & UNION_CREATE) || (source && source->members[i].create),
			.own = true,
		};
	}
	return 0;
}

/* `head` (whose members are `old`; none: what it covers, or nothing) gets those of `from`. On success `old` is the caller's. */
static int union_add(struct mount *head, const struct mount_union *old, const struct path *from,
		     unsigned int how, bool recursive, struct namespace *namespace)
{
	unsigned int added = path_is_union(from) ? from->mount->members->count : 1;
	unsigned int first = how & UNION_AFTER ? old->count : 0;
	struct mount_union *table = table_alloc(old->count + added);
	int error;

	if (!table)
		return -ENOMEM;
	table->count = old->count + added;
	memcpy(&table->members[how & UNION_AFTER ? 0 : added], old->members,
	       old->count * sizeof(old->members[0]));
	error = members_make(head, from, how, recursive, table, first);
	if (error)
		return error;
	for (unsigned int i = first; i < first + added && !error; i++)
		error = mount_tree_admit(table->members[i].path.mount, namespace);
	if (error) {
		namespace->coming = 0;
		members_discard(table, first, added);
		return error;
	}
	if (head->namespace) /* it is seen, and so are they: */
		for (unsigned int i = first; i < first + added; i++)
			mount_tree_show(table->members[i].path.mount, namespace);
	namespace->coming = 0;
	table_publish(head, table);
	return 0;
}

/* A new union on `over`. */
static int union_begin(const struct path *over, const struct path *from, unsigned int how, bool recursive)
{
	bool keeps = how & (UNION_BEFORE | UNION_AFTER);
	const struct path *shown = keeps ? over : from;
	struct mount *head = mount_clone(shown->mount, shown->entry, COPY_PRIVATE);
	struct mount_union *old = table_alloc(1);
	int error = -ENOMEM;

	if (IS_ERR(head) || !old)
		goto fail;
	head->locks &= (u8)~MOUNT_LOCK_PLACE;
	head->member = false;
	old->count = keeps;
	old->members[0] = (struct union_member){ .path = *over };
	error = union_add(head, old, from, how, recursive, over->mount->namespace);
	if (error)
		goto fail;
	kfree(old);
	mount_join(head, over);
	mount_tree_show(head, over->mount->namespace);
	return 0;
fail:
	kfree(old);
	if (!IS_ERR(head))
		mount_tree_discard(head);
	return error;
}

int mount_unite(const struct path *from, const struct path *at, unsigned int how, bool recursive)
{
	struct path over;
	int error;

	if ((how & UNION_BEFORE) && (how & UNION_AFTER))
		return -EINVAL;
	error = mount_place_lock(at, &over);
	if (error)
		return error;
	error = mount_may_bind(from, recursive);
	if (!error && !S_ISDIR(path_node(from)->attr.mode))
		error = -ENOTDIR;
	if (!error)
		error = mount_place_ok(&over, from->entry);
	if (!error && path_is_union(&over) && (how & (UNION_BEFORE | UNION_AFTER)))
		error = union_add(over.mount, over.mount->members, from, how, recursive,
				  over.mount->namespace);
	else if (!error)
		error = union_begin(&over, from, how, recursive);
	mount_place_unlock(&over);
	path_put(&over);
	return error;
}

/* Is it the member that shows `from`, or (of a union) one of those that `from` shows? */
static bool member_shows(const struct union_member *member, const struct path *from)
{
	const struct mount_union *source = path_is_union(from) ? from->mount->members : NULL;

	for (unsigned int i = 0; source && i < source->count; i++)
		if (source->members[i].path.entry == member->path.entry)
			return true;
	return member->path.entry == from->entry;
}

/* The table without the members that show `from`; what were their mounts goes on the list. ERR_PTR(-EINVAL, -ENOMEM). */
static struct mount_union *table_without(const struct mount_union *old, const struct path *from,
					 struct list *going)
{
	struct mount_union *table = table_alloc(old->count);

	if (!table)
		return ERR_PTR(-ENOMEM);
	for (unsigned int i = 0; i < old->count; i++) {
		const struct union_member *member = &old->members[i];
		struct mount *mount = member->path.mount;

		if (!member_shows(member, from) || (member->own && (mount->locks & MOUNT_LOCK_PLACE)))
			table->members[table->count++] = *member;
		else if (member->own)
			list_add_tail(going, &mount->target_link);
	}
	if (table->count < old->count)
		return table;
	kfree(table);
	return ERR_PTR(-EINVAL);
}

struct mount *union_member_of(const struct mount *head, const struct path *from)
{
	const struct mount_union *table = head->members;

	for (unsigned int i = 0; table && i < table->count; i++)
		if (table->members[i].own && member_shows(&table->members[i], from))
			return table->members[i].path.mount;
	return NULL;
}

int mount_disunite(const struct path *from, const struct path *at)
{
	struct list gone = LIST_INIT(gone), going = LIST_INIT(going);
	struct mount_union *table = ERR_PTR(-EINVAL);
	struct mount *head, *mount;
	struct path over;
	int error = mount_place_lock(at, &over);

	if (error)
		return error;
	head = over.mount;
	if (path_is_union(&over) && head->namespace == fs_current()->namespace)
		table = table_without(head->members, from, &gone);
	if (IS_ERR(table)) {
		mount_place_unlock(&over);
		path_put(&over);
		return (int)PTR_ERR(table);
	}
	mutex_unlock(&path_node(&over)->lock);
	if (!(head->locks & MOUNT_LOCK_PLACE) &&
	    (!table->count || (table->count == 1 && !table->members[0].own))) {
		/* What is left is what the place was. */
		kfree(table);
		mounts_mark_going(head, &going);
	} else {
		table_publish(head, table);
		list_for_each(mount, &gone, target_link)
			mounts_mark_going(mount, &going);
	}
	mounts_detach(&going, false);
	path_put(&over);
	return 0;
}

/* ---- What /proc tells ---- */

bool union_member_at(const struct mount *head, unsigned int index, struct path *path, bool *own,
		     bool *create)
{
	const struct mount_union *table = head->members;

	if (!table || index >= table->count)
		return false;
	*path = table->members[index].path;
	*own = table->members[index].own;
	*create = table->members[index].create;
	return true;
}
EXPORT_SYMBOL(mount_unite);
EXPORT_SYMBOL(mount_disunite);
