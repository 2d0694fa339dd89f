/*
 * Fids: the numbers that stand for files at the server. Nobody waits for a clunk: a worker sends it when the last reference
 * is gone, and the number is used again when the server has answered.
 */
#include "client.h"

#include <kumo/slab.h>

/* A user who has attached. */
struct attached {
	struct list link;
	struct fid *root;
};

struct fid *fid_create(struct client *client, u32 uid)
{
	struct fid *fid = kzalloc(sizeof(*fid), GFP_KERNEL);
	unsigned long flags;
	s64 number;

	if (!fid)
		return ERR_PTR(-ENOMEM);
	fid->client = client;
	fid->uid = uid;
	fid->epoch = READ_ONCE(client->epoch);
	refcount_set(&fid->refs, 1);
	list_init(&fid->link);
	list_init(&fid->idle_link);
	flags = spin_lock_irqsave(&client->lock);
	/* Not one that was just given up: a server may still be about it (diod is, after a walk that failed). */
	number = xarray_alloc(&client->numbers, fid, client->next_number, NINEP_NO_FID - 1, GFP_ATOMIC);
	if (number == -ENOSPC)
		number = xarray_alloc(&client->numbers, fid, 0, NINEP_NO_FID - 1, GFP_ATOMIC);
	if (number >= 0)
		client->next_number = (u32)number + 1;
	spin_unlock_irqrestore(&client->lock, flags);
	if (number < 0) {
		kfree(fid);
		return ERR_PTR(-ENOMEM);
	}
	fid->number = (u32)number;
	return fid;
}

void fid_put(struct fid *fid)
{
	struct client *client = fid->client;
	unsigned long flags;

	if (!refcount_dec_and_test(&fid->refs))
		return;
	flags = spin_lock_irqsave(&client->lock);
	list_add_tail(fid->known ? &client->unused : &client->retired, &fid->link);
	spin_unlock_irqrestore(&client->lock, flags);
	work_queue(&client->fid_work);
}

/* Rclunk, or an error, or the end of the connection: the server does not know it any more. */
static void clunked(struct request *request)
{
	struct fid *fid = request->private;
	struct client *client = fid->client;
	unsigned long flags = spin_lock_irqsave(&client->lock);

	list_add_tail(&client->retired, &fid->link);
	spin_unlock_irqrestore(&client->lock, flags);
	work_queue(&client->fid_work);
}

static struct fid *take_first(struct client *client, struct list *list)
{
	unsigned long flags = spin_lock_irqsave(&client->lock);
	struct fid *fid = NULL;

	if (!list_empty(list)) {
		fid = list_first(list, struct fid, link);
		list_del_init(&fid->link);
		if (list == &client->retired)
			xarray_remove(&client->numbers, fid->number);
	}
	spin_unlock_irqrestore(&client->lock, flags);
	return fid;
}

static void clunk(struct client *client, struct fid *fid)
{
	struct ninep_message message = { .type = Tclunk, .Tclunk.fid = fid->number };
	struct request *request =
		request_create(&client->connection, &message, REPLY_SMALL, 0, GFP_KERNEL);
	unsigned long flags;

	if (!IS_ERR(request)) {
		request->private = fid;
		request->done = clunked;
		if (!request_send(request)) {
			request_put(request);
			return;
		}
		request_put(request);
	}
	flags = spin_lock_irqsave(&client->lock);
	list_add_tail(&client->retired, &fid->link);
	spin_unlock_irqrestore(&client->lock, flags);
}

static void fid_work(struct work *work)
{
	struct client *client = container_of(work, struct client, fid_work);
	struct fid *fid;

	WRITE_ONCE(client->clunking, true);
	while ((fid = take_first(client, &client->unused)))
		clunk(client, fid);
	WRITE_ONCE(client->clunking, false);
	wake_up_all(&client->connection.tag_wait); /* of client_end() */
	while ((fid = take_first(client, &client->retired)))
		kfree(fid);
}

void fids_init(struct client *client)
{
	list_init(&client->unused);
	list_init(&client->retired);
	list_init(&client->users);
	list_init(&client->idle);
	list_init(&client->listed);
	work_init(&client->fid_work, fid_work);
}

bool fids_are_clunked(struct client *client)
{
	unsigned long flags = spin_lock_irqsave(&client->lock);
	bool done = list_empty(&client->unused) && !client->clunking;

	spin_unlock_irqrestore(&client->lock, flags);
	return done;
}

void fids_destroy(struct client *client)
{
	work_flush(&client->fid_work);
	xarray_destroy(&client->numbers);
}

struct fid *fid_clone(struct fid *fid)
{
	struct client *client = fid->client;
	struct fid *copy = fid_create(client, fid->uid);
	struct call walk = { .message = { .type = Twalk, .Twalk = { .fid = fid->number } } };
	int error;

	if (IS_ERR(copy))
		return copy;
	walk.message.Twalk.newfid = copy->number;
	walk.fids[0] = fid;
	walk.fids[1] = copy;
	copy->known = true;
	error = call(client, &walk);
	if (!error && walk.message.Rwalk.wqid.count)
		error = -EIO;
	call_end(&walk);
	if (!error)
		return copy;
	copy->known = error == -EINTR;
	fid_put(copy);
	return ERR_PTR(error);
}

/* ---- Users ---- */

u32 client_uid(const struct client *client, const struct cred *cred)
{
	return client->options.access == ACCESS_ANY ? NO_USER : cred->fsuid;
}

static struct fid *attach(struct client *client, u32 uid)
{
	const struct options *options = &client->options;
	struct fid *fid = fid_create(client, uid);
	struct call attach = { .in_room = REPLY_SMALL };
	int error;

	if (IS_ERR(fid))
		return fid;
	attach.message.type = Tattach;
	attach.message.Tattach = (struct ninep_Tattach){
		.fid = fid->number,
		.afid = NINEP_NO_FID,
		.uname = ninep_string(uid == NO_USER || options->dialect == NINEP_2000 ? options->uname
										       : ""),
		.aname = ninep_string(options->aname),
		.n_uname = uid,
	};
	attach.fids[0] = fid;
	fid->known = true;
	error = call(client, &attach);
	call_end(&attach);
	if (!error)
		return fid;
	fid->known = error == -EINTR;
	fid_put(fid);
	return ERR_PTR(error);
}

static struct attached *find_user(struct client *client, u32 uid)
{
	struct attached *user;

	list_for_each(user, &client->users, link)
		if (user->root->uid == uid)
			return user;
	return NULL;
}

static struct fid *attach_user(struct client *client, u32 uid)
{
	struct attached *user = kzalloc(sizeof(*user), GFP_KERNEL);
	struct fid *fid;

	if (!user)
		return ERR_PTR(-ENOMEM);
	fid = attach(client, uid);
	if (IS_ERR(fid)) {
		kfree(user);
		return fid;
	}
	user->root = fid_get(fid);
	list_add_tail(&client->users, &user->link);
	return fid;
}

struct fid *client_root(struct client *client, u32 uid)
{
	struct attached *user;
	struct fid *fid;

	if (client->options.access == ACCESS_SINGLE && uid != client->options.single_uid)
		return ERR_PTR(-EPERM);
	if (mutex_lock_killable(&client->attach_lock))
		return ERR_PTR(-EINTR);
	user = find_user(client, uid);
	fid = user ? fid_get(user->root) : attach_user(client, uid);
	mutex_unlock(&client->attach_lock);
	return fid;
}

void client_users_put(struct client *client)
{
	while (!list_empty(&client->users)) {
		struct attached *user = list_first(&client->users, struct attached, link);

		list_del(&user->link);
		fid_put(user->root);
		kfree(user);
	}
}
