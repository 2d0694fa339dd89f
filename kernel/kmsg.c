/*
 * The log for user space: what /dev/kmsg is made of, and syslog(2).
 */
#include <kumo/cred.h>
#include <kumo/file.h>
#include <kumo/iter.h>
#include <kumo/mutex.h>
#include <kumo/slab.h>
#include <kumo/string.h>
#include <kumo/syscalls.h>
#include <kumo/uaccess.h>
#include <linux/capability.h>
#include <linux/fs.h>
#include <kumo/poll.h>
#include "log.h"

#define KMSG_TEXT_MAX (LOG_TEXT_MAX * 4 + 64) /* each byte may become \x12 */
#define LOG_FACILITY_USER 1

struct kmsg_reader {
	struct mutex lock; /* protects the rest; one record is read at a time */
	struct log_cursor next;
	struct log_record record;
	char text[KMSG_TEXT_MAX];
};

/* Behind the last record that was "cleared": where READ_ALL and SEEK_DATA start. The kernel's one syslog reader has a cursor of
 * its own, and how much of its record it has read. */
static struct mutex syslog_lock = MUTEX_INIT(syslog_lock, "syslog");
static struct log_cursor cleared, syslog_next;
static size_t syslog_partial;
static int saved_console_level = -1;

struct kmsg_reader *kmsg_open(void)
{
	struct kmsg_reader *reader = kmalloc(sizeof(*reader), GFP_KERNEL);

	if (reader) {
		mutex_init(&reader->lock, "kmsg");
		log_oldest(&reader->next);
	}
	return reader;
}

void kmsg_close(struct kmsg_reader *reader)
{
	kfree(reader);
}

/* "priority,sequence,microseconds,-;text\n"; what does not print is written \xHH. */
static size_t kmsg_format(const struct log_record *record, char *text, size_t size)
{
	size_t length = (size_t)scnprintf(text, size, "%u,%llu,%llu,-;",
					  record->facility << 3 | record->level,
					  (unsigned long long)record->sequence,
					  (unsigned long long)(record->time_ns / NSEC_PER_USEC));

	for (size_t i = 0; i < record->length; i++) {
		u8 c = (u8)record->text[i];

		if (c < ' ' || c >= 127 || c == '\\')
			length += (size_t)scnprintf(text + length, size - length, "\\x%02x", c);
		else
			text[length++] = (char)c;
	}
	text[length++] = '\n';
	return length;
}

ssize_t kmsg_read(struct kmsg_reader *reader, struct iter *to, bool nonblock)
{
	struct log_cursor before;
	ssize_t result;
	u64 lost;

	result = mutex_lock_interruptible(&reader->lock);
	if (result)
		return result;
	for (;;) {
		before = reader->next;
		if (log_next(&reader->next, &reader->record, &lost))
			break;
		result = -EAGAIN;
		if (nonblock)
			goto out;
		result = wait_event_interruptible(&log_wait, log_ready(&reader->next));
		if (result)
			goto out;
	}
	if (lost) {
		log_oldest(&reader->next);
		result = -EPIPE;
		goto out;
	}
	result = (ssize_t)kmsg_format(&reader->record, reader->text, sizeof(reader->text));
	if ((size_t)result > to->count) {
		reader->next = before;
		result = -EINVAL;
	} else if (iter_copy_to(to, reader->text, (size_t)result) != (size_t)result) {
		reader->next = before;
		result = -EFAULT;
	}
out:
	mutex_unlock(&reader->lock);
	return result;
}

ssize_t kmsg_write(struct iter *from)
{
	char text[LOG_TEXT_MAX + 1];
	unsigned int priority = LOG_FACILITY_USER << 3 | LOG_WARNING, number = 0;
	size_t size = from->count, start = 0, at = 1;

	if (size > LOG_TEXT_MAX)
		return -EINVAL;
	if (iter_copy_from(from, text, size) != size)
		return -EFAULT;
	text[size] = '\0';
	if (text[0] == '<') {
		while (text[at] >= '0' && text[at] <= '9' && number < 10000)
			number = number * 10 + (unsigned int)(text[at++] - '0');
		if (at > 1 && text[at] == '>') {
			priority = number;
			/* Only the kernel speaks as the kernel. */
			if (!(priority >> 3))
				priority |= LOG_FACILITY_USER << 3;
			start = at + 1;
		}
	}
	log_store((priority >> 3) & 0xff, priority & 7, text + start, size - start);
	return (ssize_t)size;
}

u32 kmsg_poll(struct kmsg_reader *reader, struct file *file, struct poll_table *table)
{
	struct log_cursor oldest;

	poll_wait(file, &log_wait, table);
	if (!log_ready(&reader->next))
		return 0;
	log_oldest(&oldest);
	return POLLIN | POLLRDNORM | (reader->next.sequence < oldest.sequence ? POLLERR | POLLPRI : 0);
}

loff_t kmsg_seek(struct kmsg_reader *reader, loff_t offset, int whence)
{
	if (offset)
		return -ESPIPE;
	mutex_lock(&reader->lock);
	switch (whence) {
	case SEEK_SET:
		log_oldest(&reader->next);
		break;
	case SEEK_DATA:
		mutex_lock(&syslog_lock);
		reader->next = cleared;
		mutex_unlock(&syslog_lock);
		break;
	case SEEK_END:
		log_newest(&reader->next);
		break;
	default:
		offset = -EINVAL;
	}
	mutex_unlock(&reader->lock);
	return offset;
}

/* ---- syslog(2) ---- */

enum syslog_action {
	SYSLOG_CLOSE,
	SYSLOG_OPEN,
	SYSLOG_READ,
	SYSLOG_READ_ALL,
	SYSLOG_READ_CLEAR,
	SYSLOG_CLEAR,
	SYSLOG_CONSOLE_OFF,
	SYSLOG_CONSOLE_ON,
	SYSLOG_CONSOLE_LEVEL,
	SYSLOG_SIZE_UNREAD,
	SYSLOG_SIZE_BUFFER,
};

struct syslog_buffer {
	struct log_record record;
	char text[LOG_FORMATTED_MAX];
};

/* What has come since the last call, at most `size` bytes; waits for the first. */
static long syslog_read(char __user *to, size_t size, struct syslog_buffer *buffer)
{
	size_t copied = 0;
	long error = 0;
	u64 lost;

	while (copied < size) {
		struct log_cursor before = syslog_next;
		size_t length, part;

		if (!log_next(&syslog_next, &buffer->record, &lost)) {
			if (copied)
				break;
			mutex_unlock(&syslog_lock);
			error = wait_event_interruptible(&log_wait, log_ready(&syslog_next));
			if (!error)
				error = mutex_lock_interruptible(&syslog_lock);
			if (error)
				return error; /* unlocked */
			continue;
		}
		if (lost)
			syslog_partial = 0;
		length = log_format(&buffer->record, true, buffer->text, sizeof(buffer->text));
		part = min(length - min(syslog_partial, length), size - copied);
		if (copy_to_user(to + copied,
				 buffer->text + length - (length - min(syslog_partial, length)), part)) {
			syslog_next = before;
			if (!copied)
				error = -EFAULT;
			break;
		}
		copied += part;
		syslog_partial += part;
		if (syslog_partial < length) {
			syslog_next = before;
			break;
		}
		syslog_partial = 0;
	}
	mutex_unlock(&syslog_lock);
	return error ? error : (long)copied;
}

/* The newest records since the last clear that fit into `size` bytes. */
static long syslog_read_all(char __user *to, size_t size, bool clear, struct syslog_buffer *buffer)
{
	struct log_cursor start = cleared, at = start, end;
	size_t total = 0, copied = 0;
	u64 lost;

	log_newest(&end);
	while (at.sequence < end.sequence && log_next(&at, &buffer->record, &lost))
		total += log_format(&buffer->record, true, buffer->text, sizeof(buffer->text));
	for (at = start; total > size && log_next(&at, &buffer->record, &lost); start = at)
		total -= log_format(&buffer->record, true, buffer->text, sizeof(buffer->text));
	for (at = start; at.sequence < end.sequence && log_next(&at, &buffer->record, &lost);) {
		size_t length = log_format(&buffer->record, true, buffer->text, sizeof(buffer->text));

		if (length > size - copied)
			break;
		if (copy_to_user(to + copied, buffer->text, length))
			return -EFAULT;
		copied += length;
	}
	if (clear)
		cleared = end;
	return (long)copied;
}

static long syslog_unread(struct syslog_buffer *buffer)
{
	struct log_cursor at = syslog_next;
	size_t total = 0;
	u64 lost;

	while (log_next(&at, &buffer->record, &lost))
		total += log_format(&buffer->record, true, buffer->text, sizeof(buffer->text));
	return (long)(total - min(syslog_partial, total));
}

static long syslog_console(int action, int level)
{
	switch (action) {
	case SYSLOG_CONSOLE_OFF:
		if (saved_console_level < 0)
			saved_console_level = console_level;
		console_level = 1;
		return 0;
	case SYSLOG_CONSOLE_ON:
		if (saved_console_level >= 0)
			console_level = saved_console_level;
		saved_console_level = -1;
		return 0;
	default:
		if (level < 1 || level > 8)
			return -EINVAL;
		console_level = level;
		saved_console_level = -1;
		return 0;
	}
}

long sys_syslog(int action, char __user *to, int size)
{
	struct syslog_buffer *buffer;
	long result;

	if (action < SYSLOG_CLOSE || action > SYSLOG_SIZE_BUFFER)
		return -EINVAL;
	if (action != SYSLOG_READ_ALL && action != SYSLOG_SIZE_BUFFER && !capable(CAP_SYSLOG) &&
	    !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (action == SYSLOG_READ || action == SYSLOG_READ_ALL || action == SYSLOG_READ_CLEAR) {
		if (!to || size < 0)
			return -EINVAL;
		if (!size)
			return 0;
		if (!user_range_ok(to, (size_t)size))
			return -EFAULT;
	}
	if (action == SYSLOG_CLOSE || action == SYSLOG_OPEN)
		return 0;
	if (action == SYSLOG_SIZE_BUFFER)
		return (long)log_ring_size();
	buffer = kmalloc(sizeof(*buffer), GFP_KERNEL);
	if (!buffer)
		return -ENOMEM;
	result = mutex_lock_interruptible(&syslog_lock);
	if (result)
		goto out;
	switch (action) {
	case SYSLOG_READ:
		result = syslog_read(to, (size_t)size, buffer);
		goto out; /* it unlocked */
	case SYSLOG_READ_ALL:
	case SYSLOG_READ_CLEAR:
		result = syslog_read_all(to, (size_t)size, action == SYSLOG_READ_CLEAR, buffer);
		break;
	case SYSLOG_CLEAR:
		log_newest(&cleared);
		break;
	case SYSLOG_SIZE_UNREAD:
		result = syslog_unread(buffer);
		break;
	default:
		result = syslog_console(action, size);
	}
	mutex_unlock(&syslog_lock);
out:
	kfree(buffer);
	return result;
}
