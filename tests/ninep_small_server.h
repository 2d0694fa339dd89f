/*
 * A small 9P server in user space, for tests of clients: a folder in memory, all three dialects, one message after the other. It
 * does as a client asks, so that a test can do otherwise with what it is about to answer. Nothing here is the kernel's own code.
 */
#ifndef TESTS_NINEP_SMALL_SERVER_H
#define TESTS_NINEP_SMALL_SERVER_H

#include "ninep.h"

enum {
	SMALL_FILES = 32,
	SMALL_SIZE = 1 << 14, /* of a file at most */
	SMALL_FIDS = 1 << 14, /* numbers of fids are taken modulo this */
	SMALL_ROOT = 1,	      /* files are counted from 1 */
	SMALL_VALUE = 1000,   /* stands for an extended attribute */
	SMALL_NAMES,	      /* and for the list of their names */
};

struct small_file {
	char name[64]; /* "": it has none */
	int parent;
	uint32_t mode, size;
	char data[SMALL_SIZE];
};

struct small_server {
	struct peer peer;
	bool modern; /* 9P2000.L */
	bool loops;  /* each folder lies in itself, too, as "itself" */
	int fids[SMALL_FIDS];
	struct small_file files[SMALL_FILES];
};

static inline int *small_fid(struct small_server *server)
{
	return &server->fids[take(&server->peer, 4) % SMALL_FIDS];
}

/* The file of the fid that comes next in the message; 0: none. */
static inline int small_file(struct small_server *server)
{
	int file = *small_fid(server);

	return file && file < SMALL_FILES && server->files[file].mode ? file : 0;
}

static inline int small_find(struct small_server *server, int parent, const char *name)
{
	if (server->loops && !strcmp(name, "itself"))
		return parent;
	for (int i = SMALL_ROOT; i < SMALL_FILES; i++)
		if (server->files[i].mode && server->files[i].name[0] &&
		    server->files[i].parent == parent && !strcmp(server->files[i].name, name))
			return i;
	return 0;
}

static inline int small_make(struct small_server *server, int parent, const char *name,
			     uint32_t mode, const char *data)
{
	int file = SMALL_ROOT;

	while (file < SMALL_FILES && server->files[file].mode)
		file++;
	if (file == SMALL_FILES)
		return 0;
	server->files[file] = (struct small_file){ .parent = parent, .mode = mode };
	snprintf(server->files[file].name, sizeof(server->files[file].name), "%s", name);
	server->files[file].size = (uint32_t)snprintf(server->files[file].data, SMALL_SIZE, "%s", data);
	return file;
}

/* `server` is all zeros. */
static inline void small_start(struct small_server *server, int fd)
{
	server->peer.fd = fd;
	server->modern = true;
	small_make(server, 0, "/", S_IFDIR | 0777, "");
	small_make(server, SMALL_ROOT, "file", S_IFREG | 0666, "contents");
	small_make(server, small_make(server, SMALL_ROOT, "folder", S_IFDIR | 0777, ""), "inner",
		   S_IFREG | 0666, "inner contents");
	small_make(server, SMALL_ROOT, "link", S_IFLNK | 0777, "folder/inner");
	small_make(server, SMALL_ROOT, "large", S_IFREG | 0666, "");
	server->files[small_find(server, SMALL_ROOT, "large")].size = SMALL_SIZE;
}

/* ---- Parts of answers ---- */

static inline void put_bytes(struct peer *peer, const void *bytes, size_t size)
{
	memcpy(peer->out + peer->out_size, bytes, size);
	peer->out_size += (uint32_t)size;
}

static inline void put_string(struct peer *peer, const char *text)
{
	put(peer, strlen(text), 2);
	put_bytes(peer, text, strlen(text));
}

static inline void put_qid(struct small_server *server, int file)
{
	uint32_t mode = file < SMALL_FILES ? server->files[file].mode : S_IFREG;

	put(&server->peer, S_ISDIR(mode) ? 0x80 : S_ISLNK(mode) ? 2 : 0, 1);
	put(&server->peer, 1, 4);
	put(&server->peer, (uint64_t)file, 8);
}

/* A stat of the older dialects, with the size before it. */
static inline void put_stat(struct small_server *server, int number)
{
	static const struct {
		uint32_t kind, bits;
	} kinds[] = { { S_IFDIR, 0x80000000 },
		      { S_IFLNK, 0x02000000 },
		      { S_IFIFO, 0x00200000 },
		      { S_IFCHR, 0x00800000 } };
	const struct small_file *file = &server->files[number];
	struct peer *peer = &server->peer;
	uint32_t begin = peer->out_size, mode = file->mode & 0777, end;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if ((file->mode & S_IFMT) == kinds[i].kind)
			mode |= kinds[i].bits;
	put(peer, 0, 2 + 2 + 4);
	put_qid(server, number);
	put(peer, mode, 4);
	put(peer, 1000, 4);
	put(peer, 1000, 4);
	put(peer, S_ISDIR(file->mode) ? 0 : file->size, 8);
	put_string(peer, file->name);
	for (int i = 0; i < 3; i++)
		put_string(peer, "root");
	if (peer->has_numbers) {
		put_string(peer, S_ISLNK(file->mode) ? file->data : "");
		for (int i = 0; i < 3; i++)
			put(peer, 0, 4);
	}
	end = peer->out_size;
	peer->out_size = begin;
	put(peer, end - begin - 2, 2);
	peer->out_size = end;
}

/* ---- What is asked for: 0, or an errno ---- */

static inline int small_version(struct small_server *server)
{
	struct peer *peer = &server->peer;
	uint32_t size = (uint32_t)take(peer, 4);
	const char *version = take_string(peer);

	server->modern = !strcmp(version, "9P2000.L");
	peer->has_numbers = !strcmp(version, "9P2000.u");
	put(peer, size < 65536 ? size : 65536, 4);
	put_string(peer, version);
	return 0;
}

static inline int small_attach(struct small_server *server)
{
	*small_fid(server) = SMALL_ROOT;
	put_qid(server, SMALL_ROOT);
	return 0;
}

static inline int small_walk(struct small_server *server)
{
	struct peer *peer = &server->peer;
	int file = *small_fid(server), *to = small_fid(server);
	unsigned int count = (unsigned int)take(peer, 2), reached = 0;
	uint32_t at = peer->out_size;

	put(peer, 0, 2);
	for (; reached < count; reached++) {
		file = small_find(server, file, take_string(peer));
		if (!file)
			break;
		put_qid(server, file);
	}
	if (count && !reached)
		return ENOENT;
	if (reached == count)
		*to = file;
	peer->out[at] = (unsigned char)reached;
	return 0;
}

/* Open it may be, whatever the dialect calls that. */
static inline int small_open(struct small_server *server)
{
	int file = small_file(server);

	put_qid(server, file);
	put(&server->peer, 0, 4);
	return file ? 0 : EBADF;
}

/* The fid of the folder becomes the new file's; of what is no regular file, a plain qid is all. */
static inline int small_create(struct small_server *server, int type)
{
	struct peer *peer = &server->peer;
	int *fid = small_fid(server), dir = *fid, file;
	const char *name = take_string(peer), *target = "";
	uint32_t mode = 0644 | S_IFREG;

	if (small_find(server, dir, name))
		return EEXIST;
	if (type == Tcreate) {
		uint32_t perm = (uint32_t)take(peer, 4);

		mode = (perm & 0777) | (perm & 0x80000000   ? S_IFDIR
					: perm & 0x02000000 ? S_IFLNK
					: perm & 0x00200000 ? S_IFIFO
							    : S_IFREG);
		(void)take(peer, 1);
		target = peer->has_numbers ? take_string(peer) : "";
	} else if (type == Tlcreate) {
		(void)take(peer, 4);
		mode = (uint32_t)(take(peer, 4) & 0777) | S_IFREG;
	} else if (type == Tsymlink) {
		target = take_string(peer);
		mode = S_IFLNK | 0777;
	} else {
		mode = (uint32_t)take(peer, 4);
		if (type == Tmkdir)
			mode = (mode & 0777) | S_IFDIR;
	}
	file = small_make(server, dir, name, mode, target);
	if (!file)
		return ENOSPC;
	put_qid(server, file);
	if (type == Tlcreate || type == Tcreate) {
		*fid = file;
		put(peer, 0, 4);
	}
	return 0;
}

/* The entries of a folder from the index `from` on, as many as there is room for; in the older dialects none or all. */
static inline void small_list(struct small_server *server, int dir, uint64_t from, uint32_t room)
{
	struct peer *peer = &server->peer;

	for (int i = SMALL_ROOT; i < SMALL_FILES; i++) {
		const struct small_file *file = &server->files[i];

		if (!file->mode || !file->name[0] || file->parent != dir || (uint64_t)i <= from)
			continue;
		if (!server->modern) {
			put_stat(server, i);
			continue;
		}
		if (peer->out_size + 24 + strlen(file->name) > 11 + room)
			return;
		put_qid(server, i);
		put(peer, (uint64_t)i, 8);
		put(peer, (file->mode & S_IFMT) >> 12, 1);
		put_string(peer, file->name);
	}
}

static inline int small_read(struct small_server *server, bool list)
{
	struct peer *peer = &server->peer;
	int file = *small_fid(server);
	uint64_t offset = take(peer, 8), size;
	uint32_t count = (uint32_t)take(peer, 4), begin = peer->out_size, end;
	const char *data = file == SMALL_VALUE ? "value" : "user.a";

	put(peer, 0, 4);
	if (file < SMALL_FILES && (list || S_ISDIR(server->files[file].mode))) {
		if (server->modern || !offset)
			small_list(server, file, offset, count);
	} else {
		size = file == SMALL_VALUE ? 5 : 7;
		if (file < SMALL_FILES) {
			data = server->files[file].data;
			size = server->files[file].size;
		}
		size = offset < size ? size - offset : 0;
		put_bytes(peer, data + offset, size < count ? size : count);
	}
	end = peer->out_size;
	peer->out_size = begin;
	put(peer, end - begin - 4, 4);
	peer->out_size = end;
	return 0;
}

static inline int small_write(struct small_server *server)
{
	struct peer *peer = &server->peer;
	int file = *small_fid(server);
	uint64_t offset = take(peer, 8);
	uint32_t count = (uint32_t)take(peer, 4);

	if (offset > SMALL_SIZE || count > SMALL_SIZE - offset)
		return ENOSPC;
	if (file && file < SMALL_FILES) {
		memcpy(server->files[file].data + offset, peer->in + peer->at, count);
		if (offset + count > server->files[file].size)
			server->files[file].size = (uint32_t)offset + count;
	}
	put(peer, count, 4);
	return 0;
}

static inline int small_getattr(struct small_server *server)
{
	struct peer *peer = &server->peer;
	int number = small_file(server);
	const struct small_file *file = &server->files[number];

	if (!number)
		return EBADF;
	put(peer, 0x7ff, 8);
	put_qid(server, number);
	put(peer, file->mode, 4);
	put(peer, 0, 8); /* root's */
	put(peer, !!file->name[0], 8);
	put(peer, 0, 8);
	put(peer, file->size, 8);
	put(peer, 4096, 8);
	put(peer, (file->size + 511) / 512, 8);
	for (int i = 0; i < 8; i++)
		put(peer, i % 2 ? 0 : 1000, 8);
	put(peer, 0, 8);
	put(peer, 0, 8);
	return 0;
}

static inline int small_setattr(struct small_server *server)
{
	struct peer *peer = &server->peer;
	struct small_file *file = &server->files[small_file(server)];
	uint32_t valid = (uint32_t)take(peer, 4), mode = (uint32_t)take(peer, 4);
	uint64_t size;

	(void)take(peer, 8);
	size = take(peer, 8);
	if (valid & 1)
		file->mode = (file->mode & S_IFMT) | (mode & 07777);
	if (valid & 8)
		file->size = size < SMALL_SIZE ? (uint32_t)size : SMALL_SIZE;
	return 0;
}

static inline int small_unlink(struct small_server *server, int type)
{
	int *fid = small_fid(server), file = *fid;

	if (type == Tunlinkat)
		file = small_find(server, file, take_string(&server->peer));
	else
		*fid = 0;
	if (!file || file >= SMALL_FILES)
		return ENOENT;
	server->files[file].name[0] = 0;
	return 0;
}

static inline int small_rename(struct small_server *server)
{
	struct peer *peer = &server->peer;
	int from = small_file(server), file = small_find(server, from, take_string(peer));
	int to = small_file(server);

	if (!file || !to)
		return ENOENT;
	server->files[file].parent = to;
	snprintf(server->files[file].name, sizeof(server->files[file].name), "%s", take_string(peer));
	return 0;
}

static inline int small_xattr(struct small_server *server)
{
	int file = small_file(server), *to = small_fid(server);
	const char *name = take_string(&server->peer);

	if (!file || (name[0] && strcmp(name, "user.a")))
		return ENODATA;
	*to = name[0] ? SMALL_VALUE : SMALL_NAMES;
	put(&server->peer, name[0] ? 5 : 7, 8);
	return 0;
}

static inline int small_statfs(struct small_server *server)
{
	put(&server->peer, 0x01021997, 4);
	put(&server->peer, 4096, 4);
	for (int i = 0; i < 6; i++)
		put(&server->peer, 1000, 8);
	put(&server->peer, 255, 4);
	return 0;
}

static inline int small_lock(struct small_server *server, int type)
{
	struct peer *peer = &server->peer;
	int file = small_file(server);

	if (type == Tlock) {
		put(peer, 0, 1);
		return file ? 0 : EBADF;
	}
	put(peer, 2, 1);
	put(peer, 0, 8);
	put(peer, 0, 8);
	put(peer, 1, 4);
	put_string(peer, "nobody");
	return file ? 0 : EBADF;
}

static inline int small_do(struct small_server *server, int type)
{
	switch (type) {
	case Tversion:
		return small_version(server);
	case Tattach:
		return small_attach(server);
	case Twalk:
		return small_walk(server);
	case Topen:
	case Tlopen:
		return small_open(server);
	case Tcreate:
	case Tlcreate:
	case Tmkdir:
	case Tsymlink:
	case Tmknod:
		return small_create(server, type);
	case Tread:
	case Treaddir:
		return small_read(server, type == Treaddir);
	case Twrite:
		return small_write(server);
	case Tgetattr:
		return small_getattr(server);
	case Tstat:
		put(&server->peer, 0, 2); /* which may be 0 */
		put_stat(server, small_file(server));
		return 0;
	case Tsetattr:
		return small_setattr(server);
	case Tunlinkat:
	case Tremove:
		return small_unlink(server, type);
	case Trenameat:
		return small_rename(server);
	case Txattrwalk:
		return small_xattr(server);
	case Tstatfs:
		return small_statfs(server);
	case Treadlink:
		put_string(&server->peer, server->files[small_file(server)].data);
		return 0;
	case Tlock:
	case Tgetlock:
		return small_lock(server, type);
	case Tclunk:
		*small_fid(server) = 0;
		return 0;
	case Tflush:
	case Twstat:
	case Txattrcreate:
	case Tfsync:
	case Tlink:
		return 0;
	default:
		return EOPNOTSUPP;
	}
}

/* Makes the answer to the message that came, in peer->out. */
static inline void small_answer(struct small_server *server, int type, unsigned int tag)
{
	struct peer *peer = &server->peer;
	int error;

	message_begin(peer, type + 1, tag);
	error = small_do(server, type);
	if (error) {
		message_begin(peer, server->modern ? Rlerror : Rerror, tag);
		if (!server->modern)
			put_string(peer, strerror(error));
		if (server->modern || peer->has_numbers)
			put(peer, (uint64_t)error, 4);
	}
	message_end(peer);
}

#endif
