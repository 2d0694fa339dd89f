/* Between the files of the log: printk.c (ring, consoles), kmsg.c (readers in user space), panic.c. */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <kumo/printk.h>
#include <kumo/wait.h>

#define LOG_TEXT_MAX 1000 /* bytes of a record's text; longer ones are cut */

/* A record as read out of the ring. `text` has no newline at its end. */
struct log_record {
	u64 sequence, time_ns;
	unsigned int level, facility;
	size_t length;
	char text[LOG_TEXT_MAX];
};

extern struct wait_queue log_wait; /* readers that wait for a record */

/* The record at the cursor, which moves behind it; false when there is none yet. *lost: how many were overwritten before
 * it. Any context. */
bool log_next(struct log_cursor *cursor, struct log_record *record, u64 *lost);
/* Whether a record lies at the cursor. */
bool log_ready(const struct log_cursor *cursor);
void log_oldest(struct log_cursor *cursor);
void log_newest(struct log_cursor *cursor); /* behind the last record */
size_t log_ring_size(void);
void log_store(unsigned int facility, unsigned int level, const char *text, size_t length);

/* The record's lines as the console and syslog(2) show them, each "[    1.234567] text\n", with "<6>" in front if asked. The
 * length; never more than `size`. */
size_t log_format(const struct log_record *record, bool with_priority, char *text, size_t size);
#define LOG_FORMATTED_MAX (LOG_TEXT_MAX * 4) /* enough for most; lines beyond it are left out */

/* From now on the log waits for nobody: the machine is going down. */
void log_panic(void);

#endif
