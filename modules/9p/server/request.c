/* One message: taken apart, given to who serves it, and its answer put together. */
#include "server.h"

#include <kumo/err.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <linux/fcntl.h>

struct service {
	int (*serve)(struct request *request);
	bool changes; /* something: not where all is read-only */
};

/* Tversion and Tflush the connection sees to itself. */
static const struct service services[] = {
	[Tauth] = { answer_auth },
	[Tattach] = { answer_attach },
	[Twalk] = { answer_walk },
	[Tread] = { answer_read },
	[Twrite] = { answer_write },
	[Tclunk] = { answer_clunk },
	[Tremove] = { answer_remove },
	[Topen] = { answer_open },
	[Tcreate] = { answer_create, true },
	[Tstat] = { answer_stat },
	[Twstat] = { answer_wstat, true },
	[Tstatfs] = { answer_statfs },
	[Tlopen] = { answer_lopen },
	[Tlcreate] = { answer_lcreate, true },
	[Tsymlink] = { answer_symlink, true },
	[Tmknod] = { answer_mknod, true },
	[Trename] = { answer_rename, true },
	[Treadlink] = { answer_readlink },
	[Tgetattr] = { answer_getattr },
	[Tsetattr] = { answer_setattr, true },
	[Txattrwalk] = { answer_xattrwalk },
	[Txattrcreate] = { answer_xattrcreate, true },
	[Treaddir] = { answer_readdir },
	[Tfsync] = { answer_fsync },
	[Tlock] = { answer_lock },
	[Tgetlock] = { answer_getlock },
	[Tlink] = { answer_link, true },
	[Tmkdir] = { answer_mkdir, true },
	[Trenameat] = { answer_renameat, true },
	[Tunlinkat] = { answer_unlinkat, true },
};

/* What a client may be told; what is the kernel's own business is an interruption. */
static u32 error_number(int error)
{
	error = -error;
	if (error <= 0 || error > MAX_ERRNO)
		return EIO;
	return error >= ERESTARTSYS && error <= ERESTART_RESTARTBLOCK ? EINTR : (u32)error;
}

/* May it change something that a client then relies on? Times of reading are not that; Tclunk says so itself. */
static bool may_change(const struct ninep_message *message, const struct service *service)
{
	return service->changes || message->type == Twrite || message->type == Tremove ||
	       (message->type == Tlopen && message->Tlopen.flags & O_TRUNC) ||
	       (message->type == Topen && message->Topen.mode & NINEP_OTRUNC);
}

static u32 request_encode(struct request *request)
{
	struct connection *connection = request->connection;
	ssize_t head;

	request->reply.tag = request->tag;
	head = ninep_encode(&request->reply, connection->dialect, request->out,
			    connection->message_size);
	if (head < 0)
		return 0;
	/* Data that was read in place follows its head. */
	return (u32)ninep_size(&request->reply, connection->dialect);
}

u32 request_error(struct request *request, int error)
{
	u32 number = error_number(error);

	if (request->connection->dialect == NINEP_2000L)
		request->reply = (struct ninep_message){ .type = Rlerror, .Rlerror.ecode = number };
	else
		request->reply = (struct ninep_message){
			.type = Rerror, .Rerror = { ninep_string(ninep_error_text((int)number)), number }
		};
	return request_encode(request);
}

u32 request_serve(struct request *request)
{
	struct connection *connection = request->connection;
	const struct service *service = NULL;
	u32 size;
	int error = ninep_decode(&request->message, connection->dialect, request->in, request->size);

	if (error == -EPROTO)
		return 0;
	if (!error && request->message.type < ARRAY_SIZE(services))
		service = &services[request->message.type];
	if (!error && (!service || !service->serve))
		error = -EOPNOTSUPP;
	if (!error && service->changes && connection->export.read_only)
		error = -EROFS;
	if (!error) {
		request->reply = (struct ninep_message){ .type = request->message.type + 1 };
		request->changes = may_change(&request->message, service);
		error = service->serve(request);
		if (!error && request->changes && connection->export.commit)
			error = connection->export.commit(path_tree(&connection->export.root));
	}
	size = error ? request_error(request, error) : request_encode(request);
	kfree(request->scratch);
	request->scratch = NULL;
	return size ? size : request_error(request, -EIO); /* text with a NUL in it, or too long */
}

u32 answer_version(struct request *request)
{
	struct connection *connection = request->connection;
	struct ninep_Tversion *asked = &request->message.Tversion;
	static const struct {
		const char *name;
		enum ninep_dialect dialect;
	} dialects[] = { { "9P2000.L", NINEP_2000L },
			 { "9P2000.u", NINEP_2000U },
			 { "9P2000", NINEP_2000 } };
	const char *answer = "unknown";
	u32 size;

	if (ninep_decode(&request->message, NINEP_2000L, request->in, request->size))
		return 0;
	connection->dialect = 0;
	connection->message_size = min(asked->msize, connection->export.message_size);
	for (unsigned int i = 0; i < ARRAY_SIZE(dialects) && asked->msize >= NINEP_MSIZE_MIN; i++) {
		/* Of what comes behind a dot and is not known nothing is understood: plain 9P2000 (version(5)). */
		bool plain = dialects[i].dialect == NINEP_2000 && asked->version.length > 7 &&
			     asked->version.text[6] == '.' &&
			     !memcmp(asked->version.text, "9P2000", 6);

		if (!plain && !ninep_string_is(asked->version, dialects[i].name))
			continue;
		connection->dialect = dialects[i].dialect;
		answer = dialects[i].name;
		break;
	}
	request->reply = (struct ninep_message){ .type = Rversion,
						 .tag = request->tag,
						 .Rversion = { connection->message_size,
							       ninep_string(answer) } };
	size = (u32)ninep_size(&request->reply, NINEP_2000L);
	if (ninep_encode(&request->reply, NINEP_2000L, request->out, connection->export.message_size) < 0)
		size = 0;
	if (!connection->dialect) /* until there is one, messages may be as large as they may get */
		connection->message_size = connection->export.message_size;
	return size;
}
