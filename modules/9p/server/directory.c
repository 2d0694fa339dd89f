/*
 * Messages that list directories. An offset of 9P2000.L is the tree's own, so it stays good as long as the tree's do. 9P2000 has none:
 * one reads on where one stopped, or begins anew at 0, and gets the whole attributes of each name.
 */
#include "server.h"

#include <kumo/err.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/fs.h>

/* fid->directory_lock is held: the next call of file_readdir() begins there. */
static int directory_seek(struct file *file, u64 offset)
{
	loff_t place = (loff_t)offset < 0 ? -EINVAL : file_seek(file, (loff_t)offset, SEEK_SET);

	return place < 0 ? (int)place : 0;
}

/* ---- 9P2000.L ---- */

struct listing {
	struct dir_context context;
	const struct connection *connection;
	const struct path *path;
	u8 *to;
	u32 used, limit;
	bool full;
};

static bool add_entry(struct dir_context *context, const char *name, u32 length, u64 next_offset,
		      u64 id, u32 type)
{
	struct listing *listing = container_of(context, struct listing, context);
	struct ninep_entry entry = { .qid = { qid_type(type << 12), 0,
					      qid_path(listing->connection, listing->path, id) },
				     .offset = next_offset,
				     .type = (u8)type,
				     .name = { .text = name, .length = (u16)length } };
	size_t size =
		ninep_entry_put(listing->to + listing->used, listing->limit - listing->used, &entry);

	listing->full = !size;
	listing->used += (u32)size;
	return size;
}

int answer_readdir(struct request *request)
{
	struct ninep_Treaddir *asked = &request->message.Treaddir;
	struct fid *fid __fid_put = fid_get(request, asked->fid);
	struct file *file __file_put = NULL;
	struct path path __path_put = {};
	struct listing listing = { .context.add = add_entry, .connection = request->connection };
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	file = fid_file(fid);
	if (IS_ERR(file))
		return (int)PTR_ERR(file);
	fid_path(fid, &path);
	listing.path = &path;
	listing.to = request->out + NINEP_READ_HEAD;
	listing.limit = min(asked->count, request->connection->message_size - NINEP_READ_HEAD);
	error = mutex_lock_killable(&fid->directory_lock);
	if (error)
		return error;
	error = S_ISDIR(file->node->attr.mode) ? directory_seek(file, asked->offset) : -ENOTDIR;
	if (!error)
		error = file_readdir(file, &listing.context);
	mutex_unlock(&fid->directory_lock);
	if (!error && listing.full && !listing.used)
		error = -EINVAL; /* not even one has room */
	request->reply.Rreaddir.data.length = listing.used;
	return error;
}

/* ---- 9P2000 and 9P2000.u ---- */

/* Names, as the tree gives them; the attributes are asked for when no lock of its is held any more. */
struct collected {
	u64 next_offset, id;
	u16 length;
	u8 type;
	char name[];
};
struct collection {
	struct dir_context context;
	u8 *bytes;
	size_t used;
};

static bool collect(struct dir_context *context, const char *name, u32 length, u64 next_offset,
		    u64 id, u32 type)
{
	struct collection *collection = container_of(context, struct collection, context);
	struct collected *entry = (struct collected *)(collection->bytes + collection->used);
	size_t size = ALIGN_UP(offsetof(struct collected, name) + length, 8UL);

	if (size > PAGE_SIZE - collection->used)
		return false;
	*entry = (struct collected){ next_offset, id, (u16)length, (u8)type };
	memcpy(entry->name, name, length);
	collection->used += size;
	return true;
}

/* One entry; the bytes, 0: no room. Of what may not be looked at there is little to tell; what has gone is left out (1 byte less than
 * nothing: -ENOENT). */
static ssize_t put_entry(struct request *request, struct fid *fid, const struct path *dir,
			 const struct collected *entry, struct stat_texts *texts, u8 *to, u32 room)
{
	struct ninep_string name = { .text = entry->name, .length = entry->length };
	struct ninep_stat stat = { .name = name };
	char text[NAME_MAX_LENGTH + 1];
	struct path path;
	int error;

	memcpy(text, entry->name, entry->length);
	text[entry->length] = '\0';
	error = path_walk(dir, text, 0, fid->attachment->cred, &path);
	if (!error) {
		error = stat_fill(request, &path, name, fid->attachment->cred, &stat, texts);
		path_put(&path);
	}
	if (error == -ENOENT || error == -EINTR)
		return error;
	if (error) {
		stat.qid = (struct ninep_qid){ qid_type((u32)entry->type << 12), 0,
					       qid_path(request->connection, dir, entry->id) };
		stat.mode = (u32)stat.qid.type << 24;
	}
	return (ssize_t)ninep_stat_put(to, room, request->connection->dialect, &stat);
}

struct reading {
	struct request *request;
	struct fid *fid;
	struct path dir;
	struct stat_texts *texts;
	u8 *to;
	u32 used, room;
	u64 offset; /* of the tree: where the next call goes on */
	bool full;
};

/* What was collected, as far as it fits. */
static int put_collected(struct reading *reading, const struct collection *collection)
{
	size_t at = 0;
	ssize_t size;

	while (at < collection->used && !reading->full) {
		const struct collected *entry = (const struct collected *)(collection->bytes + at);
		bool dots = entry->name[0] == '.' &&
			    (entry->length == 1 || (entry->length == 2 && entry->name[1] == '.'));

		size = dots ? -ENOENT
			    : put_entry(reading->request, reading->fid, &reading->dir, entry,
					reading->texts, reading->to + reading->used,
					reading->room - reading->used);
		if (size < 0 && size != -ENOENT)
			return (int)size;
		if (!size) {
			reading->full = true;
			break;
		}
		if (size > 0)
			reading->used += (u32)size;
		reading->offset = entry->next_offset;
		at += ALIGN_UP(offsetof(struct collected, name) + entry->length, 8UL);
	}
	return 0;
}

static int read_entries(struct reading *reading, struct file *file)
{
	struct collection collection = { .context.add = collect };
	int error;

	collection.bytes = kmalloc(PAGE_SIZE, GFP_KERNEL);
	reading->texts = kmalloc(sizeof(*reading->texts), GFP_KERNEL);
	error = collection.bytes && reading->texts ? 0 : -ENOMEM;
	while (!error && !reading->full) {
		collection.used = 0;
		error = directory_seek(file, reading->offset);
		if (!error)
			error = file_readdir(file, &collection.context);
		if (error || !collection.used)
			break;
		error = put_collected(reading, &collection);
	}
	kfree(reading->texts);
	kfree(collection.bytes);
	return error;
}

ssize_t directory_read(struct request *request, struct fid *fid, struct file *file, u64 offset,
		       u8 *to, u32 count)
{
	struct reading reading = { .request = request, .fid = fid, .to = to, .room = count };
	int error = mutex_lock_killable(&fid->directory_lock);

	if (error)
		return error;
	if (!offset)
		fid->next_offset = fid->tree_offset = 0;
	if (offset != fid->next_offset) {
		mutex_unlock(&fid->directory_lock);
		return -EINVAL;
	}
	reading.offset = fid->tree_offset;
	fid_path(fid, &reading.dir);
	error = read_entries(&reading, file);
	path_put(&reading.dir);
	if (!error && reading.full && !reading.used)
		error = -EINVAL;
	if (!error) {
		fid->tree_offset = reading.offset;
		fid->next_offset += reading.used;
	}
	mutex_unlock(&fid->directory_lock);
	return error ? error : (ssize_t)reading.used;
}
