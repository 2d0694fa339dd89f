/* Fids: the numbers by which a client names files, and what stands behind each. And the users on whose behalf. */
#include "server.h"

#include <kumo/err.h>
#include <kumo/act.h>
#include <kumo/slab.h>
#include <kumo/string.h>

/* ---- Users ---- */

struct attachment *attachment_make(struct connection *connection, const struct cred *cred,
				   const struct path *root, bool squashed)
{
	struct attachment *attachment = kzalloc(sizeof(*attachment), GFP_KERNEL);

	if (!attachment)
		return NULL;
	refcount_set(&attachment->refs, 1);
	attachment->connection = connection;
	attachment->cred = cred_get(cred);
	attachment->squashed = squashed;
	attachment->root = *root;
	path_get(&attachment->root);
	return attachment;
}

static struct attachment *attachment_get(struct attachment *attachment)
{
	refcount_inc(&attachment->refs);
	return attachment;
}

void attachment_put(struct attachment *attachment)
{
	if (!refcount_dec_and_test(&attachment->refs))
		return;
	path_put(&attachment->root);
	cred_put(attachment->cred);
	kfree(attachment);
}

/* ---- One fid ---- */

struct fid *fid_make(struct attachment *attachment, const struct path *path)
{
	struct fid *fid = kzalloc(sizeof(*fid), GFP_KERNEL);

	if (!fid)
		return NULL;
	refcount_set(&fid->refs, 1);
	spin_init(&fid->lock, "9p_server_fid");
	mutex_init(&fid->directory_lock, "9p_server_directory");
	list_init(&fid->lock_uses);
	fid->attachment = attachment_get(attachment);
	fid->path = *path;
	path_get(&fid->path);
	return fid;
}

void fid_put(struct fid *fid)
{
	if (!refcount_dec_and_test(&fid->refs))
		return;
	if (fid->file)
		file_put(fid->file);
	attribute_free(fid);
	path_put(&fid->path);
	attachment_put(fid->attachment);
	kfree(fid);
}

void fid_path(struct fid *fid, struct path *path)
{
	spin_lock(&fid->lock);
	*path = fid->path;
	path_get(path);
	spin_unlock(&fid->lock);
}

struct file *fid_file(struct fid *fid)
{
	struct file *file = ERR_PTR(-EBADF);

	spin_lock(&fid->lock);
	if (fid->state == FID_OPEN)
		file = file_get(fid->file);
	spin_unlock(&fid->lock);
	return file;
}

int fid_open_begin(struct fid *fid, struct path *path)
{
	int error = -EBUSY;

	spin_lock(&fid->lock);
	if (fid->state == FID_NAMED) {
		fid->state = FID_OPENING;
		*path = fid->path;
		path_get(path);
		error = 0;
	}
	spin_unlock(&fid->lock);
	return error;
}

void fid_open_end(struct fid *fid, struct file *file)
{
	spin_lock(&fid->lock);
	fid->file = file;
	fid->state = FID_OPEN;
	spin_unlock(&fid->lock);
}

void fid_open_failed(struct fid *fid)
{
	spin_lock(&fid->lock);
	fid->state = FID_NAMED;
	spin_unlock(&fid->lock);
}

void fid_set_path(struct fid *fid, const struct path *path)
{
	struct path old;

	spin_lock(&fid->lock);
	old = fid->path;
	fid->path = *path;
	spin_unlock(&fid->lock);
	path_put(&old);
}

int fid_place(struct fid *fid, struct path *parent, char *text, struct name *last)
{
	struct path path __path_put = {};
	int error;

	fid_path(fid, &path);
	if (path_equal(&path, &fid->attachment->root))
		return -EBUSY;
	error = path_place(&path, parent, text, last);
	if (error)
		return error;
	if (path_is_below(parent, &fid->attachment->root))
		return 0;
	path_put(parent); /* somebody here has moved it out of what is exported */
	return -ENOENT;
}

int name_take(struct ninep_string string, char *text, struct name *name)
{
	if (string.length > NAME_MAX_LENGTH)
		return -ENAMETOOLONG;
	if (!ninep_is_name(string))
		return -EINVAL;
	memcpy(text, string.text, string.length);
	text[string.length] = '\0';
	*name = name_make(text, string.length);
	return 0;
}

/* ---- The table ---- */

struct fid *fid_get(struct request *request, u32 number)
{
	struct connection *connection = request->connection;
	struct fid *fid;

	spin_lock(&connection->lock);
	fid = xarray_load(&connection->fids, number);
	if (fid)
		refcount_inc(&fid->refs);
	spin_unlock(&connection->lock);
	if (!fid)
		return ERR_PTR(-EBADF);
	thread_act_as(fid->attachment->cred);
	return fid;
}

int fid_add(struct connection *connection, struct fid *fid, u32 number)
{
	int error = 0;

	if (number == NINEP_NO_FID)
		return -EINVAL;
	fid->number = number;
	spin_lock(&connection->lock);
	if (xarray_load(&connection->fids, number))
		error = -EBUSY;
	else if (connection->fid_count >= connection->export.fid_limit)
		error = -EMFILE;
	else
		error = xarray_store(&connection->fids, number, fid, GFP_ATOMIC);
	if (!error)
		connection->fid_count++;
	spin_unlock(&connection->lock);
	return error;
}

bool fid_remove(struct connection *connection, struct fid *fid)
{
	bool removed;

	spin_lock(&connection->lock);
	removed = xarray_load(&connection->fids, fid->number) == fid;
	if (removed) {
		xarray_remove(&connection->fids, fid->number);
		connection->fid_count--;
	}
	spin_unlock(&connection->lock);
	return removed;
}

void fids_drop(struct connection *connection)
{
	for (;;) {
		struct fid *fid;
		u64 number = 0;

		spin_lock(&connection->lock);
		fid = xarray_find(&connection->fids, &number);
		if (fid) {
			xarray_remove(&connection->fids, number);
			connection->fid_count--;
		}
		spin_unlock(&connection->lock);
		if (!fid)
			break;
		locks_release(connection, fid);
		fid_put(fid);
	}
	xarray_destroy(&connection->fids);
}
