/*
 * Extended attributes, in 9P2000.L: a fid that Txattrwalk or Txattrcreate makes of a file's is read or written like one. The fid's clunk
 * is what sets an attribute, so that is waited for here.
 */
#include "client.h"

#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/limits.h>
#include <linux/xattr.h>

/* A fid to read the attribute by ("": the list of names), and how long it is. ERR_PTR. */
static struct fid *xattr_walk(struct fid *fid, const char *name, u64 *size)
{
	struct client *client = fid->client;
	struct fid *attribute = fid_create(client, fid->uid);
	struct call walk = {};
	int error;

	if (IS_ERR(attribute))
		return attribute;
	walk.message.type = Txattrwalk;
	walk.message.Txattrwalk =
		(struct ninep_Txattrwalk){ fid->number, attribute->number, ninep_string(name) };
	walk.fids[0] = fid;
	walk.fids[1] = attribute;
	attribute->known = true;
	error = call(client, &walk);
	*size = walk.message.Rxattrwalk.size;
	call_end(&walk);
	if (!error)
		return attribute;
	attribute->known = error == -EINTR;
	fid_put(attribute);
	return ERR_PTR(error);
}

/* Reads `size` bytes, in as many messages as it takes. */
static ssize_t read_bytes(struct fid *fid, char *to, size_t size)
{
	size_t done = 0;

	while (done < size) {
		u32 part = (u32)min(size - done, (size_t)min(fid->client->io_max, (u32)(16 * KIB)));
		struct call read = { .in_room = NINEP_READ_HEAD + part, .fids = { fid } };
		const struct ninep_data *data = &read.message.Rread.data;
		u32 moved = 0;
		int error;

		read.message.type = Tread;
		read.message.Tread = (struct ninep_Tread){ fid->number, done, part };
		error = call(fid->client, &read);
		if (!error) {
			moved = data->length; /* not more than there was room for */
			memcpy(to + done, data->bytes, moved);
		}
		call_end(&read);
		if (error)
			return error;
		if (!moved)
			break;
		done += moved;
	}
	return (ssize_t)done;
}

/* An attribute or the list of them; with size 0 its length alone. */
static ssize_t xattr_read(struct node *node, const char *name, void *value, size_t size)
{
	struct fid *fid = inode_any_fid(node), *attribute;
	ssize_t result;
	u64 length;

	if (!fid)
		return -ESTALE;
	attribute = xattr_walk(fid, name, &length);
	fid_put(fid);
	if (IS_ERR(attribute))
		return PTR_ERR(attribute);
	if (length > XATTR_SIZE_MAX)
		result = -E2BIG;
	else if (!size)
		result = (ssize_t)length;
	else if (length > size)
		result = -ERANGE;
	else
		result = read_bytes(attribute, value, length);
	fid_put(attribute);
	return result;
}

ssize_t ninep_xattr_get(struct node *node, const char *name, void *value, size_t size)
{
	return xattr_read(node, name, value, size);
}

ssize_t ninep_xattr_list(struct node *node, char *list, size_t size, bool trusted)
{
	ssize_t length = xattr_read(node, "", list, size), kept = 0, part;

	if (length == -EOPNOTSUPP)
		return 0;
	if (length <= 0 || !size || trusted)
		return length;
	if (list[length - 1])
		return -EIO; /* the last name has no end */
	for (ssize_t at = 0; at < length; at += part) {
		part = (ssize_t)strlen(list + at) + 1;
		if (!strncmp(list + at, XATTR_TRUSTED_PREFIX, XATTR_TRUSTED_PREFIX_LEN))
			continue;
		memmove(list + kept, list + at, (size_t)part);
		kept += part;
	}
	return kept;
}

/* Waits for the fid's clunk, and what came of it. Nobody else may have the fid. */
static int clunk_and_wait(struct fid *fid)
{
	struct ninep_message message = { .type = Tclunk, .Tclunk.fid = fid->number };
	int error = call_simple(fid->client, &message, fid, NULL);

	fid->known = error == -EINTR; /* an error is what came of the attribute: the fid is gone all the same */
	return error;
}

static int write_bytes(struct fid *fid, const char *bytes, size_t size)
{
	for (size_t done = 0; done < size;) {
		u32 part = (u32)min(size - done, (size_t)fid->client->io_max);
		struct call write = { .fids = { fid } };
		u32 moved;
		int error;

		write.message.type = Twrite;
		write.message.Twrite =
			(struct ninep_Twrite){ fid->number, done, { bytes + done, part } };
		error = call(fid->client, &write);
		moved = write.message.Rwrite.count;
		call_end(&write);
		if (error)
			return error;
		if (!moved || moved > part)
			return -EIO;
		done += moved;
	}
	return 0;
}

int ninep_xattr_set(struct node *node, const char *name, const void *value, size_t size, int flags)
{
	struct fid *walking = inode_any_fid(node), *fid;
	struct ninep_message message = { .type = Txattrcreate };
	int error, result;

	if (!walking)
		return -ESTALE;
	fid = fid_clone(walking);
	fid_put(walking);
	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	/* Nothing to be written takes the attribute away. */
	message.Txattrcreate = (struct ninep_Txattrcreate){
		.fid = fid->number,
		.name = ninep_string(name),
		.attr_size = size,
		.flags = value ? (u32)flags : XATTR_REPLACE,
	};
	inode_change_begin(node);
	error = call_simple(fid->client, &message, fid, NULL);
	if (!error) {
		error = write_bytes(fid, value, size);
		result = clunk_and_wait(fid);
		error = error ? error : result;
	}
	inode_change_end(node);
	fid_put(fid);
	return error;
}
