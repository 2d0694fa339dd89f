/* Attributes as 9P2000 and 9P2000.u have them: one structure with the name in it, read by Tstat and written by Twstat. */
#include "server.h"

#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/act.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <linux/fs.h>
#include <linux/limits.h>

/* ---- Telling ---- */

/* What 9P2000.u says of links and devices. */
static int extension_fill(const struct path *path, const struct attr *attr, const struct cred *cred,
			  struct ninep_stat *stat, struct stat_texts *texts)
{
	ssize_t length = 0;

	if (S_ISLNK(attr->mode))
		length = node_readlink(path_node(path), texts->extension, sizeof(texts->extension),
				       cred);
	else if (S_ISCHR(attr->mode) || S_ISBLK(attr->mode))
		length = scnprintf(texts->extension, sizeof(texts->extension), "%c %u %u",
				   S_ISCHR(attr->mode) ? 'c' : 'b', device_major(attr->rdev),
				   device_minor(attr->rdev));
	if (length < 0)
		return (int)length;
	stat->extension = (struct ninep_string){ texts->extension, (u16)length };
	return 0;
}

int stat_fill(struct request *request, const struct path *path, struct ninep_string name,
	      const struct cred *cred, struct ninep_stat *stat, struct stat_texts *texts)
{
	const struct connection *connection = request->connection;
	struct attr attr;
	int error = path_attr(path, &attr, cred);

	if (error)
		return error;
	*stat = (struct ninep_stat){
		.qid = qid_of(connection, path, &attr),
		.mode = ninep_mode_from_unix(attr.mode, connection->dialect),
		.atime = (u32)(attr.atime_ns / (s64)NSEC_PER_SEC),
		.mtime = (u32)(attr.mtime_ns / (s64)NSEC_PER_SEC),
		.length = S_ISDIR(attr.mode) ? 0 : attr.size,
		.name = name,
		.uid = export_user_name(&connection->export, attr.uid, texts->uid, sizeof(texts->uid)),
		.gid = export_user_name(&connection->export, attr.gid, texts->gid, sizeof(texts->gid)),
		.n_uid = attr.uid,
		.n_gid = attr.gid,
		.n_muid = NINEP_NO_NUMBER,
	};
	return connection->dialect == NINEP_2000U ? extension_fill(path, &attr, cred, stat, texts) : 0;
}

struct stat_buffer {
	struct stat_texts texts;
	char name[PATH_MAX];
};

/* The last element of its name, as seen from what was attached to, which itself is "/". */
static struct ninep_string own_name(const struct fid *fid, const struct path *path, char *buffer)
{
	char *name = path_name(path, &fid->attachment->root, buffer, PATH_MAX, false), *last;

	if (IS_ERR(name))
		return ninep_string(""); /* it has none any more */
	last = strrchr(name, '/');
	return ninep_string(last && last[1] ? last + 1 : name);
}

int answer_stat(struct request *request)
{
	struct fid *fid __fid_put = fid_get(request, request->message.Tstat.fid);
	struct stat_buffer *buffer = kmalloc(sizeof(*buffer), GFP_KERNEL);
	struct path path __path_put = {};

	request->scratch = buffer;
	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	if (!buffer)
		return -ENOMEM;
	fid_path(fid, &path);
	return stat_fill(request, &path, own_name(fid, &path, buffer->name), fid->attachment->cred,
			 &request->reply.Rstat.stat, &buffer->texts);
}

/* ---- Changing ---- */

/* What stays as it is when it has all bits set; strings when they are empty. */
static bool touches(u32 number)
{
	return number != NINEP_NO_NUMBER;
}

/* A name within the same directory. */
static int set_name(struct fid *fid, struct ninep_string string)
{
	char old_text[NAME_MAX_LENGTH + 1], text[NAME_MAX_LENGTH + 1];
	struct path parent __path_put = {};
	struct name old, name;
	int error = name_take(string, text, &name);

	if (!error)
		error = fid_place(fid, &parent, old_text, &old);
	if (error)
		return error;
	/* Who has the new name already is in the way (stat(5)), unlike for rename(2). */
	return path_rename(&parent, &old, &parent, &name, RENAME_NOREPLACE, fid->attachment->cred);
}

static int set_mode(const struct path *path, const struct ninep_stat *stat,
		    enum ninep_dialect dialect, const struct cred *cred)
{
	struct attr_change change = { .valid = SETATTR_MODE };
	u32 mode = path_node(path)->attr.mode, kept = dialect == NINEP_2000U ? 0 : mode & 07000;
	u32 major, minor;

	if (!(stat->mode & NINEP_DMDIR) != !S_ISDIR(mode))
		return -EINVAL; /* a directory stays one */
	if (S_ISLNK(mode))
		return -EOPNOTSUPP;
	change.mode = (ninep_mode_to_unix(stat, dialect, &major, &minor) & 07777) | kept;
	return path_setattr(path, &change, cred);
}

/* The numbers of 9P2000.u, or the names. */
static int set_owner(struct request *request, const struct path *path,
		     const struct ninep_stat *stat, const struct cred *cred)
{
	const struct export *export = &request->connection->export;
	struct attr_change change = { .valid = SETATTR_OWNER };

	change.uid = touches(stat->n_uid) ? stat->n_uid : export_user_number(export, stat->uid);
	change.gid = touches(stat->n_gid) ? stat->n_gid : export_user_number(export, stat->gid);
	if ((stat->uid.length && !touches(change.uid)) || (stat->gid.length && !touches(change.gid)))
		return -EINVAL;
	if (touches(change.uid) && change.uid != path_node(path)->attr.uid)
		change.valid |= SETATTR_UID;
	if (touches(change.gid) && change.gid != path_node(path)->attr.gid)
		change.valid |= SETATTR_GID;
	return change.valid == SETATTR_OWNER ? 0 : path_setattr(path, &change, cred);
}

static int set_times(const struct path *path, const struct ninep_stat *stat, const struct cred *cred)
{
	struct attr_change change = { .atime_ns = (s64)stat->atime * (s64)NSEC_PER_SEC,
				      .mtime_ns = (s64)stat->mtime * (s64)NSEC_PER_SEC };

	if (touches(stat->atime))
		change.valid |= SETATTR_ATIME;
	if (touches(stat->mtime))
		change.valid |= SETATTR_MTIME;
	return change.valid ? path_set_times(path, &change, false, cred) : 0;
}

/* All fields left as they are: what was written is to be stable (stat(5)). */
static bool is_sync(const struct ninep_stat *stat)
{
	return !touches(stat->mode) && !touches(stat->atime) && !touches(stat->mtime) &&
	       stat->length == ~0ULL && !stat->name.length && !stat->uid.length &&
	       !stat->gid.length && !touches(stat->n_uid) && !touches(stat->n_gid);
}

/* In the order in which what is likeliest to be refused comes first; what was done before a failure stays. */
int answer_wstat(struct request *request)
{
	const struct ninep_stat *stat = &request->message.Twstat.stat;
	struct fid *fid __fid_put = fid_get(request, request->message.Twstat.fid);
	struct file *file __file_put = NULL;
	const struct cred *cred;
	struct path path __path_put = {};
	int error = 0;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	cred = fid->attachment->cred;
	if (is_sync(stat)) {
		file = fid_file(fid);
		return IS_ERR(file) ? 0 : file_sync(file, false);
	}
	fid_path(fid, &path);
	error = set_owner(request, &path, stat, cred);
	if (!error && touches(stat->mode))
		error = set_mode(&path, stat, request->connection->dialect, cred);
	if (!error && stat->length != ~0ULL)
		error = set_size(fid, &path, stat->length, cred);
	if (!error)
		error = set_times(&path, stat, cred);
	if (!error && stat->name.length)
		error = set_name(fid, stat->name);
	return error;
}
