/*
 * Locks of 9P2000.L: those of fcntl(2), for processes of the client. (client_id, proc_id) is one owner in the whole connection. What
 * owners have locked through a fid is free when the fid goes, as with close(2).
 */
#include "server.h"

#include <kumo/err.h>
#include <kumo/slab.h>
#include <kumo/string.h>

/* A process of the client that has locked something. Its address stands for it in the core. */
struct lock_owner {
	struct list link;  /* in connection->lock_owners */
	unsigned int uses; /* by fids and requests; under connection->lock, as the list */
	u32 process;
	u16 length;
	char client[];
};

/* It has locked something through this fid. */
struct lock_use {
	struct list link; /* in fid->lock_uses, under connection->lock */
	struct lock_owner *owner;
};

#define LOCK_OWNERS_MAX 4096 /* at once */

/* connection->lock is held. */
static struct lock_owner *owner_find(struct connection *connection, u32 process,
				     struct ninep_string client)
{
	struct lock_owner *owner;

	list_for_each(owner, &connection->lock_owners, link)
		if (owner->process == process && owner->length == client.length &&
		    !memcmp(owner->client, client.text, client.length))
			return owner;
	return NULL;
}

/* connection->lock is held: the fid uses the owner; takes *use over if it did not before. */
static void owner_use(struct fid *fid, struct lock_owner *owner, struct lock_use **use)
{
	struct lock_use *known;

	list_for_each(known, &fid->lock_uses, link)
		if (known->owner == owner)
			return;
	(*use)->owner = owner;
	owner->uses++;
	list_add(&fid->lock_uses, &(*use)->link);
	*use = NULL;
}

/* The owner, from now on used by the fid, and by the caller until owner_put(). ERR_PTR(-ENOLCK, -EBADF). */
static struct lock_owner *owner_get(struct connection *connection, struct fid *fid, u32 process,
				    struct ninep_string client)
{
	struct lock_owner *fresh = kmalloc(sizeof(*fresh) + client.length, GFP_KERNEL), *owner = NULL;
	struct lock_use *use = kmalloc(sizeof(*use), GFP_KERNEL);
	int error = -ENOLCK;

	if (!fresh || !use)
		goto out;
	fresh->uses = 0;
	fresh->process = process;
	fresh->length = client.length;
	memcpy(fresh->client, client.text, client.length);
	spin_lock(&connection->lock);
	owner = owner_find(connection, process, client);
	if (fid->locks_gone) {
		error = -EBADF;
		owner = NULL;
	} else if (!owner && connection->lock_owner_count < LOCK_OWNERS_MAX) {
		owner = fresh;
		list_add(&connection->lock_owners, &fresh->link);
		connection->lock_owner_count++;
		fresh = NULL;
	}
	if (owner) {
		owner->uses++; /* the caller's */
		owner_use(fid, owner, &use);
	}
	spin_unlock(&connection->lock);
out:
	kfree(fresh);
	kfree(use);
	return owner ? owner : ERR_PTR(error);
}

/* The next one that has locked something through the fid, which uses it no more; NULL: there is none. */
static struct lock_use *use_take(struct connection *connection, struct fid *fid)
{
	struct lock_use *use = NULL;

	spin_lock(&connection->lock);
	fid->locks_gone = true;
	if (!list_empty(&fid->lock_uses)) {
		use = list_first(&fid->lock_uses, struct lock_use, link);
		list_del(&use->link);
	}
	spin_unlock(&connection->lock);
	return use;
}

static void owner_put(struct connection *connection, struct lock_owner *owner)
{
	bool last;

	spin_lock(&connection->lock);
	last = !--owner->uses;
	if (last) {
		list_del(&owner->link);
		connection->lock_owner_count--;
	}
	spin_unlock(&connection->lock);
	if (last)
		kfree(owner);
}

void locks_release(struct connection *connection, struct fid *fid)
{
	struct file *file __file_put = fid_file(fid);
	struct lock_use *use;

	while ((use = use_take(connection, fid))) {
		if (!IS_ERR(file))
			file_locks_release_owner(file, use->owner);
		owner_put(connection, use->owner);
		kfree(use);
	}
}

static const short lock_types[] = {
	[NINEP_LOCK_READ] = F_RDLCK, [NINEP_LOCK_WRITE] = F_WRLCK, [NINEP_LOCK_NONE] = F_UNLCK
};

int answer_lock(struct request *request)
{
	struct ninep_Tlock *asked = &request->message.Tlock;
	struct fid *fid __fid_put = fid_get(request, asked->fid);
	struct file *file __file_put = NULL;
	struct lock_range range = { .start = asked->start,
				    .length = asked->length,
				    .pid = (int)asked->proc_id };
	struct lock_owner *owner;
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	file = fid_file(fid);
	if (IS_ERR(file))
		return (int)PTR_ERR(file);
	if (asked->type > NINEP_LOCK_NONE)
		return -EINVAL;
	range.type = lock_types[asked->type];
	owner = owner_get(request->connection, fid, asked->proc_id, asked->client_id);
	if (IS_ERR(owner))
		return (int)PTR_ERR(owner);
	error = file_lock_owned(file, owner, &range, asked->flags & NINEP_LOCK_FLAG_BLOCK);
	if (!error && READ_ONCE(fid->locks_gone)) {
		/* The fid went meanwhile: nobody would free what was locked. */
		file_locks_release_owner(file, owner);
		error = -EBADF;
	}
	owner_put(request->connection, owner);
	request->reply.Rlock.status = error == -EAGAIN ? NINEP_LOCK_BLOCKED : NINEP_LOCK_SUCCESS;
	return error == -EAGAIN ? 0 : error;
}

int answer_getlock(struct request *request)
{
	struct ninep_Tgetlock *asked = &request->message.Tgetlock;
	struct ninep_Rgetlock *reply = &request->reply.Rgetlock;
	struct fid *fid __fid_put = fid_get(request, asked->fid);
	struct file *file __file_put = NULL;
	struct lock_range range = { .start = asked->start, .length = asked->length };
	const void *owner;
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	file = fid_file(fid);
	if (IS_ERR(file))
		return (int)PTR_ERR(file);
	if (asked->type >= NINEP_LOCK_NONE)
		return -EINVAL;
	range.type = lock_types[asked->type];
	spin_lock(&request->connection->lock);
	owner = owner_find(request->connection, asked->proc_id, asked->client_id);
	spin_unlock(&request->connection->lock);
	/* Who has no locks yet is somebody else than all who have. */
	error = file_lock_test(file, owner ? owner : request, &range);
	if (error)
		return error;
	*reply = (struct ninep_Rgetlock){ .type = NINEP_LOCK_NONE,
					  .start = asked->start,
					  .length = asked->length,
					  .proc_id = asked->proc_id,
					  .client_id = asked->client_id };
	if (range.type == F_UNLCK)
		return 0;
	reply->type = range.type == F_WRLCK ? NINEP_LOCK_WRITE : NINEP_LOCK_READ;
	reply->start = range.start;
	reply->length = range.length;
	reply->proc_id = (u32)range.pid;
	return 0;
}
