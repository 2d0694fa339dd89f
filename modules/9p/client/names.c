/*
 * Operations on names. The core holds the locks of the directories and has looked at permissions and kinds.
 *
 * A walk of n names is two rounds of messages, however long it is: a Twalk for each beginning of the path, all at once, so that each
 * file on the way has a fid; then a Tgetattr for each. (One Twalk of all names would do with fewer messages, but leave the files on
 * the way without fids; and a message that needs the fid of another may not be sent before that is answered.)
 */
#include "client.h"

#include <kumo/device.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <linux/fs.h>

static struct ninep_string string_of(const struct name *name)
{
	return (struct ninep_string){ .text = name->text, .length = (u16)name->length };
}

static int check_name(const struct name *name)
{
	return name->length <= NAME_MAX_LENGTH ? 0 : -ENAMETOOLONG;
}

/* ---- Walking ---- */

/* One element of a walk on its way. */
struct step {
	struct fid *fid;
	struct call call;
	int error;
	struct ninep_qid qid; /* of what it led to */
};

static void step_begin(struct step *step, struct fid *from, const struct name *names, unsigned int count)
{
	struct client *client = from->client;

	step->fid = fid_create(client, from->uid);
	if (IS_ERR(step->fid)) {
		step->error = (int)PTR_ERR(step->fid);
		return;
	}
	step->call = (struct call){ .fids = { from, step->fid } };
	step->call.message.type = Twalk;
	step->call.message.Twalk.fid = from->number;
	step->call.message.Twalk.newfid = step->fid->number;
	step->call.message.Twalk.wname.count = (u16)count;
	for (unsigned int i = 0; i < count; i++)
		step->call.message.Twalk.wname.names[i] = string_of(&names[i]);
	step->fid->known = true;
	step->error = call_begin(client, &step->call);
}

/* Waits for what step_begin() began: did the walk reach all `count` names? */
static void step_wait(struct step *step, unsigned int count)
{
	const struct ninep_qids *qids = &step->call.message.Rwalk.wqid;
	bool begun = !step->error;

	if (begun)
		step->error = call_wait(&step->call);
	if (!step->error && qids->count != count)
		step->error = qids->count < count ? -ENOENT : -EIO;
	if (!step->error)
		step->qid = qids->qids[count - 1];
	if (begun)
		call_end(&step->call);
	if (!step->error || IS_ERR(step->fid))
		return;
	if (step->error != -EINTR) /* else it may have come to be */
		step->fid->known = false;
	fid_put(step->fid);
}

/* A fid of what the name stands for. ERR_PTR. */
static struct fid *fid_at(struct fid *from, const struct name *name)
{
	struct step *step = kzalloc(sizeof(*step), GFP_KERNEL);
	struct fid *fid;

	if (!step)
		return ERR_PTR(-ENOMEM);
	step_begin(step, from, name, 1);
	step_wait(step, 1);
	fid = step->error ? ERR_PTR(step->error) : step->fid;
	kfree(step);
	return fid;
}

/* How many of the steps lead to files that the walk is to give back: up to the first that failed, or a symbolic link. */
static unsigned int steps_reached(struct step *steps, unsigned int count)
{
	unsigned int reached = 0;
	bool ended = false;

	for (unsigned int i = 0; i < count; i++) {
		step_wait(&steps[i], i + 1);
		if (!ended && !steps[i].error)
			reached = i + 1;
		else if (!steps[i].error)
			fid_put(steps[i].fid);
		ended = ended || steps[i].error || steps[i].qid.type & NINEP_QTSYMLINK;
	}
	return reached;
}

/* The nodes of the steps that went well, all asked for at once; ERR_PTR. */
static void steps_learn(struct step *steps, unsigned int count, struct node **nodes)
{
	for (unsigned int i = 0; i < count; i++) {
		if (steps[i].error)
			continue;
		steps[i].error = inode_ask(steps[i].fid, &steps[i].call);
		if (steps[i].error)
			fid_put(steps[i].fid);
	}
	for (unsigned int i = 0; i < count; i++)
		nodes[i] = steps[i].error ? ERR_PTR(steps[i].error)
					  : inode_learn(steps[i].fid, &steps[i].call);
}

/* How many nodes there are before the first error; or, if that is first, the error. Lets go of those behind it. */
static int nodes_reached(struct node **nodes, unsigned int count)
{
	int reached = -1;

	for (unsigned int i = 0; i < count; i++) {
		if (reached < 0 && IS_ERR(nodes[i]))
			reached = (int)i;
		else if (reached >= 0 && !IS_ERR(nodes[i]))
			node_put(nodes[i]);
	}
	return reached < 0 ? (int)count : reached ? reached : (int)PTR_ERR(nodes[0]);
}

int ninep_walk(struct node *dir, const struct name *names, unsigned int count, struct node **nodes,
	       u64 *negative_until_ns, const struct cred *cred)
{
	struct fid *fid = inode_fid(dir, cred);
	struct step *steps;
	unsigned int reached;
	int result;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	steps = kcalloc(count, sizeof(*steps), GFP_KERNEL);
	if (!steps) {
		fid_put(fid);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < count; i++)
		step_begin(&steps[i], fid, names, i + 1);
	reached = steps_reached(steps, count);
	steps_learn(steps, reached, nodes);
	result = reached ? nodes_reached(nodes, reached) : steps[0].error;
	for (int i = 0; i < result; i++)
		inode_found_at(nodes[i], i ? nodes[i - 1] : dir, &names[i]);
	if (result == -ENOENT)
		*negative_until_ns = believe_until(fid->client);
	kfree(steps);
	fid_put(fid);
	return result;
}

void walk_siblings(struct node *dir, const struct name *names, unsigned int count,
		   struct node **nodes, const struct cred *cred)
{
	struct fid *fid = inode_fid(dir, cred);
	struct step *steps = IS_ERR(fid) ? NULL : kcalloc(count, sizeof(*steps), GFP_KERNEL);

	for (unsigned int i = 0; i < count; i++) {
		nodes[i] = ERR_PTR(-ENOMEM);
		if (steps)
			step_begin(&steps[i], fid, &names[i], 1);
	}
	for (unsigned int i = 0; steps && i < count; i++)
		step_wait(&steps[i], 1);
	if (steps)
		steps_learn(steps, count, nodes);
	for (unsigned int i = 0; i < count; i++)
		if (!IS_ERR(nodes[i]))
			inode_found_at(nodes[i], dir, &names[i]);
	kfree(steps);
	if (!IS_ERR(fid))
		fid_put(fid);
}

/* ---- Other users ---- */

#define DEPTH_MAX 1024

/* Puts the node's own name in front of the list; its parent, referenced. NULL: nobody knows where it is. */
static struct node *place_of(struct node *node, struct list *places)
{
	struct place *copy = kmalloc(sizeof(*copy), GFP_KERNEL);
	struct inode *inode = inode_of(node);
	unsigned long flags;
	bool known;

	if (!copy)
		return NULL;
	flags = spin_lock_irqsave(&inode->client->lock);
	known = !list_empty(&inode->places);
	if (known)
		*copy = *list_first(&inode->places, struct place, link);
	spin_unlock_irqrestore(&inode->client->lock, flags);
	if (known) {
		list_add(places, &copy->link);
		return node_find(node->tree, copy->parent);
	}
	kfree(copy);
	return NULL;
}

/* Goes down from `fid` (taken over) along the names. ERR_PTR. */
static struct fid *walk_along(struct fid *fid, struct list *places)
{
	struct place *place;

	list_for_each(place, places, link) {
		struct name name = { .text = place->text, .length = place->length };
		struct fid *from = fid;

		fid = fid_at(from, &name);
		fid_put(from);
		if (IS_ERR(fid))
			break;
	}
	return fid;
}

/* Does the fid stand for the node? Taken over if not. */
static struct fid *check_identity(struct node *node, struct fid *fid)
{
	struct node *found;

	fid_get(fid);
	found = inode_take(fid);
	if (!IS_ERR(found))
		node_put(found);
	if (found == node)
		return fid;
	fid_put(fid);
	return IS_ERR(found) ? ERR_PTR(PTR_ERR(found)) : ERR_PTR(-ESTALE);
}

struct fid *walk_from_root(struct node *node, u32 uid)
{
	struct client *client = client_of(node);
	struct list places = LIST_INIT(places);
	struct fid *root = client_root(client, uid), *fid = NULL;
	struct node *at = node_get(node), *parent;

	if (IS_ERR(root)) {
		node_put(at);
		return root;
	}
	for (unsigned int depth = 0; at && at != client->tree->root; depth++) {
		fid = inode_fid_of(inode_of(at), uid);
		if (fid)
			break;
		/* A server may say that a directory lies below itself. */
		parent = depth < DEPTH_MAX ? place_of(at, &places) : NULL;
		node_put(at);
		at = parent;
	}
	if (at && !fid)
		fid = fid_get(root);
	fid = fid ? walk_along(fid, &places) : ERR_PTR(-ESTALE);
	while (!list_empty(&places)) {
		struct place *place = list_first(&places, struct place, link);

		list_del(&place->link);
		kfree(place);
	}
	if (at)
		node_put(at);
	fid_put(root);
	return IS_ERR(fid) || node == client->tree->root ? fid : check_identity(node, fid);
}

/* ---- Creating ---- */

/* Is what was asked by another fid about the file that the walk led to? */
static bool is_about(struct call *ask, const struct ninep_qid *qid)
{
	if (call_wait(ask))
		return false;
	return (ask->message.type == Rgetattr ? ask->message.Rgetattr.qid.path
					      : ask->message.Rstat.stat.qid.path) == qid->path;
}

/* Walks from `from` to the name, and takes its node. `open`, if there is one, stands for the file already: so it can be asked for
 * attributes meanwhile. */
static struct node *node_at(struct fid *from, const struct name *name, struct fid *open)
{
	struct step *step = kzalloc(sizeof(*step), GFP_KERNEL);
	struct call ask;
	struct node *node;
	int error = -EAGAIN;

	if (!step)
		return ERR_PTR(-ENOMEM);
	step_begin(step, from, name, 1);
	if (open)
		error = inode_ask(open, &ask);
	step_wait(step, 1);
	if (!error && (step->error || !is_about(&ask, &step->qid))) {
		call_end(&ask);
		error = -EAGAIN;
	}
	if (step->error)
		node = ERR_PTR(step->error);
	else
		node = error ? inode_take(step->fid) : inode_learn(step->fid, &ask);
	kfree(step);
	return node;
}

/* What is no regular file, in 9P2000.L. */
static struct ninep_message make_message(struct fid *dir, const struct name *name,
					 const struct node_new *what)
{
	struct ninep_message message = {};

	switch (what->mode & S_IFMT) {
	case S_IFDIR:
		message.type = Tmkdir;
		message.Tmkdir = (struct ninep_Tmkdir){ .dfid = dir->number,
							.name = string_of(name),
							.mode = what->mode,
							.gid = what->gid };
		break;
	case S_IFLNK:
		message.type = Tsymlink;
		message.Tsymlink = (struct ninep_Tsymlink){ .dfid = dir->number,
							    .name = string_of(name),
							    .target = ninep_string(what->target),
							    .gid = what->gid };
		break;
	default:
		message.type = Tmknod;
		message.Tmknod = (struct ninep_Tmknod){ .dfid = dir->number,
							.name = string_of(name),
							.mode = what->mode,
							.major = device_major(what->rdev),
							.minor = device_minor(what->rdev),
							.gid = what->gid };
	}
	return message;
}

/* Tlcreate, or the older Tcreate, turns the fid of the directory into one of the new file, open. */
static struct ninep_message create_message(struct fid *fid, const struct name *name,
					   const struct node_new *what, char *device, size_t size)
{
	struct ninep_message message = {};
	enum ninep_dialect dialect = fid->client->connection.dialect;

	if (dialect == NINEP_2000L) {
		message.type = Tlcreate;
		message.Tlcreate = (struct ninep_Tlcreate){ .fid = fid->number,
							    .name = string_of(name),
							    .flags = O_RDWR | O_CREAT | O_EXCL,
							    .mode = what->mode & 07777,
							    .gid = what->gid };
		return message;
	}
	message.type = Tcreate;
	message.Tcreate = (struct ninep_Tcreate){ .fid = fid->number,
						  .name = string_of(name),
						  .perm = ninep_mode_from_unix(what->mode, dialect),
						  .mode = S_ISREG(what->mode) ? NINEP_ORDWR : NINEP_OREAD,
						  .extension = ninep_string("") };
	if (S_ISLNK(what->mode))
		message.Tcreate.extension = ninep_string(what->target);
	if (S_ISCHR(what->mode) || S_ISBLK(what->mode)) {
		scnprintf(device, size, "%c %u %u", S_ISBLK(what->mode) ? 'b' : 'c',
			  device_major(what->rdev), device_minor(what->rdev));
		message.Tcreate.extension = ninep_string(device);
	}
	return message;
}

/* Makes it by Tlcreate or Tcreate; *open, if it is a regular file, the fid that is open on it. */
static int create_open(struct fid *dir, const struct name *name, const struct node_new *what,
		       struct fid **open)
{
	struct fid *fid = fid_clone(dir);
	struct ninep_message message;
	char device[32];
	int error;

	*open = NULL;
	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	message = create_message(fid, name, what, device, sizeof(device));
	error = call_simple(fid->client, &message, fid, NULL);
	if (!error && S_ISREG(what->mode)) {
		fid->open = MAY_READ | MAY_WRITE;
		*open = fid;
	} else {
		fid_put(fid);
	}
	return error;
}

static bool can_make(enum ninep_dialect dialect, u32 mode)
{
	return dialect != NINEP_2000 || S_ISREG(mode) || S_ISDIR(mode);
}

int ninep_create(struct node *dir, const struct name *name, const struct node_new *what,
		 struct node **made, const struct cred *cred)
{
	struct client *client = client_of(dir);
	enum ninep_dialect dialect = client->connection.dialect;
	struct fid *fid, *open = NULL;
	struct ninep_message message;
	struct node *node;
	int error = check_name(name);

	if (!error && !can_make(dialect, what->mode))
		error = -EPERM;
	if (!error && what->target && strlen(what->target) > UINT16_MAX)
		error = -ENAMETOOLONG;
	if (error)
		return error;
	fid = inode_fid(dir, cred);
	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	inode_change_begin(dir);
	if (dialect != NINEP_2000L || S_ISREG(what->mode)) {
		error = create_open(fid, name, what, &open);
	} else {
		message = make_message(fid, name, what);
		error = call_simple(client, &message, fid, NULL);
	}
	inode_change_end(dir);
	if (!error) {
		node = node_at(fid, name, open);
		error = IS_ERR(node) ? (int)PTR_ERR(node) : 0;
	}
	if (!error && open)
		inode_keep_open(node, open);
	else if (open)
		fid_put(open);
	if (!error) {
		inode_found_at(node, dir, name);
		*made = node;
	}
	fid_put(fid);
	return error;
}

/* ---- Changing names ---- */

/* The directory's attributes are no longer those that the server told. */
static void directory_changed(struct node *dir)
{
	if (client_of(dir)->options.cache == CACHE_LOOSE)
		node_touch(dir, false, true, true);
	else
		WRITE_ONCE(dir->attr.believe_until_ns, 0);
}

int ninep_link(struct node *dir, const struct name *name, struct node *node, const struct cred *cred)
{
	struct client *client = client_of(dir);
	struct ninep_message message = { .type = Tlink };
	struct fid *dir_fid = inode_fid(dir, cred), *fid;
	int error = check_name(name);

	if (IS_ERR(dir_fid))
		return (int)PTR_ERR(dir_fid);
	fid = inode_fid(node, cred);
	if (IS_ERR(fid)) {
		fid_put(dir_fid);
		return (int)PTR_ERR(fid);
	}
	message.Tlink = (struct ninep_Tlink){ .dfid = dir_fid->number,
					      .fid = fid->number,
					      .name = string_of(name) };
	if (!error)
		error = client->connection.dialect == NINEP_2000L
				? call_simple(client, &message, dir_fid, fid)
				: -EPERM;
	if (!error) {
		WRITE_ONCE(node->attr.nlink, node->attr.nlink + 1);
		inode_found_at(node, dir, name);
		node_touch(node, false, false, true);
		directory_changed(dir);
	}
	fid_put(fid);
	fid_put(dir_fid);
	return error;
}

/* Tremove takes a fid of what is to go, and ends it. Found by that name: the node's own may stand for another. */
static int remove_by_fid(struct fid *dir, const struct name *name)
{
	struct fid *fid = fid_at(dir, name);
	struct ninep_message message = { .type = Tremove };
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	message.Tremove.fid = fid->number;
	error = call_simple(fid->client, &message, fid, NULL);
	if (error != -EINTR)
		fid->known = false;
	fid_put(fid);
	return error;
}

int ninep_unlink(struct node *dir, const struct name *name, struct node *node, bool directory,
		 const struct cred *cred)
{
	struct client *client = client_of(dir);
	struct ninep_message message = { .type = Tunlinkat };
	struct fid *fid = inode_fid(dir, cred);
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	message.Tunlinkat = (struct ninep_Tunlinkat){ .dirfid = fid->number,
						      .name = string_of(name),
						      .flags = directory ? NINEP_UNLINK_DIRECTORY : 0 };
	error = client->connection.dialect == NINEP_2000L ? call_simple(client, &message, fid, NULL)
							  : -EOPNOTSUPP;
	if (error == -EOPNOTSUPP)
		error = remove_by_fid(fid, name);
	fid_put(fid);
	if (error)
		return error;
	if (directory)
		WRITE_ONCE(node->attr.nlink, 0);
	else if (node->attr.nlink)
		WRITE_ONCE(node->attr.nlink, node->attr.nlink - 1);
	inode_not_at(node, dir, name, false);
	node_touch(node, false, false, true);
	directory_changed(dir);
	return 0;
}

/* With a fid of the old name, for servers that know no Trenameat; the oldest dialects can only change the name in its directory. */
static int rename_by_fid(struct fid *from, const struct name *old_name, struct fid *to,
			 const struct name *new_name)
{
	struct fid *fid = fid_at(from, old_name);
	struct ninep_message message = { .type = Trename };
	int error;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	if (fid->client->connection.dialect == NINEP_2000L) {
		message.Trename = (struct ninep_Trename){ .fid = fid->number,
							  .dfid = to->number,
							  .name = string_of(new_name) };
	} else {
		message.type = Twstat;
		message.Twstat.fid = fid->number;
		ninep_stat_no_change(&message.Twstat.stat);
		message.Twstat.stat.name = string_of(new_name);
	}
	error = call_simple(fid->client, &message, fid, to);
	fid_put(fid);
	return error;
}

/* *followed: fids of what was moved, and of what is below it, follow, as servers with Trenameat see to. */
static int rename_at_server(struct node *old_dir, const struct name *old_name, struct node *new_dir,
			    const struct name *new_name, const struct cred *cred, bool *followed)
{
	struct client *client = client_of(old_dir);
	struct ninep_message message = { .type = Trenameat };
	struct fid *from, *to;
	int error;

	if (client->connection.dialect != NINEP_2000L && old_dir != new_dir)
		return -EXDEV;
	from = inode_fid(old_dir, cred);
	if (IS_ERR(from))
		return (int)PTR_ERR(from);
	to = inode_fid(new_dir, cred);
	if (IS_ERR(to)) {
		fid_put(from);
		return (int)PTR_ERR(to);
	}
	message.Trenameat = (struct ninep_Trenameat){ .olddirfid = from->number,
						      .oldname = string_of(old_name),
						      .newdirfid = to->number,
						      .newname = string_of(new_name) };
	error = client->connection.dialect == NINEP_2000L ? call_simple(client, &message, from, to)
							  : -EOPNOTSUPP;
	*followed = error != -EOPNOTSUPP;
	if (!*followed)
		error = rename_by_fid(from, old_name, to, new_name);
	fid_put(to);
	fid_put(from);
	return error;
}

int ninep_rename(struct node *old_dir, const struct name *old_name, struct node *node,
		 struct node *new_dir, const struct name *new_name, struct node *replaced,
		 unsigned int flags, const struct cred *cred)
{
	bool followed = true;
	int error = check_name(new_name);

	/* The protocol has no others, and replaces what is there. */
	if (flags & ~(unsigned int)RENAME_NOREPLACE)
		return -EINVAL;
	if (!error)
		error = rename_at_server(old_dir, old_name, new_dir, new_name, cred, &followed);
	if (error)
		return error;
	if (replaced && replaced->attr.nlink)
		WRITE_ONCE(replaced->attr.nlink,
			   S_ISDIR(replaced->attr.mode) ? 0 : replaced->attr.nlink - 1);
	if (replaced)
		inode_not_at(replaced, new_dir, new_name, false);
	inode_not_at(node, old_dir, old_name, followed);
	if (!followed && S_ISDIR(node->attr.mode))
		__atomic_add_fetch(&client_of(node)->epoch, 1, __ATOMIC_SEQ_CST);
	inode_found_at(node, new_dir, new_name);
	directory_changed(old_dir);
	if (new_dir != old_dir)
		directory_changed(new_dir);
	return 0;
}

/* ---- Links ---- */

static ssize_t copy_target(struct ninep_string target, char *buffer, size_t size)
{
	size_t length = min((size_t)target.length, size);

	memcpy(buffer, target.text, length);
	return (ssize_t)length;
}

ssize_t ninep_readlink(struct node *node, char *buffer, size_t size, const struct cred *cred)
{
	struct fid *fid = inode_fid(node, cred);
	struct call readlink = { .in_room = REPLY_LINK };
	struct client *client = client_of(node);
	ssize_t result;

	if (IS_ERR(fid))
		return PTR_ERR(fid);
	if (client->connection.dialect == NINEP_2000L) {
		readlink.message.type = Treadlink;
		readlink.message.Treadlink.fid = fid->number;
	} else {
		readlink.in_room = REPLY_STAT;
		readlink.message.type = Tstat;
		readlink.message.Tstat.fid = fid->number;
	}
	readlink.fids[0] = fid;
	result = call(client, &readlink);
	if (!result)
		result = copy_target(readlink.message.type == Rreadlink
					     ? readlink.message.Rreadlink.target
					     : readlink.message.Rstat.stat.extension,
				     buffer, size);
	call_end(&readlink);
	fid_put(fid);
	return result;
}
