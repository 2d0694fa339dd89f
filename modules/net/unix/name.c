/*
 * Names of sockets. A path is a node of kind socket, made by bind(2), that stands for the socket for as long as that is open: the
 * table of bound sockets finds it by the node, which the socket's reference of the path keeps. An abstract name is bytes, and
 * finds sockets of one type only.
 */
#include <kumo/file.h>
#include <kumo/module.h>
#include <kumo/random.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/thread.h>

#include "unix.h"

#define BUCKETS 256
#define AUTOBIND_DIGITS 5

static spinlock_t names_lock = SPINLOCK_INIT("unix_names");
static struct hlist buckets[BUCKETS]; /* of unix_socket.name_link; under names_lock */

static inline bool is_abstract(const struct unix_name *name)
{
	return !name->path.entry;
}

void unix_name_put(struct unix_name *name)
{
	if (!name || !refcount_dec_and_test(&name->refs))
		return;
	if (!is_abstract(name))
		path_put(&name->path);
	kfree(name);
}

static struct unix_name *name_alloc(const char *text, u32 length)
{
	struct unix_name *name = kzalloc(sizeof(*name), GFP_USER);

	if (!name)
		return NULL;
	refcount_set(&name->refs, 1);
	memcpy(name->text, text, length);
	name->length = length;
	return name;
}

static u32 abstract_hash(const char *text, u32 length, unsigned int type)
{
	return hash_bytes(text, length, type);
}

static u32 node_hash(const struct node *node)
{
	return hash_u64((u64)(unsigned long)node);
}

/* ---- The table ---- */

/* names_lock held. */
static struct unix_socket *find_abstract(const char *text, u32 length, unsigned int type)
{
	u32 hash = abstract_hash(text, length, type);
	struct unix_socket *socket;

	hlist_for_each(socket, &buckets[hash % BUCKETS], name_link) {
		const struct unix_name *name = socket->name;

		if (name->hash == hash && is_abstract(name) && name->length == length &&
		    socket->socket.type == type && !memcmp(name->text, text, length))
			return socket;
	}
	return NULL;
}

static struct unix_socket *find_node(const struct node *node)
{
	u32 hash = node_hash(node);
	struct unix_socket *socket;

	hlist_for_each(socket, &buckets[hash % BUCKETS], name_link) {
		const struct unix_name *name = socket->name;

		if (!is_abstract(name) && path_node(&name->path) == node)
			return socket;
	}
	return NULL;
}

/* names_lock held. The socket can be found from now on. */
static void publish(struct unix_socket *self, struct unix_name *name)
{
	smp_store_release(&self->name, name);
	hlist_add(&buckets[name->hash % BUCKETS], &self->name_link);
}

void unix_name_remove(struct unix_socket *self)
{
	spin_lock(&names_lock);
	if (!hlist_unhashed(&self->name_link))
		hlist_del(&self->name_link);
	spin_unlock(&names_lock);
}

/* ---- Binding; bind_lock held ---- */

static int bind_abstract(struct unix_socket *self, const char *text, u32 length)
{
	struct unix_name *name = name_alloc(text, length);
	int error = -EADDRINUSE;

	if (!name)
		return -ENOMEM;
	name->hash = abstract_hash(text, length, self->socket.type);
	spin_lock(&names_lock);
	if (!find_abstract(text, length, self->socket.type)) {
		publish(self, name);
		error = 0;
	}
	spin_unlock(&names_lock);
	if (error)
		unix_name_put(name);
	return error;
}

static int bind_path(struct unix_socket *self, const char *text)
{
	struct node_new what = { .mode = S_IFSOCK |
					 (self->socket.file->node->attr.mode & 0777 & ~fs_umask()) };
	const struct cred *cred = current->cred;
	struct unix_name *name = name_alloc(text, (u32)strlen(text) + 1);
	struct path parent;
	struct name last;
	int error = -ENOMEM;

	if (!name)
		return error;
	error = path_walk_parent(NULL, name->text, 0, cred, &parent, &last);
	if (!error) {
		error = path_create(&parent, &last, &what, cred, &name->path);
		path_put(&parent);
	}
	if (error) {
		unix_name_put(name);
		return error == -EEXIST ? -EADDRINUSE : error;
	}
	name->hash = node_hash(path_node(&name->path));
	spin_lock(&names_lock);
	publish(self, name);
	spin_unlock(&names_lock);
	return 0;
}

/* A name of five hexadecimal digits that nobody has. */
static int bind_any(struct unix_socket *self)
{
	char text[1 + AUTOBIND_DIGITS + 1] = "";
	u32 first, count = 1U << (4 * AUTOBIND_DIGITS);

	random_get(&first, sizeof(first));
	for (u32 i = 0; i < count; i++) {
		int error;

		snprintf(text + 1, sizeof(text) - 1, "%05x", (first + i) % count);
		error = bind_abstract(self, text, 1 + AUTOBIND_DIGITS);
		if (error != -EADDRINUSE)
			return error;
		cond_resched();
	}
	return -ENOSPC;
}

/* Takes an address apart: text ended by NUL in buffer, its length as unix_name has it. */
static int address_text(const struct socket_address *address, char buffer[UNIX_PATH_MAX + 1], u32 *length)
{
	if (address->length <= sizeof(u16) || address->length > UNIX_ADDRESS_MAX ||
	    address->family != AF_UNIX)
		return -EINVAL;
	*length = address->length - (u32)sizeof(u16);
	memcpy(buffer, address->bytes + sizeof(u16), *length);
	buffer[*length] = 0;
	if (buffer[0])
		*length = (u32)strlen(buffer) + 1;
	return 0;
}

/* Is there something with this path? That is said even to a socket that has a name already. */
static bool is_taken(const char *text)
{
	struct path path;

	if (!text[0] || path_walk(NULL, text, 0, current->cred, &path))
		return false;
	path_put(&path);
	return true;
}

int unix_bind(struct socket *socket, const struct socket_address *address)
{
	struct unix_socket *self = unix_of(socket);
	char text[UNIX_PATH_MAX + 1];
	u32 length = 0;
	bool any = address->length == sizeof(u16) && address->family == AF_UNIX;
	int error = any ? 0 : address_text(address, text, &length);

	if (error)
		return error;
	if (mutex_lock_interruptible(&self->bind_lock))
		return -EINTR;
	if (self->name)
		error = any ? 0 : is_taken(text) ? -EADDRINUSE : -EINVAL;
	else if (any)
		error = bind_any(self);
	else if (text[0])
		error = bind_path(self, text);
	else
		error = bind_abstract(self, text, length);
	mutex_unlock(&self->bind_lock);
	return error;
}

int unix_autobind(struct unix_socket *self)
{
	int error;

	if (smp_load_acquire(&self->name))
		return 0;
	if (mutex_lock_interruptible(&self->bind_lock))
		return -EINTR;
	error = self->name ? 0 : bind_any(self);
	mutex_unlock(&self->bind_lock);
	return error;
}

/* ---- Finding ---- */

static struct unix_socket *find_by_path(const char *text, unsigned int type)
{
	const struct cred *cred = current->cred;
	struct unix_socket *found = NULL;
	struct path path;
	int error = path_walk(NULL, text, WALK_FOLLOW, cred, &path);

	if (error)
		return ERR_PTR(error);
	error = node_permission(path_node(&path), MAY_WRITE, cred);
	if (!error && !S_ISSOCK(path_node(&path)->attr.mode))
		error = -ECONNREFUSED;
	if (!error) {
		spin_lock(&names_lock);
		found = find_node(path_node(&path));
		if (found)
			unix_get(found);
		spin_unlock(&names_lock);
		if (!found)
			error = -ECONNREFUSED;
	}
	path_put(&path);
	if (found && found->socket.type != type) {
		unix_put(found);
		error = -EPROTOTYPE;
	}
	return error ? ERR_PTR(error) : found;
}

int unix_name_sender(struct unix_socket *self, const struct socket_address *to)
{
	char text[UNIX_PATH_MAX + 1];
	u32 length;
	int error = to ? address_text(to, text, &length) : 0;

	if (error || !(READ_ONCE(self->socket.switches) & SOCKET_PASS_CREDENTIALS))
		return error;
	return unix_autobind(self);
}

struct unix_socket *unix_find(const struct socket_address *address, unsigned int type)
{
	char text[UNIX_PATH_MAX + 1];
	struct unix_socket *found;
	u32 length;
	int error = address_text(address, text, &length);

	if (error)
		return ERR_PTR(error);
	if (text[0])
		return find_by_path(text, type);
	spin_lock(&names_lock);
	found = find_abstract(text, length, type);
	if (found)
		unix_get(found); /* it is in the table, so it has not been freed: closing takes it out first */
	spin_unlock(&names_lock);
	return found ? found : ERR_PTR(-ECONNREFUSED);
}

/* ---- Telling ---- */

void unix_name_tell(const struct unix_name *name, struct socket_address *address)
{
	address->length = 0;
	if (!name)
		return;
	address->family = AF_UNIX;
	memcpy(address->bytes + sizeof(u16), name->text, name->length);
	address->length = (u32)sizeof(u16) + name->length;
}

int unix_tell_name(struct socket *socket, struct socket_address *address, bool peer)
{
	struct unix_socket *self = unix_of(socket), *whose = self;

	if (peer) {
		spin_lock(&self->socket.lock);
		whose = self->peer ? unix_get(self->peer) : NULL;
		spin_unlock(&self->socket.lock);
		if (!whose)
			return -ENOTCONN;
	}
	unix_name_tell(smp_load_acquire(&whose->name), address);
	if (!address->length) {
		address->family = AF_UNIX;
		address->length = sizeof(u16);
	}
	if (peer)
		unix_put(whose);
	return 0;
}
