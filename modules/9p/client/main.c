/*
 * mount -t 9p: a tree whose files a server has.
 *
 *	mount -t 9p -o trans=virtio TAG /n/host
 *	mount -t 9p -o trans=unix /run/server /n/server
 *	mount -t 9p -o trans=fd,rfdno=3,wfdno=3 name /n/port
 *
 * One open, as it goes through the files: the core walks (names.c): a Twalk and a Tgetattr give a fid and a node (inode.c). open(2)
 * clones the fid and opens the clone (open.c). A page fault or a read comes from the page cache as ninep_read_pages() (pages.c), which
 * sends a Tread for each large run of pages, with the pages as room for the answer. Below, call.c makes one message and waits for its
 * answer; connection.c matches answers with requests; a transport (virtio.c, stream.c) moves the bytes. fid.c clunks what nobody
 * needs any more.
 */
#define LOG_PREFIX "9p: "
#include "client.h"

#include <kumo/module.h>
#include <kumo/pagecache.h>
#include <kumo/printk.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/time.h>
#include <linux/fs.h>

#define MAGIC 0x01021997 /* V9FS_MAGIC */
#define MSIZE_DEFAULT (MIB + PAGE_SIZE)
#define DETACH_NS (2 * NSEC_PER_SEC) /* that the last clunks may take */

static const struct tree_ops uncached_ops, cached_ops;

/* ---- Agreeing on a version ---- */

static const char *version_text(enum ninep_dialect dialect)
{
	return dialect == NINEP_2000L ? "9P2000.L" : dialect == NINEP_2000U ? "9P2000.u" : "9P2000";
}

/* Which of the dialects up to `asked` the text names; 0: none. */
static enum ninep_dialect dialect_of(struct ninep_string text, enum ninep_dialect asked)
{
	for (enum ninep_dialect dialect = asked; dialect; dialect >>= 1)
		if (ninep_string_is(text, version_text(dialect)))
			return dialect;
	return 0;
}

/* Asks for one: 0; -EPROTONOSUPPORT: the server wants an older one. */
static int try_version(struct client *client, enum ninep_dialect dialect, u32 msize)
{
	struct connection *connection = &client->connection;
	struct call version = {
		.message = { .type = Tversion,
			     .tag = NINEP_NO_TAG,
			     .Tversion = { .msize = msize,
					   .version = ninep_string(version_text(dialect)) } },
	};
	const struct ninep_Rversion *said = &version.message.Rversion;
	enum ninep_dialect agreed;
	int error = call(client, &version);

	if (!error) {
		agreed = dialect_of(said->version, dialect);
		if (!agreed)
			error = -EPROTONOSUPPORT;
		else if (said->msize < NINEP_MSIZE_MIN || said->msize > msize)
			error = -EPROTO;
		if (!error) {
			connection->dialect = agreed;
			connection->msize = said->msize;
		}
	}
	call_end(&version);
	return error;
}

static int agree(struct client *client)
{
	const struct options *options = &client->options;
	struct connection *connection = &client->connection;
	u32 msize = options->msize ? options->msize : MSIZE_DEFAULT;
	enum ninep_dialect dialect = options->dialect;
	int error;

	msize = min(msize, client->transport->msize_max);
	if (msize < NINEP_MSIZE_MIN)
		return -EINVAL;
	do {
		error = try_version(client, dialect, msize);
		dialect >>= 1;
	} while (error == -EPROTONOSUPPORT && dialect);
	if (error)
		return error;
	if (connection->dialect == NINEP_2000 && options->access == ACCESS_USER)
		client->options.access = ACCESS_ANY;
	client->io_max = connection->msize - (NINEP_WRITE_HEAD + 1);
	/* Whole pages, as long as there are any. */
	if (client->io_max > PAGE_SIZE)
		client->io_max = ALIGN_DOWN(client->io_max, (u32)PAGE_SIZE);
	return 0;
}

/* ---- Attach and detach ---- */

static int attach_root(struct client *client, const struct cred *cred)
{
	u32 uid = client->options.access == ACCESS_SINGLE ? client->options.single_uid
							  : client_uid(client, cred);
	struct fid *fid = client_root(client, uid), *copy;
	struct node *root;

	if (IS_ERR(fid))
		return (int)PTR_ERR(fid);
	copy = fid_clone(fid);
	fid_put(fid);
	if (IS_ERR(copy))
		return (int)PTR_ERR(copy);
	root = inode_take(copy);
	if (IS_ERR(root))
		return (int)PTR_ERR(root);
	if (!S_ISDIR(root->attr.mode)) {
		node_put(root);
		return -ENOTDIR;
	}
	client->tree->root = root;
	return 0;
}

/* Nobody names a fid any more: waits a little for the server to let go of them, too. */
static void client_end(struct client *client)
{
	client_users_put(client);
	/* Not for fid_work itself: it waits, too, when the server has answered nothing for long. */
	(void)wait_event_until(&client->connection.tag_wait,
			       fids_are_clunked(client) && connection_is_idle(&client->connection),
			       time_monotonic_ns() + DETACH_NS);
	connection_close(&client->connection);
	wait_event(&client->connection.tag_wait, !READ_ONCE(client->transfers));
	spin_unlock_irqrestore(&client->lock, spin_lock_irqsave(&client->lock)); /* the last one has left */
	fids_destroy(client);
}

static void client_free(struct client *client)
{
	if (client->transport)
		transport_put(client->transport);
	options_free(&client->options);
	kfree(client);
}

static struct client *client_create(struct tree *tree)
{
	struct client *client = kzalloc(sizeof(*client), GFP_KERNEL);
	int error;

	if (!client)
		return ERR_PTR(-ENOMEM);
	client->tree = tree;
	spin_init(&client->lock, "9p_session");
	mutex_init(&client->attach_lock, "9p_attach");
	fids_init(client);
	error = options_parse(&client->options, tree->options);
	if (!error) {
		client->transport = transport_get(client->options.transport);
		if (!client->transport)
			error = -EINVAL;
	}
	if (!error)
		return client;
	client_free(client);
	return ERR_PTR(error);
}

static int ninep_attach(struct tree *tree, const struct cred *cred)
{
	struct client *client = client_create(tree);
	int error;

	if (IS_ERR(client))
		return (int)PTR_ERR(client);
	error = connection_open(&client->connection, client->transport, tree->source,
				&client->options.of_transport, cred);
	if (error)
		goto free;
	tree->private = client;
	tree->ops = client->options.cache == CACHE_NONE ? &uncached_ops : &cached_ops;
	tree->magic = MAGIC;
	tree->flags |= TREE_WALK_MANY;
	error = agree(client);
	if (!error)
		error = attach_root(client, cred);
	if (!error)
		return 0;
	client_end(client);
free:
	client_free(client);
	return error == -EPROTONOSUPPORT ? -EREMOTEIO : error;
}

static void ninep_give_up(struct tree *tree)
{
	struct client *client = tree->private;

	connection_fail(&client->connection, "no answer comes, and who waited for it was killed");
}

static void ninep_detach(struct tree *tree)
{
	struct client *client = tree->private;

	client_end(client);
	client_free(client);
}

/* ---- The tables ---- */

static loff_t ninep_seek(struct file *file, loff_t offset, int whence)
{
	struct node *node = file->node;
	int error;

	if (S_ISDIR(node->attr.mode)) /* offsets are the server's, and large */
		return file_seek_size(file, offset, whence, INT64_MAX);
	error = whence == SEEK_END ? node_getattr(node, file->cred) : 0;
	return error ? error : file_seek_size(file, offset, whence, node_size(node));
}

#define COMMON_OPERATIONS                                                                          \
	.attach = ninep_attach, .detach = ninep_detach, .statfs = ninep_statfs,                    \
	.walk = ninep_walk, .walk_ahead = ninep_walk_ahead, .create = ninep_create,                \
	.link = ninep_link, .unlink = ninep_unlink, .rename = ninep_rename,                        \
	.readlink = ninep_readlink, .getattr = ninep_getattr, .setattr = ninep_setattr,            \
	.open = ninep_open, .clunk = ninep_clunk, .flush = ninep_flush, .readdir = ninep_readdir,  \
	.seek = ninep_seek, .mmap = page_cache_mmap, .fsync = ninep_fsync,                         \
	.read_pages = ninep_read_pages, .write_pages = ninep_write_pages, .direct = ninep_direct,  \
	.xattr_get = ninep_xattr_get, .xattr_set = ninep_xattr_set,                                \
	.xattr_list = ninep_xattr_list, .forget = inode_forget, .give_up = ninep_give_up

static const struct tree_ops cached_ops = {
	COMMON_OPERATIONS,
	.read = page_cache_read,
	.write = page_cache_write,
};

static const struct tree_ops uncached_ops = {
	COMMON_OPERATIONS,
	.read = ninep_read,
	.write = ninep_write,
};

static struct tree_type ninep_type = {
	.name = "9p", .ops = &cached_ops, .owner = THIS_MODULE, .flags = TREE_TYPE_FOR_ALL
};

static int __init ninep_init(void)
{
	int error = transport_register(&fd_transport);

	if (error)
		return error;
	error = transport_register(&unix_transport);
	if (error)
		goto unregister_fd;
	error = tree_type_register(&ninep_type);
	if (error)
		goto unregister;
	return 0;
unregister:
	transport_unregister(&unix_transport);
unregister_fd:
	transport_unregister(&fd_transport);
	return error;
}

static void __exit ninep_exit(void)
{
	tree_type_unregister(&ninep_type);
	transport_unregister(&unix_transport);
	transport_unregister(&fd_transport);
}

module_init(ninep_init);
module_exit(ninep_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("trees that 9P servers have");
MODULE_ALIAS_FS("9p");
