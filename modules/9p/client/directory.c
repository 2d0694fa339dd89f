/* Reading directories, a large buffer at a time; what was read is given from there. */
#include "client.h"

#include <kumo/slab.h>
#include <kumo/string.h>

#define BUFFER_SIZE (32 * KIB)

/* One entry, whichever dialect it came in. next: the offset behind it. */
struct found {
	struct ninep_string name;
	u64 id, next;
	u32 type; /* DT_* */
};

static u32 type_of_qid(u8 type)
{
	return type & NINEP_QTDIR ? DT_DIR : type & NINEP_QTSYMLINK ? DT_LNK : DT_REG;
}

static int next_modern(struct ninep_data *data, struct found *found)
{
	struct ninep_entry entry;
	int error = ninep_entry_next(data, &entry);

	if (error == 1)
		*found = (struct found){ .name = entry.name,
					 .id = entry.qid.path,
					 .next = entry.offset,
					 .type = entry.type };
	return error;
}

/* Offsets of the older dialects are bytes; ".", "..", which they do not give, are 0 and 1, and bytes begin at 2. */
static int next_classic(struct ninep_data *data, enum ninep_dialect dialect, u64 offset,
			struct found *found)
{
	u32 before = data->length, major, minor;
	struct ninep_stat stat;
	int error = ninep_stat_next(data, dialect, &stat);

	if (error == 1)
		*found = (struct found){
			.name = stat.name,
			.id = stat.qid.path,
			.next = offset + before - data->length,
			.type = dialect == NINEP_2000U
					? (ninep_mode_to_unix(&stat, dialect, &major, &minor) & S_IFMT) >> 12
					: type_of_qid(stat.qid.type)
		};
	return error;
}

/* What the answer tells will perhaps be asked for. */
static void remember(struct handle *handle, struct inode *dir, bool begins)
{
	enum ninep_dialect dialect = dir->client->connection.dialect;
	struct ninep_data data = { handle->entries, handle->length };
	struct listed *listed = listed_create(handle->length); /* an entry is longer than its name */
	struct found found;

	while (listed && (dialect == NINEP_2000L ? next_modern(&data, &found)
						 : next_classic(&data, dialect, 0, &found)) == 1)
		if (ninep_is_name(found.name) && found.name.length <= NAME_MAX_LENGTH)
			listed_add(listed, found.name.text, (u8)found.name.length);
	if (listed)
		ahead_remember(dir, listed, begins);
}

/* Fills the buffer from the offset on. */
static int fill(struct handle *handle, struct inode *dir, u64 offset)
{
	struct client *client = handle->fid->client;
	bool modern = client->connection.dialect == NINEP_2000L;
	u32 count = min((u32)BUFFER_SIZE, handle->fid->io_max);
	struct call read = { .in_room = NINEP_READ_HEAD + count, .fids = { handle->fid } };
	const struct ninep_data *data;
	int error;

	handle->length = handle->at = 0;
	if (modern) {
		read.message.type = Treaddir;
		read.message.Treaddir = (struct ninep_Treaddir){ handle->fid->number, offset, count };
	} else {
		read.message.type = Tread;
		read.message.Tread = (struct ninep_Tread){ handle->fid->number, offset - 2, count };
	}
	error = call(client, &read);
	if (!error) {
		data = modern ? &read.message.Rreaddir.data : &read.message.Rread.data;
		memcpy(handle->entries, data->bytes, data->length); /* not more than was asked for */
		handle->length = data->length;
		handle->offset = offset;
		if (data->length)
			remember(handle, dir, offset <= 2);
	}
	call_end(&read);
	return error;
}

/* The next entry; 0: there are no more. */
static int next(struct handle *handle, struct found *found)
{
	enum ninep_dialect dialect = handle->fid->client->connection.dialect;
	struct ninep_data data = { handle->entries + handle->at, handle->length - handle->at };
	int error = dialect == NINEP_2000L ? next_modern(&data, found)
					   : next_classic(&data, dialect, handle->offset, found);

	if (error == 1) {
		handle->at = handle->length - data.length;
		handle->offset = found->next;
		/* Of "." and ".." some servers tell; of what could lead elsewhere none may. */
		if (!ninep_is_name(found->name) && !ninep_string_is(found->name, ".") &&
		    !ninep_string_is(found->name, ".."))
			error = -EPROTO;
	}
	if (error == -EPROTO)
		connection_fail(&handle->fid->client->connection, "a directory that cannot be");
	return error == -EPROTO ? -EIO : error;
}

static int give(struct handle *handle, struct inode *dir, struct dir_context *context)
{
	struct found found = {};
	u32 at;
	int error;

	for (;;) {
		if (handle->at == handle->length || handle->offset != (u64)context->offset) {
			error = fill(handle, dir, (u64)context->offset);
			if (error || !handle->length)
				return error;
		}
		at = handle->at;
		error = next(handle, &found);
		if (error <= 0)
			return error;
		if (!context->add(context, found.name.text, found.name.length, found.next, found.id,
				  found.type)) {
			handle->at = at;
			handle->offset = (u64)context->offset;
			return 0;
		}
		context->offset = (loff_t)found.next;
	}
}

void directory_list(struct node *dir, const struct cred *cred)
{
	bool modern = client_of(dir)->connection.dialect == NINEP_2000L;
	struct fid *fid = inode_open_for(dir, MAY_READ, cred);
	struct handle handle = { .fid = fid };

	if (IS_ERR(fid)) /* who may not list it finds files all the same */
		return;
	handle.entries = kmalloc(BUFFER_SIZE, GFP_USER);
	if (handle.entries) /* an error is for who reads the directory himself */
		(void)fill(&handle, inode_of(dir), modern ? 0 : 2);
	kfree(handle.entries);
	inode_put_open_fid(fid);
}

int ninep_readdir(struct file *file, struct dir_context *context)
{
	struct handle *handle = handle_of(file);
	int error;

	if (handle->fid->client->connection.dialect != NINEP_2000L && !dir_emit_dots(file, context))
		return 0;
	error = mutex_lock_killable(&handle->lock);
	if (error)
		return error;
	if (!handle->entries)
		handle->entries = kmalloc(BUFFER_SIZE, GFP_USER);
	error = handle->entries ? give(handle, inode_of(file->node), context) : -ENOMEM;
	mutex_unlock(&handle->lock);
	return error;
}
