/*
 * Requests in flight, over a transport that keeps what is sent until the test answers it: in any order, late, wrongly, or never.
 */
#define LOG_PREFIX "9p: "
#include <kumo/kunit.h>

#include "call.c"
#include "connection.c"
#include "fid.c"

enum { SENT_MAX = 16 };

static struct request *sent[SENT_MAX]; /* referenced */
static unsigned int sent_count;
static bool stopped;

static int keep_open(struct connection *connection, const char *source,
		     const struct transport_options *options, const struct cred *cred)
{
	return 0;
}

static void keep_send(struct connection *connection, struct request *request)
{
	request_get(request);
	sent[sent_count++] = request;
}

static void keep_stop(struct connection *connection)
{
	stopped = true;
	connection_lose_all(connection);
}

static void keep_close(struct connection *connection)
{
}

static struct transport keep = {
	.name = "keep",
	.msize_max = 65536,
	.open = keep_open,
	.send = keep_send,
	.stop = keep_stop,
	.close = keep_close,
};

static int client_start(struct kunit *test)
{
	struct client *client = kunit_kzalloc(test, sizeof(*client), GFP_KERNEL);
	const struct transport_options options = { -1, -1 };

	if (!client)
		return -ENOMEM;
	sent_count = 0;
	stopped = false;
	spin_init(&client->lock, "9p_client");
	mutex_init(&client->attach_lock, "9p_attach");
	fids_init(client);
	test->priv = client;
	if (connection_open(&client->connection, &keep, "test", &options, &root_cred))
		return -EIO;
	client->connection.dialect = NINEP_2000L;
	client->connection.msize = 8192;
	return 0;
}

static void client_stop(struct kunit *test)
{
	struct client *client = test->priv;

	if (!client)
		return;
	connection_close(&client->connection);
	while (sent_count)
		request_put(sent[--sent_count]);
	fids_destroy(client);
}

/* Answers the i-th of what was sent. */
static void answer(unsigned int i, struct ninep_message *message)
{
	struct request *request = sent[i];
	ssize_t length;

	message->tag = request->tag;
	length = ninep_encode(message, NINEP_2000L, request->in, request->in_room);
	request_answered(request, length < 0 ? 0 : (u32)length);
}

static void answer_type(unsigned int i, u8 type)
{
	struct ninep_message message = { .type = type };

	answer(i, &message);
}

static struct request *send(struct kunit *test, struct ninep_message message)
{
	struct client *client = test->priv;
	struct request *request =
		request_create(&client->connection, &message, REPLY_SMALL, 0, GFP_KERNEL);

	KUNIT_ASSERT_FALSE(test, IS_ERR(request));
	KUNIT_ASSERT_EQ(test, request_send(request), 0);
	return request;
}

static struct ninep_message getattr(u32 fid)
{
	return (struct ninep_message){ .type = Tgetattr, .Tgetattr.fid = fid };
}

static bool is_free(const struct client *client)
{
	return client->connection.free_count == TAGS_MAX;
}

static void answers_find_their_requests_in_any_order(struct kunit *test)
{
	struct request *first = send(test, getattr(1)), *second = send(test, getattr(2));
	struct ninep_message reply, said = { .type = Rgetattr };

	KUNIT_EXPECT_NE(test, first->tag, second->tag);
	said.Rgetattr.size = 2;
	answer(1, &said);
	said.Rgetattr.size = 1;
	answer(0, &said);
	KUNIT_EXPECT_EQ(test, request_wait(first), 0);
	KUNIT_EXPECT_EQ(test, request_reply(first, &reply), 0);
	KUNIT_EXPECT_EQ(test, reply.Rgetattr.size, 1);
	KUNIT_EXPECT_EQ(test, request_wait(second), 0);
	KUNIT_EXPECT_EQ(test, request_reply(second, &reply), 0);
	KUNIT_EXPECT_EQ(test, reply.Rgetattr.size, 2);
	request_put(first);
	request_put(second);
	KUNIT_EXPECT_TRUE(test, is_free(test->priv));
}

static void errors_of_the_server_are_errnos_of_files(struct kunit *test)
{
	static const struct {
		u32 said;
		int meant;
	} errors[] = {
		{ ENOENT, -ENOENT }, { 0, -EIO }, { ERESTARTSYS, -EIO }, { ~0U, -EIO }, { 4096, -EIO }
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(errors); i++) {
		struct request *request = send(test, getattr(1));
		struct ninep_message reply, said = { .type = Rlerror, .Rlerror.ecode = errors[i].said };

		answer(i, &said);
		KUNIT_EXPECT_EQ(test, request_wait(request), 0);
		KUNIT_EXPECT_EQ(test, request_reply(request, &reply), errors[i].meant);
		request_put(request);
	}
}

/* A walk that somebody was killed in, and the fid that it makes. */
static struct request *walk_abandoned(struct kunit *test)
{
	struct client *client = test->priv;
	struct fid *fid = fid_create(client, 0);
	struct ninep_message message = { .type = Twalk };
	struct request *request;

	KUNIT_ASSERT_FALSE(test, IS_ERR(fid));
	message.Twalk.newfid = fid->number;
	request = request_create(&client->connection, &message, REPLY_SMALL, 0, GFP_KERNEL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(request));
	fid->known = true;
	request_add_fid(request, fid);
	fid_put(fid);
	KUNIT_ASSERT_EQ(test, request_send(request), 0);
	request_abandon(request);
	KUNIT_ASSERT_EQ(test, sent_count, 2);
	KUNIT_ASSERT_EQ(test, sent[1]->type, Tflush);
	work_flush(&client->fid_work);
	KUNIT_ASSERT_EQ(test, sent_count, 2); /* the fid stays while the walk may come to be */
	return request;
}

static void expect_clunk(struct kunit *test)
{
	struct client *client = test->priv;

	work_flush(&client->fid_work);
	KUNIT_ASSERT_EQ(test, sent_count, 3);
	KUNIT_EXPECT_EQ(test, sent[2]->type, Tclunk);
	answer_type(2, Rclunk);
	work_flush(&client->fid_work);
	KUNIT_EXPECT_TRUE(test, is_free(client));
}

static void a_late_answer_counts_and_its_fid_is_clunked(struct kunit *test)
{
	struct request *request = walk_abandoned(test);
	struct client *client = test->priv;

	answer_type(0, Rwalk);
	KUNIT_EXPECT_TRUE(test, request->answered);
	KUNIT_EXPECT_PTR_EQ(test, client->connection.by_tag[request->tag], request); /* till Rflush */
	answer_type(1, Rflush);
	/* Free again, and perhaps taken already by the clunk that the worker sends. */
	KUNIT_EXPECT_TRUE(test, client->connection.by_tag[request->tag] != request);
	request_put(request);
	expect_clunk(test);
}

static void a_flushed_request_ends_and_its_tag_is_free(struct kunit *test)
{
	struct request *request = walk_abandoned(test);

	answer_type(1, Rflush);
	KUNIT_EXPECT_TRUE(test, request->finished);
	KUNIT_EXPECT_EQ(test, request->error, -EINTR);
	request_put(request);
	expect_clunk(test);
	/* A device gives the memory back later, without an answer. */
	request_answered(sent[0], 0);
	KUNIT_EXPECT_FALSE(test, stopped);
}

static void expect_given_up(struct kunit *test, struct request *request)
{
	struct client *client = test->priv;
	struct ninep_message reply, message = getattr(3);
	struct request *later;

	KUNIT_EXPECT_EQ(test, request_wait(request), -EIO);
	KUNIT_EXPECT_EQ(test, request_reply(request, &reply), -EIO);
	work_flush(&client->connection.stop_work);
	KUNIT_EXPECT_TRUE(test, stopped);
	later = request_create(&client->connection, &message, REPLY_SMALL, 0, GFP_KERNEL);
	KUNIT_ASSERT_FALSE(test, IS_ERR(later));
	KUNIT_EXPECT_EQ(test, request_send(later), -EIO);
	request_put(later);
	request_put(request);
}

static void an_answer_of_another_type_ends_the_connection(struct kunit *test)
{
	struct request *request = send(test, getattr(1)), *other = send(test, getattr(2));

	answer_type(0, Rclunk);
	work_flush(&((struct client *)test->priv)->connection.stop_work);
	KUNIT_EXPECT_EQ(test, request_wait(other), -EIO); /* lost with it */
	request_put(other);
	expect_given_up(test, request);
}

static void an_answer_with_another_tag_ends_the_connection(struct kunit *test)
{
	struct request *request = send(test, getattr(1));
	struct ninep_message said = { .type = Rgetattr, .tag = (u16)(request->tag + 1) };
	ssize_t length = ninep_encode(&said, NINEP_2000L, request->in, request->in_room);

	request_answered(request, (u32)length);
	expect_given_up(test, request);
}

static void an_answer_of_a_wrong_size_ends_the_connection(struct kunit *test)
{
	struct request *request = send(test, getattr(1));

	request_answered(request, 3);
	expect_given_up(test, request);
}

static void more_than_there_is_room_for_ends_the_connection(struct kunit *test)
{
	struct request *request = send(test, getattr(1));
	struct ninep_message said = { .type = Rgetattr, .tag = request->tag };
	ssize_t length = ninep_encode(&said, NINEP_2000L, request->in, request->in_room);

	((u8 *)request->in)[1] = 16; /* 4096 and more */
	request_answered(request, (u32)length + 16 * 256);
	expect_given_up(test, request);
}

static void an_error_longer_than_there_is_room_for_ends_the_connection(struct kunit *test)
{
	struct request *request = send(test, getattr(1));
	struct ninep_message said = { .type = Rlerror, .tag = request->tag };
	ssize_t length = ninep_encode(&said, NINEP_2000L, request->in, request->in_room);

	((u8 *)request->in)[1] = 16;
	request_answered(request, (u32)length + 16 * 256);
	expect_given_up(test, request);
}

static void nobody_waits_for_a_tag_that_is_not_in_use(struct kunit *test)
{
	struct client *client = test->priv;
	struct request *request = send(test, getattr(1)), *found;

	found = request_of_tag(&client->connection, request->tag);
	KUNIT_EXPECT_PTR_EQ(test, found, request);
	request_put(found);
	KUNIT_EXPECT_NULL(test, request_of_tag(&client->connection, (u16)(request->tag ^ 1)));
	KUNIT_EXPECT_NULL(test, request_of_tag(&client->connection, TAGS_MAX));
	KUNIT_EXPECT_NULL(test, request_of_tag(&client->connection, NINEP_NO_TAG));
	answer_type(0, Rgetattr);
	KUNIT_EXPECT_NULL(test, request_of_tag(&client->connection, request->tag));
	request_put(request);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(answers_find_their_requests_in_any_order),
	KUNIT_CASE(errors_of_the_server_are_errnos_of_files),
	KUNIT_CASE(a_late_answer_counts_and_its_fid_is_clunked),
	KUNIT_CASE(a_flushed_request_ends_and_its_tag_is_free),
	KUNIT_CASE(an_answer_of_another_type_ends_the_connection),
	KUNIT_CASE(an_answer_with_another_tag_ends_the_connection),
	KUNIT_CASE(an_answer_of_a_wrong_size_ends_the_connection),
	KUNIT_CASE(more_than_there_is_room_for_ends_the_connection),
	KUNIT_CASE(an_error_longer_than_there_is_room_for_ends_the_connection),
	KUNIT_CASE(nobody_waits_for_a_tag_that_is_not_in_use),
	{},
};
static struct kunit_suite suite = {
	.name = "connection", .init = client_start, .exit = client_stop, .test_cases = cases
};
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
