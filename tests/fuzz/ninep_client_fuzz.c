/*
 * The state machine of the 9P client (modules/9p/client without its streams) against a server that answers whatever the input says, when and in
 * the order that it says. The input is read a byte at a time, by the operations that are tried on the tree, and by each wait of theirs: then
 * one of the requests under way is answered, well or badly, or a worker does something, or who waits is killed.
 *
 * What must hold: no wait that cannot be killed needs an answer; each page of a transfer is ended once; nothing is left when the tree goes.
 */
#include "one_thread.h"

#include "../../modules/9p/client/client.h"

#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>

#include "../../user/environment/environment.h"
#include "input.h"

struct transport fd_transport = { .name = "fd" }, unix_transport = { .name = "unix" };

/* ---- The input ---- */

static u64 number(void)
{
	static const u64 likely[] = { 0, 1, 5, 4096, 65536, 1ULL << 31, 1ULL << 63, ~0ULL };
	u8 choice = next();

	return choice < 128 ? likely[choice % 8] : choice < 224 ? next() : next_bytes(8);
}

static struct ninep_string text(void)
{
	static const char *const likely[] = { "a", "b", "..", ".", "", "a/b", "9P2000.L", "9P2000.u" };
	static char long_one[UINT16_MAX];
	u8 choice = next();

	if (choice < 200)
		return ninep_string(likely[choice % 8]);
	memset(long_one, 'x', sizeof(long_one));
	return (struct ninep_string){ long_one, (u16)next_bytes(2) };
}

/* ---- Answers ---- */

#define KINDS 5
static const u32 kinds[KINDS] = { S_IFREG, S_IFDIR, S_IFLNK, S_IFIFO, 0 };

/* Small numbers, so that files are met again; the kind goes with the number, mostly. */
static struct ninep_qid a_qid(u32 *mode)
{
	u64 path = next() % 16;
	u32 kind = kinds[next() < 230 ? (path ? path % 4 : 1) : next() % KINDS];

	*mode = kind | 0777;
	return (struct ninep_qid){ .type = next() < 240 ? (S_ISDIR(kind)   ? NINEP_QTDIR
							   : S_ISLNK(kind) ? NINEP_QTSYMLINK
									   : 0)
							: next(),
				   .version = next() % 4,
				   .path = path };
}

static u8 bytes[70000];

static u32 entries(enum ninep_dialect dialect, u32 room)
{
	u32 size = 0, mode;

	for (unsigned int i = next() % 5; i; i--) {
		struct ninep_entry entry = {
			.qid = a_qid(&mode), .offset = number(), .type = next(), .name = text()
		};
		struct ninep_stat stat = { .qid = entry.qid, .name = entry.name };

		size += dialect == NINEP_2000L
				? (u32)ninep_entry_put(bytes + size, room - size, &entry)
				: (u32)ninep_stat_put(bytes + size, room - size, dialect, &stat);
	}
	if (size && next() > 230)
		bytes[next_bytes(2) % size] = next();
	return next() > 230 && size ? size - 1 : size;
}

/* A server that means well would say something like it. */
static void fill(struct ninep_message *reply, const struct ninep_message *asked,
		 enum ninep_dialect dialect)
{
	u32 mode;

	*reply = (struct ninep_message){ .type = (u8)(asked->type + 1) };
	switch (asked->type) {
	case Tversion:
		reply->Rversion.msize = next() < 128 ? asked->Tversion.msize : (u32)number();
		reply->Rversion.version = next() < 128 ? asked->Tversion.version : text();
		break;
	case Twalk:
		reply->Rwalk.wqid.count = next() < 200 ? asked->Twalk.wname.count
						       : next() % (NINEP_WALK_MAX + 1);
		for (unsigned int i = 0; i < reply->Rwalk.wqid.count; i++)
			reply->Rwalk.wqid.qids[i] = a_qid(&mode);
		break;
	case Tgetattr:
		reply->Rgetattr.qid = a_qid(&reply->Rgetattr.mode);
		reply->Rgetattr.valid = next() < 240 ? NINEP_GETATTR_BASIC : number();
		reply->Rgetattr.nlink = next() % 4;
		reply->Rgetattr.size = number();
		reply->Rgetattr.mtime_sec = number();
		break;
	case Tstat:
		reply->Rstat.stat.qid = a_qid(&mode);
		reply->Rstat.stat.mode = ninep_mode_from_unix(mode, dialect);
		reply->Rstat.stat.length = number();
		reply->Rstat.stat.name = text();
		reply->Rstat.stat.extension = text();
		break;
	case Tlopen:
	case Tlcreate:
	case Topen:
	case Tcreate:
		reply->Rlopen.qid = a_qid(&mode);
		reply->Rlopen.iounit = (u32)number();
		break;
	case Tread:
		reply->Rread.data =
			(struct ninep_data){ bytes,
					     min((u32)(next() < 200 ? asked->Tread.count : number()),
						 (u32)sizeof(bytes) - 100) };
		break;
	case Treaddir:
		reply->Rreaddir.data =
			(struct ninep_data){ bytes,
					     entries(dialect, min(asked->Treaddir.count, 4096U)) };
		break;
	case Twrite:
		reply->Rwrite.count = next() < 200 ? asked->Twrite.data.length : (u32)number();
		break;
	case Treadlink:
		reply->Rreadlink.target = text();
		break;
	case Txattrwalk:
		reply->Rxattrwalk.size = number();
		break;
	case Tattach:
	case Tmkdir:
	case Tsymlink:
	case Tmknod:
		reply->Rattach.qid = a_qid(&mode);
		break;
	default:
		break;
	}
}

static u32 answer_make(struct request *request, u8 *to, u32 room)
{
	enum ninep_dialect dialect = request->connection->dialect;
	struct ninep_message asked, reply;
	u8 choice = next();
	ssize_t length;
	u32 size;

	if (ninep_decode_head(&asked, dialect, request->out, request->out_length))
		abort();     /* what the client sends is well-formed */
	if (choice >= 250) { /* bytes */
		size = next();
		for (u32 i = 0; i < size; i++)
			to[i] = next();
		return size;
	}
	if (choice >= 225) {
		reply = (struct ninep_message){ .type = dialect == NINEP_2000L ? Rlerror : Rerror };
		if (dialect == NINEP_2000L)
			reply.Rlerror.ecode = (u32)number();
		else
			reply.Rerror = (struct ninep_Rerror){ text(), (u32)number() };
	} else {
		fill(&reply, &asked, dialect);
	}
	reply.tag = next() < 250 ? request->tag : next();
	length = ninep_encode(&reply, dialect, to, room);
	if (length < 0)
		return 0;
	if (choice >= 215)
		to[next_bytes(2) % length] = next();
	return (u32)length;
}

/* The answer lies where a transport puts it; what has no room is lost, but counts. */
static void answer_give(struct request *request, const u8 *from, u32 size)
{
	u32 here = min(size, request->pieces_in ? (u32)NINEP_READ_HEAD : request->in_room), at = here;

	memcpy(request->in, from, here);
	for (unsigned int i = 0; request->pieces_in && i < request->piece_count && at < size; i++) {
		u32 part = min(size - at, request->pieces[i].size);

		memcpy(request->pieces[i].data, from + at, part);
		at += part;
	}
	request_answered(request, size);
}

/* ---- The transport: keeps what is sent until it is answered ---- */

static struct request *sent[TAGS_MAX + 1];
static unsigned int sent_count;
static bool stopped;

static int fuzz_open(struct connection *connection, const char *source,
		     const struct transport_options *options, const struct cred *cred)
{
	stopped = false;
	return 0;
}

static void fuzz_send(struct connection *connection, struct request *request)
{
	if (stopped) {
		request_lost(request, -EIO);
		return;
	}
	require(sent_count < ARRAY_SIZE(sent));
	request_get(request);
	sent[sent_count++] = request;
}

static void fuzz_stop(struct connection *connection)
{
	stopped = true;
	while (sent_count)
		request_put(sent[--sent_count]);
	connection_lose_all(connection);
}

static void fuzz_close(struct connection *connection)
{
	require(stopped && !sent_count);
}

static struct transport fuzz_transport = {
	.name = "fuzz",
	.msize_max = 65536,
	.open = fuzz_open,
	.send = fuzz_send,
	.stop = fuzz_stop,
	.close = fuzz_close,
};

static void answer_one(void)
{
	static u8 message[sizeof(bytes)];
	unsigned int which = next() % sent_count;
	struct request *request = sent[which];
	u32 size;

	sent[which] = sent[--sent_count];
	size = answer_make(request, message, sizeof(message));
	if (next() < 240)
		answer_give(request, message, size);
	else
		request_lost(request, -EIO);
	request_put(request);
}

int fuzz_step(int mode, unsigned long long deadline_ns)
{
	u8 choice = next();

	if (input < input_end && choice >= 250)
		choice = 255;
	else if (input < input_end && sent_count && choice < 210) {
		answer_one();
		return 0;
	}
	if (choice != 255 && work_step())
		return 0;
	if (mode == WAIT_KILLABLE)
		return -EINTR;
	if (mode == WAIT_INTERRUPTIBLE)
		return -ERESTARTSYS;
	if (deadline_ns != WAIT_FOREVER)
		return -ETIME;
	require(work_step()); /* else nothing ever ends this wait */
	return 0;
}

/* ---- Operations ---- */

#define HELD 6
static struct tree tree;
static struct node *held[HELD]; /* [0] is the root, which the tree holds */
static struct file *files[HELD];
static struct page *transfers[64];
static unsigned int transfer_count;
static const struct cred cred;

static struct name a_name(void)
{
	static const char *const names[] = { "a", "b", "c" };
	const char *name = names[next() % 3];

	return name_make(name, (u32)strlen(name));
}

static struct node *a_node(void)
{
	struct node *node = held[next() % HELD];

	return node ? node : held[0];
}

static struct node *a_folder(void)
{
	struct node *node = a_node();

	return S_ISDIR(node->attr.mode) ? node : held[0];
}

/* Takes the reference over. */
static void hold(struct node *node)
{
	unsigned int which = 1 + next() % (HELD - 1);

	if (held[which])
		node_put(held[which]);
	held[which] = node;
}

static void do_walk(void)
{
	struct name names[4] = { a_name(), a_name(), a_name(), a_name() };
	struct node *found[4];
	u64 until;
	int count = tree.ops->walk(a_folder(), names, 1 + next() % 4, found, &until, &cred);

	for (int i = 0; i < count; i++)
		hold(found[i]);
}

static void do_create(void)
{
	struct node_new what = { .mode = kinds[next() % 4] | 0644, .target = "target" };
	struct name name = a_name();
	struct node *node;

	if (!tree.ops->create(a_folder(), &name, &what, &node, &cred))
		hold(node);
}

static void do_names(u8 which)
{
	struct node *dir = a_folder(), *other = a_folder(), *node = a_node();
	struct name name = a_name(), new_name = a_name();
	int ignored;

	switch (which % 3) {
	case 0:
		ignored = tree.ops->link(dir, &name, node, &cred);
		break;
	case 1:
		ignored = tree.ops->unlink(dir, &name, node, S_ISDIR(node->attr.mode), &cred);
		break;
	default:
		ignored = tree.ops->rename(dir, &name, node, other, &new_name,
					   next() % 2 ? a_node() : NULL, 0, &cred);
	}
	(void)ignored;
}

static void do_attributes(u8 which)
{
	struct attr_change change = { .valid = next() % 64, .mode = 0600, .size = number() % INT64_MAX };
	struct statfs_info info;
	struct node *node = a_node();
	char value[300];
	int ignored;

	switch (which % 6) {
	case 0:
		ignored = tree.ops->getattr(node, &cred);
		break;
	case 1:
		ignored = tree.ops->setattr(node, &change, &cred);
		break;
	case 2:
		ignored = (int)tree.ops->readlink(node, value, sizeof(value), &cred);
		break;
	case 3:
		ignored = (int)tree.ops->xattr_get(node, "user.a", value, next());
		break;
	case 4:
		which = next() % 2;
		ignored = tree.ops->xattr_set(node, "user.a", which ? "value" : NULL, which ? 5 : 0, 0);
		break;
	default:
		ignored = (int)tree.ops->xattr_list(node, value, next(), next() % 2) +
			  tree.ops->statfs(&tree, &info);
	}
	(void)ignored;
}

static void do_open(void)
{
	unsigned int which = next() % HELD;
	struct file *file = files[which];

	if (file) {
		file->ops->clunk(file);
		node_put(file->node);
		free(file);
		files[which] = NULL;
		return;
	}
	file = calloc(1, sizeof(*file));
	file->node = node_get(a_node());
	file->ops = tree.ops;
	file->flags = S_ISDIR(file->node->attr.mode) ? O_RDONLY : next() % 3;
	file->cred = &cred;
	if (tree.ops->open(file, &cred)) {
		node_put(file->node);
		free(file);
		return;
	}
	files[which] = file;
}

static bool entry_seen(struct dir_context *context, const char *name, u32 length, u64 next_offset,
		       u64 id, u32 type)
{
	char copy[NAME_MAX_LENGTH];

	require(length && length <= sizeof(copy));
	memcpy(copy, name, length);
	require(!memchr(copy, '/', length) && !memchr(copy, 0, length));
	return next() < 200;
}

static void do_file(u8 which)
{
	static char buffer[20000];
	struct file *file = files[next() % HELD];
	struct dir_context context = { .add = entry_seen };
	struct iter iter;
	ssize_t ignored;
	loff_t pos;

	if (!file)
		return;
	if (S_ISDIR(file->node->attr.mode)) {
		context.offset = (loff_t)(next() % 4 ? 0 : number() % INT64_MAX);
		for (int i = 0; i < 3; i++)
			ignored = tree.ops->readdir(file, &context);
		return;
	}
	pos = (loff_t)(number() % (1ULL << 40));
	iter_init_kernel(&iter, buffer, next_bytes(2) % sizeof(buffer));
	if (which % 4 == 3)
		ignored = tree.ops->fsync(file, next() % 2);
	else if (which % 4 == 2)
		ignored = tree.ops->direct(file, &iter, pos, next() % 2);
	else if (which % 4)
		ignored = tree.ops->write(file, &iter, &pos);
	else
		ignored = tree.ops->read(file, &iter, &pos);
	(void)ignored;
}

static void do_pages(void)
{
	struct node *node = a_node();
	unsigned int count = 1 + next() % 5;
	u64 first = next() % 4;

	if (!S_ISREG(node->attr.mode) || transfer_count + count > ARRAY_SIZE(transfers))
		return;
	for (unsigned int i = 0; i < count; i++) {
		struct page *page = page_alloc(0, GFP_KERNEL);

		page->index = first + i;
		page->error = PAGE_UNDER_WAY;
		transfers[transfer_count + i] = page;
	}
	transfer_count += count;
	if (next() % 2)
		tree.ops->read_pages(node, transfers + transfer_count - count, count);
	else
		tree.ops->write_pages(node, transfers + transfer_count - count, count);
}

static void do_one(void)
{
	u8 which = next();

	switch (which % 8) {
	case 0:
	case 1:
		do_walk();
		break;
	case 2:
		do_create();
		break;
	case 3:
		do_names(which / 8);
		break;
	case 4:
		do_attributes(which / 8);
		break;
	case 5:
		do_open();
		break;
	case 6:
		do_file(which / 8);
		break;
	default:
		if (which == 255 && tree.ops->give_up)
			tree.ops->give_up(&tree);
		do_pages();
	}
}

static void let_go(void)
{
	for (unsigned int i = 0; i < HELD; i++) {
		if (files[i]) {
			files[i]->ops->clunk(files[i]);
			node_put(files[i]->node);
			free(files[i]);
			files[i] = NULL;
		}
		if (held[i])
			node_put(held[i]);
		held[i] = NULL;
	}
	/* Those that write hold their nodes. */
	if (tree.ops->give_up)
		tree.ops->give_up(&tree);
	while (work_step())
		;
	tree.ops->detach(&tree);
	for (unsigned int i = 0; i < transfer_count; i++) {
		require(transfers[i]->error != PAGE_UNDER_WAY);
		page_put(transfers[i]);
	}
	transfer_count = 0;
}

static struct tree_type *type;

int tree_type_register(struct tree_type *registered)
{
	type = registered;
	return 0;
}

void tree_type_unregister(struct tree_type *registered)
{
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	environment_log_shown = getenv("SHOW_LOG");
	return transport_register(&fuzz_transport);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static char *const options[] = { "trans=fuzz,msize=16384",
					 "trans=fuzz,cache=loose",
					 "trans=fuzz,cache=mmap,msize=4096",
					 "trans=fuzz,version=9p2000.u",
					 "trans=fuzz,version=9p2000,cache=loose",
					 "trans=fuzz,access=any" };

	input = data;
	input_end = data + size;
	tree = (struct tree){ .type = type,
			      .ops = type->ops,
			      .options = options[next() % ARRAY_SIZE(options)] };
	tree.source = "fuzz";
	if (!type->ops->attach(&tree, &cred)) {
		held[0] = tree.root;
		while (input < input_end)
			do_one();
		let_go();
	}
	require(!node_count && !page_count && !sent_count && !work_step());
	return 0;
}
