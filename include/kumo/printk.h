/*
 * The kernel log: a ring of records that dmesg, /dev/kmsg and the consoles read. Any context, NMI included.
 * A file names its area before including this: #define LOG_PREFIX "acpi: "
 */
#ifndef KUMO_PRINTK_H
#define KUMO_PRINTK_H

#include <kumo/atomic.h>
#include <kumo/list.h>
#include <kumo/types.h>

#ifndef LOG_PREFIX
#define LOG_PREFIX ""
#endif

enum log_level {
	LOG_EMERG,
	LOG_ALERT,
	LOG_CRIT,
	LOG_ERR,
	LOG_WARNING,
	LOG_NOTICE,
	LOG_INFO,
	LOG_DEBUG
};

void printk(enum log_level level, const char *format, ...) __printf(2, 3);
void vprintk(enum log_level level, const char *format, va_list args);

#define pr_emerg(format, ...) printk(LOG_EMERG, LOG_PREFIX format, ##__VA_ARGS__)
#define pr_err(format, ...) printk(LOG_ERR, LOG_PREFIX format, ##__VA_ARGS__)
#define pr_warn(format, ...) printk(LOG_WARNING, LOG_PREFIX format, ##__VA_ARGS__)
#define pr_notice(format, ...) printk(LOG_NOTICE, LOG_PREFIX format, ##__VA_ARGS__)
#define pr_info(format, ...) printk(LOG_INFO, LOG_PREFIX format, ##__VA_ARGS__)
#define pr_debug(format, ...) printk(LOG_DEBUG, LOG_PREFIX format, ##__VA_ARGS__)

/* Once per place in the code. */
#define pr_warn_once(format, ...)                                                                  \
	do {                                                                                       \
		static bool said_;                                                                 \
		if (!said_) {                                                                      \
			said_ = true;                                                              \
			pr_warn(format, ##__VA_ARGS__);                                            \
		}                                                                                  \
	} while (0)

/* For what programs can cause as often as they like: at most 10 lines in 5 seconds of one kind. False: say nothing. */
struct rate_limit {
	u64 since_ns;
	atomic_t said;
};
bool rate_limit_pass(struct rate_limit *limit);

/* A reader's place in the log: the number of the next record, and where it lies in the ring. */
struct log_cursor {
	u64 sequence, position;
};

/* Where log lines go as they are written. write() is called in any context with interrupts off; it must not log. */
struct console {
	const char *name;
	void (*write)(struct console *console, const char *text, size_t size);
	/* Makes seen what was written; optional. Called a little later, with interrupts off, where threads may be woken; when the
	 * machine is ending at once, and then nobody else goes on. */
	void (*show)(struct console *console, bool ending);
	enum log_level level; /* shows records below this number; zero: below what `loglevel=` or `quiet` says */
	bool takes_over;	/* an earlier driver of the same device has shown the log so far */
	struct log_cursor next; /* the core's */
	struct list link;
};

void console_register(struct console *console); /* replays the log so far to a console that has shown nothing */
void console_unregister(struct console *console);
bool console_name(unsigned int index, char name[16]); /* of the INDEXth; false: there are not so many */

void printk_init(void);
/* Takes a larger ring when `log_buf_len=` asks for one. Once memory can be allocated. */
void printk_resize(void);
/* Wakes readers of the log, and shows what consoles have written, after records that came while interrupts were off. The timer
 * interrupt and the idle loop call it. */
void printk_wake_readers(void);
extern int console_level; /* records below this number reach the consoles */

/*
 * What /dev/kmsg is made of (kernel/kmsg.c). A reader sees each record as "priority,sequence,microseconds,-;text\n".
 */
struct iter;
struct file;
struct poll_table;
struct kmsg_reader;				  /* one open file */
struct kmsg_reader *kmsg_open(void) __must_check; /* NULL: no memory. Starts at the oldest record. */
void kmsg_close(struct kmsg_reader *reader);
/* One record. -EAGAIN: none yet and `nonblock`; -EPIPE: records were lost, the next read goes on behind the gap; -EINVAL: does
 * not fit. Sleeps. */
ssize_t kmsg_read(struct kmsg_reader *reader, struct iter *to, bool nonblock) __must_check;
/* One record, "<priority>text". */
ssize_t kmsg_write(struct iter *from) __must_check;
u32 kmsg_poll(struct kmsg_reader *reader, struct file *file, struct poll_table *table);
/* offset 0; SEEK_SET: the oldest, SEEK_DATA: behind the last `dmesg -c`, SEEK_END: what comes. -EINVAL, -ESPIPE. */
loff_t kmsg_seek(struct kmsg_reader *reader, loff_t offset, int whence);

/* Stops the machine: log, backtrace, then reboot or halt as `panic=N` says. Any context. */
void panic(const char *format, ...) __printf(1, 2) __noreturn;
/* A broken invariant that can be survived: logged with a backtrace. */
void warn_at(const char *file, int line, const char *what);
#define WARN_ON(condition)                                                                         \
	({                                                                                         \
		bool warn_condition_ = !!(condition);                                              \
		if (unlikely(warn_condition_))                                                     \
			warn_at(__FILE__, __LINE__, #condition);                                   \
		unlikely(warn_condition_);                                                         \
	})
/* A broken invariant that cannot: oopses (ud2). Never on what a user, a peer or a device can cause. */
#define BUG_ON(condition)                                                                          \
	do {                                                                                       \
		if (unlikely(condition))                                                           \
			bug_at(__FILE__, __LINE__, #condition);                                    \
	} while (0)
void bug_at(const char *file, int line, const char *what) __noreturn;

#endif
