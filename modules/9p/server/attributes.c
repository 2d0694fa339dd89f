/* Attributes: qids, and the messages of 9P2000.L that tell and change what is known of a file. */
#include "server.h"

#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/time.h>

/* ---- Qids ---- */

/*
 * qid.path tells files of the whole export apart, but identities are those of each tree. Those of the tree exported from are told as
 * they are; those of others that are mounted within get the number of their tree in the upper bits, which few trees use.
 */
u64 qid_path(const struct connection *connection, const struct path *path, u64 id)
{
	const struct tree *tree = path_tree(path);

	if (tree == path_tree(&connection->export.root))
		return id;
	return id ^ (tree->device * 0x9e3779b97f4a7c15ULL & ~0ULL << 40);
}

u8 qid_type(u32 mode)
{
	return S_ISDIR(mode) ? NINEP_QTDIR : S_ISLNK(mode) ? NINEP_QTSYMLINK : NINEP_QTFILE;
}

/* Something that is another number when the contents are others. */
static u64 data_version(const struct attr *attr)
{
	return (u64)attr->mtime_ns + (u64)attr->ctime_ns * 3 + attr->size + attr->version +
	       ((u64)attr->generation << 32);
}

struct ninep_qid qid_of(const struct connection *connection, const struct path *path,
			const struct attr *attr)
{
	u64 version = data_version(attr);

	return (struct ninep_qid){ .type = qid_type(attr->mode),
				   .version = (u32)(version ^ version >> 32),
				   .path = qid_path(connection, path, attr->id) };
}

int path_attr(const struct path *path, struct attr *attr, const struct cred *cred)
{
	struct node *node = path_node(path);
	int error = node_getattr(node, cred);

	if (error)
		return error;
	*attr = node->attr;
	attr->blocks = node_blocks(node);
	return 0;
}

int path_qid(struct request *request, const struct path *path, const struct cred *cred,
	     struct ninep_qid *qid)
{
	struct attr attr;
	int error = path_attr(path, &attr, cred);

	if (!error)
		*qid = qid_of(request->connection, path, &attr);
	return error;
}

/* ---- Telling ---- */

/* Of a time that may lie before 1970; the nanoseconds count forward all the same. */
static u64 seconds(s64 ns)
{
	return (u64)((ns - (s64)(ns < 0 ? NSEC_PER_SEC - 1 : 0)) / (s64)NSEC_PER_SEC);
}

static u64 nanoseconds(s64 ns)
{
	return (u64)ns - seconds(ns) * NSEC_PER_SEC;
}

int answer_getattr(struct request *request)
{
	struct fid *fid __fid_put = fid_get(request, request->message.Tgetattr.fid);
	struct path path __path_put = {};
	struct attr attr;
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	fid_path(fid, &path);
	error = path_attr(&path, &attr, fid->attachment->cred);
	if (error)
		return error;
	request->reply.Rgetattr = (struct ninep_Rgetattr){
		.valid = request->message.Tgetattr.request_mask & NINEP_GETATTR_ALL,
		.qid = qid_of(request->connection, &path, &attr),
		.mode = attr.mode,
		.uid = attr.uid,
		.gid = attr.gid,
		.nlink = attr.nlink,
		.rdev = attr.rdev,
		.size = attr.size,
		.blksize = attr.block_size,
		.blocks = attr.blocks,
		.atime_sec = seconds(attr.atime_ns),
		.atime_nsec = nanoseconds(attr.atime_ns),
		.mtime_sec = seconds(attr.mtime_ns),
		.mtime_nsec = nanoseconds(attr.mtime_ns),
		.ctime_sec = seconds(attr.ctime_ns),
		.ctime_nsec = nanoseconds(attr.ctime_ns),
		.btime_sec = seconds(attr.btime_ns),
		.btime_nsec = nanoseconds(attr.btime_ns),
		.gen = attr.generation,
		.data_version = data_version(&attr),
	};
	return 0;
}

int answer_statfs(struct request *request)
{
	struct fid *fid __fid_put = fid_get(request, request->message.Tstatfs.fid);
	struct path path __path_put = {};
	struct statfs_info info;
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	fid_path(fid, &path);
	error = tree_statfs(path_tree(&path), &info);
	if (error)
		return error;
	request->reply.Rstatfs = (struct ninep_Rstatfs){
		.type = (u32)info.type,
		.bsize = (u32)info.block_size,
		.blocks = info.blocks,
		.bfree = info.free_blocks,
		.bavail = info.available_blocks,
		.files = info.files,
		.ffree = info.free_files,
		.fsid = info.id ? info.id : path_tree(&path)->device,
		.namelen = (u32)info.name_max,
	};
	return 0;
}

/* ---- Changing ---- */

/* As ftruncate(2) where the fid is open for writing, else as truncate(2). */
int set_size(struct fid *fid, const struct path *path, u64 size, const struct cred *cred)
{
	struct file *file __file_put = fid_file(fid);

	if (size > ~0ULL >> 1)
		return -EINVAL;
	if (!IS_ERR(file) && (file->mode & FILE_WRITE) && S_ISREG(file->node->attr.mode))
		return file_truncate(file, size, cred);
	return path_truncate(path, size, cred);
}

static int set_owner(const struct path *path, const struct ninep_Tsetattr *asked, const struct cred *cred)
{
	struct attr_change change = { .valid = SETATTR_OWNER, .uid = asked->uid, .gid = asked->gid };

	if (asked->valid & NINEP_SETATTR_UID)
		change.valid |= SETATTR_UID;
	if (asked->valid & NINEP_SETATTR_GID)
		change.valid |= SETATTR_GID;
	return path_setattr(path, &change, cred);
}

static int set_mode(const struct path *path, u32 mode, const struct cred *cred)
{
	struct attr_change change = { .valid = SETATTR_MODE, .mode = mode & 07777 };

	return S_ISLNK(path_node(path)->attr.mode) ? -EOPNOTSUPP : path_setattr(path, &change, cred);
}

/* The time, or the nearest that a file can have. */
static s64 time_ns(u64 sec, u64 nsec)
{
	const s64 limit = (s64)(~0ULL >> 1) / (s64)NSEC_PER_SEC - 1;
	s64 whole = (s64)sec;

	whole = whole > limit ? limit : whole < -limit ? -limit : whole;
	return whole * (s64)NSEC_PER_SEC + (s64)nsec;
}

static int set_times(const struct path *path, const struct ninep_Tsetattr *asked, u32 valid,
		     const struct cred *cred)
{
	struct attr_change change = { .valid = SETATTR_CTIME, .ctime_ns = (s64)time_realtime_ns() };
	bool own = valid & (NINEP_SETATTR_ATIME_SET | NINEP_SETATTR_MTIME_SET);

	if (asked->atime_nsec >= NSEC_PER_SEC || asked->mtime_nsec >= NSEC_PER_SEC)
		return -EINVAL;
	if (valid & NINEP_SETATTR_ATIME) {
		change.valid |= SETATTR_ATIME;
		change.atime_ns = valid & NINEP_SETATTR_ATIME_SET
					  ? time_ns(asked->atime_sec, asked->atime_nsec)
					  : change.ctime_ns;
	}
	if (valid & NINEP_SETATTR_MTIME) {
		change.valid |= SETATTR_MTIME;
		change.mtime_ns = valid & NINEP_SETATTR_MTIME_SET
					  ? time_ns(asked->mtime_sec, asked->mtime_nsec)
					  : change.ctime_ns;
	}
	return path_set_times(path, &change, !own, cred);
}

/*
 * What is asked for at once is done one after the other, each as its system call does it; what fails first is told, and what was done
 * before stays. The mode comes after the owner, which takes set-id bits away.
 */
int answer_setattr(struct request *request)
{
	const struct ninep_Tsetattr *asked = &request->message.Tsetattr;
	struct fid *fid __fid_put = fid_get(request, asked->fid);
	const struct cred *cred;
	struct path path __path_put = {};
	u32 valid = asked->valid;
	int error = 0;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	cred = fid->attachment->cred;
	fid_path(fid, &path);
	if (valid & NINEP_SETATTR_SIZE) {
		error = set_size(fid, &path, asked->size, cred);
		if (!(valid & NINEP_SETATTR_MTIME_SET))
			valid &= ~(u32)NINEP_SETATTR_MTIME; /* it has been set by that */
	}
	if (!error && (valid & (NINEP_SETATTR_UID | NINEP_SETATTR_GID)))
		error = set_owner(&path, asked, cred);
	if (!error && (valid & NINEP_SETATTR_MODE))
		error = set_mode(&path, asked->mode, cred);
	if (!error && (valid & (NINEP_SETATTR_ATIME | NINEP_SETATTR_MTIME)))
		error = set_times(&path, asked, valid, cred);
	return error;
}
