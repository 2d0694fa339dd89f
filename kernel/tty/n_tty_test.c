/* Suite of the line discipline: bytes are fed to a terminal whose driver keeps what it is given to send. */
#include <kumo/file.h>
#include <kumo/kunit.h>
#include <kumo/string.h>
#include <kumo/thread.h>
#include <linux/poll.h>

#include "internal.h"

#define SENT_SIZE 8192

static struct {
	char sent[SENT_SIZE];
	size_t length, room; /* room: how much more it takes */
} fake;

static size_t fake_write(struct tty *tty, const u8 *data, size_t size)
{
	size = min(size, min(fake.room, SENT_SIZE - 1 - fake.length));
	memcpy(fake.sent + fake.length, data, size);
	fake.length += size;
	fake.room -= size;
	fake.sent[fake.length] = '\0';
	return size;
}

static size_t fake_room(struct tty *tty)
{
	return fake.room;
}

static const struct tty_driver_ops fake_ops = { .write = fake_write, .write_room = fake_room };

struct fixture {
	struct tty *tty;
	struct file file;
};

static int make_terminal(struct kunit *test)
{
	struct fixture *fixture = kunit_kzalloc(test, sizeof(*fixture), GFP_KERNEL);
	int error;

	if (!fixture)
		return -ENOMEM;
	fake.length = 0;
	fake.room = SENT_SIZE;
	fake.sent[0] = '\0';
	fixture->tty = tty_register("n_tty_test", device_number_alloc(), &fake_ops, NULL, THIS_MODULE);
	if (IS_ERR(fixture->tty))
		return (int)PTR_ERR(fixture->tty);
	fixture->file = (struct file){ .flags = O_RDWR | O_NONBLOCK | O_NOCTTY,
				       .mode = FILE_READ | FILE_WRITE,
				       .cred = current->cred };
	error = tty_open_file(&fixture->file, fixture->tty, false);
	if (error) {
		tty_unregister(fixture->tty);
		return error;
	}
	test->priv = fixture;
	return 0;
}

static void drop_terminal(struct kunit *test)
{
	struct fixture *fixture = test->priv;

	if (!fixture)
		return;
	if (fixture->tty)
		tty_unregister(fixture->tty);
	fixture->file.ops->clunk(&fixture->file);
}

/* What the keyboard sends. */
static void type(struct kunit *test, const char *text)
{
	struct fixture *fixture = test->priv;

	tty_receive(fixture->tty, (const u8 *)text, strlen(text));
}

static ssize_t read_some(struct kunit *test, char *buffer, size_t size)
{
	struct fixture *fixture = test->priv;
	struct iter iter;
	loff_t pos = 0;
	ssize_t length;

	iter_init_kernel(&iter, buffer, size - 1);
	length = fixture->file.ops->read(&fixture->file, &iter, &pos);
	buffer[length > 0 ? length : 0] = '\0';
	return length;
}

static ssize_t write_text(struct kunit *test, const char *text)
{
	struct fixture *fixture = test->priv;
	struct iter iter;
	loff_t pos = 0;

	iter_init_kernel(&iter, text, strlen(text));
	return fixture->file.ops->write(&fixture->file, &iter, &pos);
}

static u32 poll_now(struct kunit *test)
{
	struct fixture *fixture = test->priv;

	return fixture->file.ops->poll(&fixture->file, NULL);
}

static void set_flags(struct kunit *test, tcflag_t clear_local, tcflag_t set_input, tcflag_t set_output)
{
	struct tty *tty = ((struct fixture *)test->priv)->tty;
	struct ktermios old = tty->termios;
	unsigned long flags = spin_lock_irqsave(&tty->lock);

	tty->termios.c_lflag &= ~clear_local;
	tty->termios.c_iflag |= set_input;
	tty->termios.c_oflag |= set_output;
	line_termios_changed(tty, &old);
	spin_unlock_irqrestore(&tty->lock, flags);
}

static void a_line_is_read_when_it_is_complete(struct kunit *test)
{
	char buffer[64];

	type(test, "hello");
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), -EAGAIN);
	type(test, " you\rnext");
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 10);
	KUNIT_EXPECT_STREQ(test, buffer, "hello you\n");
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), -EAGAIN);
	KUNIT_EXPECT_STREQ(test, fake.sent, "hello you\r\nnext");
}

static void lines_are_read_one_at_a_time_and_in_parts(struct kunit *test)
{
	char buffer[64];

	type(test, "one\ntwo\n");
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, 3), 2);
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 2);
	KUNIT_EXPECT_STREQ(test, buffer, "e\n");
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 4);
	KUNIT_EXPECT_STREQ(test, buffer, "two\n");
}

static void erase_takes_characters_words_and_lines_back(struct kunit *test)
{
	char buffer[64];

	type(test, "abX\x7f\n");
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 3);
	KUNIT_EXPECT_STREQ(test, buffer, "ab\n");
	KUNIT_EXPECT_STREQ(test, fake.sent, "abX\b \b\r\n");
	type(test, "keep  this\x17\n"); /* ^W */
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 7);
	KUNIT_EXPECT_STREQ(test, buffer, "keep  \n");
	type(test, "all of it\x15of\n"); /* ^U */
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 3);
	KUNIT_EXPECT_STREQ(test, buffer, "of\n");
	type(test, "\x7f\x7f\x17\x15\n"); /* nothing to take back */
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 1);
}

static void erasing_steps_back_over_tabs_and_control_codes(struct kunit *test)
{
	type(test, "ab\t\x7f");
	KUNIT_EXPECT_STREQ(test, fake.sent, "ab\t\b\b\b\b\b\b");
	fake.length = 0;
	type(test, "\x01\x7f");
	KUNIT_EXPECT_STREQ(test, fake.sent, "^A\b \b\b \b");
}

static void erase_takes_a_whole_utf8_character(struct kunit *test)
{
	char buffer[64];

	set_flags(test, 0, IUTF8, 0);
	type(test, "a\xc3\xa4\x7f\n");
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 2);
	KUNIT_EXPECT_STREQ(test, buffer, "a\n");
	KUNIT_EXPECT_STREQ(test, fake.sent, "a\xc3\xa4\b \b\r\n");
}

static void the_literal_key_takes_the_next_as_it_is(struct kunit *test)
{
	char buffer[64];

	type(test, "\x16\x03\x16\x7f\n"); /* ^V^C ^V DEL */
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 3);
	KUNIT_EXPECT_STREQ(test, buffer, "\x03\x7f\n");
}

static void end_of_file_ends_a_read(struct kunit *test)
{
	char buffer[64];

	type(test, "\x04");
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 0);
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), -EAGAIN);
	type(test, "abc\x04");
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, 4), 3);
	KUNIT_EXPECT_STREQ(test, buffer, "abc");
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), -EAGAIN);
}

static void an_overlong_line_keeps_room_for_its_end(struct kunit *test)
{
	char *buffer = kunit_kzalloc(test, 8192, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, buffer);
	fake.room = 0;
	for (int i = 0; i < 5000; i++)
		type(test, "x");
	type(test, "\n");
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, 8192), 4096);
	KUNIT_EXPECT_EQ(test, buffer[4095], '\n');
}

static void raw_input_comes_at_once_and_as_it_is(struct kunit *test)
{
	char buffer[64];

	set_flags(test, ICANON | ECHO | ISIG | IEXTEN, 0, 0);
	type(test, "a\x03\x7f");
	KUNIT_EXPECT_TRUE(test, poll_now(test) & POLLIN);
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 3);
	KUNIT_EXPECT_STREQ(test, buffer, "a\x03\x7f");
	KUNIT_EXPECT_STREQ(test, fake.sent, "");
}

static void minimum_and_time_of_zero_never_wait(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	char buffer[64];

	set_flags(test, ICANON, 0, 0);
	fixture->tty->termios.c_cc[VMIN] = 0;
	fixture->file.flags &= ~(u32)O_NONBLOCK;
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 0);
	type(test, "z");
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 1);
	fixture->tty->termios.c_cc[VTIME] = 1;
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 0);
}

static void half_a_line_becomes_readable_with_raw_mode(struct kunit *test)
{
	char buffer[64];

	type(test, "half");
	set_flags(test, ICANON, 0, 0);
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 4);
	KUNIT_EXPECT_STREQ(test, buffer, "half");
}

static void output_is_processed(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, write_text(test, "a\nb"), 3);
	KUNIT_EXPECT_STREQ(test, fake.sent, "a\r\nb");
	fake.length = 0;
	set_flags(test, 0, 0, XTABS);
	KUNIT_EXPECT_EQ(test, write_text(test, "\tc"), 2);
	KUNIT_EXPECT_STREQ(test, fake.sent, "       c");
}

static void output_waits_for_the_driver(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	char *text = kunit_kzalloc(test, 3001, GFP_KERNEL);
	ssize_t taken;

	KUNIT_ASSERT_NOT_NULL(test, text);
	memset(text, 'x', 3000);
	fake.room = 10;
	taken = write_text(test, text);
	KUNIT_EXPECT_GT(test, taken, 10);
	KUNIT_EXPECT_LT(test, taken, 3000);
	KUNIT_EXPECT_EQ(test, write_text(test, text), -EAGAIN);
	KUNIT_EXPECT_FALSE(test, poll_now(test) & POLLOUT);
	fake.room = SENT_SIZE;
	tty_output_ready(fixture->tty);
	KUNIT_EXPECT_EQ(test, (ssize_t)fake.length, taken);
}

static void xoff_stops_output_and_xon_lets_it_go(struct kunit *test)
{
	type(test, "\x13");
	KUNIT_EXPECT_EQ(test, write_text(test, "quiet"), -EAGAIN);
	KUNIT_EXPECT_STREQ(test, fake.sent, "");
	type(test, "\x11");
	KUNIT_EXPECT_EQ(test, write_text(test, "loud"), 4);
	KUNIT_EXPECT_STREQ(test, fake.sent, "loud");
}

static void the_interrupt_key_throws_the_line_away(struct kunit *test)
{
	char buffer[64];

	type(test, "rm -rf");
	type(test, "\x03\n"); /* throws away what was not sent yet, too */
	KUNIT_EXPECT_STREQ(test, fake.sent, "rm -rf^C\r\n");
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 1);
}

static void after_a_hang_up_reads_end_and_writes_fail(struct kunit *test)
{
	struct fixture *fixture = test->priv;
	char buffer[64];

	tty_unregister(fixture->tty);
	fixture->tty = NULL;
	KUNIT_EXPECT_EQ(test, read_some(test, buffer, sizeof(buffer)), 0);
	KUNIT_EXPECT_EQ(test, write_text(test, "x"), -EIO);
	KUNIT_EXPECT_TRUE(test, poll_now(test) & POLLHUP);
}

static struct kunit_case cases[] = {
	KUNIT_CASE(a_line_is_read_when_it_is_complete),
	KUNIT_CASE(lines_are_read_one_at_a_time_and_in_parts),
	KUNIT_CASE(erase_takes_characters_words_and_lines_back),
	KUNIT_CASE(erasing_steps_back_over_tabs_and_control_codes),
	KUNIT_CASE(erase_takes_a_whole_utf8_character),
	KUNIT_CASE(the_literal_key_takes_the_next_as_it_is),
	KUNIT_CASE(end_of_file_ends_a_read),
	KUNIT_CASE(an_overlong_line_keeps_room_for_its_end),
	KUNIT_CASE(raw_input_comes_at_once_and_as_it_is),
	KUNIT_CASE(minimum_and_time_of_zero_never_wait),
	KUNIT_CASE(half_a_line_becomes_readable_with_raw_mode),
	KUNIT_CASE(output_is_processed),
	KUNIT_CASE(output_waits_for_the_driver),
	KUNIT_CASE(xoff_stops_output_and_xon_lets_it_go),
	KUNIT_CASE(the_interrupt_key_throws_the_line_away),
	KUNIT_CASE(after_a_hang_up_reads_end_and_writes_fail),
	{},
};
static struct kunit_suite suite = {
	.name = "n_tty", .init = make_terminal, .exit = drop_terminal, .test_cases = cases
};
kunit_test_suite(suite);
MODULE_LICENSE("MIT");
MODULE_DESCRIPTION("Suite of the line discipline");
