/*
 * /dev/export: where exports are made and held. An open file of it holds the connections that were made by it: they end when it is
 * closed for the last time, so with the process that made them. Lines that are written:
 *
 *	user NAME UID GID...		whom a client's user of that name is, for what is exported from then on
 *	export fd=N root=PATH WORD...	serve the tree below PATH to whoever holds the other end of descriptor N
 *	wait				until all connections have ended
 *
 * Words of export: to=N (answers go there), ro, squash=none|root|all, anon=UID[:GID], msize=BYTES, fids=COUNT, requests=COUNT. A
 * blank in PATH is \040. To read gives a line for each connection.
 *
 * The descriptors may be closed then. PATH is looked up as by open(2), and what is mounted below it is exported, too, as the writer's
 * namespace has it.
 */
#define LOG_PREFIX "9p: "
#include "server.h"

#include <kumo/device.h>
#include <kumo/err.h>
#include <kumo/module.h>
#include <kumo/printk.h>
#include <kumo/pseudo.h>
#include <kumo/act.h>
#include <kumo/slab.h>
#include <kumo/socket.h>
#include <kumo/string.h>
#include <linux/capability.h>
#include <linux/limits.h>

enum {
	LINE_MAX = PATH_MAX + 1024,
	MESSAGE_SIZE = 128 * 1024,
	MESSAGE_SIZE_MAX = 4 * 1024 * 1024,
	FIDS = 65536,
	FIDS_MAX = 1 << 24,
	REQUESTS = 32,
	REQUESTS_MAX = 1024,
	NOBODY = 65534,
	USERS_MAX = 10000,
	CONTROL_MINOR = 236
};

/* An open file of /dev/export. */
struct holder {
	struct mutex lock; /* of what follows */
	struct list connections;
	struct list users; /* of struct known_user */
	unsigned int user_count;
};

static atomic_t last_id;

/* ---- Words ---- */

struct request_words {
	int from, to;
	char *root;
	bool anonymous_given;
	struct export export;
};

static int parse_u32(const char *text, u32 low, u32 high, u32 *value)
{
	u64 number;

	if (parse_u64(text, 10, &number) || number < low || number > high)
		return -EINVAL;
	*value = (u32)number;
	return 0;
}

static int parse_descriptor(const char *text, int *fd)
{
	u32 number;
	int error = parse_u32(text, 0, 0x7fffffff, &number);

	*fd = (int)number;
	return error;
}

static int parse_squash(const char *text, enum squash *squash)
{
	static const char *const names[] = {
		[SQUASH_NONE] = "none", [SQUASH_ROOT] = "root", [SQUASH_ALL] = "all"
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i])) {
			*squash = (enum squash)i;
			return 0;
		}
	return -EINVAL;
}

static int parse_anonymous(char *text, struct request_words *words)
{
	char *group = strchr(text, ':');
	int error;

	if (group)
		*group++ = '\0';
	words->anonymous_given = true;
	error = parse_u32(text, 0, ~0U - 1, &words->export.anonymous_uid);
	return error ? error
		     : parse_u32(group ? group : text, 0, ~0U - 1, &words->export.anonymous_gid);
}

/* \ooo is a byte; in place. */
static void decode(char *word)
{
	char *to = word;

	for (; *word; word++) {
		if (word[0] == '\\' && word[1] >= '0' && word[1] <= '3' && word[2] >= '0' &&
		    word[2] <= '7' && word[3] >= '0' && word[3] <= '7') {
			*to++ = (char)((word[1] - '0') << 6 | (word[2] - '0') << 3 | (word[3] - '0'));
			word += 3;
		} else {
			*to++ = *word;
		}
	}
	*to = '\0';
}

static int parse_word(struct request_words *words, char *word)
{
	struct export *export = &words->export;
	char *value = strchr(word, '=');

	if (!strcmp(word, "ro")) {
		export->read_only = true;
		return 0;
	}
	if (!value)
		return -EINVAL;
	*value++ = '\0';
	if (!strcmp(word, "fd"))
		return parse_descriptor(value, &words->from);
	if (!strcmp(word, "to"))
		return parse_descriptor(value, &words->to);
	if (!strcmp(word, "root")) {
		decode(value);
		words->root = value;
		return 0;
	}
	if (!strcmp(word, "squash"))
		return parse_squash(value, &export->squash);
	if (!strcmp(word, "anon"))
		return parse_anonymous(value, words);
	if (!strcmp(word, "msize"))
		return parse_u32(value, NINEP_MSIZE_MIN, MESSAGE_SIZE_MAX, &export->message_size);
	if (!strcmp(word, "fids"))
		return parse_u32(value, 1, FIDS_MAX, &export->fid_limit);
	if (!strcmp(word, "requests"))
		return parse_u32(value, 1, REQUESTS_MAX, &export->request_limit);
	return -EINVAL;
}

static int parse_words(struct request_words *words, char *line)
{
	while (*line) {
		char *word = line;
		int error;

		while (*line && *line != ' ')
			line++;
		if (*line)
			*line++ = '\0';
		error = *word ? parse_word(words, word) : 0;
		if (error)
			return error;
	}
	if (words->from < 0 || !words->root)
		return -EINVAL;
	return 0;
}

/* ---- Exports ---- */

static void connection_free(struct connection *connection)
{
	struct export *export = &connection->export;

	known_users_free(&export->users);
	if (export->fs)
		fs_context_put(export->fs);
	if (export->root.mount)
		path_put(&export->root);
	if (export->cred)
		cred_put(export->cred);
	kfree(connection);
}

/* What the peer of a Unix socket may be. */
static u32 only_user(const struct file *file)
{
	struct socket *socket = socket_of_file(file);
	u32 uid = NINEP_NO_NUMBER;

	if (!socket)
		return uid;
	spin_lock(&socket->lock);
	if (socket->peer_cred && !cred_capable(socket->peer_cred, CAP_SETUID))
		uid = socket->peer_cred->euid;
	spin_unlock(&socket->lock);
	return uid;
}

/* An open file that one can read, or write, and that is no file of a tree: nothing would ever come. */
static struct file *transport_get(int fd, u32 mode)
{
	struct file *file = fd_get((unsigned int)fd);

	if (!file)
		return ERR_PTR(-EBADF);
	if ((file->mode & mode) == mode && !S_ISREG(file->node->attr.mode) &&
	    !S_ISDIR(file->node->attr.mode))
		return file;
	file_put(file);
	return ERR_PTR(-EINVAL);
}

static int transports_get(struct connection *connection, const struct request_words *words)
{
	int to = words->to < 0 ? words->from : words->to;
	struct file *file = transport_get(words->from, FILE_READ);

	if (IS_ERR(file))
		return (int)PTR_ERR(file);
	connection->from = file;
	file = transport_get(to, FILE_WRITE);
	if (IS_ERR(file)) {
		file_put(connection->from);
		return (int)PTR_ERR(file);
	}
	connection->to = file;
	return 0;
}

/* The place and the identity: from who writes. */
static int export_begin(struct connection *connection, struct request_words *words)
{
	struct export *export = &connection->export;
	const struct cred *cred = current->cred;
	int error;

	*export = words->export;
	list_init(&export->users);
	export->trusts = cred_capable(cred, CAP_SETUID) && cred_capable(cred, CAP_SETGID);
	if (!export->trusts && (export->squash != SQUASH_NONE || words->anonymous_given))
		return -EPERM; /* all are he that exports */
	export->cred = cred_get(cred);
	error = path_walk(NULL, words->root, WALK_FOLLOW, cred, &export->root);
	if (error) {
		export->root = (struct path){};
		return error;
	}
	export->fs = fs_context_at(&export->root);
	return export->fs ? 0 : -ENOMEM;
}

static int export_add(struct holder *holder, char *line)
{
	struct request_words words = { .from = -1,
				       .to = -1,
				       .export = { .anonymous_uid = NOBODY,
						   .anonymous_gid = NOBODY,
						   .message_size = MESSAGE_SIZE,
						   .fid_limit = FIDS,
						   .request_limit = REQUESTS } };
	struct connection *connection;
	int error = parse_words(&words, line);

	if (error)
		return error;
	connection = kzalloc(sizeof(*connection), GFP_KERNEL);
	if (!connection)
		return -ENOMEM;
	error = export_begin(connection, &words);
	if (!error)
		error = known_users_copy(&connection->export.users, &holder->users);
	if (!error)
		error = transports_get(connection, &words);
	if (error) {
		connection_free(connection);
		return error;
	}
	connection->id = (unsigned int)atomic_add_return(&last_id, 1);
	connection->export.only_uid = only_user(connection->from);
	error = connection_start(connection);
	if (error) {
		file_put(connection->from);
		file_put(connection->to);
		connection_free(connection);
		return error;
	}
	list_add_tail(&holder->connections, &connection->link);
	return 0;
}

/* ---- The holder ---- */

/* What has ended is forgotten; with `all`, the rest is ended. */
static void holder_reap(struct holder *holder, bool all)
{
	struct connection *connection, *next;

	list_for_each_safe(connection, next, &holder->connections, link) {
		if (!all && !connection_has_ended(connection))
			continue;
		list_del(&connection->link);
		connection_stop(connection);
		connection_free(connection);
	}
}

static int user_add(struct holder *holder, char *words)
{
	struct known_user *user;
	int error;

	if (holder->user_count >= USERS_MAX)
		return -ENOSPC;
	error = known_user_parse(words, &user);
	if (error)
		return error;
	list_add_tail(&holder->users, &user->link);
	holder->user_count++;
	return 0;
}

static bool all_ended(struct holder *holder)
{
	struct connection *connection;

	list_for_each(connection, &holder->connections, link)
		if (!connection_has_ended(connection))
			return false;
	return true;
}

/* holder->lock is held, so that none goes, and none comes, meanwhile. */
static int holder_wait(struct holder *holder)
{
	struct connection *connection;
	int error = 0;

	list_for_each(connection, &holder->connections, link)
		if (!error)
			error = wait_event_interruptible(&connection->changed,
							 connection_has_ended(connection));
	return error ?: all_ended(holder) ? 0 : -EINTR;
}

static int control_line(struct holder *holder, char *line)
{
	if (!strncmp(line, "export ", 7))
		return export_add(holder, line + 7);
	if (!strncmp(line, "user ", 5))
		return user_add(holder, line + 5);
	if (!strcmp(line, "wait"))
		return holder_wait(holder);
	return *line && *line != '#' ? -EINVAL : 0;
}

static int control_lines(struct holder *holder, char *text)
{
	while (*text) {
		char *line = text;
		int error;

		while (*text && *text != '\n')
			text++;
		if (*text)
			*text++ = '\0';
		error = control_line(holder, line);
		if (error)
			return error;
	}
	return 0;
}

static ssize_t holder_write(struct file *file, struct iter *from, loff_t *pos)
{
	struct holder *holder = file->private;
	size_t size = from->count;
	char *text __free_kfree = NULL;
	int error;

	if (size > LINE_MAX)
		return -E2BIG;
	text = kmalloc(size + 1, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	if (iter_copy_from(from, text, size) != size)
		return -EFAULT;
	text[size] = '\0';
	error = mutex_lock_interruptible(&holder->lock);
	if (error)
		return error;
	holder_reap(holder, false);
	error = control_lines(holder, text);
	mutex_unlock(&holder->lock);
	return error ? error : (ssize_t)size;
}

/* The list of connections, as it is when it is read from the start. */
static ssize_t holder_read(struct file *file, struct iter *to, loff_t *pos)
{
	struct holder *holder = file->private;
	struct connection *connection;
	struct text text = {};
	ssize_t result = mutex_lock_interruptible(&holder->lock);

	if (result)
		return result;
	list_for_each(connection, &holder->connections, link)
		connection_show(connection, &text);
	mutex_unlock(&holder->lock);
	if (text.failed)
		result = -ENOMEM;
	else if ((u64)*pos < text.length)
		result = (ssize_t)iter_copy_to(to, text.data + *pos,
					       min(to->count, text.length - (size_t)*pos));
	if (result > 0)
		*pos += result;
	text_release(&text);
	return result;
}

static int holder_open(struct file *file, const struct cred *cred)
{
	struct holder *holder = kmalloc(sizeof(*holder), GFP_KERNEL);

	if (!holder)
		return -ENOMEM;
	mutex_init(&holder->lock, "9p_server_holder");
	list_init(&holder->connections);
	list_init(&holder->users);
	holder->user_count = 0;
	file->private = holder;
	return 0;
}

static void holder_close(struct file *file)
{
	struct holder *holder = file->private;

	holder_reap(holder, true);
	known_users_free(&holder->users);
	kfree(holder);
}

static const struct tree_ops holder_ops = {
	.open = holder_open, .clunk = holder_close, .read = holder_read, .write = holder_write
};

static struct char_device control = { .name = "export", .mode = 0666, .ops = &holder_ops };

static int __init server_init(void)
{
	control.number = device_make(10, CONTROL_MINOR);
	control.owner = THIS_MODULE;
	return char_device_register(&control);
}

/* Nobody has it open, so nothing is exported: that would pin the module. */
static void __exit server_exit(void)
{
	char_device_unregister(&control);
}

module_init(server_init);
module_exit(server_exit);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("9P server: exports a part of a namespace over a descriptor");
MODULE_ALIAS("char-major-10-236");
MODULE_ALIAS("devname:export");
