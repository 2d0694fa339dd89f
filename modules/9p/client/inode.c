/*
 * Nodes of the server's files, by identity (qid.path), and their attributes.
 *
 * What the server says replaces what the node holds, with two exceptions. While pages are dirty, size and times are known
 * here and nowhere else. And an answer that was asked for before a change from here had ended may be older than the change. When
 * somebody else changed the file, pages that are clean are dropped.
 */
#define LOG_PREFIX "9p: "
#include "client.h"

#include <kumo/device.h>
#include <kumo/pagecache.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <kumo/writeback.h>

/* How long an answer serves a client that believes nothing: for the system call on whose behalf it was asked. */
#define FRESH_NS (1 * NSEC_PER_MSEC)

u64 believe_until(const struct client *client)
{
	return client->options.cache == CACHE_LOOSE ? BELIEVE_FOREVER : time_monotonic_ns() + FRESH_NS;
}

/* ---- From the wire ---- */

static s64 time_of(u64 seconds, u64 nanoseconds)
{
	const s64 limit = INT64_MAX / (s64)NSEC_PER_SEC - 1;
	s64 whole = clamp((s64)seconds, -limit, limit);

	return whole * (s64)NSEC_PER_SEC + (s64)min(nanoseconds, (u64)NSEC_PER_SEC - 1);
}

/* Do qid and mode say the same of what it is? */
static bool is_consistent(const struct ninep_qid *qid, u32 mode)
{
	return S_ISDIR(mode) == !!(qid->type & NINEP_QTDIR);
}

/* -EIO: no file has such attributes. */
static int attr_from_getattr(const struct ninep_Rgetattr *from, struct attr *attr)
{
	u32 kind = from->mode & S_IFMT;

	*attr = (struct attr){
		.id = from->qid.path,
		.version = from->qid.version,
		.mode = from->mode & (S_IFMT | 07777),
		.uid = from->uid,
		.gid = from->gid,
		.nlink = (u32)min(from->nlink, (u64)UINT32_MAX),
		.rdev = from->rdev,
		.size = from->size,
		.blocks = from->blocks,
		.block_size = (u32)clamp(from->blksize, (u64)512, (u64)MIB),
		.atime_ns = time_of(from->atime_sec, from->atime_nsec),
		.mtime_ns = time_of(from->mtime_sec, from->mtime_nsec),
		.ctime_ns = time_of(from->ctime_sec, from->ctime_nsec),
		.generation = from->valid & NINEP_GETATTR_GEN ? (u32)from->gen : 0,
	};
	if (from->valid & NINEP_GETATTR_BTIME)
		attr->btime_ns = time_of(from->btime_sec, from->btime_nsec);
	if (!(from->valid & NINEP_GETATTR_MODE) || !kind || from->size > INT64_MAX)
		return -EIO;
	if (!is_consistent(&from->qid, kind))
		return -EIO;
	return 0;
}

static int attr_from_stat(const struct client *client, const struct ninep_stat *from, struct attr *attr)
{
	const struct options *options = &client->options;
	u32 major, minor, mode = ninep_mode_to_unix(from, client->connection.dialect, &major, &minor);

	*attr = (struct attr){
		.id = from->qid.path,
		.version = from->qid.version,
		.mode = mode,
		.uid = from->n_uid == NINEP_NO_NUMBER ? options->default_uid : from->n_uid,
		.gid = from->n_gid == NINEP_NO_NUMBER ? options->default_gid : from->n_gid,
		.nlink = 1,
		.rdev = device_make(major, minor),
		.size = from->length,
		.blocks = DIV_ROUND_UP(from->length, 512),
		.block_size = PAGE_SIZE,
		.atime_ns = time_of(from->atime, 0),
		.mtime_ns = time_of(from->mtime, 0),
		.ctime_ns = time_of(from->mtime, 0),
	};
	if (from->length > INT64_MAX || !is_consistent(&from->qid, mode))
		return -EIO;
	if (S_ISLNK(mode) && !attr->size)
		attr->size = from->extension.length;
	return 0;
}

static int attr_from_reply(const struct client *client, const struct ninep_message *reply,
			   struct attr *attr)
{
	int error = reply->type == Rgetattr ? attr_from_getattr(&reply->Rgetattr, attr)
					    : attr_from_stat(client, &reply->Rstat.stat, attr);

	attr->believe_until_ns = believe_until(client);
	return error;
}

int inode_ask(struct fid *fid, struct call *call)
{
	struct client *client = fid->client;
	bool modern = client->connection.dialect == NINEP_2000L;

	*call = (struct call){ .in_room = modern ? REPLY_SMALL : REPLY_STAT, .fids = { fid } };
	if (modern) {
		call->message.type = Tgetattr;
		call->message.Tgetattr = (struct ninep_Tgetattr){
			.fid = fid->number, .request_mask = NINEP_GETATTR_BASIC | NINEP_GETATTR_BTIME
		};
	} else {
		call->message.type = Tstat;
		call->message.Tstat.fid = fid->number;
	}
	return call_begin(client, call);
}

/* ---- What a node holds ---- */

void inode_change_begin(struct node *node)
{
	atomic_inc(&inode_of(node)->changing);
}

void inode_change_end(struct node *node)
{
	struct inode *inode = inode_of(node);

	WRITE_ONCE(inode->changed_ns, time_monotonic_ns());
	WRITE_ONCE(inode->stamp, 0);
	atomic_dec(&inode->changing);
}

static bool changed_since(const struct inode *inode, u64 asked_ns)
{
	return atomic_read(&inode->changing) || READ_ONCE(inode->changed_ns) >= asked_ns;
}

bool inode_is_dirty(const struct node *node)
{
	const struct page_cache *cache = smp_load_acquire(&node->cache);

	return cache && (READ_ONCE(cache->dirty_pages) || READ_ONCE(cache->writeback_pages));
}

static u64 stamp_of(const struct attr *attr)
{
	u64 stamp = (u64)attr->mtime_ns * 0x9e3779b97f4a7c15ULL ^ attr->size << 20 ^ attr->version;

	return stamp ? stamp : 1;
}

/* Of a node that others use: fields one by one. The kind stays. */
static void attr_update(struct node *node, const struct attr *attr, u64 asked_ns)
{
	struct inode *inode = inode_of(node);
	bool changed = changed_since(inode, asked_ns), dirty = inode_is_dirty(node);
	u64 stamp = stamp_of(attr), before = READ_ONCE(inode->stamp);

	WRITE_ONCE(node->attr.believe_until_ns, changed ? 0 : attr->believe_until_ns);
	if (changed)
		return;
	WRITE_ONCE(node->attr.mode, attr->mode);
	WRITE_ONCE(node->attr.uid, attr->uid);
	WRITE_ONCE(node->attr.gid, attr->gid);
	WRITE_ONCE(node->attr.nlink, attr->nlink);
	WRITE_ONCE(node->attr.rdev, attr->rdev);
	WRITE_ONCE(node->attr.version, attr->version);
	WRITE_ONCE(node->attr.atime_ns, attr->atime_ns);
	if (dirty)
		return;
	WRITE_ONCE(node->attr.blocks, attr->blocks);
	WRITE_ONCE(node->attr.mtime_ns, attr->mtime_ns);
	WRITE_ONCE(node->attr.ctime_ns, attr->ctime_ns);
	node_set_size(node, attr->size);
	WRITE_ONCE(inode->stamp, stamp);
	if (before && before != stamp && smp_load_acquire(&node->cache))
		page_cache_drop(node->cache, 0, INT64_MAX);
}

static struct inode *inode_create(struct client *client, struct node *node)
{
	struct inode *inode = kzalloc(sizeof(*inode), GFP_USER);

	if (!inode)
		return NULL;
	inode->client = client;
	inode->node = node;
	list_init(&inode->fids);
	list_init(&inode->places);
	list_init(&inode->listed);
	list_init(&inode->open_fids);
	return inode;
}

/* Is the node that has the identity the file that the server speaks of, and not one that had the number before? */
static bool is_same(const struct node *node, const struct attr *attr)
{
	return !((node->attr.mode ^ attr->mode) & S_IFMT) && (node->attr.nlink || !attr->nlink);
}

/* The node with that identity. A file that has no name any more may be open here, and its number given anew by the server: then it
 * keeps it here. */
static struct node *obtain(struct client *client, const struct attr *attr, bool *fresh)
{
	u64 id = attr->id;
	struct node *node;

	for (;;) {
		node = node_obtain(client->tree, id, fresh);
		if (IS_ERR(node) || *fresh || is_same(node, attr))
			return node;
		node_put(node);
		id = id * 0x9e3779b97f4a7c15ULL + attr->mode;
	}
}

/* Does the walking fid still stand for the node? */
static bool is_current(const struct inode *inode, const struct fid *fid)
{
	return fid->epoch == inode->client->epoch || inode->node == inode->client->tree->root;
}

void inode_adopt_fid(struct node *node, struct fid *fid)
{
	struct inode *inode = inode_of(node);
	struct client *client = inode->client;
	unsigned long flags = spin_lock_irqsave(&client->lock);
	struct fid *other;
	bool there = false;

	list_for_each(other, &inode->fids, link)
		if (other->uid == fid->uid && is_current(inode, other))
			there = true;
	if (!there)
		list_add_tail(&inode->fids, &fid->link);
	spin_unlock_irqrestore(&client->lock, flags);
	if (there)
		fid_put(fid);
}

static struct node *node_of_attr(struct client *client, const struct attr *attr, u64 asked_ns)
{
	struct inode *inode;
	struct node *node;
	bool fresh;

	node = obtain(client, attr, &fresh);
	if (IS_ERR(node))
		return node;
	if (!fresh) {
		attr_update(node, attr, asked_ns);
		return node;
	}
	inode = inode_create(client, node);
	if (inode) {
		u64 id = node->attr.id;

		node->private = inode;
		node->attr = *attr;
		node->attr.id = id;
		inode->stamp = stamp_of(attr);
	}
	node_ready(node, inode ? 0 : -ENOMEM);
	if (inode)
		return node;
	node_put(node);
	return ERR_PTR(-ENOMEM);
}

struct node *inode_learn(struct fid *fid, struct call *call)
{
	struct client *client = fid->client;
	int error = call_wait(call);
	struct node *node;
	struct attr attr;

	if (!error)
		error = attr_from_reply(client, &call->message, &attr);
	node = error ? ERR_PTR(error) : node_of_attr(client, &attr, call->begun_ns);
	if (IS_ERR(node))
		fid_put(fid);
	else
		inode_adopt_fid(node, fid);
	call_end(call);
	return node;
}

struct node *inode_take(struct fid *fid)
{
	struct call call;
	int error = inode_ask(fid, &call);

	if (!error)
		return inode_learn(fid, &call);
	fid_put(fid);
	return ERR_PTR(error);
}

struct fid *inode_fid_of(struct inode *inode, u32 uid)
{
	unsigned long flags = spin_lock_irqsave(&inode->client->lock);
	struct fid *fid, *found = NULL;

	list_for_each(fid, &inode->fids, link)
		if ((fid->uid == uid || uid == NO_USER) && is_current(inode, fid)) {
			found = fid_get(fid);
			break;
		}
	spin_unlock_irqrestore(&inode->client->lock, flags);
	return found;
}

struct fid *inode_fid(struct node *node, const struct cred *cred)
{
	u32 uid = client_uid(client_of(node), cred);
	struct fid *fid = inode_fid_of(inode_of(node), uid);

	return fid ? fid : walk_from_root(node, uid);
}

/* The first of a list, which gives it up; NULL. */
static struct fid *take_fid(struct client *client, struct list *list)
{
	unsigned long flags = spin_lock_irqsave(&client->lock);
	struct fid *fid = NULL;

	if (!list_empty(list)) {
		fid = list_first(list, struct fid, link);
		list_del_init(&fid->link);
		fid->node = NULL;
		if (!list_empty(&fid->idle_link)) {
			list_del_init(&fid->idle_link);
			client->idle_count--;
		}
	}
	spin_unlock_irqrestore(&client->lock, flags);
	return fid;
}

#define PLACES_MAX 8 /* names of a file that are remembered */

/* client->lock held. */
static struct place *find_place(struct inode *inode, u64 parent, const struct name *name)
{
	struct place *place;

	list_for_each(place, &inode->places, link)
		if (place->parent == parent && place->length == name->length &&
		    !memcmp(place->text, name->text, name->length))
			return place;
	return NULL;
}

/* The one too many, out of the list; NULL. client->lock held. */
static struct place *oldest_place(struct inode *inode)
{
	struct place *place, *oldest = NULL;
	unsigned int count = 0;

	list_for_each(place, &inode->places, link) {
		count++;
		oldest = place;
	}
	if (count <= PLACES_MAX)
		return NULL;
	list_del(&oldest->link);
	return oldest;
}

void inode_found_at(struct node *node, const struct node *dir, const struct name *name)
{
	struct place *fresh = kmalloc(sizeof(*fresh), GFP_USER), *there, *unused;
	struct inode *inode = inode_of(node);
	unsigned long flags;

	if (!fresh) /* then others than who found it do not find it */
		return;
	fresh->parent = dir->attr.id;
	fresh->length = (u8)name->length;
	memcpy(fresh->text, name->text, name->length);
	flags = spin_lock_irqsave(&inode->client->lock);
	there = find_place(inode, dir->attr.id, name);
	if (there) {
		list_del(&there->link);
		list_add(&inode->places, &there->link);
		unused = fresh;
	} else {
		list_add(&inode->places, &fresh->link);
		unused = oldest_place(inode);
	}
	spin_unlock_irqrestore(&inode->client->lock, flags);
	kfree(unused);
}

void inode_not_at(struct node *node, const struct node *dir, const struct name *name, bool moved)
{
	struct inode *inode = inode_of(node);
	unsigned long flags = spin_lock_irqsave(&inode->client->lock);
	struct place *place = find_place(inode, dir->attr.id, name);
	struct fid *fid;

	if (place)
		list_del(&place->link);
	spin_unlock_irqrestore(&inode->client->lock, flags);
	kfree(place);
	/* To some servers (QEMU) a fid is a name. Others are walked to by the names that are left. */
	while (!moved && node->attr.nlink && (fid = take_fid(inode->client, &inode->fids)))
		fid_put(fid);
}

struct fid *inode_any_fid(struct node *node)
{
	return inode_fid_of(inode_of(node), NO_USER);
}

int inode_refresh(struct node *node, const struct cred *cred)
{
	struct fid *fid = inode_fid(node, cred);
	struct call call;
	struct attr attr;
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	error = inode_ask(fid, &call);
	if (!error) {
		error = call_wait(&call);
		if (!error)
			error = attr_from_reply(client_of(node), &call.message, &attr);
		if (!error && (attr.mode ^ node->attr.mode) & S_IFMT)
			error = -ESTALE;
		if (!error)
			attr_update(node, &attr, call.begun_ns);
		call_end(&call);
	}
	fid_put(fid);
	return error;
}

void inode_forget(struct node *node)
{
	struct inode *inode = inode_of(node);
	struct fid *fid;

	if (!inode)
		return;
	while ((fid = take_fid(inode->client, &inode->fids)))
		fid_put(fid);
	while ((fid = take_fid(inode->client, &inode->open_fids)))
		fid_put(fid);
	ahead_forget(inode);
	while (!list_empty(&inode->places)) {
		struct place *place = list_first(&inode->places, struct place, link);

		list_del(&place->link);
		kfree(place);
	}
	kfree(inode);
}

/* ---- Operations ---- */

int ninep_getattr(struct node *node, const struct cred *cred)
{
	/* A file without names has no attributes at some servers (QEMU's), and nobody else's changes at any. */
	if (!node->attr.nlink)
		return 0;
	return inode_refresh(node, cred);
}

static struct ninep_message setattr_message(const struct node *node, const struct fid *fid,
					    const struct attr_change *change)
{
	struct ninep_message message = {
		.type = Tsetattr,
		.Tsetattr = { .fid = fid->number,
			      /* With the kind: QEMU's mapped modes keep what they are told. */
			      .mode = (node->attr.mode & S_IFMT) | (change->mode & 07777),
			      .uid = change->uid,
			      .gid = change->gid,
			      .size = change->size,
			      .atime_sec = (u64)change->atime_ns / NSEC_PER_SEC,
			      .atime_nsec = (u64)change->atime_ns % NSEC_PER_SEC,
			      .mtime_sec = (u64)change->mtime_ns / NSEC_PER_SEC,
			      .mtime_nsec = (u64)change->mtime_ns % NSEC_PER_SEC },
	};
	u32 *valid = &message.Tsetattr.valid;

	if (change->valid & SETATTR_MODE)
		*valid |= NINEP_SETATTR_MODE;
	if (change->valid & SETATTR_UID)
		*valid |= NINEP_SETATTR_UID;
	if (change->valid & SETATTR_GID)
		*valid |= NINEP_SETATTR_GID;
	if (change->valid & SETATTR_SIZE)
		*valid |= NINEP_SETATTR_SIZE;
	if (change->valid & SETATTR_ATIME)
		*valid |= NINEP_SETATTR_ATIME | NINEP_SETATTR_ATIME_SET;
	/* A change of size sets it anyway. */
	if (change->valid & SETATTR_MTIME && !(change->valid & SETATTR_SIZE))
		*valid |= NINEP_SETATTR_MTIME | NINEP_SETATTR_MTIME_SET;
	return message;
}

static struct ninep_message wstat_message(const struct node *node, const struct fid *fid,
					  const struct attr_change *change, enum ninep_dialect dialect)
{
	struct ninep_message message = { .type = Twstat, .Twstat.fid = fid->number };
	struct ninep_stat *stat = &message.Twstat.stat;

	ninep_stat_no_change(stat);
	if (change->valid & SETATTR_MODE)
		stat->mode = ninep_mode_from_unix((node->attr.mode & S_IFMT) | (change->mode & 07777),
						  dialect);
	if (change->valid & SETATTR_UID)
		stat->n_uid = change->uid;
	if (change->valid & SETATTR_GID)
		stat->n_gid = change->gid;
	if (change->valid & SETATTR_SIZE)
		stat->length = change->size;
	if (change->valid & SETATTR_ATIME)
		stat->atime = (u32)(change->atime_ns / (s64)NSEC_PER_SEC);
	if (change->valid & SETATTR_MTIME && !(change->valid & SETATTR_SIZE))
		stat->mtime = (u32)(change->mtime_ns / (s64)NSEC_PER_SEC);
	return message;
}

/* Nobody but who has it open sees a file without names, and at some servers (QEMU) it has no attributes any more: they are kept here. */
static int setattr_unnamed(struct node *node, const struct attr_change *change, u64 size)
{
	return change->valid & SETATTR_SIZE ? write_zeros(node, size, change->size) : 0;
}

static int setattr_at_server(struct node *node, const struct attr_change *change, const struct cred *cred)
{
	struct client *client = client_of(node);
	enum ninep_dialect dialect = client->connection.dialect;
	struct fid *fid = inode_fid(node, cred);
	struct ninep_message message;
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	if (dialect == NINEP_2000 && change->valid & (SETATTR_UID | SETATTR_GID)) {
		fid_put(fid);
		return -EPERM; /* users have names there, not numbers */
	}
	message = dialect == NINEP_2000L ? setattr_message(node, fid, change)
					 : wstat_message(node, fid, change, dialect);
	error = call_simple(client, &message, fid, NULL);
	fid_put(fid);
	return error;
}

int ninep_setattr(struct node *node, const struct attr_change *change, const struct cred *cred)
{
	u64 size = node_size(node);
	int error = 0;

	/* Pages that are written later would undo it. */
	if (inode_is_dirty(node))
		error = page_cache_sync(node->cache, 0, ~0ULL);
	if (error)
		return error;
	inode_change_begin(node);
	if (change->valid & SETATTR_SIZE)
		node_set_size(node, change->size); /* what is written back meanwhile ends there */
	error = setattr_at_server(node, change, cred);
	if (error && error != -EINTR && !node->attr.nlink)
		error = setattr_unnamed(node, change, size);
	inode_change_end(node);
	if (error) {
		if (change->valid & SETATTR_SIZE)
			node_set_size(node, size);
		return error;
	}
	if (change->valid & SETATTR_SIZE && change->size < size && smp_load_acquire(&node->cache))
		error = page_cache_truncate(node->cache, change->size);
	node_setattr_copy(node, change);
	if (client_of(node)->options.cache != CACHE_LOOSE && node->attr.nlink)
		WRITE_ONCE(node->attr.believe_until_ns, 0);
	return error;
}

int ninep_statfs(struct tree *tree, struct statfs_info *info)
{
	struct client *client = tree->private;
	struct call statfs = { .message.type = Tstatfs };
	const struct ninep_Rstatfs *said = &statfs.message.Rstatfs;
	struct fid *fid;
	int error;

	*info = (struct statfs_info){ .type = tree->magic, .block_size = PAGE_SIZE, .name_max = 255 };
	if (client->connection.dialect != NINEP_2000L)
		return 0;
	fid = inode_any_fid(tree->root);
	if (!fid)
		return -EIO;
	statfs.message.Tstatfs.fid = fid->number;
	statfs.fids[0] = fid;
	error = call(client, &statfs);
	if (!error)
		*info = (struct statfs_info){ .type = said->type,
					      .block_size = said->bsize,
					      .blocks = said->blocks,
					      .free_blocks = said->bfree,
					      .available_blocks = said->bavail,
					      .files = said->files,
					      .free_files = said->ffree,
					      .id = said->fsid,
					      .name_max = said->namelen };
	call_end(&statfs);
	fid_put(fid);
	return error;
}
