/* How fids come and go: attach, walk, clunk. */
#include "server.h"

#include <kumo/err.h>
#include <kumo/act.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/limits.h>

int answer_auth(struct request *request)
{
	return -EOPNOTSUPP; /* who speaks over the descriptor is known, or trusted */
}

/* What of the export is attached to: aname, a path below its root without symbolic links; "" and "/": all of it. */
static int attach_root(const struct export *export, struct ninep_string name,
		       const struct cred *cred, struct path *root)
{
	char *text __free_kfree = NULL;
	const char *at;

	if (name.length >= PATH_MAX)
		return -ENAMETOOLONG;
	text = kstrndup(name.text, name.length, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	for (at = text; *at == '/'; at++)
		;
	if (*at)
		return path_walk(&export->root, at, WALK_FOLLOW | WALK_BENEATH | WALK_NO_SYMLINKS,
				 cred, root);
	*root = export->root;
	path_get(root);
	return 0;
}

/* The fid at `path` of `attachment`, in the table. */
static int fid_enter(struct request *request, u32 number, struct attachment *attachment,
		     const struct path *path)
{
	struct fid *fid = fid_make(attachment, path);
	int error;

	if (!fid)
		return -ENOMEM;
	error = fid_add(request->connection, fid, number);
	if (error)
		fid_put(fid);
	return error;
}

int answer_attach(struct request *request)
{
	struct connection *connection = request->connection;
	struct ninep_Tattach *asked = &request->message.Tattach;
	const struct cred *cred;
	struct path root __path_put = {};
	struct attachment *attachment;
	bool squashed;
	int error;

	if (asked->afid != NINEP_NO_FID)
		return -EBADF;
	cred = export_user(&connection->export, asked->uname, asked->n_uname, &squashed);
	if (IS_ERR(cred))
		return (int)PTR_ERR(cred);
	thread_act_as(cred);
	error = attach_root(&connection->export, asked->aname, cred, &root);
	if (!error)
		error = path_qid(request, &root, cred, &request->reply.Rattach.qid);
	if (!error) {
		attachment = attachment_make(connection, cred, &root, squashed);
		error = attachment ? fid_enter(request, asked->fid, attachment, &root) : -ENOMEM;
		if (attachment)
			attachment_put(attachment);
	}
	cred_put(cred);
	return error;
}

/* ---- Walk ---- */

/* "..": not beyond what was attached to. */
static int walk_up(const struct attachment *attachment, const struct path *from, struct path *to)
{
	int error;

	if (path_equal(from, &attachment->root)) {
		*to = *from;
		path_get(to);
		return 0;
	}
	error = path_walk(from, "..", 0, attachment->cred, to);
	if (!error && !path_is_below(to, &attachment->root)) {
		path_put(to); /* what one is in has been moved away */
		error = -ENOENT;
	}
	return error;
}

static int walk_one(const struct attachment *attachment, const struct path *from,
		    struct ninep_string string, struct path *to)
{
	char text[NAME_MAX_LENGTH + 1];
	struct name name;
	int error;

	if (ninep_string_is(string, ".."))
		return walk_up(attachment, from, to);
	error = name_take(string, text, &name);
	/* One plain name: a symbolic link that it names is where the walk ends. */
	return error ? error : path_walk(from, text, 0, attachment->cred, to);
}

/* As far as the names lead: *at, and the qids. An error only when not even the first is there. */
static int walk_names(struct request *request, const struct attachment *attachment, struct path *at)
{
	struct ninep_names *names = &request->message.Twalk.wname;
	struct ninep_qids *qids = &request->reply.Rwalk.wqid;
	struct path next;
	int error = 0;

	while (qids->count < names->count) {
		error = walk_one(attachment, at, names->names[qids->count], &next);
		if (error)
			break;
		path_put(at);
		*at = next;
		error = path_qid(request, at, attachment->cred, &qids->qids[qids->count]);
		if (error)
			break;
		qids->count++;
	}
	return qids->count ? 0 : error;
}

/* The fid itself becomes what was walked to. */
static int fid_move(struct fid *fid, struct path *at)
{
	struct path old;
	int error = fid_open_begin(fid, &old);

	if (error)
		return error;
	path_put(&old);
	fid_set_path(fid, at);
	*at = (struct path){};
	fid_open_failed(fid); /* it is named again */
	return 0;
}

int answer_walk(struct request *request)
{
	struct ninep_Twalk *asked = &request->message.Twalk;
	struct fid *fid __fid_put = fid_get(request, asked->fid);
	struct path at __path_put = {};
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	fid_path(fid, &at);
	error = walk_names(request, fid->attachment, &at);
	if (error || request->reply.Rwalk.wqid.count < asked->wname.count)
		return error;
	return asked->newfid == asked->fid ? fid_move(fid, &at)
					   : fid_enter(request, asked->newfid, fid->attachment, &at);
}

int answer_clunk(struct request *request)
{
	struct fid *fid __fid_put = fid_get(request, request->message.Tclunk.fid);
	int error = 0;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	if (!fid_remove(request->connection, fid))
		return -EBADF;
	request->changes = fid->remove || READ_ONCE(fid->state) == FID_ATTRIBUTE_WRITE;
	error = attribute_set(fid);
	if (fid->remove && !error)
		error = remove_fid(fid);
	locks_release(request->connection, fid);
	fid_put(fid); /* the table's */
	return error;
}
