/*
 * Opening and closing. Open files of one node share a fid when the same user opened it for as much: offsets are in every message, so
 * nobody notices, and most opens cost no message at all.
 *
 * Who believes everything (cache=loose) keeps some fids that were opened for reading after the last file has closed. One that was opened for
 * writing is kept only as long as pages are dirty, which are written by it: a program that was made here can then be executed
 * at the server.
 */
#include "client.h"

#include <kumo/pagecache.h>
#include <kumo/slab.h>
#include <kumo/writeback.h>

#define IDLE_MAX 256 /* open fids of a client that no file uses */

/* ---- Fids that are open ---- */

/* An open one that allows `mask`; uid NO_USER: whoever opened it. client->lock held. */
static struct fid *find_open(struct inode *inode, u8 mask, u32 uid)
{
	struct fid *fid;

	list_for_each(fid, &inode->open_fids, link)
		if ((fid->open & mask) == mask && (uid == NO_USER || fid->uid == uid))
			return fid;
	return NULL;
}

static void idle_leave(struct client *client, struct fid *fid)
{
	if (list_empty(&fid->idle_link))
		return;
	list_del_init(&fid->idle_link);
	client->idle_count--;
}

static struct fid *get_open(struct node *node, u8 mask, u32 uid)
{
	struct client *client = client_of(node);
	unsigned long flags = spin_lock_irqsave(&client->lock);
	struct fid *fid = find_open(inode_of(node), mask, uid);

	if (fid) {
		fid_get(fid);
		idle_leave(client, fid);
	}
	spin_unlock_irqrestore(&client->lock, flags);
	return fid;
}

void inode_keep_open(struct node *node, struct fid *fid)
{
	struct inode *inode = inode_of(node);
	unsigned long flags = spin_lock_irqsave(&inode->client->lock);

	fid->node = node;
	if (!fid->io_max)
		fid->io_max = inode->client->io_max;
	list_add_tail(&inode->open_fids, &fid->link);
	spin_unlock_irqrestore(&inode->client->lock, flags);
}

/* Out of its node's list, whose reference becomes the caller's. client->lock held. */
static void leave_node(struct client *client, struct fid *fid)
{
	idle_leave(client, fid);
	list_del_init(&fid->link);
	fid->node = NULL;
}

/* Is it worth keeping, though no file uses it? client->lock held. */
static bool stays_open(const struct client *client, const struct fid *fid)
{
	if (fid->open & MAY_WRITE)
		return inode_is_dirty(fid->node);
	return client->options.cache == CACHE_LOOSE;
}

void inode_put_open_fid(struct fid *fid)
{
	struct client *client = fid->client;
	unsigned long flags = spin_lock_irqsave(&client->lock);
	struct fid *leaves = NULL;

	/* Two references: the list's, and the one that goes. */
	if (fid->node && refcount_read(&fid->refs) == 2) {
		if (!stays_open(client, fid)) {
			leave_node(client, fid);
			leaves = fid;
		} else if (!(fid->open & MAY_WRITE) && list_empty(&fid->idle_link)) {
			list_add_tail(&client->idle, &fid->idle_link);
			if (++client->idle_count > IDLE_MAX) {
				leaves = list_first(&client->idle, struct fid, idle_link);
				leave_node(client, leaves);
			}
		}
	}
	spin_unlock_irqrestore(&client->lock, flags);
	if (leaves)
		fid_put(leaves);
	fid_put(fid);
}

void inode_settle(struct node *node)
{
	struct client *client = client_of(node);
	struct inode *inode = inode_of(node);
	struct fid *fid, *after;
	struct list leaving = LIST_INIT(leaving);
	unsigned long flags;

	flags = spin_lock_irqsave(&client->lock);
	list_for_each_safe(fid, after, &inode->open_fids, link)
		if (refcount_read(&fid->refs) == 1 && !stays_open(client, fid)) {
			leave_node(client, fid);
			list_add_tail(&leaving, &fid->link);
		}
	spin_unlock_irqrestore(&client->lock, flags);
	while (!list_empty(&leaving)) {
		fid = list_first(&leaving, struct fid, link);
		list_del_init(&fid->link);
		fid_put(fid);
	}
}

/* ---- Opening at the server ---- */

static struct ninep_message open_message(struct fid *fid, u8 mask, bool directory)
{
	static const u32 flags[] = {
		[MAY_READ] = O_RDONLY, [MAY_WRITE] = O_WRONLY, [MAY_READ | MAY_WRITE] = O_RDWR
	};
	struct ninep_message message = { .type = Tlopen };

	if (fid->client->connection.dialect == NINEP_2000L) {
		message.Tlopen =
			(struct ninep_Tlopen){ .fid = fid->number,
					       .flags = flags[mask] | (directory ? O_DIRECTORY : 0) };
		return message;
	}
	message.type = Topen;
	message.Topen = (struct ninep_Topen){ .fid = fid->number, .mode = (u8)flags[mask] };
	return message;
}

/* Opens a copy of a walking fid, and puts it in the node's list; the caller has a reference. */
static struct fid *open_at_server(struct node *node, struct fid *walking, u8 mask)
{
	struct client *client = client_of(node);
	struct fid *fid = fid_clone(walking);
	struct call open = {};
	u32 unit;
	int error;

	if (IS_ERR(fid))
		return fid;
	open.message = open_message(fid, mask, S_ISDIR(node->attr.mode));
	open.fids[0] = fid;
	error = call(client, &open);
	unit = open.message.type == Rlopen ? open.message.Rlopen.iounit : open.message.Ropen.iounit;
	call_end(&open);
	if (error) {
		fid_put(fid);
		return ERR_PTR(error);
	}
	fid->open = mask;
	fid->io_max = unit ? min(unit, client->io_max) : client->io_max;
	fid_get(fid);
	inode_keep_open(node, fid);
	return fid;
}

struct fid *inode_open_fid(struct node *node, u8 mask)
{
	struct fid *fid = get_open(node, mask, NO_USER), *walking;

	if (fid)
		return fid;
	walking = inode_any_fid(node);
	if (!walking)
		return ERR_PTR(-ESTALE);
	fid = open_at_server(node, walking, mask);
	fid_put(walking);
	return fid;
}

/* For a user who opens it. What is written through the page cache must often be read first. */
struct fid *inode_open_for(struct node *node, u8 mask, const struct cred *cred)
{
	struct client *client = client_of(node);
	bool shared = !S_ISDIR(node->attr.mode) || client->connection.dialect == NINEP_2000L;
	u32 uid = client_uid(client, cred);
	struct fid *fid = shared ? get_open(node, mask, uid) : NULL, *walking;

	if (fid)
		return fid;
	walking = inode_fid(node, cred);
	if (IS_ERR(walking))
		return walking;
	if (mask == MAY_WRITE && client->options.cache != CACHE_NONE)
		fid = open_at_server(node, walking, MAY_READ | MAY_WRITE);
	if (!fid || (IS_ERR(fid) && PTR_ERR(fid) == -EACCES))
		fid = open_at_server(node, walking, mask);
	fid_put(walking);
	return fid;
}

/* ---- Operations ---- */

int ninep_open(struct file *file, const struct cred *cred)
{
	static const u8 masks[] = { MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ };
	struct handle *handle = kzalloc(sizeof(*handle), GFP_USER);
	int error;

	if (!handle)
		return -ENOMEM;
	mutex_init(&handle->lock, "9p_directory");
	handle->fid = inode_open_for(file->node, masks[file->flags & O_ACCMODE], cred);
	if (IS_ERR(handle->fid)) {
		error = (int)PTR_ERR(handle->fid);
		kfree(handle);
		return error;
	}
	file->private = handle;
	return 0;
}

void ninep_clunk(struct file *file)
{
	struct handle *handle = handle_of(file);

	inode_put_open_fid(handle->fid);
	kfree(handle->entries);
	kfree(handle);
}

int ninep_flush(struct file *file)
{
	struct page_cache *cache = smp_load_acquire(&file->node->cache);

	/* Others see what was written once the file is closed. */
	if (client_of(file->node)->options.cache == CACHE_LOOSE || !cache || !inode_is_dirty(file->node))
		return 0;
	return page_cache_sync(cache, 0, ~0ULL);
}

int ninep_fsync(struct file *file, bool data_only)
{
	struct client *client = client_of(file->node);
	struct fid *fid = handle_of(file)->fid;
	struct ninep_message message = { .type = Tfsync };

	if (client->connection.dialect == NINEP_2000L) {
		message.Tfsync = (struct ninep_Tfsync){ .fid = fid->number, .datasync = data_only };
	} else {
		message.type = Twstat; /* that changes nothing makes the file stable (stat(5)) */
		message.Twstat.fid = fid->number;
		ninep_stat_no_change(&message.Twstat.stat);
	}
	return call_simple(client, &message, fid, NULL);
}
