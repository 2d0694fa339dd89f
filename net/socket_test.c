/* Families of sockets, sockets as files, and control messages, with a family made here. */
#include <kumo/file.h>
#include <kumo/kunit.h>
#include <kumo/module.h>
#include <kumo/slab.h>
#include <kumo/socket.h>
#include <kumo/string.h>

#define FAMILY 45 /* of Linux's MCTP, which nobody serves here */

static int released;

static void release(struct socket *socket)
{
	released++;
	socket_destroy(socket);
	kfree(socket);
}

/* Gives back what was asked for in the flags. */
static ssize_t receive(struct socket *socket, struct socket_message *message)
{
	char byte = message->flags & MSG_DONTWAIT ? 'n' : 'w';

	return iter_copy_to(message->data, &byte, 1) == 1 ? 1 : -EFAULT;
}

static const struct socket_ops ops = { .release = release, .receive = receive };
static int create(unsigned int type, int protocol, struct socket **socket);
static const struct socket_family family = {
	.number = FAMILY,
	.owner = THIS_MODULE,
	.create = create,
};

static int create(unsigned int type, int protocol, struct socket **socket)
{
	if (protocol)
		return -EPROTONOSUPPORT;
	*socket = kmalloc(sizeof(**socket), GFP_KERNEL);
	if (!*socket)
		return -ENOMEM;
	socket_init(*socket, &family, &ops, type);
	return 0;
}

static int suite_begin(struct kunit *test)
{
	released = 0;
	return socket_family_register(&family);
}

static void suite_end(struct kunit *test)
{
	socket_family_unregister(&family);
}

static void a_family_has_its_number_alone(struct kunit *test)
{
	struct socket_family wrong = family;

	KUNIT_EXPECT_EQ(test, socket_family_register(&family), -EEXIST);
	wrong.number = AF_MAX;
	KUNIT_EXPECT_EQ(test, socket_family_register(&wrong), -EINVAL);
	wrong.number = AF_UNSPEC;
	KUNIT_EXPECT_EQ(test, socket_family_register(&wrong), -EINVAL);
}

static void a_socket_that_cannot_be_made_leaves_nothing(struct kunit *test)
{
	struct socket *socket;

	KUNIT_EXPECT_EQ(test, socket_create(FAMILY, SOCK_STREAM, 1, &socket), -EPROTONOSUPPORT);
	KUNIT_EXPECT_EQ(test, socket_create(FAMILY, SOCK_MAX, 0, &socket), -EINVAL);
	KUNIT_EXPECT_EQ(test, socket_create(-1, SOCK_STREAM, 0, &socket), -EAFNOSUPPORT);
	KUNIT_EXPECT_EQ(test, socket_create(AF_MAX, SOCK_STREAM, 0, &socket), -EAFNOSUPPORT);
	KUNIT_EXPECT_EQ(test, released, 0);
}

static void a_file_is_its_sockets(struct kunit *test)
{
	struct socket *socket;
	struct file *file;
	char byte = 0;
	loff_t pos = 0;

	KUNIT_ASSERT_EQ(test, socket_create(FAMILY, SOCK_STREAM, 0, &socket), 0);
	file = socket_file(socket, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR(file));
	KUNIT_EXPECT_PTR_EQ(test, socket_of_file(file), socket);
	KUNIT_EXPECT_TRUE(test, S_ISSOCK(file->node->attr.mode));
	KUNIT_EXPECT_EQ(test, kernel_read(file, &byte, 1, &pos), 1);
	KUNIT_EXPECT_EQ(test, byte, 'w');
	file->flags |= O_NONBLOCK;
	KUNIT_EXPECT_EQ(test, kernel_read(file, &byte, 1, &pos), 1);
	KUNIT_EXPECT_EQ(test, byte, 'n');
	KUNIT_EXPECT_EQ(test, kernel_write(file, &byte, 1, &pos), -EOPNOTSUPP);
	file_put(file);
	KUNIT_EXPECT_EQ(test, released, 1);
}

static void an_error_is_told_once(struct kunit *test)
{
	struct socket *socket;

	KUNIT_ASSERT_EQ(test, socket_create(FAMILY, SOCK_STREAM, 0, &socket), 0);
	KUNIT_EXPECT_EQ(test, socket_take_error(socket), 0);
	atomic_set(&socket->error, ECONNRESET);
	KUNIT_EXPECT_EQ(test, socket_take_error(socket), -ECONNRESET);
	KUNIT_EXPECT_EQ(test, socket_take_error(socket), 0);
	socket_release(socket);
	KUNIT_EXPECT_EQ(test, released, 1);
}

/* One control message with this header, in a buffer of `length` bytes. */
static int parse(struct socket *socket, size_t header_length, int level, int type, size_t length)
{
	struct {
		size_t length;
		int level, type;
		char data[64];
	} control = { .length = header_length, .level = level, .type = type };
	struct ancillary ancillary = {};
	int error = ancillary_parse(socket, (const char *)&control, length, &ancillary);

	return ancillary.files ? -EBUSY : error;
}

static void control_messages_that_lie_are_refused(struct kunit *test)
{
	struct socket *socket;

	KUNIT_ASSERT_EQ(test, socket_create(FAMILY, SOCK_STREAM, 0, &socket), 0);
	KUNIT_EXPECT_EQ(test, parse(socket, 16, 6, 0, 16), 0);
	KUNIT_EXPECT_EQ(test, parse(socket, 16, 6, 0, 15), 0); /* no room for a header: none is there */
	KUNIT_EXPECT_EQ(test, parse(socket, 15, 6, 0, 40), -EINVAL);
	KUNIT_EXPECT_EQ(test, parse(socket, 0, 6, 0, 40), -EINVAL);
	KUNIT_EXPECT_EQ(test, parse(socket, 41, 6, 0, 40), -EINVAL);
	KUNIT_EXPECT_EQ(test, parse(socket, ~0UL, 6, 0, 40), -EINVAL);
	KUNIT_EXPECT_EQ(test, parse(socket, 40, SOL_SOCKET, 99, 40), -EINVAL);
	KUNIT_EXPECT_EQ(test, parse(socket, 17, SOL_SOCKET, SCM_CREDENTIALS, 40), -EINVAL);
	KUNIT_EXPECT_EQ(test, parse(socket, 20, SOL_SOCKET, SCM_RIGHTS, 40), -EINVAL); /* not of this family */
	socket_release(socket);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_family_has_its_number_alone),
	KUNIT_CASE(a_socket_that_cannot_be_made_leaves_nothing),
	KUNIT_CASE(a_file_is_its_sockets),
	KUNIT_CASE(an_error_is_told_once),
	KUNIT_CASE(control_messages_that_lie_are_refused),
	{},
};
static struct kunit_suite suite = {
	.name = "socket",
	.init = suite_begin,
	.exit = suite_end,
	.test_cases = cases,
};
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Suite of net/socket.c and net/ancillary.c");
