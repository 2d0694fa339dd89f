/* Messages that make, move and remove names, and read symbolic links. Permission is the core's to check, with the fid's user. */
#include "server.h"

#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/limits.h>

/* ---- Making ---- */

/*
 * A client that says for whom it acts also says which group a new file is to have, as it knows the groups of its users. Of who has been
 * squashed it is not asked.
 */
const struct cred *cred_for_group(struct request *request, const struct attachment *attachment, u32 gid)
{
	const struct export *export = &request->connection->export;
	const struct cred *cred = attachment->cred;
	struct cred *copy;

	if (gid == NINEP_NO_NUMBER || gid == cred->fsgid || attachment->squashed)
		return cred_get(cred);
	if (!gid && export->squash == SQUASH_ROOT)
		gid = export->anonymous_gid;
	copy = cred_copy(cred, cred->group_count);
	if (!copy)
		return ERR_PTR(-ENOMEM);
	copy->fsgid = gid;
	return copy;
}

int create_in(struct request *request, struct fid *dir, struct ninep_string string,
	      const struct node_new *what, u32 gid, struct path *made)
{
	char text[NAME_MAX_LENGTH + 1];
	struct path parent __path_put = {};
	const struct cred *cred;
	struct name name;
	int error = name_take(string, text, &name);

	if (error)
		return error;
	cred = cred_for_group(request, dir->attachment, gid);
	if (IS_ERR(cred))
		return (int)PTR_ERR(cred);
	fid_path(dir, &parent);
	/* The core expects to be given a directory. */
	error = S_ISDIR(path_node(&parent)->attr.mode) ? path_create(&parent, &name, what, cred, made)
						       : -ENOTDIR;
	cred_put(cred);
	return error;
}

/* Makes it, and gives the qid. */
static int create_qid(struct request *request, u32 number, struct ninep_string name,
		      const struct node_new *what, u32 gid, struct ninep_qid *qid)
{
	struct fid *dir __fid_put = fid_get(request, number);
	struct path made __path_put = {};
	int error;

	if (IS_ERR(dir))
		return (int)PTR_ERR(dir);
	error = create_in(request, dir, name, what, gid, &made);
	return error ? error : path_qid(request, &made, dir->attachment->cred, qid);
}

int answer_mkdir(struct request *request)
{
	struct ninep_Tmkdir *asked = &request->message.Tmkdir;
	struct node_new what = { .mode = S_IFDIR | (asked->mode & 01777) };

	return create_qid(request, asked->dfid, asked->name, &what, asked->gid,
			  &request->reply.Rmkdir.qid);
}

int answer_mknod(struct request *request)
{
	struct ninep_Tmknod *asked = &request->message.Tmknod;
	struct node_new what = { .mode = asked->mode & (S_IFMT | 07777) };

	switch (what.mode & S_IFMT) {
	case S_IFCHR:
	case S_IFBLK:
		what.rdev = device_make(asked->major, asked->minor);
		break;
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK:
		break;
	default:
		return -EINVAL;
	}
	return create_qid(request, asked->dfid, asked->name, &what, asked->gid,
			  &request->reply.Rmknod.qid);
}

int answer_symlink(struct request *request)
{
	struct ninep_Tsymlink *asked = &request->message.Tsymlink;
	char *target __free_kfree = NULL;
	struct node_new what = { .mode = S_IFLNK | 0777 };

	if (!asked->target.length)
		return -ENOENT;
	if (asked->target.length >= PATH_MAX)
		return -ENAMETOOLONG;
	target = kstrndup(asked->target.text, asked->target.length, GFP_KERNEL);
	if (!target)
		return -ENOMEM;
	what.target = target;
	return create_qid(request, asked->dfid, asked->name, &what, asked->gid,
			  &request->reply.Rsymlink.qid);
}

int answer_link(struct request *request)
{
	struct ninep_Tlink *asked = &request->message.Tlink;
	struct fid *file __fid_put = fid_get(request, asked->fid);
	struct fid *dir __fid_put = fid_get(request, asked->dfid);
	struct path old __path_put = {}, parent __path_put = {};
	char text[NAME_MAX_LENGTH + 1];
	struct name name;
	int error;

	if (IS_ERR(dir) || IS_ERR(file))
		return -EBADF;
	error = name_take(asked->name, text, &name);
	if (error)
		return error;
	fid_path(file, &old);
	fid_path(dir, &parent);
	return S_ISDIR(path_node(&parent)->attr.mode)
		       ? path_link(&parent, &name, &old, dir->attachment->cred)
		       : -ENOTDIR;
}

int answer_readlink(struct request *request)
{
	struct fid *fid __fid_put = fid_get(request, request->message.Treadlink.fid);
	struct path path __path_put = {};
	ssize_t length;
	char *text;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	fid_path(fid, &path);
	request->scratch = text = kmalloc(PATH_MAX, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	length = node_readlink(path_node(&path), text, PATH_MAX, fid->attachment->cred);
	if (length < 0)
		return (int)length;
	request->reply.Rreadlink.target = (struct ninep_string){ .text = text, .length = (u16)length };
	return 0;
}

/* ---- Removing ---- */

int remove_fid(struct fid *fid)
{
	char text[NAME_MAX_LENGTH + 1];
	struct path path __path_put = {}, parent __path_put = {};
	struct name name;
	int error = fid_place(fid, &parent, text, &name);

	if (error)
		return error;
	fid_path(fid, &path);
	return path_unlink(&parent, &name, S_ISDIR(path_node(&path)->attr.mode), fid->attachment->cred);
}

/* The fid is gone, whatever becomes of the file (remove(5)). */
int answer_remove(struct request *request)
{
	struct connection *connection = request->connection;
	struct fid *fid __fid_put = fid_get(request, request->message.Tremove.fid);
	int error = connection->export.read_only ? -EROFS : 0;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	if (!fid_remove(connection, fid))
		return -EBADF;
	if (!error)
		error = remove_fid(fid);
	locks_release(connection, fid);
	fid_put(fid); /* the table's */
	return error;
}

int answer_unlinkat(struct request *request)
{
	struct ninep_Tunlinkat *asked = &request->message.Tunlinkat;
	struct fid *dir __fid_put = fid_get(request, asked->dirfid);
	struct path parent __path_put = {};
	char text[NAME_MAX_LENGTH + 1];
	struct name name;
	int error;

	if (IS_ERR(dir))
		return (int)PTR_ERR(dir);
	if (asked->flags & ~(u32)NINEP_UNLINK_DIRECTORY)
		return -EINVAL;
	error = name_take(asked->name, text, &name);
	if (error)
		return error;
	fid_path(dir, &parent);
	if (!S_ISDIR(path_node(&parent)->attr.mode))
		return -ENOTDIR;
	return path_unlink(&parent, &name, asked->flags, dir->attachment->cred);
}

/* ---- Moving ---- */

int rename_fid(struct fid *fid, const struct path *new_parent, const struct name *new_last)
{
	struct path parent __path_put = {};
	char text[NAME_MAX_LENGTH + 1];
	struct name name;
	int error = fid_place(fid, &parent, text, &name);

	if (error)
		return error;
	if (!S_ISDIR(path_node(new_parent)->attr.mode))
		return -ENOTDIR;
	return path_rename(&parent, &name, new_parent, new_last, 0, fid->attachment->cred);
}

int answer_rename(struct request *request)
{
	struct ninep_Trename *asked = &request->message.Trename;
	struct fid *dir __fid_put = fid_get(request, asked->dfid);
	struct fid *fid __fid_put = fid_get(request, asked->fid);
	struct path parent __path_put = {};
	char text[NAME_MAX_LENGTH + 1];
	struct name name;
	int error;

	if (IS_ERR(dir) || IS_ERR(fid))
		return -EBADF;
	error = name_take(asked->name, text, &name);
	if (error)
		return error;
	fid_path(dir, &parent);
	return rename_fid(fid, &parent, &name);
}

int answer_renameat(struct request *request)
{
	struct ninep_Trenameat *asked = &request->message.Trenameat;
	struct fid *new_dir __fid_put = fid_get(request, asked->newdirfid);
	struct fid *old_dir __fid_put = fid_get(request, asked->olddirfid);
	struct path old_parent __path_put = {}, new_parent __path_put = {};
	char old_text[NAME_MAX_LENGTH + 1], new_text[NAME_MAX_LENGTH + 1];
	struct name old_name, new_name;
	int error;

	if (IS_ERR(old_dir) || IS_ERR(new_dir))
		return -EBADF;
	error = name_take(asked->oldname, old_text, &old_name);
	if (!error)
		error = name_take(asked->newname, new_text, &new_name);
	if (error)
		return error;
	fid_path(old_dir, &old_parent);
	fid_path(new_dir, &new_parent);
	if (!S_ISDIR(path_node(&old_parent)->attr.mode) || !S_ISDIR(path_node(&new_parent)->attr.mode))
		return -ENOTDIR;
	return path_rename(&old_parent, &old_name, &new_parent, &new_name, 0, old_dir->attachment->cred);
}
