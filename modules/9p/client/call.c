/* One message and its answer, waited for; or begun, and waited for together with others. */
#include "client.h"

#include <kumo/slab.h>
#include <kumo/time.h>

int call_begin(struct client *client, struct call *call)
{
	struct request *request = request_create(&client->connection, &call->message,
						 call->in_room ? call->in_room : REPLY_SMALL, 0,
						 GFP_KERNEL);
	int error;

	call->request = NULL;
	call->begun_ns = time_monotonic_ns();
	if (IS_ERR(request))
		return (int)PTR_ERR(request);
	for (unsigned int i = 0; i < REQUEST_FIDS; i++)
		if (call->fids[i])
			request_add_fid(request, call->fids[i]);
	error = request_send(request);
	if (error)
		request_put(request);
	else
		call->request = request;
	return error;
}

int call_wait(struct call *call)
{
	int error = request_wait(call->request);

	return error ? error : request_reply(call->request, &call->message);
}

void call_end(struct call *call)
{
	if (call->request)
		request_put(call->request);
	call->request = NULL;
}

int call(struct client *client, struct call *call)
{
	int error = call_begin(client, call);

	return error ? error : call_wait(call);
}

int call_simple(struct client *client, const struct ninep_message *message, struct fid *a, struct fid *b)
{
	struct call simple = { .message = *message, .fids = { a, b } };
	int error = call(client, &simple);

	call_end(&simple);
	return error;
}
