/*
 * Extended attributes in 9P2000.L. Txattrwalk makes a fid from which the value of one, or the list of names, is read; Txattrcreate
 * turns a fid into one to which a value is written, which Tclunk then sets. A length of 0 removes the attribute, as other servers
 * have it.
 */
#include "server.h"

#include <kumo/err.h>
#include <kumo/kva.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/xattr.h>
#include <linux/limits.h>

/* Memory that one client may have the server keep for values; each can have 64 KiB. */
#define ATTRIBUTE_BYTES_MAX (4U << 20)

/* Room for so many more bytes of values, given back by attribute_free(). */
static int attribute_charge(struct connection *connection, u32 size)
{
	int error = -ENOMEM;

	spin_lock(&connection->lock);
	if (size <= ATTRIBUTE_BYTES_MAX - connection->attribute_bytes) {
		connection->attribute_bytes += size;
		error = 0;
	}
	spin_unlock(&connection->lock);
	return error;
}

static void attribute_uncharge(struct connection *connection, u32 size)
{
	spin_lock(&connection->lock);
	connection->attribute_bytes -= size;
	spin_unlock(&connection->lock);
}

void attribute_free(struct fid *fid)
{
	attribute_uncharge(fid->attachment->connection, fid->value_size);
	kfree(fid->name);
	kfree(fid->value);
}

static int take_name(struct ninep_string string, char **name)
{
	if (string.length > XATTR_NAME_MAX)
		return -ERANGE;
	*name = kstrndup(string.text, string.length, GFP_KERNEL);
	return *name ? 0 : -ENOMEM;
}

/* The value of `name`, or with "" the names of all; *value is kmalloc'ed. */
static ssize_t attribute_get(const struct path *path, const char *name, const struct cred *cred,
			     u8 **value)
{
	ssize_t size;

	*value = kmalloc(XATTR_SIZE_MAX, GFP_KERNEL | GFP_NOWARN);
	if (!*value)
		return -ENOMEM;
	size = *name ? path_xattr_get(path, name, *value, XATTR_SIZE_MAX, cred)
		     : path_xattr_list(path, (char *)*value, XATTR_LIST_MAX, cred);
	if (size < 0) {
		kfree(*value);
		*value = NULL;
	}
	return size;
}

int answer_xattrwalk(struct request *request)
{
	struct ninep_Txattrwalk *asked = &request->message.Txattrwalk;
	struct fid *fid __fid_put = fid_get(request, asked->fid);
	struct path path __path_put = {};
	char *name __free_kfree = NULL;
	u8 *value = NULL;
	struct fid *made;
	ssize_t size;
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	error = take_name(asked->name, &name);
	if (error)
		return error;
	fid_path(fid, &path);
	size = attribute_get(&path, name, fid->attachment->cred, &value);
	if (size < 0)
		return (int)size;
	error = attribute_charge(request->connection, (u32)size);
	made = error ? NULL : fid_make(fid->attachment, &path);
	if (!made) {
		if (!error)
			attribute_uncharge(request->connection, (u32)size);
		kfree(value);
		return -ENOMEM;
	}
	/* What is kept of it takes no more room than it needs. */
	made->value = size ? kmemdup(value, (size_t)size, GFP_KERNEL) : NULL;
	made->value_size = (u32)size;
	made->state = FID_ATTRIBUTE_READ;
	error = size && !made->value ? -ENOMEM : fid_add(request->connection, made, asked->newfid);
	kfree(value);
	if (error)
		fid_put(made);
	request->reply.Rxattrwalk.size = (u64)size;
	return error;
}

int answer_xattrcreate(struct request *request)
{
	struct ninep_Txattrcreate *asked = &request->message.Txattrcreate;
	struct fid *fid __fid_put = fid_get(request, asked->fid);
	char *name __free_kfree = NULL;
	u8 *value = NULL;
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	if (asked->attr_size > XATTR_SIZE_MAX)
		return -E2BIG;
	if (!asked->name.length)
		return -EINVAL;
	error = take_name(asked->name, &name);
	if (error)
		return error;
	error = attribute_charge(request->connection, (u32)asked->attr_size);
	if (error)
		return error;
	value = asked->attr_size ? kzalloc(asked->attr_size, GFP_KERNEL) : NULL;
	if (asked->attr_size && !value) {
		attribute_uncharge(request->connection, (u32)asked->attr_size);
		return -ENOMEM;
	}
	spin_lock(&fid->lock);
	if (fid->state == FID_NAMED) {
		fid->state = FID_ATTRIBUTE_WRITE;
		fid->name = name;
		fid->value = value;
		fid->value_size = (u32)asked->attr_size;
		fid->value_flags = (int)asked->flags;
		name = NULL;
		value = NULL;
	} else {
		error = -EBUSY;
	}
	spin_unlock(&fid->lock);
	if (error)
		attribute_uncharge(request->connection, (u32)asked->attr_size);
	kfree(value);
	return error;
}

ssize_t attribute_read(struct fid *fid, u64 offset, u8 *to, u32 count)
{
	if (offset >= fid->value_size)
		return 0;
	count = min(count, fid->value_size - (u32)offset);
	memcpy(to, fid->value + offset, count);
	return count;
}

/* From the front on, piece by piece. */
ssize_t attribute_write(struct fid *fid, u64 offset, const void *from, u32 count)
{
	ssize_t result = (ssize_t)count;

	spin_lock(&fid->lock);
	if (fid->state != FID_ATTRIBUTE_WRITE || offset != fid->written ||
	    count > fid->value_size - fid->written) {
		result = -EINVAL;
	} else {
		memcpy(fid->value + fid->written, from, count);
		fid->written += count;
	}
	spin_unlock(&fid->lock);
	return result;
}

int attribute_set(struct fid *fid)
{
	bool mine;

	spin_lock(&fid->lock);
	mine = fid->state == FID_ATTRIBUTE_WRITE;
	if (mine)
		fid->state = FID_ATTRIBUTE_DONE;
	spin_unlock(&fid->lock);
	if (!mine)
		return 0;
	if (fid->written < fid->value_size)
		return -EINVAL;
	return path_xattr_set(&fid->path, fid->name, fid->value_size ? fid->value : NULL,
			      fid->value_size, fid->value_flags, fid->attachment->cred);
}
