/* Messages that open files, and make them: Topen and Tcreate of 9P2000 and 9P2000.u, Tlopen and Tlcreate of 9P2000.L. */
#include "server.h"

#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/act.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/fcntl.h>
#include <linux/limits.h>

/* What 9P2000.L may ask for, by Linux's numbers; the rest is the client's own business. */
#define OPEN_FLAGS                                                                                 \
	(O_ACCMODE | O_TRUNC | O_APPEND | O_NONBLOCK | O_DSYNC | O_DIRECTORY | O_NOATIME | __O_SYNC)

static bool writes(u32 flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
}

/* How much fits into one message of data beside its head; a little less, as everybody says. */
static u32 io_unit(const struct request *request)
{
	return request->connection->message_size - NINEP_WRITE_HEAD - 1;
}

/* Opens what the fid names. `removes`: it is removed when it is clunked. */
static int open_fid(struct request *request, struct fid *fid, u32 flags, bool removes,
		    struct ninep_qid *qid)
{
	struct path path __path_put = {};
	const struct cred *cred = fid->attachment->cred;
	struct file *file;
	int error;

	if (request->connection->export.read_only && (writes(flags) || removes))
		return -EROFS;
	error = fid_open_begin(fid, &path);
	if (error)
		return error;
	error = (flags & O_DIRECTORY) && !S_ISDIR(path_node(&path)->attr.mode) ? -ENOTDIR : 0;
	file = error ? ERR_PTR(error) : file_open(&path, flags | O_NOCTTY | O_LARGEFILE, cred);
	error = IS_ERR(file) ? (int)PTR_ERR(file) : path_qid(request, &path, cred, qid);
	if (error) {
		if (!IS_ERR(file))
			file_put(file);
		fid_open_failed(fid);
		return error;
	}
	fid->remove = removes;
	fid_open_end(fid, file);
	return 0;
}

/* ---- 9P2000 and 9P2000.u ---- */

static int classic_flags(u8 mode, u32 *flags)
{
	static const u32 accesses[] = {
		[NINEP_OREAD] = O_RDONLY, [NINEP_OWRITE] = O_WRONLY, [NINEP_ORDWR] = O_RDWR, [NINEP_OEXEC] = O_RDONLY
	};

	if (mode & ~(3 | NINEP_OTRUNC | NINEP_ORCLOSE | NINEP_OAPPEND | 0x20 /* ORCEXEC */))
		return -EINVAL;
	*flags = accesses[mode & 3];
	if (mode & NINEP_OTRUNC)
		*flags |= O_TRUNC;
	if (mode & NINEP_OAPPEND)
		*flags |= O_APPEND;
	return 0;
}

int answer_open(struct request *request)
{
	struct ninep_Topen *asked = &request->message.Topen;
	struct fid *fid __fid_put = fid_get(request, asked->fid);
	struct path path __path_put = {};
	u32 flags;
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	error = classic_flags(asked->mode, &flags);
	if (!error && (asked->mode & 3) == NINEP_OEXEC) {
		fid_path(fid, &path);
		error = node_permission(path_node(&path), MAY_EXEC, fid->attachment->cred);
	}
	request->reply.Ropen.iounit = io_unit(request);
	return error ? error
		     : open_fid(request, fid, flags, asked->mode & NINEP_ORCLOSE,
				&request->reply.Ropen.qid);
}

/* A regular file is made and opened in one step: the fid then is the file. */
static int create_file(struct request *request, struct fid *fid, struct ninep_string string,
		       u32 flags, u32 mode, u32 gid, struct ninep_qid *qid)
{
	char text[NAME_MAX_LENGTH + 1];
	struct path parent __path_put = {}, made __path_put = {};
	struct open_how_kernel how = { .flags = flags | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_LARGEFILE,
				       .mode = mode & 07777,
				       .found = &made };
	const struct cred *cred;
	struct name name;
	struct file *file;
	int error = name_take(string, text, &name);

	if (error)
		return error;
	cred = cred_for_group(request, fid->attachment, gid);
	if (IS_ERR(cred))
		return (int)PTR_ERR(cred);
	error = fid_open_begin(fid, &parent);
	if (error)
		goto out;
	file = file_open_at(&parent, text, &how, cred);
	error = IS_ERR(file) ? (int)PTR_ERR(file)
			     : path_qid(request, &made, fid->attachment->cred, qid);
	if (error) {
		if (!IS_ERR(file))
			file_put(file);
		fid_open_failed(fid);
		goto out;
	}
	fid_set_path(fid, &made);
	made = (struct path){};
	fid_open_end(fid, file);
out:
	cred_put(cred);
	return error;
}

/* "17": the fid of what is to have another name. The directory's fid stays what it is. */
static int create_link(struct request *request, struct fid *dir, struct ninep_string name,
		       struct ninep_string number, struct ninep_qid *qid)
{
	struct ninep_Tlink link = { .dfid = dir->number, .name = name };
	struct fid *linked __fid_put = NULL;
	struct path path __path_put = {};
	char text[12];
	u64 fid;
	int error;

	if (number.length && number.text[number.length - 1] == '\n')
		number.length--;
	if (!number.length || number.length >= sizeof(text))
		return -EINVAL;
	memcpy(text, number.text, number.length);
	text[number.length] = '\0';
	if (parse_u64(text, 10, &fid) || fid > ~0U)
		return -EINVAL;
	link.fid = (u32)fid;
	request->message.Tlink = link;
	error = answer_link(request);
	if (error)
		return error;
	linked = fid_get(request, link.fid);
	if (IS_ERR(linked))
		return (int)PTR_ERR(linked);
	fid_path(linked, &path);
	return path_qid(request, &path, linked->attachment->cred, qid);
}

/* What 9P2000.u makes that is neither file nor directory. -EINVAL: the extension does not say what. */
static int special_new(u32 perm, struct ninep_string extension, struct node_new *what, char **target)
{
	u32 kind, major, minor;

	if (perm & NINEP_DMSYMLINK) {
		if (!extension.length || extension.length >= PATH_MAX)
			return -EINVAL;
		*target = kstrndup(extension.text, extension.length, GFP_KERNEL);
		what->target = *target;
		what->mode = S_IFLNK | 0777;
		return *target ? 0 : -ENOMEM;
	}
	what->mode |= perm & NINEP_DMNAMEDPIPE ? S_IFIFO : perm & NINEP_DMSOCKET ? S_IFSOCK : 0U;
	if (perm & NINEP_DMDEVICE) {
		if (!ninep_device_parse(extension, &kind, &major, &minor))
			return -EINVAL;
		what->mode |= kind;
		what->rdev = device_make(major, minor);
	}
	return 0;
}

static u32 permissions(u32 perm, enum ninep_dialect dialect)
{
	u32 mode = perm & 0777;

	if (dialect != NINEP_2000U)
		return mode;
	if (perm & NINEP_DMSETUID)
		mode |= S_ISUID;
	if (perm & NINEP_DMSETGID)
		mode |= S_ISGID;
	if (perm & NINEP_DMSETVTX)
		mode |= S_ISVTX;
	return mode;
}

/* The fid, which was the directory, becomes what was made in it. */
static int create_other(struct request *request, struct fid *fid, const struct ninep_Tcreate *asked,
			struct node_new *what, struct ninep_qid *qid)
{
	struct path made = {}, parent;
	int error = fid_open_begin(fid, &parent); /* nobody else moves it meanwhile */

	if (error)
		return error;
	path_put(&parent);
	error = create_in(request, fid, asked->name, what, NINEP_NO_NUMBER, &made);
	if (!error) {
		error = path_qid(request, &made, fid->attachment->cred, qid);
		fid_set_path(fid, &made);
	}
	fid_open_failed(fid);
	return error;
}

int answer_create(struct request *request)
{
	struct ninep_Tcreate asked = request->message.Tcreate;
	enum ninep_dialect dialect = request->connection->dialect;
	struct ninep_qid *qid = &request->reply.Rcreate.qid;
	const u32 special = NINEP_DMSYMLINK | NINEP_DMNAMEDPIPE | NINEP_DMSOCKET | NINEP_DMDEVICE;
	struct fid *fid __fid_put = fid_get(request, asked.fid);
	char *target __free_kfree = NULL;
	struct node_new what = { .mode = permissions(asked.perm, dialect) };
	struct path parent __path_put = {};
	u32 flags, inherited;
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	request->reply.Rcreate.iounit = io_unit(request);
	error = classic_flags(asked.mode, &flags);
	if (error)
		return error;
	if (dialect == NINEP_2000) { /* nothing may be done to it that may not be done to the directory (create(5)) */
		fid_path(fid, &parent);
		inherited = path_node(&parent)->attr.mode;
		what.mode &= asked.perm & NINEP_DMDIR ? ~0777U | (inherited & 0777)
						      : ~0666U | (inherited & 0666);
	} else if (asked.perm & NINEP_DMLINK) {
		return create_link(request, fid, asked.name, asked.extension, qid);
	} else if (asked.perm & special) {
		error = special_new(asked.perm, asked.extension, &what, &target);
		return error ? error : create_other(request, fid, &asked, &what, qid);
	}
	if (!(asked.perm & NINEP_DMDIR)) {
		error = create_file(request, fid, asked.name, flags | O_EXCL, what.mode,
				    NINEP_NO_NUMBER, qid);
		if (!error)
			fid->remove = asked.mode & NINEP_ORCLOSE;
		return error;
	}
	what.mode = S_IFDIR | (what.mode & 01777);
	if (flags != O_RDONLY)
		return -EISDIR;
	error = create_other(request, fid, &asked, &what, qid);
	return error ? error : open_fid(request, fid, flags, asked.mode & NINEP_ORCLOSE, qid);
}

/* ---- 9P2000.L ---- */

int answer_lopen(struct request *request)
{
	struct ninep_Tlopen *asked = &request->message.Tlopen;
	struct fid *fid __fid_put = fid_get(request, asked->fid);

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	request->reply.Rlopen.iounit = io_unit(request);
	return open_fid(request, fid, asked->flags & OPEN_FLAGS, false, &request->reply.Rlopen.qid);
}

int answer_lcreate(struct request *request)
{
	struct ninep_Tlcreate *asked = &request->message.Tlcreate;
	struct fid *fid __fid_put = fid_get(request, asked->fid);

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	request->reply.Rlcreate.iounit = io_unit(request);
	return create_file(request, fid, asked->name,
			   asked->flags & ((OPEN_FLAGS & ~(u32)O_DIRECTORY) | O_EXCL), asked->mode,
			   asked->gid, &request->reply.Rlcreate.qid);
}
